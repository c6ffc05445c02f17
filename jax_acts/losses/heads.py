"""Output heads: an output activation, the loss of its logits, and the task of both."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from jax_acts._core.errors import check_choice, did_you_mean
from jax_acts._registry.lookup import get
from jax_acts.losses.bernoulli import binary_cross_entropy
from jax_acts.losses.categorical import cross_entropy
from jax_acts.losses.fenchel_young import entmax15_loss, sparsemax_loss

_REGRESSION, _BINARY, _MULTICLASS = "regression", "binary", "multiclass"
_MULTILABEL = "multilabel"
_TASKS = (_REGRESSION, _BINARY, _MULTILABEL, _MULTICLASS)


class Head(NamedTuple):
    """An output activation with its loss.

    `loss(logits, labels)` takes the logits, not the output of `activation`.
    """

    activation: Callable[..., Array]
    loss: Callable[..., Array]
    tasks: tuple[str, ...]


def squared_error(predictions: Array, targets: Array) -> Array:
    """Return (y - t)² / 2 of each entry, the loss of the identity."""
    return 0.5 * jnp.square(predictions - targets)


_LOSSES: dict[str, tuple[Callable[..., Array], tuple[str, ...]]] = {
    "identity": (squared_error, (_REGRESSION,)),
    "sigmoid": (binary_cross_entropy, (_BINARY, _MULTILABEL)),
    "softmax": (cross_entropy, (_MULTICLASS,)),
    "sparsemax": (sparsemax_loss, (_MULTICLASS,)),
    "entmax15": (entmax15_loss, (_MULTICLASS,)),
}
_HEADS = {
    task: name for name, (_, tasks) in reversed(_LOSSES.items()) for task in tasks
}
_REASONS = {
    ("identity", _BINARY): "its outputs are no probabilities",
    ("identity", _MULTILABEL): "its outputs are no probabilities",
    ("identity", _MULTICLASS): "its outputs are no probabilities",
    ("sigmoid", _REGRESSION): "its outputs lie between 0 and 1",
    ("sigmoid", _MULTICLASS): "its outputs do not sum to 1 over the classes",
    ("softmax", _REGRESSION): "its outputs sum to 1",
    ("softmax", _BINARY): "over one logit it is 1 for every input",
    ("softmax", _MULTILABEL): "its outputs sum to 1, but labels are independent",
}


def head(activation: Any, task: str | None = None) -> Head:
    """Return an output activation with the loss that matches it.

    The gradient of each loss in the logits is activation(logits) - labels.

    Args:
        activation: A function, its name or a spec, as for `get`: identity, sigmoid,
            softmax, sparsemax or entmax15.
        task: "regression", "binary", "multilabel" or "multiclass", to check that the
            activation suits it.

    Raises:
        TypeError: The activation is not a function or a name.
        ValueError: The activation has no matching loss, or does not suit the task.

    >>> softmax_head = head("softmax", "multiclass")
    >>> print(softmax_head.loss(jnp.array([0.0, 20.0]), 1))
    2.0611537e-09
    >>> head("sigmoid", "multiclass")
    Traceback (most recent call last):
    ValueError: head: sigmoid for multiclass: its outputs do not sum to 1 over the
    classes; use softmax
    """
    function = get(activation) if activation is not None else get("identity")
    name = getattr(function, "__name__", str(function))
    if name not in _LOSSES:
        raise ValueError(
            f"head: expected {', '.join(_LOSSES)}, got {name}"
            f"{did_you_mean(name, _LOSSES)}"
        )
    loss, tasks = _LOSSES[name]
    if task is not None:
        check_choice("head", "task", task, _TASKS)
        if task not in tasks:
            reason = _REASONS.get((name, task)) or _REASONS["softmax", task]
            raise ValueError(f"head: {name} for {task}: {reason}; use {_HEADS[task]}")
    return Head(function, loss, tasks)
