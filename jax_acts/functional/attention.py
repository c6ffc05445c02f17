"""Softmax as attention has it: rows that may be empty, or longer than in training."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from jax_acts._core.arguments import (
    as_real,
    broadcast_mask,
    broadcast_parameter,
    canonical_axes,
)
from jax_acts._core.function import function
from jax_acts._core.spec import Axis
from jax_acts._numerics import softmax as _softmax
from jax_acts._numerics.bitwise import promote_16bit
from jax_acts._numerics.compensated_sum import sum_keepdims
from jax_acts._numerics.double_word import two_sum
from jax_acts._numerics.types import Axes, Real


@function()
def softmax_sink(
    x: Array, sink: Real = 0.0, axis: Axis = -1, where: Array | None = None
) -> Array:
    r"""Softmax with a sink, $e^{x_i} / (e^s + \sum_j e^{x_j})$.

    The sink is a further logit whose share is not returned, so that a row may sum to
    less than 1. With $s = 0$ it is the softmax of Miller (2023), `softmax1`. A row of
    which nothing counts gives 0, and entries of $+\infty$ share the whole evenly.

    Args:
        x: The logits.
        sink: $s$: one number, or one for each row. At $-\infty$ it is `softmax`.
        axis: The axis, the axes or, by None, all axes of a row.
        where: A mask of the entries that count, broadcast to x; the others give 0.

    Returns:
        An array of the shape and dtype of x. 16-bit rows are computed in float32.

    Raises:
        TypeError: x is complex, or `where` not boolean.
        ValueError: An axis is out of range, or a shape does not broadcast.

    >>> softmax_sink(jnp.array([0.0, 0.0]))
    Array([0.33333334, 0.33333334], dtype=float32)
    """
    x = as_real("softmax_sink", "x", x)
    axes = canonical_axes("softmax_sink", x, axis)
    s = broadcast_parameter("softmax_sink", "sink", sink, x, axes)
    rows = tuple(1 if i in axes else n for i, n in enumerate(x.shape))
    where = broadcast_mask("softmax_sink", x, where)
    return _shares(axes, x, where, jnp.broadcast_to(s, rows))[0]


softmax1 = softmax_sink


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _shares(
    axes: Axes, x: Array, where: Array | None, sink: Array
) -> tuple[Array, Array]:
    """Returns the share of each entry, and that of the sink."""
    wide = (
        promote_16bit(x)
        if where is None
        else jnp.where(where, promote_16bit(x), -jnp.inf)
    )
    m = jnp.maximum(jnp.max(wide, axes, keepdims=True, initial=-jnp.inf), sink)
    e, e_sink = _exponential(wide, m), _exponential(sink, m)
    s = sum_keepdims(e, axes) + e_sink
    s = jnp.where(s == 0, 1, s)
    return (e / s).astype(x.dtype), e_sink / s


def _exponential(x: Array, m: Array) -> Array:
    """Returns e^(x - m), where m is the greatest; those that are infinite share."""
    z, low = two_sum(x, -m)
    share = jnp.where(jnp.isnan(m), m, (x == jnp.inf).astype(x.dtype))
    finite = jnp.isfinite(m)
    e = jnp.exp(jnp.where(finite, z, 0))
    low = jnp.where(finite & (jnp.abs(z) < 1e3), low, 0)
    return jnp.where(finite, e + e * low, share)


@_shares.defjvp
def _shares_jvp(axes: Axes, primals: Any, tangents: Any) -> Any:
    (y, y_sink), (dx, _, ds) = _shares(axes, *primals), tangents
    return (y, y_sink), _slopes(axes, y, y_sink, dx, ds)


@functools.partial(jax.checkpoint, prevent_cse=False, static_argnums=0)
def _slopes(
    axes: Axes, y: Array, y_sink: Array, dx: Array, ds: Array
) -> tuple[Array, Array]:
    """Returns the tangents y (t - c), where c is the mean of all, the sink's too."""
    p = promote_16bit(y)
    t = jnp.where(p == 0, 0, promote_16bit(dx))
    ds = jnp.where(y_sink == 0, 0, ds)
    c = sum_keepdims(p * t, axes) + y_sink * ds
    return jnp.where(p == 0, 0, p * (t - c)).astype(y.dtype), y_sink * (ds - c)


@function(cite="nakanishi2025")
def ssmax(
    x: Array, scale: Real = 1.0, axis: Axis = -1, where: Array | None = None
) -> Array:
    r"""Scalable softmax, the `softmax` of $s \log(n)\, x_i$ for a row of $n$ entries.

    It does not flatten as rows grow longer. Entries of $-\infty$ give 0.

    Args:
        x: The logits.
        scale: $s$, which may be learned: one number, or one for each row.
        axis: The axis, the axes or, by None, all axes along which the values sum to 1.
        where: A mask of the $n$ entries that count, broadcast to x; the others give 0.

    Raises:
        TypeError: x is complex, or `where` not boolean.
        ValueError: An axis is out of range, or a shape does not broadcast.

    >>> ssmax(jnp.array([0.0, 1.0]))
    Array([0.33333334, 0.6666667 ], dtype=float32)
    """
    x = as_real("ssmax", "x", x)
    axes = canonical_axes("ssmax", x, axis)
    s = broadcast_parameter("ssmax", "scale", scale, x, axes)
    where = (
        jnp.ones(x.shape, bool) if where is None else broadcast_mask("ssmax", x, where)
    )
    n = sum_keepdims(jnp.asarray(where).astype(promote_16bit(x).dtype), axes)
    factor = s * jnp.log(jnp.maximum(n, 1))
    counted = jnp.asarray(where) & (x != -jnp.inf)
    top = x == jnp.inf
    z = jnp.where(counted & ~top, promote_16bit(x), 0) * factor
    z = jnp.where(
        top & (factor > 0), jnp.inf, jnp.where(top & (factor < 0), -jnp.inf, z)
    )
    return _softmax.softmax(axes, z, counted, None).astype(x.dtype)
