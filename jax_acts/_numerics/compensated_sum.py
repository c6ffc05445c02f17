"""Sums along axes, and gradients that add up to 0."""

import math
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jax_acts._numerics.types import Axes


def sum_keepdims(x: Array, axes: Axes) -> Array:
    """Returns the sum over the axes, which stay with size 1.

    XLA adds up in blocks: a sum of 2^20 numbers is right to 3 of the last places.
    """
    return jnp.sum(x, axes, keepdims=True)


def zero_sum_gradient(t: Array, dtype: Any, axes: Axes) -> Array:
    """Returns t; what a backward pass brings here is rounded such that it adds up to 0.

    Without rounding it adds up to 0 already. What the rounded entries of a row lack of
    it, one of the greatest takes.
    """
    info = jnp.finfo(dtype)

    def rounded(g: Array) -> Array:
        if jnp.finfo(g.dtype).nmant > info.nmant:
            g = lax.reduce_precision(g, info.nexp, info.nmant)
        key, bits = _keys(g, axes)
        greatest = jnp.max(key, axes, keepdims=True, initial=0)
        rest = _exact_sum(g, greatest, axes, bits)
        # A row whose sum is out of range stays as it is.
        rest = jnp.where(jnp.isfinite(rest), rest, 0)
        return jnp.where(key == greatest, g - rest, g)

    return _linear(lambda t: t, rounded, t)


def _keys(g: Array, axes: Axes) -> tuple[Array, int]:
    """Returns |g| with the place in the row in its last digits, and how many those are.

    The greatest of a row is there once, up to rows of 2^23 numbers.
    """
    info = jnp.finfo(g.dtype)
    integer = np.dtype(f"int{info.bits}")
    bits = (math.prod(g.shape[axis] for axis in axes) - 1).bit_length()
    places = (1 << min(bits, info.nmant)) - 1
    place = jnp.zeros((), integer)
    for axis in axes:
        here = lax.broadcasted_iota(integer, g.shape, axis)
        place = place * g.shape[axis] + here
    size = lax.bitcast_convert_type(jnp.abs(g), integer) & ~places
    return lax.bitcast_convert_type(size | (place & places), g.dtype), bits


def _exact_sum(g: Array, greatest: Array, axes: Axes, bits: int) -> Array:
    """Returns the sum of 2^bits numbers that nearly cancel, to a place of the greatest.

    Added to something much greater they lose the digits below a common place, and what
    is left adds up without rounding.
    """
    digits = jnp.finfo(g.dtype).nmant - bits
    result = jnp.zeros_like(greatest)
    # The rests may all be of one sign: they are to add up to half of the greatest.
    for _ in range(math.ceil((bits + 1) / digits) if digits > 0 else 1):
        shift = greatest * 2.0 ** (bits + 1)
        high = (g + shift) - shift
        result = result + sum_keepdims(high, axes)
        g, greatest = g - high, greatest * 2.0**-digits
    return result + sum_keepdims(g, axes)


def first_true(found: Array, axes: Axes) -> Array:
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

    The solver of linear systems is the one function with a transpose of its own that
    vmap knows.
    """
    return lax.custom_linear_solve(
        lambda x: x, x, lambda _, x: function(x), lambda _, x: transpose(x)
    )
