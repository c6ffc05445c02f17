"""Functions along an axis whose values are 0 but for a few."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from jax_acts._axis import all_axes, one_axis, real, widened
from jax_acts._function import Axis, function
from jax_acts._softmax import centred
from jax_acts._sums import balanced, first, total


@function()
def hardmax(x: Array, axis: Axis = -1) -> Array:
    r"""Hardmax, 1 at the first maximum and 0 elsewhere.

    Its derivative is 0. A row with a NaN is NaN.

    Args:
        x: The input.
        axis: The axis or axes, or by None all, along which one value is 1.

    >>> hardmax(jnp.array([1.0, 3.0, 3.0]))
    Array([0., 1., 0.], dtype=float32)
    """
    x = real("hardmax", "x", x)
    axes = all_axes("hardmax", x, axis)
    m = jnp.max(jax.lax.stop_gradient(x), axes, keepdims=True, initial=-jnp.inf)
    return jnp.where(jnp.isnan(m), m, first(x == m, axes).astype(x.dtype))


@function(cite="martins2016")
def sparsemax(x: Array, axis: Axis = -1) -> Array:
    r"""Sparsemax, $\max(x_i - \tau, 0)$ with $\tau$ such that the values sum to 1.

    It is the distribution nearest to x. What is not within 1 of the maximum is 0. A row
    that is all $-\infty$ gives 0, and entries of $+\infty$ share the whole evenly.

    Args:
        x: The input.
        axis: The axis along which the values sum to 1.

    Raises:
        ValueError: It is several axes, or out of range.

    >>> sparsemax(jnp.array([0.0, 1.0, 1.5]))
    Array([0.  , 0.25, 0.75], dtype=float32)
    """
    x = real("sparsemax", "x", x)
    return _sparsemax(one_axis("sparsemax", x, axis), x) if x.ndim else x * 0 + 1


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _sparsemax(axis: int, x: Array) -> Array:
    z, low = centred((axis,), x, None, None)
    z = z + low
    # Entries below -1 are out, and their size would drown the sums of the others.
    falling = -jnp.sort(-jnp.maximum(z, -1), axis)
    rank = jax.lax.broadcasted_iota(z.dtype, z.shape, axis) + 1
    sums_so_far = jnp.cumsum(falling, axis)
    size = jnp.sum(1 + rank * falling > sums_so_far, axis, keepdims=True)
    last = rank == size
    tau = jnp.sum(jnp.where(last, (sums_so_far - 1) / rank, 0), axis, keepdims=True)
    # The support is known now, and its sum can be had without what cumsum rounds off.
    support = z > tau
    inside = total(jnp.where(support, z, 0), (axis,))
    count = jnp.sum(support, axis, keepdims=True)
    tau = (inside - 1) / jnp.maximum(count, 1)
    return jnp.where(jnp.isnan(z), z, jnp.where(support, z - tau, 0)).astype(x.dtype)


@_sparsemax.defjvp
def _(axis: int, primals: Any, tangents: Any) -> tuple[Array, Array]:
    y = _sparsemax(axis, *primals)
    return y, _slope(axis, y != 0, *tangents)


@functools.partial(jax.checkpoint, prevent_cse=False, static_argnums=0)
def _slope(axis: int, support: Array, t: Array) -> Array:
    """Returns t minus its mean, both over the support."""
    v = jnp.where(support, balanced(widened(t), t.dtype, (axis,)), 0)
    count = jnp.maximum(jnp.sum(support, axis, keepdims=True), 1)
    return jnp.where(support, v - total(v, (axis,)) / count, 0).astype(t.dtype)


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
