"""Sigmoid cross-entropy of logits and labels between 0 and 1."""

import jax.numpy as jnp
from jax import Array

from jax_acts._core.arguments import as_real, broadcast_argument, broadcast_mask
from jax_acts._numerics.bitwise import promote_16bit
from jax_acts._numerics.types import Real
from jax_acts.functional.logistic import softplus


def binary_cross_entropy(
    logits: Array,
    labels: Array,
    *,
    where: Array | None = None,
    label_smoothing: Real = 0.0,
    pos_weight: Real = 1.0,
    temperature: Real = 1.0,
) -> Array:
    r"""Sigmoid cross-entropy, $-w y \log \sigma(x) - (1 - y) \log(1 - \sigma(x))$.

    Both terms are `softplus` of the logit or of its negative, so no term is subtracted
    and the loss does not round to 0.

    Args:
        logits: The logits, of any shape. 16-bit logits are promoted to float32, and so
            is the loss.
        labels: $y$, booleans or values between 0 and 1, that broadcast to the logits.
        where: A boolean mask that broadcasts to the logits. Masked entries have loss 0
            and gradient 0, also for logits that are NaN.
        label_smoothing: $\epsilon$; the labels are $(1 - \epsilon) y + \epsilon / 2$.
        pos_weight: $w$, the weight of the positive class.
        temperature: $T > 0$; the logits are divided by it.

    Returns:
        The loss of each entry, of the shape of the logits.

    Raises:
        TypeError: The logits are complex.
        ValueError: The labels or the mask do not broadcast to the logits.

    >>> print(binary_cross_entropy(jnp.array([20.0, -20.0]), jnp.array([1, 0])))
    [2.0611537e-09 2.0611537e-09]
    """
    name = "binary_cross_entropy"
    x = promote_16bit(as_real(name, "logits", logits))
    y = as_real(name, "labels", labels).astype(x.dtype)
    mask = broadcast_mask(name, x, where)
    y = broadcast_argument(name, "labels", y, x.shape)
    if mask is not None:
        x = jnp.where(mask, x, 0)
    z = x / temperature
    y = (1 - label_smoothing) * y + label_smoothing / 2
    positive = jnp.where(y == 0, 0, y * softplus(-z))  # 0 * inf is NaN
    negative = jnp.where(y == 1, 0, (1 - y) * softplus(z))
    loss = pos_weight * positive + negative
    return loss if mask is None else jnp.where(mask, loss, 0)
