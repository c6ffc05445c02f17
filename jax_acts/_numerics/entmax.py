"""Sparsemax and entmax kernels with custom JVP rules, of validated arguments.

All solve y_i^(α - 1) = (α - 1) (x_i - t) for the t with Σ y = 1. With the weights
s = y^(2 - α) the derivatives are

    dy = s (v - Σ s v / Σ s)    v = dx - k dα    k = ∂/∂α (y^(α - 1) - 1) / (α - 1)
"""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.custom_derivatives import SymbolicZero

from jax_acts._numerics.bitwise import promote_16bit
from jax_acts._numerics.exp_log import exp, log_of_reduced, log_reduce
from jax_acts._numerics.reduction import sum_keepdims
from jax_acts._numerics.softmax import center
from jax_acts._numerics.types import Axes


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def sparsemax(axes: Axes, x: Array, where: Array | None) -> Array:
    z, z_lo = center(axes, x, where)
    z = z + z_lo
    return jnp.maximum(z - _sparsemax_threshold(z, axes), 0).astype(x.dtype)


def _sparsemax_threshold(z: Array, axes: Axes) -> Array:
    """Return τ with Σ max(z - τ, 0) = 1, by Newton iteration, for max z = 0.

    The sum is convex and piecewise linear in τ. From τ = -1, where it is at least 1,
    Newton steps increase monotonically to the root. Each step removes entries from the
    support or is the last. For f = Σ - 1 with derivative g, convexity gives
    f(τ + f / g) / f + g(τ + f / g) / g <= 1: a step divides f g by at least 4. Hence at
    most log2(n) + 14 steps in float32, log2(n) + 29 in float64.
    """

    def support_shrinks(state: Any) -> Array:
        previous_count, count, _ = state
        return jnp.any(count < previous_count)

    def newton_step(state: Any) -> Any:
        _, previous_count, tau = state
        inside = z > tau
        count = jnp.sum(inside, axes, keepdims=True)
        excess = sum_keepdims(jnp.where(inside, z, 0), axes) - 1
        # max: rounding must not return entries to the support.
        tau = jnp.maximum(tau, excess / jnp.maximum(count, 1).astype(excess.dtype))
        return previous_count, count, tau

    tau = jnp.full_like(sum_keepdims(z, axes), -1)
    size = math.prod(z.shape[axis] for axis in axes)
    counts = jnp.full(tau.shape, size + 2), jnp.full(tau.shape, size + 1)
    return jax.lax.while_loop(support_shrinks, newton_step, (*counts, tau))[2]


@sparsemax.defjvp
def sparsemax_jvp(axes: Axes, primals: Any, tangents: Any) -> tuple[Array, Array]:
    y = sparsemax(axes, *primals)
    is_nan = jnp.isnan(sum_keepdims(y, axes))
    return y, _sparsemax_tangent(axes, y != 0, is_nan, tangents[0])


@functools.partial(jax.checkpoint, prevent_cse=False, static_argnums=0)
def _sparsemax_tangent(axes: Axes, support: Array, is_nan: Array, t: Array) -> Array:
    """Return t minus its mean, both over the support.

    Checkpointed: the residuals are one boolean per entry and one per vector for NaN.
    """
    t, dtype = promote_16bit(t), t.dtype
    s = jnp.where(is_nan, jnp.nan, support.astype(t.dtype))
    return weighted_tangent(axes, s, t).astype(dtype)


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def entmax15(axes: Axes, x: Array, where: Array | None) -> Array:
    z, z_lo = center(axes, x, where)
    half = (z + z_lo) / 2
    tau = _entmax15_threshold(half, axes)
    return jnp.square(jnp.maximum(half - tau, 0)).astype(x.dtype)


def _entmax15_threshold(half: Array, axes: Axes) -> Array:
    """Return τ with Σ max(half - τ, 0)² = 1, by Newton iteration on sqrt(Σ) = 1.

    sqrt(Σ) is convex and nearly linear in τ. From τ = -1, where it is at least 1,
    Newton steps increase monotonically to the root. A step divides the excess times its
    derivative by at least 4, as in `sparsemax`; the iteration stops at steps below
    2 eps. Hence at most log2(n) / 2 + 13 steps in float32, log2(n) / 2 + 28 in float64.
    """
    tolerance = 2 * jnp.finfo(half.dtype).eps

    def not_converged(state: Any) -> Array:
        return jnp.any(state[1] > tolerance)

    def newton_step(state: Any) -> Any:
        tau, previous_step = state
        over = jnp.maximum(half - tau, 0)
        sums, squares = sum_keepdims(over, axes), sum_keepdims(jnp.square(over), axes)
        # root - 1 = (squares - 1) / (root + 1), without cancellation.
        root = jnp.sqrt(squares)
        step = (squares - 1) * root / (jnp.where(sums == 0, 1, sums) * (root + 1))
        # A converged vector does not change while the others iterate.
        step = jnp.where(previous_step > tolerance, step, 0)
        return tau + step, step

    tau = jnp.full_like(sum_keepdims(half, axes), -1)
    start = tau, jnp.full_like(tau, 1)
    return jax.lax.while_loop(not_converged, newton_step, start)[0]


@entmax15.defjvp
def entmax15_jvp(axes: Axes, primals: Any, tangents: Any) -> tuple[Array, Array]:
    y = entmax15(axes, *primals)
    return y, _entmax_tangent(axes, y, None, tangents[0], None)


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def entmax(axes: Axes, x: Array, where: Array | None, alpha: Array) -> Array:
    z, z_lo = center(axes, x, where)
    e, _ = _ratio_to_max(z + z_lo, _log_max(axes, z + z_lo, alpha), alpha)
    s = sum_keepdims(e, axes)
    y = e / jnp.where(s == 0, 1, s)
    return jnp.where(alpha >= 1, y, jnp.nan).astype(x.dtype)


def entmax_jvp(axes: Axes, primals: Any, tangents: Any) -> tuple[Array, Array]:
    y, (dx, _, da) = entmax(axes, *primals), tangents
    dx = jnp.zeros_like(y) if type(dx) is SymbolicZero else dx
    da = None if type(da) is SymbolicZero else da
    return y, _entmax_tangent(axes, y, primals[2], dx, da)


entmax.defjvp(entmax_jvp, symbolic_zeros=True)


def _ratio_to_max(z: Array, q: Array, alpha: Array) -> tuple[Array, Array]:
    """Return e = y / max y and e^(2 - α) for q = log max y and max z = 0.

    e = max(1 + (α - 1) w, 0)^(1 / (α - 1)) with w = z / max y^(α - 1), computed as
    e^(w log(1 + u) / u) with u = (α - 1) w, which is e^w at α = 1.
    """
    a = alpha - 1
    w = z * jnp.exp(-a * q)
    u = jnp.maximum(a * jnp.maximum(w, jnp.finfo(z.dtype).min), -1)
    outside = (u <= -1) | (w == -jnp.inf)
    u = jnp.where(outside, 0, u)
    # log(1 + u): 1 + u is rounded for u > -1/2 and exact below (Sterbenz lemma).
    f, k = log_reduce(1 + u)
    near = u > -0.5
    log1p_u = log_of_reduced(jnp.where(near, u, f), jnp.where(near, 0, k))
    tiny = jnp.abs(u) < jnp.finfo(z.dtype).tiny
    ratio = jnp.where(tiny, 1, log1p_u / jnp.where(tiny, 1, u))
    e = jnp.where(outside, 0, exp(jnp.where(outside, 0, w) * ratio))
    return e, e / (1 + u)


def _log_max(axes: Axes, z: Array, alpha: Array) -> Array:
    """Return q = log max y, the root of q + log Σ e for e = `_ratio_to_max(z, q)`.

    Bracketed Newton iteration from q in [-log n, 0]. The function increases with
    derivative Σ e^(2 - α) / Σ e. A step that leaves the bracket, or is longer than half
    of the previous step, is replaced by bisection.
    """
    size = math.prod(z.shape[axis] for axis in axes)
    start = jnp.full_like(sum_keepdims(z, axes), -math.log(max(size, 1)))
    max_steps = 2 * jnp.finfo(z.dtype).nmant  # twice the bisections to 1 ulp
    tolerance = 2 * jnp.finfo(z.dtype).eps * jnp.maximum(1, -start)

    def not_converged(state: Any) -> Array:
        count, _, _, _, step = state
        return (count < max_steps) & jnp.any(step > tolerance)

    def newton_step(state: Any) -> Any:
        count, q, low, high, step = state
        e, weights = _ratio_to_max(z, q, alpha)
        s = sum_keepdims(e, axes)
        residual = q + jnp.log(jnp.where(s == 0, 1, s))
        low, high = jnp.where(residual <= 0, q, low), jnp.where(residual >= 0, q, high)
        derivative = sum_keepdims(weights, axes) / jnp.where(s == 0, 1, s)
        newton = q - residual / jnp.where(derivative > 0, derivative, 1)
        fast = jnp.abs(newton - q) <= step / 2
        inside = (newton >= low) & (newton <= high) & fast
        next_q = jnp.where(inside, newton, (low + high) / 2)
        next_q = jnp.where(step <= tolerance, q, next_q)
        return count + 1, next_q, low, high, jnp.abs(next_q - q)

    state = 0, start, start, jnp.zeros_like(start), jnp.full_like(start, jnp.inf)
    return jax.lax.while_loop(not_converged, newton_step, state)[1]


def weighted_tangent(axes: Axes, s: Array, t: Array) -> Array:
    """Return s (t - Σ s t / Σ s), and 0 where s = 0, also for t = NaN or inf."""
    t = jnp.where(s == 0, 0, t)
    total = sum_keepdims(s, axes)
    mean = sum_keepdims(s * t, axes) / jnp.where(total == 0, 1, total)
    return jnp.where(s == 0, 0, s * (t - mean))


def _weights(y: Array, alpha: Array | None) -> Array:
    """Return y^(2 - α) (sqrt(y) without α), and 0 outside the support."""
    inside = y != 0
    y = jnp.where(inside, y, 1)
    s = jnp.sqrt(y) if alpha is None else jnp.exp((2 - alpha) * jnp.log(y))
    return jnp.where(inside, s, 0)


@functools.partial(jax.checkpoint, prevent_cse=False, static_argnums=0)
def _entmax_tangent(
    axes: Axes, y: Array, alpha: Array | None, dx: Array, da: Array | None
) -> Array:
    """Return the tangent of y. Checkpointed: the residual is y."""
    wide, t = promote_16bit(y), promote_16bit(dx)
    if alpha is not None and da is not None:
        t = t - _alpha_derivative(wide, alpha) * da
    return weighted_tangent(axes, _weights(wide, alpha), t).astype(y.dtype)


def _alpha_derivative(y: Array, alpha: Array) -> Array:
    """Return ∂/∂α (y^(α - 1) - 1) / (α - 1), and 0 outside the support.

    It equals (log y)² φ(c) for c = (α - 1) log y and φ(c) = (1 + (c - 1) e^c) / c².
    φ cancels near 0 and is a power series for c > -1.
    """
    log_y = jnp.log(jnp.where(y > 0, y, 1))
    c = (alpha - 1) * log_y
    near = c > -1
    small, large = jnp.where(near, c, 0), jnp.where(near, -1, c)
    # 18 Taylor coefficients: truncation error 1e-17 on [-1, 0].
    taylor = [(m + 1) / math.factorial(m + 2) for m in range(18)]
    series = jnp.polyval(jnp.array(taylor[::-1], c.dtype), small)
    closed = (1 + (large - 1) * jnp.exp(large)) / jnp.square(large)
    return jnp.square(log_y) * jnp.where(near, series, closed)
