"""The output activation, checked against the loss and the targets.

What a loss expects is measured: it is evaluated on a few outputs near those of the
model. No name of a loss is looked up, so a loss of any library or the caller is
recognized.
"""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jax_acts._core.function import Function
from jax_acts._registry.lookup import get

Kind = Literal["softmax logits", "sigmoid logits", "probabilities", "values", "unknown"]
F64 = np.ndarray[Any, np.dtype[np.float64]]


class OutputCheck(NamedTuple):
    """The output activation, the loss and the targets of a model."""

    expects: Kind
    """What the loss expects: logits of a softmax or of sigmoids, probabilities, or
    values in the units of the targets."""
    activation: str
    """The activation that computes the output, "none" if there is none."""
    problem: str
    """The name of the mismatch, or an empty string."""
    evidence: str
    remedy: str


def check_output(
    loss: Callable[[Any, Any], Any], outputs: Any, targets: Any, activation: str | None
) -> OutputCheck:
    """Check the activation of the output; None means that a site does not compute it.

    Only a single array of outputs and a single array of targets are checked.
    """
    single = [jax.tree.leaves(tree) for tree in (outputs, targets)]
    if any(len(leaves) != 1 for leaves in single):
        return OutputCheck("unknown", activation or "none", "", "", "")
    y, t = (np.asarray(leaves[0], np.float64) for leaves in single)
    if not np.isfinite(y).all() or not y.size:
        return OutputCheck("unknown", activation or "none", "", "", "")
    mean_loss = jax.jit(lambda o: jnp.mean(loss(o, targets)))
    value = lambda o: float(mean_loss(_like(o, outputs)))
    y_array, t_array = jnp.asarray(single[0][0]), jnp.asarray(single[1][0])
    kind = expected(value, y, t, jnp.issubdtype(t_array.dtype, jnp.floating))
    if activation is None and y.ndim and _sums_to_one(y):
        activation = "softmax"
    problem = _shape_problem(loss, y_array, t_array) or _mismatch(
        kind, activation, y, t
    )
    return OutputCheck(kind, activation or "none", *problem)


def _shape_problem(loss: Any, y: Any, t: Any) -> tuple[str, str, str] | None:
    """Return the problem of labels out of range, or of targets that are broadcast."""
    is_integer = jnp.issubdtype(t.dtype, jnp.integer)
    if is_integer and y.ndim and y.shape[-1] > 1 and t.shape == y.shape[:-1]:
        classes, (low, high) = y.shape[-1], (int(t.min()), int(t.max()))
        if low < 0 or high >= classes:
            return (
                "labels",
                f"the labels are in [{low}, {high}]; the output has {classes} classes",
                f"use labels in [0, {classes - 1}], or a loss that ignores the others",
            )
    if t.shape != y.shape and t.size == y.size and 1 in y.shape[-1:]:
        given, same = (float(jnp.mean(loss(y, a))) for a in (t, t.reshape(y.shape)))
        if not np.isclose(given, same, rtol=1e-3):
            return (
                "broadcast targets",
                f"outputs of shape {y.shape} and targets of shape {t.shape} broadcast: "
                f"the loss is {given:.4g}, and {same:.4g} with targets of shape "
                f"{y.shape}",
                f"reshape the targets to {y.shape}, or the outputs to {t.shape}",
            )
    return None


def _like(values: F64, outputs: Any) -> Any:
    """Return values in the structure and the dtype of the outputs."""
    (leaf,), structure = jax.tree.flatten(outputs)
    return jax.tree.unflatten(structure, [jnp.asarray(values, leaf.dtype)])


def expected(value: Callable[[F64], float], y: F64, t: F64, is_float: bool) -> Kind:
    """Classify a loss by its values.

    softmax logits: adding a constant to the logits of a sample changes nothing.
    probabilities: no value, or a constant one, outside of [0, 1].
    sigmoid logits: linear in the logit on one side, 0 on the other.
    values: the targets have the smallest loss, and both sides of them cost the same.
    """
    generator = np.random.default_rng(0)
    noise = generator.normal(size=y.shape)
    near = lambda a, b: bool(abs(a - b) <= 1e-3 * max(abs(a), abs(b), 1e-3))
    base = value(noise)
    if y.ndim and y.shape[-1] > 1 and np.isfinite(base):
        shift = generator.normal(size=(*y.shape[:-1], 1))
        is_invariant = near(value(noise + shift), base)
        if is_invariant and not near(value(2 * noise), base):
            return "softmax logits"
    inside = generator.uniform(0.1, 0.9, size=y.shape)
    outside = [value(inside - 2), value(inside - 3)]
    if np.isfinite(value(inside)) and (
        not np.isfinite(outside).any() or outside[0] == outside[1]
    ):
        return "probabilities"
    if y.size == t.size and set(np.unique(t)) <= {0.0, 1.0}:
        sign = 2 * t.reshape(y.shape) - 1
        right, wrong, double = value(30 * sign), value(-30 * sign), value(-60 * sign)
        if right < 1e-3 and near(double, 2 * wrong):
            return "sigmoid logits"
    if is_float and y.size == t.size:
        t, noise = t.reshape(y.shape), noise * max(1.0, float(np.abs(t).max()))
        least, above, below = value(t), value(t + noise), value(t - noise)
        if near(above, below) and least < above < value(t + 2 * noise):
            return "values"
    return "unknown"


def _sums_to_one(y: F64) -> bool:
    return y.shape[-1] > 1 and bool(
        (y >= 0).all() and np.allclose(y.sum(-1), 1, atol=1e-2)
    )


def _mismatch(
    kind: Kind, activation: str | None, y: F64, t: F64
) -> tuple[str, str, str]:
    """Return the name of the problem, the evidence and the remedy, or empty strings."""
    is_one_hot = activation == "softmax"
    if kind == "softmax logits":
        if is_one_hot:
            return (
                "double softmax",
                "the outputs of each sample sum to 1, and the loss applies softmax",
                "return the logits, without softmax",
            )
        if activation is not None:
            return (
                "output activation",
                f"the output is {activation}(x) in {_interval(y)}",
                f"return the logits, without {activation}",
            )
    if kind == "sigmoid logits" and activation is not None:
        double = " a second time" if activation == "sigmoid" else ""
        return (
            "output activation",
            f"the output is {activation}(x) in {_interval(y)}; the loss applies "
            f"sigmoid{double}",
            f"return the logits, without {activation}",
        )
    if kind == "probabilities" and (y.min() < 0 or y.max() > 1):
        return (
            "output activation",
            f"the loss takes probabilities; the outputs are in {_interval(y)}",
            "end with softmax or sigmoid, or use a loss of logits "
            "(jax_acts.losses.cross_entropy, binary_cross_entropy)",
        )
    if kind == "values" and activation is not None:
        return _squashed(activation, t)
    return "", "", ""


def _squashed(activation: str, t: F64) -> tuple[str, str, str]:
    """Return whether targets are out of the range of an output activation."""
    low, high = output_range(activation)
    share = float(((t < low) | (t > high)).mean())
    if not share:
        return "", "", ""
    return (
        "squashed output",
        f"{share:.0%} of the targets, in {_interval(t)}, are out of the range "
        f"({low:g}, {high:g}) of {activation}",
        f"remove {activation} from the output, or scale the targets into its range",
    )


def output_range(activation: str) -> tuple[float, float]:
    """Return the range of an activation by its name; unbounded if it is unknown."""
    try:
        function = get(activation).function
    except ValueError:
        return -np.inf, np.inf
    return function.spec.range if isinstance(function, Function) else (-np.inf, np.inf)


def _interval(values: F64) -> str:
    return f"[{values.min():.3g}, {values.max():.3g}]"
