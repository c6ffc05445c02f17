"""Metrics of a network: accuracy, dead units, pre-activations and gradient norms."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from jax_acts.experiments.models import BEFORE, MLP, PREACTIVATIONS
from jax_acts.experiments.models.mlp import split_layers
from jax_acts.experiments.train.loop import Metrics, Params
from jax_acts.linen import Activation


def is_alive(layer: Activation, params: Params, z: Array) -> Array:
    """Return whether f'(z) differs from 0 anywhere, for each unit: shape `(units,)`.

    A unit is an element of the last axis: a channel of a convolution, a neuron of a
    dense layer. It is dead if the derivative of its activation is exactly 0 at every
    location of every test example: then no gradient reaches the weights before it. The
    derivative counts and not the output, so a leaky unit with negative outputs is
    alive, and so is a sigmoid that is merely flat.
    """
    f = lambda z: layer.apply({"params": params}, z)
    _, derivative = jax.jvp(f, (z,), (jnp.ones_like(z),))
    return (derivative != 0).any(tuple(range(z.ndim - 1)))


def log10_norm(x: Array) -> Array:
    """Return log10 of the Euclidean norm, where the sum of squares may underflow.

    >>> log10_norm(jnp.array([3e-30, 4e-30]))
    Array(-29.30103, dtype=float32)
    """
    largest = jnp.abs(x).max()
    ratios = x / jnp.where(largest > 0, largest, 1)
    return jnp.log10(largest) + jnp.log10((ratios**2).sum()) / 2


def hidden_layer_metrics(model: MLP, params: Params, x: Array) -> Metrics:
    """Return metrics of each hidden layer of an MLP on inputs x.

    "dead_fraction" is the fraction of dead units, see `is_alive`, and
    "preactivation_rms" the root mean square of the inputs of the activation; both have
    shape `(depth,)`.
    """
    layer = Activation(model.activation)
    apply: Any = model.apply  # its return type depends on `mutable`
    _, variables = apply({"params": params}, x, mutable=[PREACTIVATIONS])
    sown = variables.get(PREACTIVATIONS, {})

    def measure(params: Params, z: Array) -> tuple[Array, Array]:
        dead = ~is_alive(layer, params, z)
        rms = jnp.sqrt(jnp.square(z.astype(jnp.float32)).mean())
        return dead.mean(), rms

    layers = []
    for name, scanned in (("first", False), ("layers", True)):
        if name in sown:
            (z,) = sown[name][f"{BEFORE}activation"]
            learned = params[name].get("activation", {})
            values = (jax.vmap(measure) if scanned else measure)(learned, z)
            layers.append(jax.tree.map(jnp.atleast_1d, values))
    dead, rms = (jnp.concatenate(values) for values in zip(*layers, strict=True))
    return {"dead_fraction": dead, "preactivation_rms": rms}


def kernel_gradient_norms(gradient: Params) -> Array:
    """Return log10 of the gradient norm of each kernel of an MLP, first layer first."""
    return jnp.stack([log10_norm(layer["kernel"]) for layer in split_layers(gradient)])


def image_metrics(
    model: Any,
    params: Params,
    gradient: Params,
    normalize: Callable[[Array], Array],
    images: Array,
    labels: Array,
    batch_size: int = 250,
) -> Metrics:
    """Return accuracy, fraction of dead units and gradient ratio of an image model.

    Args:
        model: A model with the attributes `activation`, `first` and `last` (names of
            layers with a kernel) that sows its pre-activations.
        params: The parameters.
        gradient: A gradient in them; the ratio is log10 of |gradient of the first
            kernel| / |gradient of the last kernel|.
        normalize: Makes the images the input of the model.
        images: Test images, of which accuracy and dead units are measured.
        labels: Their labels.
        batch_size: Number of images in memory at a time.
    """
    layer = Activation(model.activation)

    def evaluate(images: Array) -> tuple[Array, dict[str, Array]]:
        logits, variables = model.apply(
            {"params": params}, normalize(images), mutable=[PREACTIVATIONS]
        )
        alive = {
            name: is_alive(layer, params.get(name.removeprefix(BEFORE), {}), z)
            for name, (z,) in variables.get(PREACTIVATIONS, {}).items()
        }
        return logits.argmax(-1), alive

    predictions, alive = jax.lax.map(evaluate, _batches(images, batch_size))
    dead = [~units.any(0) for units in alive.values()]
    correct = predictions.reshape(-1)[: len(labels)] == labels
    first, last = (log10_norm(gradient[n]["kernel"]) for n in (model.first, model.last))
    return {
        "accuracy": correct.mean(),
        "dead_fraction": jnp.concatenate(dead).mean() if dead else jnp.zeros(()),
        "log10_gradient_ratio": first - last,
    }


def _batches(images: Array, size: int) -> Array:
    """Return the images in batches, the last one filled up from the first."""
    size = min(size, len(images))
    count = -(-len(images) // size)
    indices = jnp.arange(count * size) % len(images)
    return images[indices].reshape(count, size, *images.shape[1:])
