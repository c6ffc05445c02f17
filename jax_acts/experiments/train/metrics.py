"""What is measured of a network: accuracy, dead units, and how gradients spread."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array

from jax_acts.experiments.models import BEFORE, PREACTIVATIONS
from jax_acts.linen import Activation

Params = Any


class Batch(NamedTuple):
    """Images, uint8 of shape `(n, height, width, channels)`, and labels, `(n,)`."""

    images: Array
    labels: Array


class Measures(NamedTuple):
    """The state of a network in numbers."""

    accuracy: Array
    """The share of the test images that are classified right."""
    dead_fraction: Array
    """The share of the units that are dead: see `alive`."""
    log10_gradient_ratio: Array
    """log10 of |gradient of the first kernel| / |gradient of the last kernel|."""


def measure(
    model: Any,
    scaled: Callable[[Array], Array],
    params: Params,
    batch: Batch,
    test: Batch,
    at_once: int = 250,
) -> Measures:
    """Returns the measures of a network.

    Args:
        model: A model that has the attributes `activation`, `first` and `last`, and
            sows what goes into its activations.
        scaled: Makes the images the input of the model.
        params: The parameters.
        batch: What the gradient is taken on.
        test: What the accuracy is taken on, and the life of the units.
        at_once: How many test images are in memory at a time.
    """
    layer = Activation(model.activation)

    def chunk(images: Array) -> tuple[Array, dict[str, Array]]:
        logits, seen = model.apply(
            {"params": params}, scaled(images), mutable=[PREACTIVATIONS]
        )
        units = {
            name: alive(layer, params.get(name.removeprefix(BEFORE), {}), z)
            for name, (z,) in seen.get(PREACTIVATIONS, {}).items()
        }
        return logits.argmax(-1), units

    guesses, units = jax.lax.map(chunk, _chunks(test.images, at_once))
    dead = [~u.any(0) for u in units.values()]
    gradient = jax.grad(loss, argnums=2)(model, scaled, params, batch)
    return Measures(
        (guesses.reshape(-1)[: len(test.labels)] == test.labels).mean(),
        jnp.concatenate(dead).mean() if dead else jnp.zeros(()),
        log10_norm(gradient[model.first]["kernel"])
        - log10_norm(gradient[model.last]["kernel"]),
    )


def loss(
    model: Any, scaled: Callable[[Array], Array], params: Params, batch: Batch
) -> Array:
    """Returns the mean cross-entropy of a batch."""
    logits = model.apply({"params": params}, scaled(batch.images))
    return optax.softmax_cross_entropy_with_integer_labels(logits, batch.labels).mean()


def alive(layer: Activation, params: Params, z: Array) -> Array:
    """Returns for each unit whether f'(z) differs from 0 anywhere, of shape `(units,)`.

    A unit is an entry of the last axis: a channel of a convolution, a neuron of a dense
    layer. It is dead if the derivative of its activation is exactly 0 at every place of
    every test image: then no gradient reaches the weights before it. The derivative
    counts and not the output, so leaky functions are judged rightly, and a sigmoid that
    is merely flat is not dead.
    """
    f = lambda z: layer.apply({"params": params}, z)
    _, derivative = jax.jvp(f, (z,), (jnp.ones_like(z),))
    return (derivative != 0).any(tuple(range(z.ndim - 1)))


def log10_norm(x: Array) -> Array:
    """Returns log10 of the Euclidean norm, where the sum of squares may underflow.

    >>> log10_norm(jnp.array([3e-30, 4e-30]))
    Array(-29.30103, dtype=float32)
    """
    largest = jnp.abs(x).max()
    ratios = x / jnp.where(largest > 0, largest, 1)
    return jnp.log10(largest) + jnp.log10((ratios**2).sum()) / 2


def _chunks(images: Array, size: int) -> Array:
    """Returns the images in groups, the last one filled up from the first."""
    size = min(size, len(images))
    count = -(-len(images) // size)
    places = jnp.arange(count * size) % len(images)
    return images[places].reshape(count, size, *images.shape[1:])
