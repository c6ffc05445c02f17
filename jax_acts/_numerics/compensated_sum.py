"""Sums along axes, and gradients whose rounded entries sum to 0."""

import math
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jax_acts._numerics.types import Axes


def sum_keepdims(x: Array, axes: Axes) -> Array:
    """Return the sum over the axes, which stay with size 1.

    XLA sums in blocks: for 2^20 positive addends the sum is within 3 ulp.
    """
    return jnp.sum(x, axes, keepdims=True)


def zero_sum_gradient(t: Array, dtype: Any, axes: Axes) -> Array:
    """Return t; round its cotangent to `dtype` such that it sums to 0 along the axes.

    The exact cotangent sums to 0. The rounding errors of a vector are subtracted from
    one of its largest entries.
    """
    info = jnp.finfo(dtype)

    def transpose(g: Array) -> Array:
        if jnp.finfo(g.dtype).nmant > info.nmant:
            g = lax.reduce_precision(g, info.nexp, info.nmant)
        key, index_bits = _sort_keys(g, axes)
        largest = jnp.max(key, axes, keepdims=True, initial=0)
        error = _exact_sum(g, largest, axes, index_bits)
        # A vector whose sum overflows is left unchanged.
        error = jnp.where(jnp.isfinite(error), error, 0)
        return jnp.where(key == largest, g - error, g)

    return _linear(lambda t: t, transpose, t)


def _sort_keys(g: Array, axes: Axes) -> tuple[Array, int]:
    """Return |g| with the index along the axes in its last bits, and their number.

    The largest key of a vector is unique, up to 2^23 entries.
    """
    info = jnp.finfo(g.dtype)
    integer = np.dtype(f"int{info.bits}")
    bits = (math.prod(g.shape[axis] for axis in axes) - 1).bit_length()
    mask = (1 << min(bits, info.nmant)) - 1
    index = _flat_index(g.shape, axes, integer)
    size = lax.bitcast_convert_type(jnp.abs(g), integer) & ~mask
    return lax.bitcast_convert_type(size | (index & mask), g.dtype), bits


def _flat_index(shape: tuple[int, ...], axes: Axes, dtype: Any) -> Array:
    """Return the row-major index along the axes, in an array of the shape."""
    index = jnp.zeros((), dtype)
    for axis in axes:
        index = index * shape[axis] + lax.broadcasted_iota(dtype, shape, axis)
    return index


def _exact_sum(g: Array, largest: Array, axes: Axes, bits: int) -> Array:
    """Return the sum of 2^bits addends that nearly cancel, to an ulp of the largest.

    Error-free extraction (Rump, Ogita, Oishi): adding and subtracting a large power
    cuts all addends at a common bit, above which they sum without rounding.
    """
    digits = jnp.finfo(g.dtype).nmant - bits
    result = jnp.zeros_like(largest)
    # The low words may all have one sign: together they reach half of the largest.
    for _ in range(math.ceil((bits + 1) / digits) if digits > 0 else 1):
        shift = largest * 2.0 ** (bits + 1)
        hi = (g + shift) - shift
        result = result + sum_keepdims(hi, axes)
        g, largest = g - hi, largest * 2.0**-digits
    return result + sum_keepdims(g, axes)


def first_true(condition: Array, axes: Axes) -> Array:
    """Return the mask of the first index along the axes where the condition holds."""
    index = _flat_index(condition.shape, axes, jnp.int32)
    last = math.prod(condition.shape[axis] for axis in axes)
    index = jnp.where(condition, index, last)
    return condition & (index == jnp.min(index, axes, keepdims=True, initial=last))


def _linear(
    function: Callable[[Array], Array], transpose: Callable[[Array], Array], x: Array
) -> Array:
    """Return function(x) for a linear function, with the transpose given.

    `custom_linear_solve` is the one primitive with a custom transpose that `vmap`
    supports.
    """
    return lax.custom_linear_solve(
        lambda x: x, x, lambda _, x: function(x), lambda _, x: transpose(x)
    )
