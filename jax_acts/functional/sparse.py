"""Functions along an axis whose values are 0 but for a few."""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from jax_acts._core.arguments import (
    as_real,
    broadcast_mask,
    canonical_axes,
    canonical_axis,
)
from jax_acts._core.function import function
from jax_acts._core.spec import Axis
from jax_acts._numerics.bitwise import promote_16bit
from jax_acts._numerics.compensated_sum import first_true, sum_keepdims
from jax_acts._numerics.softmax import center, softmax, weighted_jvp
from jax_acts._numerics.types import Axes


@function()
def hardmax(x: Array, axis: Axis = -1, *, straight_through: bool = False) -> Array:
    r"""Hardmax, 1 at the first maximum and 0 elsewhere.

    Its derivative is 0, or that of `softmax`. A row with a NaN is NaN.

    Args:
        x: The input.
        axis: The axis or axes, or by None all, along which one value is 1.
        straight_through: Whether the derivatives are those of `softmax`, so that what
            lies below it learns ("straight-through").

    >>> hardmax(jnp.array([1.0, 3.0, 3.0]))
    Array([0., 1., 0.], dtype=float32)
    """
    x = as_real("hardmax", "x", x)
    axes = canonical_axes("hardmax", x, axis)
    m = jnp.max(jax.lax.stop_gradient(x), axes, keepdims=True, initial=-jnp.inf)
    y = jnp.where(jnp.isnan(m), m, first_true(x == m, axes).astype(x.dtype))
    if straight_through:
        soft = softmax(axes, x, None, None)
        y = y + (soft - jax.lax.stop_gradient(soft))
    return y


@function(cite="martins2016")
def sparsemax(x: Array, axis: Axis = -1, where: Array | None = None) -> Array:
    r"""Sparsemax, $\max(x_i - \tau, 0)$ with $\tau$ such that the values sum to 1.

    It is the distribution nearest to x. What is not within 1 of the maximum is 0. A row
    of which nothing counts, or that is all $-\infty$, gives 0, and entries of
    $+\infty$ share the whole evenly.

    Args:
        x: The input.
        axis: The axis along which the values sum to 1.
        where: A mask of the entries that count, broadcast to x; the others give 0.

    Raises:
        TypeError: x is complex, or `where` not boolean.
        ValueError: It is several axes, or out of range, or `where` does not broadcast.

    >>> sparsemax(jnp.array([0.0, 1.0, 1.5]))
    Array([0.  , 0.25, 0.75], dtype=float32)
    """
    x = as_real("sparsemax", "x", x)
    axes = (canonical_axis("sparsemax", x, axis),) if x.ndim else ()
    return _sparsemax(axes, x, broadcast_mask("sparsemax", x, where))


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _sparsemax(axes: Axes, x: Array, where: Array | None) -> Array:
    z, low = center(axes, x, where, None)
    z = z + low
    return jnp.maximum(z - _threshold(z, axes), 0).astype(x.dtype)


def _threshold(z: Array, axes: Axes) -> Array:
    """Returns the tau for which the sum of max(z - tau, 0) is 1, where max z is 0.

    The sum is convex in tau, and linear between one z and the next. Newton steps from
    -1, where it is at least 1, never pass the tau that is wanted. Each leaves entries
    out, or is the last: those that are left are the support then, and their sum gives
    tau. With f the excess of the sum and g its slope, what is convex has
    f(tau + f / g) / f + g(tau + f / g) / g <= 1: a step divides f g by four at least.
    There are at most log2(n) + 14 steps, in float64 log2(n) + 29.
    """

    def unfinished(state: Any) -> Array:
        before, count, _ = state
        return jnp.any(count < before)

    def improved(state: Any) -> Any:
        _, before, tau = state
        inside = z > tau
        count = jnp.sum(inside, axes, keepdims=True)
        excess = sum_keepdims(jnp.where(inside, z, 0), axes) - 1
        # It is rounded, but no entry may come back.
        return before, count, jnp.maximum(tau, excess / jnp.maximum(count, 1))

    tau = jnp.full_like(sum_keepdims(z, axes), -1)
    size = math.prod(z.shape[axis] for axis in axes)
    none_left_out = jnp.full(tau.shape, size + 2), jnp.full(tau.shape, size + 1)
    return jax.lax.while_loop(unfinished, improved, (*none_left_out, tau))[2]


@_sparsemax.defjvp
def _sparsemax_jvp(axes: Axes, primals: Any, tangents: Any) -> tuple[Array, Array]:
    y = _sparsemax(axes, *primals)
    return y, _slope(axes, y != 0, jnp.isnan(sum_keepdims(y, axes)), tangents[0])


@functools.partial(jax.checkpoint, prevent_cse=False, static_argnums=0)
def _slope(axes: Axes, support: Array, broken: Array, t: Array) -> Array:
    """Returns t minus its mean, both over the support; NaN in rows that are broken.

    A backward pass keeps a bit for each entry, which cannot be NaN, and one for a row.
    """
    t, dtype = promote_16bit(t), t.dtype
    s = jnp.where(broken, jnp.nan, support.astype(t.dtype))
    return weighted_jvp(axes, s, t, dtype).astype(dtype)


@function(cite="goodfellow2013")
def maxout(x: Array, axis: Axis = -1, *, pieces: int = 2) -> Array:
    r"""Maxout, $\max_j x_{i + j n}$ over as many pieces of $n$ features.

    The axis is divided into `pieces` equal parts, and the greatest of each place is
    taken. Its derivative is shared evenly among equals.

    Args:
        x: The input.
        axis: The axis of the features.
        pieces: How many features compete for each that is left.

    Returns:
        An array of the dtype of x, whose axis is `pieces` times shorter.

    Raises:
        ValueError: The size of the axis is no multiple of `pieces`.

    >>> maxout(jnp.array([1.0, 2.0, 3.0, 0.0]))
    Array([3., 2.], dtype=float32)
    """
    x = as_real("maxout", "x", x)
    if not x.ndim:
        raise ValueError("maxout needs an axis of features; x is a scalar")
    i = canonical_axis("maxout", x, axis)
    if pieces < 1 or x.shape[i] % pieces:
        raise ValueError(
            f"maxout: axis {axis} has size {x.shape[i]}, which does not divide into "
            f"{pieces} pieces"
        )
    parts = (*x.shape[:i], pieces, x.shape[i] // pieces, *x.shape[i + 1 :])
    return jnp.max(x.reshape(parts), i)
