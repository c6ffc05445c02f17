"""Sums along axes that keep what they round off, and so do their transposes."""

import math
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jax import Array, lax

from jax_acts._axis import Axes
from jax_acts._math import sum_of_two


def total(x: Array, axes: Axes) -> tuple[Array, Array]:
    """Returns the sum over the axes, of size 1 now, rounded and what it lacks.

    The numbers are added eight at a time, and what each addition rounds off is added up
    as well; a running sum of n numbers would be off by up to n / 2 ulp, and
    what XLA makes of a sum differs by platform and shape.
    """
    low = None
    for axis in axes:
        if not x.shape[axis]:
            x = jnp.zeros((*x.shape[:axis], 1, *x.shape[axis + 1 :]), x.dtype)
        while x.shape[axis] > 1:
            highs, lows = _slices(x, axis), None if low is None else _slices(low, axis)
            x, low = highs[0], None if lows is None else lows[0]
            for i, term in enumerate(highs[1:], 1):
                x, rest = sum_of_two(x, term)
                rest = rest if lows is None else rest + lows[i]
                low = rest if low is None else low + rest
    low = jnp.zeros_like(x) if low is None else jnp.where(jnp.isfinite(x), low, 0)
    return x + low, (x - (x + low)) + low


def sums(x: Array, axes: Axes) -> Array:
    """Returns x with each entry replaced by the sum of its row, as `total` has it."""

    def sum_of_row(x: Array) -> Array:
        return jnp.broadcast_to(total(x, axes)[0], x.shape)

    return _linear(sum_of_row, sum_of_row, x)


def others(x: Array, axes: Axes) -> Array:
    """Returns x with each entry replaced by the sum of the others of its row."""

    def sum_of_others(x: Array) -> Array:
        s, low = total(x, axes)
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
        rest, low = total(g, axes)
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


def _slices(x: Array, axis: int) -> list[Array]:
    """Returns x in eight slices or fewer, the last filled up with zeros."""
    n = x.shape[axis]
    size = -(-n // 8)
    padding = [(0, -n % size if i == axis else 0) for i in range(x.ndim)]
    x = jnp.pad(x, padding)
    return [lax.slice_in_dim(x, i, i + size, axis=axis) for i in range(0, n, size)]


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
