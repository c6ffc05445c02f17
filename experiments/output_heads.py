"""Output activations with their losses, right and wrong, for three kinds of task."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array

import jax_acts
from jax_acts.experiments.datasets import sklearn_tables as tables


class Head(NamedTuple):
    """What becomes of the last linear layer z, of shape `(n, outputs)`."""

    right: bool
    """Whether textbooks advise it."""
    outputs: int
    loss: Callable[[Array, Array], Array]
    """Takes z and the targets; returns the mean loss."""
    guess: Callable[[Array], Array]
    """Takes z; returns numbers, or kinds, of shape `(n,)`."""


class Task(NamedTuple):
    """A table, and the heads that one may think of for it."""

    title: str
    load: Callable[[], tables.Columns]
    heads: Mapping[str, Head]


def score(guesses: Array, targets: Array) -> Array:
    """Returns the share of right guesses; for numbers 1 - error / variance.

    >>> score(jnp.array([1, 2, 3, 3]), jnp.array([1, 2, 3, 4]))
    Array(0.75, dtype=float32)
    >>> score(jnp.array([1.0, 2.0, 3.0]), jnp.array([1.0, 2.0, 4.5]))
    Array(0.65384614, dtype=float32)
    """
    if jnp.issubdtype(targets.dtype, jnp.integer):
        return (guesses == targets).mean()
    return 1 - jnp.square(guesses - targets).mean() / targets.var()


def _number(activation: str, *, right: bool = False) -> Head:
    """Returns a head for a number, with the squared error."""
    f = jax_acts.get(activation)
    guess = lambda z: f(z[:, 0])
    return Head(right, 1, lambda z, y: jnp.square(guess(z) - y).mean(), guess)


def _one_of_two(logit: Callable[[Array], Array], *, right: bool = False) -> Head:
    """Returns a head for one of two kinds: sigmoid of the logit, and cross-entropy."""
    found = lambda z: logit(z[:, 0])
    loss = lambda z, y: optax.sigmoid_binary_cross_entropy(found(z), y).mean()
    return Head(right, 1, loss, lambda z: (found(z) > 0).astype(jnp.int32))


def _squared_of_two(activation: str) -> Head:
    f = jax_acts.get(activation)
    loss = lambda z, y: jnp.square(f(z[:, 0]) - y).mean()
    return Head(False, 1, loss, lambda z: (f(z[:, 0]) > 0.5).astype(jnp.int32))


def _one_of(
    outputs: int, logits: Callable[[Array], Array], *, right: bool = False
) -> Head:
    """Returns a head for one of many kinds: softmax of logits, and cross-entropy."""
    entropy = optax.softmax_cross_entropy_with_integer_labels
    loss = lambda z, y: entropy(logits(z), y).mean()
    return Head(right, outputs, loss, lambda z: logits(z).argmax(-1))


def _each_of(outputs: int, loss: Callable[[Array, Array], Array]) -> Head:
    """Returns a head of a sigmoid for each kind, that asks each "is it this one?"."""
    asked = lambda z, y: loss(z, jax.nn.one_hot(y, outputs)).sum(-1).mean()
    return Head(False, outputs, asked, lambda z: z.argmax(-1))


def _one_softmax() -> Head:
    """Returns the softmax of a single output, which is 1 whatever it is."""
    p = lambda z: jax_acts.softmax(z, axis=-1)[:, 0]
    loss = lambda z, y: jnp.square(p(z) - y).mean()
    return Head(False, 1, loss, lambda z: (p(z) > 0.5).astype(jnp.int32))


_same = lambda z: z

TASKS: Mapping[str, Task] = MappingProxyType(
    {
        "regression": Task(
            "regression (diabetes)",
            tables.diabetes,
            {
                "identity, squared error": _number("identity", right=True),
                "tanh, squared error": _number("tanh"),
                "sigmoid, squared error": _number("sigmoid"),
                "relu, squared error": _number("relu"),
                "softplus, squared error": _number("softplus"),
            },
        ),
        "binary": Task(
            "one of two (breast cancer)",
            tables.breast_cancer,
            {
                "sigmoid, cross-entropy": _one_of_two(_same, right=True),
                "softmax of two, cross-entropy": _one_of(2, _same, right=True),
                "sigmoid, squared error": _squared_of_two("sigmoid"),
                "identity, squared error": _squared_of_two("identity"),
                "sigmoid twice, cross-entropy": _one_of_two(jax_acts.sigmoid),
                "relu before the sigmoid": _one_of_two(jax_acts.relu),
                "softmax of one, squared error": _one_softmax(),
            },
        ),
        "multiclass": Task(
            "one of ten (digits)",
            tables.digits,
            {
                "softmax, cross-entropy": _one_of(10, _same, right=True),
                "softmax twice, cross-entropy": _one_of(10, jax_acts.softmax),
                "relu before the softmax": _one_of(10, jax_acts.relu),
                "sigmoid before the softmax": _one_of(10, jax_acts.sigmoid),
                "a sigmoid each, cross-entropy": _each_of(
                    10, optax.sigmoid_binary_cross_entropy
                ),
                "a sigmoid each, squared error": _each_of(
                    10, lambda z, y: jnp.square(jax_acts.sigmoid(z) - y)
                ),
            },
        ),
    }
)
"""What is predicted, by the name that configs call it."""
