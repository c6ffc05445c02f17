"""Functions along an axis whose values are 0 but for a few."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from jax_acts._axis import Axes, all_axes, mask, one_axis, real, widened
from jax_acts._function import Axis, function
from jax_acts._softmax import centred, softmax, weighted
from jax_acts._sums import first, total


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
    x = real("hardmax", "x", x)
    axes = all_axes("hardmax", x, axis)
    m = jnp.max(jax.lax.stop_gradient(x), axes, keepdims=True, initial=-jnp.inf)
    y = jnp.where(jnp.isnan(m), m, first(x == m, axes).astype(x.dtype))
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
    x = real("sparsemax", "x", x)
    axes = (one_axis("sparsemax", x, axis),) if x.ndim else ()
    return _sparsemax(axes, x, mask("sparsemax", x, where))


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _sparsemax(axes: Axes, x: Array, where: Array | None) -> Array:
    z, low = centred(axes, x, where, None)
    z = z + low
    tau = _threshold(z, *axes) if axes else jnp.full_like(z, -1)
    # The support is known now, and its sum can be had without what cumsum rounds off.
    support = z > tau
    inside = total(jnp.where(support, z, 0), axes)
    count = jnp.sum(support, axes, keepdims=True)
    tau = (inside - 1) / jnp.maximum(count, 1)
    return jnp.where(jnp.isnan(z), z, jnp.where(support, z - tau, 0)).astype(x.dtype)


def _threshold(z: Array, axis: int) -> Array:
    """Returns the tau for which the sum of max(z - tau, 0) is 1."""
    # Entries below -1 are out, and their size would drown the sums of the others.
    falling = -jnp.sort(-jnp.maximum(z, -1), axis)
    rank = jax.lax.broadcasted_iota(z.dtype, z.shape, axis) + 1
    sums_so_far = jnp.cumsum(falling, axis)
    size = jnp.sum(1 + rank * falling > sums_so_far, axis, keepdims=True)
    last = rank == size
    return jnp.sum(jnp.where(last, (sums_so_far - 1) / rank, 0), axis, keepdims=True)


@_sparsemax.defjvp
def _(axes: Axes, primals: Any, tangents: Any) -> tuple[Array, Array]:
    y = _sparsemax(axes, *primals)
    return y, _slope(axes, y != 0, jnp.isnan(total(y, axes)), tangents[0])


@functools.partial(jax.checkpoint, prevent_cse=False, static_argnums=0)
def _slope(axes: Axes, support: Array, broken: Array, t: Array) -> Array:
    """Returns t minus its mean, both over the support; NaN in rows that are broken.

    A backward pass keeps a bit for each entry, which cannot be NaN, and one for a row.
    """
    t, dtype = widened(t), t.dtype
    s = jnp.where(broken, jnp.nan, support.astype(t.dtype))
    return weighted(axes, s, t, dtype).astype(dtype)


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
    x = real("maxout", "x", x)
    if not x.ndim:
        raise ValueError("maxout needs an axis of features; x is a scalar")
    i = one_axis("maxout", x, axis)
    if pieces < 1 or x.shape[i] % pieces:
        raise ValueError(
            f"maxout: axis {axis} has size {x.shape[i]}, which does not divide into "
            f"{pieces} pieces"
        )
    parts = (*x.shape[:i], pieces, x.shape[i] // pieces, *x.shape[i + 1 :])
    return jnp.max(x.reshape(parts), i)
