"""Softmax cross-entropy of logits and integer or soft labels.

    logits --temperature, soft cap, mask--> z --label_cross_entropy--> loss

The residual of the backward pass is the gradient in z, one array of the shape and dtype
of the logits.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from jax_acts._core.arguments import as_real, broadcast_mask, canonical_axis
from jax_acts._numerics.bitwise import promote_16bit
from jax_acts._numerics.cross_entropy import label_cross_entropy
from jax_acts._numerics.types import Real
from jax_acts.functional.hyperbolic import softcap
from jax_acts.functional.softmax_variants import log_softmax, logsumexp
from jax_acts.losses.labels import as_labels


class CrossEntropy(NamedTuple):
    """The terms of `cross_entropy(…, return_terms=True)`, one entry per example."""

    loss: Array
    """The sum of the other terms."""
    cross_entropy: Array
    z_loss: Array
    """The coefficient times $(\\log \\sum_j e^{z_j})^2$."""


def cross_entropy(
    logits: Array,
    labels: Array,
    *,
    axis: int = -1,
    where: Array | None = None,
    label_smoothing: Real = 0.0,
    soft_cap: float | None = None,
    z_loss: Real = 0.0,
    temperature: Real = 1.0,
    ignore_index: int | None = None,
    axis_name: str | None = None,
    return_terms: bool = False,
) -> Any:
    r"""Softmax cross-entropy, $-\sum_j y_j \log p_j$ with $p$ = softmax of the logits.

    The loss and its gradient do not round to 0 or to 1: at margin 20 the loss is
    2.06e-9, and so is the magnitude of the derivative in the logit of the label. The
    loss is within 4 ulp (float32) at every offset for up to 100 classes; the sum over
    more classes adds its rounding error.

    Args:
        logits: An array with the classes along `axis`. 16-bit logits are promoted to
            float32, and so is the loss.
        labels: Class indices, of the shape of the logits without `axis`; or
            probabilities, of the shape of the logits.
        axis: The axis of the classes.
        where: A boolean mask that broadcasts to the logits. Masked classes have
            probability 0; a label that is masked gives inf. Rows without classes give
            0 with gradient 0.
        label_smoothing: $\epsilon$; the labels are $(1 - \epsilon) y + \epsilon / K$
            over the $K$ classes that are not masked.
        soft_cap: $c$; the logits are $c \tanh(z / c)$ (Gemma Team, 2024).
        z_loss: The coefficient of $(\log \sum_j e^{z_j})^2$ (Chowdhery et al., 2022).
        temperature: $T > 0$; the logits are divided by it.
        ignore_index: The label of examples with loss 0 and gradient 0.
        axis_name: The mesh axis over which the classes are sharded inside `shard_map`.
            The labels are global indices; every device returns the loss.
        return_terms: If true, return the terms of the loss.

    Returns:
        The loss of each example, of the shape of the logits without `axis`; or a
        `CrossEntropy` of such arrays.

    Raises:
        TypeError: The logits are complex, `where` is not boolean, or `ignore_index` is
            given with soft labels.
        ValueError: The labels have neither of the two shapes, or an axis is invalid.

    References:
        Prieto et al., "Grokking at the edge of numerical stability", ICLR 2025.

    >>> print(cross_entropy(jnp.array([[0.0, 20.0]]), jnp.array([1])))
    [2.0611537e-09]
    >>> print(jax.grad(lambda x: cross_entropy(x, 1))(jnp.array([0.0, 20.0])))
    [ 2.0611537e-09 -2.0611537e-09]
    """
    name = "cross_entropy"
    x = as_real(name, "logits", logits)
    i = canonical_axis(name, x, axis)
    mask = broadcast_mask(name, x, where)
    labels = as_labels(name, x, labels, i)
    _check_options(labels, ignore_index, axis_name)
    z = jnp.moveaxis(promote_16bit(x), i, -1)
    if not _is_default(temperature, 1):
        z = z / temperature
    if soft_cap is not None:
        z = jnp.where(z == -jnp.inf, z, softcap(z, soft_cap))
    if mask is not None:
        z = jnp.where(jnp.moveaxis(mask, i, -1), z, -jnp.inf)
    epsilon = None if _is_default(label_smoothing, 0) else jnp.asarray(label_smoothing)
    weight = None if _is_default(z_loss, 0) else jnp.asarray(z_loss)
    ignored: Array | bool = False
    if ignore_index is not None:
        ignored = labels == ignore_index
        z, labels = jnp.where(ignored[..., None], 0, z), jnp.where(ignored, 0, labels)
    if jnp.issubdtype(labels.dtype, jnp.floating):
        loss = _soft_label_loss(z, jnp.moveaxis(labels, i, -1), epsilon, weight)
    else:
        loss = label_cross_entropy(axis_name, x.dtype, z, labels, epsilon, weight)
    loss = jnp.where(ignored, 0, loss)
    if not return_terms:
        return loss
    penalty = jnp.zeros_like(loss)
    if weight is not None:
        penalty = jnp.where(ignored, 0, _z_loss(z, weight))
    return CrossEntropy(loss, loss - penalty, penalty)


def _soft_label_loss(
    z: Array, y: Array, epsilon: Array | None, weight: Array | None
) -> Array:
    """Return -Σ y log p + weight (log Σ e^z)² for probabilities y."""
    if epsilon is not None:
        valid = z > -jnp.inf
        count = jnp.maximum(jnp.sum(valid, -1, keepdims=True), 1)
        y = (1 - epsilon) * y + epsilon * valid / count
    is_empty = jnp.max(z, -1, keepdims=True, initial=-jnp.inf) == -jnp.inf
    log_p = jnp.where(is_empty | (y == 0), 0, log_softmax(z))  # 0 * -inf is NaN
    loss = -jnp.sum(y * log_p, -1)
    return loss if weight is None else loss + _z_loss(z, weight)


def _z_loss(z: Array, weight: Array) -> Array:
    log_sum = logsumexp(z, axis=-1)
    return weight * jnp.square(jnp.where(log_sum == -jnp.inf, 0, log_sum))


def _is_default(value: Real, default: float) -> bool:
    return isinstance(value, int | float) and value == default


def _check_options(
    labels: Array, ignore_index: int | None, axis_name: str | None
) -> None:
    """Raise a TypeError for an option of integer labels with soft labels."""
    if jnp.issubdtype(labels.dtype, jnp.integer):
        return
    if ignore_index is not None or axis_name is not None:
        option = "axis_name" if ignore_index is None else "ignore_index"
        raise TypeError(f"cross_entropy: {option}: expected integer labels, got soft")
