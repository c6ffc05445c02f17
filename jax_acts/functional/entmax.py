"""Entmax: distributions between softmax and sparsemax, 0 where the logits are low.

All solve y_i^(α - 1) = (α - 1) (x_i - t), for t such that the row sums to 1. With the
weights s = y^(2 - α), all their derivatives are those of one row:

    dy = s (v - Σ s v / Σ s)    v = dx - k dα    k = ∂/∂α (y^(α - 1) - 1) / (α - 1)
"""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.custom_derivatives import SymbolicZero

from jax_acts._core.arguments import (
    as_real,
    broadcast_mask,
    broadcast_parameter,
    canonical_axes,
    canonical_axis,
)
from jax_acts._core.function import function
from jax_acts._core.spec import Axis
from jax_acts._numerics.bitwise import promote_16bit
from jax_acts._numerics.compensated_sum import sum_keepdims
from jax_acts._numerics.exp_log import exp, log_of_reduced, log_reduce
from jax_acts._numerics.softmax import center, weighted_jvp
from jax_acts._numerics.types import Axes, Real


@function(cite="peters2019")
def entmax15(x: Array, axis: Axis = -1, where: Array | None = None) -> Array:
    r"""Entmax of $\alpha = 1.5$, $\max(x_i / 2 - \tau, 0)^2$ with the sum 1.

    It is half way between `softmax` and `sparsemax`. What is not within 2 of the
    maximum is 0. A row of which nothing counts, or that is all $-\infty$, gives 0 and
    has the derivative 0. Entries of $+\infty$ share the whole evenly. A row with a NaN
    is NaN.

    Args:
        x: The logits.
        axis: The axis along which the values sum to 1.
        where: A mask of the entries that count, broadcast to x; the others give 0.

    Returns:
        An array of the shape and dtype of x. 16-bit rows are computed in float32.

    Raises:
        TypeError: x is complex, or `where` not boolean.
        ValueError: It is several axes, one is out of range, or `where` does not
            broadcast.

    >>> entmax15(jnp.array([-1.0, 1.0, 1.0]))
    Array([0. , 0.5, 0.5], dtype=float32)
    """
    x = as_real("entmax15", "x", x)
    axes = (canonical_axis("entmax15", x, axis),) if x.ndim else ()
    return _entmax15(axes, x, broadcast_mask("entmax15", x, where))


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _entmax15(axes: Axes, x: Array, where: Array | None) -> Array:
    z, low = center(axes, x, where, None)
    half = (z + low) / 2
    return jnp.square(jnp.maximum(half - _threshold(half, axes), 0)).astype(x.dtype)


def _threshold(half: Array, axes: Axes) -> Array:
    """Returns the tau for which the sum of max(half - tau, 0)² is 1.

    The root of the sum is convex in tau, and nearly linear: Newton steps from -1, where
    it is at least 1, never pass the tau that is wanted. As in `sparsemax` each divides
    the excess times the slope by four at least, and one shorter than `close` is the
    last: there are at most log2(n) / 2 + 13 steps, in float64 log2(n) / 2 + 28.
    """
    close = 2 * jnp.finfo(half.dtype).eps

    def unfinished(state: Any) -> Array:
        return jnp.any(state[1] > close)

    def improved(state: Any) -> Any:
        tau, moved = state
        over = jnp.maximum(half - tau, 0)
        sums, squares = sum_keepdims(over, axes), sum_keepdims(jnp.square(over), axes)
        root = jnp.sqrt(squares)  # less 1, it is (squares - 1) / (root + 1)
        step = (squares - 1) * root / (jnp.where(sums == 0, 1, sums) * (root + 1))
        # A row that is finished stays as it is, whatever the others need.
        step = jnp.where(moved > close, step, 0)
        return tau + step, step

    tau = jnp.full_like(sum_keepdims(half, axes), -1)
    return jax.lax.while_loop(unfinished, improved, (tau, jnp.full_like(tau, 1)))[0]


@_entmax15.defjvp
def _entmax15_jvp(axes: Axes, primals: Any, tangents: Any) -> tuple[Array, Array]:
    y = _entmax15(axes, *primals)
    return y, _slope(axes, y, None, tangents[0], None)


def _at_least_1(alpha: Any = 1.5, **_: Any) -> None:
    """Refuses a number below 1; an array that holds one gives NaN."""
    if isinstance(alpha, int | float | np.number) and not alpha >= 1:
        raise ValueError(f"entmax: alpha is at least 1, not {alpha}")


@function(cite="peters2019 correia2019", check=_at_least_1)
def entmax(
    x: Array, alpha: Real = 1.5, axis: Axis = -1, where: Array | None = None
) -> Array:
    r"""Entmax, $\max((\alpha - 1) x_i - \tau, 0)^{1 / (\alpha - 1)}$ with the sum 1.

    At $\alpha = 1$ it is `softmax`, at 2 `sparsemax`; the greater $\alpha$, the more
    entries are 0. It may be learned: the derivative in $\alpha$ is exact, at 1 too.
    Rows that are empty, infinite or NaN give what they give in `entmax15`.

    Args:
        x: The logits.
        alpha: $\alpha$, at least 1 and finite: one number, or one for each row.
        axis: The axis, the axes or, by None, all axes along which the values sum to 1.
        where: A mask of the entries that count, broadcast to x; the others give 0.

    Returns:
        An array of the shape and dtype of x. 16-bit rows are computed in float32.

    Raises:
        TypeError: x is complex, or `where` not boolean.
        ValueError: alpha is a number below 1, an axis is out of range, or a shape does
            not broadcast.

    >>> entmax(jnp.array([0.0, 1.0, 1.0]), alpha=2.0)
    Array([0. , 0.5, 0.5], dtype=float32)
    >>> slope = jax.grad(lambda alpha: entmax(jnp.array([0.0, 1.0]), alpha)[1])
    >>> print(f"{slope(1.0):.4f}")
    0.1599
    """
    x = as_real("entmax", "x", x)
    axes = canonical_axes("entmax", x, axis)
    a = broadcast_parameter("entmax", "alpha", alpha, x, axes)
    return _entmax(axes, x, broadcast_mask("entmax", x, where), a)


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _entmax(axes: Axes, x: Array, where: Array | None, alpha: Array) -> Array:
    z, low = center(axes, x, where, None)
    e, _ = _relative(z + low, _log_of_greatest(axes, z + low, alpha), alpha)
    s = sum_keepdims(e, axes)
    y = e / jnp.where(s == 0, 1, s)
    return jnp.where(alpha >= 1, y, jnp.nan).astype(x.dtype)


def _entmax_jvp(axes: Axes, primals: Any, tangents: Any) -> tuple[Array, Array]:
    y, (dx, _, da) = _entmax(axes, *primals), tangents
    alpha = primals[2]
    dx = jnp.zeros_like(y) if type(dx) is SymbolicZero else dx
    da = None if type(da) is SymbolicZero else da
    return y, _slope(axes, y, alpha, dx, da)


_entmax.defjvp(_entmax_jvp, symbolic_zeros=True)


def _relative(z: Array, q: Array, alpha: Array) -> tuple[Array, Array]:
    """Returns e = y / max y for the logarithm q of max y, and e^(2 - α), for max z = 0.

    With w = z / max y^(α - 1), e is max(1 + (α - 1) w, 0)^(1 / (α - 1)), written such
    that it is e^w at α = 1.
    """
    a = alpha - 1
    w = z * jnp.exp(-a * q)
    u = jnp.maximum(a * jnp.maximum(w, jnp.finfo(z.dtype).min), -1)
    outside = (u <= -1) | (w == -jnp.inf)
    u = jnp.where(outside, 0, u)
    f, k = log_reduce(1 + u)
    near = u > -0.5  # where 1 + u is rounded
    log_u = log_of_reduced(jnp.where(near, u, f), jnp.where(near, 0, k))
    tiny = jnp.abs(u) < jnp.finfo(z.dtype).tiny
    ratio = jnp.where(tiny, 1, log_u / jnp.where(tiny, 1, u))
    e = jnp.where(outside, 0, exp(jnp.where(outside, 0, w) * ratio))
    return e, e / (1 + u)


def _log_of_greatest(axes: Axes, z: Array, alpha: Array) -> Array:
    """Returns q = log max y: the root of q + log Σ e, e the ratios that q gives.

    The left side rises with q, of slope Σ e^(2 - α) / Σ e. A Newton step that leaves
    the bracket, which is -log n and 0 at first, or is more than half of the one before,
    is replaced by one to the middle.
    """
    count = math.prod(z.shape[axis] for axis in axes)
    bottom = jnp.full_like(sum_keepdims(z, axes), -math.log(max(count, 1)))
    steps = 2 * jnp.finfo(z.dtype).nmant  # twice the halvings that reach the last place
    close = 2 * jnp.finfo(z.dtype).eps * jnp.maximum(1, -bottom)

    def unfinished(state: Any) -> Array:
        step, _, _, _, moved = state
        return (step < steps) & jnp.any(moved > close)

    def improved(state: Any) -> Any:
        step, q, low, high, moved = state
        e, weights = _relative(z, q, alpha)
        s = sum_keepdims(e, axes)
        error = q + jnp.log(jnp.where(s == 0, 1, s))
        low, high = jnp.where(error <= 0, q, low), jnp.where(error >= 0, q, high)
        slope = sum_keepdims(weights, axes) / jnp.where(s == 0, 1, s)
        newton = q - error / jnp.where(slope > 0, slope, 1)
        fast = jnp.abs(newton - q) <= moved / 2
        inside = (newton >= low) & (newton <= high) & fast
        following = jnp.where(inside, newton, (low + high) / 2)
        following = jnp.where(moved <= close, q, following)
        return step + 1, following, low, high, jnp.abs(following - q)

    start = 0, bottom, bottom, jnp.zeros_like(bottom), jnp.full_like(bottom, jnp.inf)
    return jax.lax.while_loop(unfinished, improved, start)[1]


def _weights(y: Array, alpha: Array | None) -> Array:
    """Returns y^(2 - α), or the root of y without α, and 0 outside the support."""
    inside = y != 0
    y = jnp.where(inside, y, 1)
    s = jnp.sqrt(y) if alpha is None else jnp.exp((2 - alpha) * jnp.log(y))
    return jnp.where(inside, s, 0)


@functools.partial(jax.checkpoint, prevent_cse=False, static_argnums=0)
def _slope(
    axes: Axes, y: Array, alpha: Array | None, dx: Array, da: Array | None
) -> Array:
    """Returns the tangent of y. A backward pass keeps y and nothing made of it."""
    wide, t = promote_16bit(y), promote_16bit(dx)
    if alpha is not None and da is not None:
        t = t - _bend(wide, alpha) * da
    return weighted_jvp(axes, _weights(wide, alpha), t, y.dtype).astype(y.dtype)


def _bend(y: Array, alpha: Array) -> Array:
    """Returns ∂/∂α (y^(α - 1) - 1) / (α - 1), 0 outside the support.

    It is (log y)² φ(c) of c = (α - 1) log y, φ(c) = (1 + (c - 1) e^c) / c², which is a
    series where that cancels.
    """
    log_y = jnp.log(jnp.where(y > 0, y, 1))
    c = (alpha - 1) * log_y
    near = c > -1
    small, large = jnp.where(near, c, 0), jnp.where(near, -1, c)
    terms = [(m + 1) / math.factorial(m + 2) for m in range(18)]  # to 1e-17
    series = jnp.polyval(jnp.array(terms[::-1], c.dtype), small)
    closed = (1 + (large - 1) * jnp.exp(large)) / jnp.square(large)
    return jnp.square(log_y) * jnp.where(near, series, closed)
