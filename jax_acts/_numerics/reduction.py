"""Reductions along axes that remain with size 1.

They bind the `lax` primitives: Pallas lowers no `initial` argument, and an empty axis
gives the identity of the reduction.
"""

import jax.numpy as jnp
from jax import Array, lax

from jax_acts._numerics.types import Axes


def sum_keepdims(x: Array, axes: Axes) -> Array:
    """Return the sum over the axes.

    XLA sums in blocks: for 2^20 positive addends the sum is within 3 ulp.
    """
    return lax.expand_dims(lax.reduce_sum(x, axes), axes)


def max_keepdims(x: Array, axes: Axes) -> Array:
    """Return the maximum over the axes; NaN propagates; of an empty axis -inf."""
    return lax.expand_dims(lax.reduce_max(x, axes), axes)


def any_true(condition: Array) -> Array:
    """Return whether the condition holds anywhere; Triton has no reduction by "or"."""
    axes = tuple(range(condition.ndim))
    return lax.reduce_max(condition.astype(jnp.int32), axes) > 0


def first_true(condition: Array, axes: Axes) -> Array:
    """Return the mask of the first index along the axes where the condition holds."""
    shape = condition.shape
    index, size = jnp.zeros((), jnp.int32), 1
    for axis in axes:
        index = index * shape[axis] + lax.broadcasted_iota(jnp.int32, shape, axis)
        size = size * shape[axis]
    index = jnp.where(condition, index, size)
    first = lax.expand_dims(lax.reduce_min(index, axes), axes)
    return condition & (index == first)
