"""Classification as something to learn: labelled inputs, and a model of logits."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array

from jax_acts.experiments.datasets.registry import Images
from jax_acts.experiments.models import MLP
from jax_acts.experiments.train.layer_metrics import hidden, log10_norms
from jax_acts.experiments.train.loop import Params, Problem

Scores = dict[str, Array]


class Classes(NamedTuple):
    """A data set on the device, as it is stored: it is scaled where it is used."""

    x: Array
    labels: Array
    x_test: Array
    labels_test: Array
    mean: Array
    deviation: Array

    def scaled(self, x: Array) -> Array:
        """Returns inputs with mean 0 and deviation 1, float32."""
        return (x.astype(jnp.float32) - self.mean) / self.deviation


def on_device(images: Images) -> Classes:
    """Returns the data set on the default device."""
    train, test = images.train, images.test
    some = train.images[:10_000]  # enough for two numbers
    scale = float(some.mean()), float(some.std()) or 1.0
    arrays = (train.images, train.labels, test.images, test.labels, *scale)
    return Classes(*map(jnp.asarray, arrays))


def cross_entropy(logits: Array, labels: Array) -> Array:
    """Returns the mean over the examples of -log softmax(logits)[label]."""
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


def outputs(model: Any, params: Params, x: Array) -> Array:
    """Returns what a model makes of x."""
    return model.apply({"params": params}, x)


def classification(
    model: Any,
    data: Classes,
    batch_size: int,
    *,
    also: Callable[[Params, Classes], Scores] = lambda params, data: {},
    loss: Callable[[Array, Array], Array] = cross_entropy,
) -> Problem:
    """Returns the problem of a model that gives logits, or scores, of the classes.

    Args:
        model: Takes inputs of shape `(n, …)`; the largest output of a row is its guess.
        data: What to learn.
        batch_size: So many examples are drawn for a step, with replacement.
        also: What else to measure.
        loss: Takes outputs and labels.
    """

    def start(key: Array) -> Params:
        return model.init(key, data.scaled(data.x[:1]))["params"]

    def draw(key: Array) -> tuple[Array, Array]:
        places = jax.random.randint(key, (batch_size,), 0, len(data.labels))
        return data.scaled(data.x[places]), data.labels[places]

    def mistakes(params: Params, batch: tuple[Array, Array]) -> Array:
        x, labels = batch
        return loss(outputs(model, params, x), labels)

    def score(params: Params) -> Scores:
        guesses = outputs(model, params, data.scaled(data.x_test)).argmax(-1)
        right = guesses == data.labels_test
        return {"accuracy": right.mean(), **also(params, data)}

    return Problem(start, draw, mistakes, score)


PROBE = 256
"""So many examples are enough for a gradient and for the life of units."""


def gradients(model: MLP, params: Params, data: Classes) -> Scores:
    """Returns log10 of the gradient norm of each kernel, on the first examples."""
    x, labels = data.scaled(data.x[:PROBE]), data.labels[:PROBE]
    loss = lambda params: cross_entropy(outputs(model, params, x), labels)
    return {"log10_gradient": log10_norms(jax.grad(loss)(params))}


def layers(model: MLP, params: Params, data: Classes) -> Scores:
    """Returns for each hidden layer its dead units and the size of its input."""
    return hidden(model, params, data.scaled(data.x_test))._asdict()
