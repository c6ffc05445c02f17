"""StableMax, an alternative to softmax with algebraic tails, and its cross-entropy."""

import jax.numpy as jnp
from jax import Array

from jax_acts._core.arguments import as_real, broadcast_mask, canonical_axis
from jax_acts._numerics.bitwise import promote_16bit


def stablemax(x: Array, axis: int = -1, where: Array | None = None) -> Array:
    r"""StableMax, $s(x_i) / \sum_j s(x_j)$ with $s(x) = x + 1$ for $x \ge 0$, else
    $1 / (1 - x)$.

    Args:
        x: The logits.
        axis: The axis along which the result sums to 1.
        where: A boolean mask that broadcasts to x. Masked entries give 0.

    References:
        Prieto et al., "Grokking at the edge of numerical stability", ICLR 2025.

    >>> print(stablemax(jnp.array([-1.0, 0.0, 1.5])))
    [0.125 0.25  0.625]
    """
    x = as_real("stablemax", "x", x)
    i = canonical_axis("stablemax", x, axis)
    s = _weights(promote_16bit(x), broadcast_mask("stablemax", x, where))
    total = jnp.sum(s, i, keepdims=True)
    return (s / jnp.where(total == 0, 1, total)).astype(x.dtype)


def stablemax_loss(logits: Array, labels: Array, *, axis: int = -1) -> Array:
    r"""Cross-entropy of `stablemax`, $-\log p_y$, for comparison with `cross_entropy`.

    It is computed as published, by the logarithm of the quotient: in float32 it is 0
    from $p_y > 1 - 2^{-25}$ on.

    Args:
        logits: An array with the classes along `axis`.
        labels: Class indices, of the shape of the logits without `axis`.
        axis: The axis of the classes.

    >>> print(stablemax_loss(jnp.array([[-1.0, 0.0, 1.5]]), jnp.array([2])))
    [0.47000363]
    """
    p = jnp.moveaxis(stablemax(promote_16bit(jnp.asarray(logits)), axis), axis, -1)
    return -jnp.log(jnp.take_along_axis(p, labels[..., None], -1))[..., 0]


def _weights(x: Array, mask: Array | None) -> Array:
    s = jnp.where(x >= 0, x + 1, 1 / (1 - jnp.minimum(x, 0)))
    return s if mask is None else jnp.where(mask, s, 0)
