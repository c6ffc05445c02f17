"""Sums along axes in which nothing cancels, in the backward pass either."""

import math
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jax_acts._axis import Axes


def total(x: Array, axes: Axes) -> Array:
    """Returns the sum over the axes, which stay with size 1."""
    return jnp.sum(x, axes, keepdims=True)


def total_in_parts(x: Array, axes: Axes) -> tuple[Array, Array]:
    """Returns the sum over the axes in two parts, of which the first is exact.

    The digits of all numbers above one place are added up as integers, in which nothing
    is rounded; for the second part, the digits below it.
    """
    bits = jnp.finfo(x.dtype).bits
    integer, mantissa = np.dtype(f"int{bits}"), jnp.finfo(x.dtype).nmant
    count = math.prod(x.shape[axis] for axis in axes)
    greatest = jnp.max(jnp.abs(x), axes, keepdims=True, initial=0)
    exponent = lax.bitcast_convert_type(greatest, integer) & (-1 << mantissa)
    top = lax.bitcast_convert_type(exponent, x.dtype)  # the power of two below
    place = jnp.maximum(top, 1 / jnp.finfo(x.dtype).max) * 2.0 ** (
        count.bit_length() + 2 - bits
    )
    units = (x / place).astype(integer)
    whole = jnp.sum(units, axes, keepdims=True)
    high = whole.astype(x.dtype)
    rest = (whole - high.astype(integer)).astype(x.dtype) * place
    return high * place, rest + total(x - units.astype(x.dtype) * place, axes)


def others(x: Array, axes: Axes) -> Array:
    """Returns x with each entry replaced by the sum of the others of its row."""

    def sum_of_others(x: Array) -> Array:
        s, low = total_in_parts(x, axes)
        return (s - x) + low

    return _linear(sum_of_others, sum_of_others, x)


def balanced(t: Array, dtype: Any, axes: Axes) -> Array:
    """Returns t; what a backward pass brings here is rounded such that it adds up to 0.

    What the entries of a row lack of 0, the greatest of them takes. Without rounding
    they add up to 0 already.
    """
    info = jnp.finfo(dtype)

    def rounded(g: Array) -> Array:
        g = lax.reduce_precision(g, info.nexp, info.nmant)
        size = jnp.abs(g)
        greatest = first(size == jnp.max(size, axes, keepdims=True, initial=0), axes)
        rest, low = total_in_parts(g, axes)
        return jnp.where(greatest, (g - rest) - low, g)

    return _linear(lambda t: t, rounded, t)


def first(found: Array, axes: Axes) -> Array:
    """Returns the mask of the first place along the axes where `found` is true."""
    place = jnp.zeros((), jnp.int32)
    for axis in axes:
        here = lax.broadcasted_iota(jnp.int32, found.shape, axis)
        place = place * found.shape[axis] + here
    last = math.prod(found.shape[axis] for axis in axes)
    place = jnp.where(found, place, last)
    return found & (place == jnp.min(place, axes, keepdims=True, initial=last))


def _linear(
    function: Callable[[Array], Array], transpose: Callable[[Array], Array], x: Array
) -> Array:
    """Returns function(x), a linear function, which transposes to the other.

    Automatic transposition would make a plain sum of what was a careful one. The solver
    of linear systems is the one function with a transpose of its own that vmap knows.
    """
    return lax.custom_linear_solve(
        lambda x: x, x, lambda _, x: function(x), lambda _, x: transpose(x)
    )
