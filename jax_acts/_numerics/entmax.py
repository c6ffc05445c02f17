"""Sparsemax and entmax kernels with custom JVP rules, of validated arguments.

All solve y_i^(α - 1) = (α - 1) (x_i - t) for the t with Σ y = 1. With the weights
s = y^(2 - α) the derivatives are

    dy = s (v - Σ s v / Σ s)    v = dx - k dα    k = ∂/∂α (y^(α - 1) - 1) / (α - 1)

Newton iterations run until every vector has converged. The carries of the loop have one
element per vector and the sharding of x.
"""

import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.custom_derivatives import SymbolicZero

from jax_acts._numerics.bitwise import promote_16bit
from jax_acts._numerics.exp_log import exp, log_of_reduced, log_reduce
from jax_acts._numerics.kept import keep_rule
from jax_acts._numerics.ordinary import (
    custom_jvp,
    is_ordinary,
    ordinary_form,
)
from jax_acts._numerics.reduction import any_true, sum_keepdims
from jax_acts._numerics.softmax import center
from jax_acts._numerics.types import Axes


@custom_jvp((0,))
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

    def newton_step(z: Array, tau: Array) -> tuple[Array, Array]:
        inside = z > tau
        count = sum_keepdims(inside.astype(z.dtype), axes)
        excess = sum_keepdims(jnp.where(inside, z, 0), axes) - 1
        return excess / jnp.maximum(count, 1), count

    def solve(z: Array) -> Array:
        def support_shrinks(state: Any) -> Array:
            previous_count, count, _ = state
            return any_true(count < previous_count)

        def remove_entries(state: Any) -> Any:
            _, previous_count, tau = state
            next_tau, count = newton_step(z, tau)
            # max: rounding must not return entries to the support.
            return previous_count, count, jnp.maximum(tau, next_tau)

        tau = jnp.full_like(sum_keepdims(z, axes), -1)
        counts = (jnp.full_like(tau, n) for n in (jnp.inf, jnp.finfo(z.dtype).max))
        return lax.while_loop(support_shrinks, remove_entries, (*counts, tau))[2]

    return _root(solve, lambda tau, z: newton_step(z, tau)[0], z)


@sparsemax.defjvp
def sparsemax_jvp(axes: Axes, primals: Any, tangents: Any) -> tuple[Array, Array]:
    y = keep_rule(sparsemax, axes)(*primals)
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


@custom_jvp((0,))
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

    def newton_step(half: Array, tau: Array) -> Array:
        over = jnp.maximum(half - tau, 0)
        sums, squares = sum_keepdims(over, axes), sum_keepdims(jnp.square(over), axes)
        # root - 1 = (squares - 1) / (root + 1), without cancellation.
        root = jnp.sqrt(squares)
        return (squares - 1) * root / (jnp.where(sums == 0, 1, sums) * (root + 1))

    def solve(half: Array) -> Array:
        def not_converged(state: Any) -> Array:
            return any_true(state[1] > tolerance)

        def advance(state: Any) -> Any:
            tau, previous_step = state
            # A converged vector does not change while the others iterate.
            step = jnp.where(previous_step > tolerance, newton_step(half, tau), 0)
            return tau + step, step

        tau = jnp.full_like(sum_keepdims(half, axes), -1)
        return lax.while_loop(not_converged, advance, (tau, jnp.full_like(tau, 1)))[0]

    return _root(solve, lambda tau, half: tau + newton_step(half, tau), half)


@entmax15.defjvp
def entmax15_jvp(axes: Axes, primals: Any, tangents: Any) -> tuple[Array, Array]:
    y = keep_rule(entmax15, axes)(*primals)
    return y, _entmax_tangent(axes, y, None, tangents[0], None)


def _root(
    solve: Callable[..., Array], newton: Callable[..., Array], *arguments: Array
) -> Array:
    """Return the root `solve(*arguments)` of an equation.

    In ordinary form it is a constant, to which Newton steps `newton(root, *arguments)`
    add derivatives: those up to order 7 in three steps.
    """
    if not is_ordinary():
        return solve(*arguments)
    root = solve(*map(lax.stop_gradient, arguments))
    for _ in range(3):
        root = newton(root, *arguments)
    return root


@custom_jvp((0,))
def entmax(axes: Axes, x: Array, where: Array | None, alpha: Array) -> Array:
    return _entmax(axes, x, where, alpha)


def _entmax(axes: Axes, x: Array, where: Array | None, alpha: Array) -> Array:
    z, z_lo = center(axes, x, where)
    z = z + z_lo
    e, _ = _ratio_to_max(z, _log_max(axes, z, alpha), alpha)
    s = sum_keepdims(e, axes)
    y = e / jnp.where(s == 0, 1, s)
    return jnp.where(alpha >= 1, y, jnp.nan).astype(x.dtype)


def entmax_jvp(axes: Axes, primals: Any, tangents: Any) -> tuple[Array, Array]:
    y = keep_rule(entmax, axes)(*primals)
    dx, _, da = tangents
    dx = jnp.zeros_like(y) if type(dx) is SymbolicZero else dx
    da = None if type(da) is SymbolicZero else da
    return y, _entmax_tangent(axes, y, primals[2], dx, da)


entmax.defjvp(entmax_jvp, symbolic_zeros=True)


@custom_jvp((0, 1))
def entmax_of_constant(
    axes: Axes, alpha: float, x: Array, where: Array | None
) -> Array:
    """Return `entmax` without a derivative in alpha.

    Pallas for TPU has no rule for the symbolic zeros of `entmax`.
    """
    a = lax.full_like(promote_16bit(x), alpha, shape=())
    return _entmax(axes, x, where, a)


@entmax_of_constant.defjvp
def entmax_of_constant_jvp(
    axes: Axes, alpha: float, primals: Any, tangents: Any
) -> tuple[Array, Array]:
    y = keep_rule(entmax_of_constant, axes, alpha)(*primals)
    a = lax.full_like(promote_16bit(y), alpha, shape=())
    return y, _entmax_tangent(axes, y, a, tangents[0], None)


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
    ratio = jnp.where(tiny, _log1p_ratio_near_0(u), log1p_u / jnp.where(tiny, 1, u))
    e = jnp.where(outside, 0, exp(jnp.where(outside, 0, w) * ratio))
    return e, e / (1 + u)


@ordinary_form(lambda u: 1 - u * (1 / 2 - u * (1 / 3 - u * (1 / 4 - u / 5))))
def _log1p_ratio_near_0(u: Array) -> Array:
    """Return log(1 + u) / u for subnormal u, in ordinary form with its derivatives."""
    return jnp.ones_like(u)


def _log_max(axes: Axes, z: Array, alpha: Array) -> Array:
    """Return q = log max y, the root of q + log Σ e for e = `_ratio_to_max(z, q)`.

    Bracketed Newton iteration from q in [-log n, 0]. The function increases with
    derivative Σ e^(2 - α) / Σ e. A step that leaves the bracket, or is longer than half
    of the previous step, is replaced by bisection.
    """
    max_steps = 2 * jnp.finfo(z.dtype).nmant  # twice the bisections to 1 ulp

    def newton_step(z: Array, alpha: Array, q: Array) -> tuple[Array, Array]:
        e, weights = _ratio_to_max(z, q, alpha)
        s = sum_keepdims(e, axes)
        residual = q + jnp.log(jnp.where(s == 0, 1, s))
        derivative = sum_keepdims(weights, axes) / jnp.where(s == 0, 1, s)
        return q - residual / jnp.where(derivative > 0, derivative, 1), residual

    def solve(z: Array, alpha: Array) -> Array:
        size = sum_keepdims(jnp.ones_like(z), axes)
        # The comparison makes the carries vary with alpha.
        start = jnp.where(alpha >= 1, -jnp.log(jnp.maximum(size, 1)), jnp.nan)
        tolerance = 2 * jnp.finfo(z.dtype).eps * jnp.maximum(1, -start)

        def not_converged(state: Any) -> Array:
            count, _, _, _, step = state
            return any_true((count < max_steps) & (step > tolerance))

        def advance(state: Any) -> Any:
            count, q, low, high, step = state
            newton, residual = newton_step(z, alpha, q)
            low = jnp.where(residual <= 0, q, low)
            high = jnp.where(residual >= 0, q, high)
            fast = jnp.abs(newton - q) <= step / 2
            inside = (newton >= low) & (newton <= high) & fast
            next_q = jnp.where(inside, newton, (low + high) / 2)
            next_q = jnp.where(step <= tolerance, q, next_q)
            return count + 1, next_q, low, high, jnp.abs(next_q - q)

        zero, infinity = jnp.zeros_like(start), jnp.full_like(start, jnp.inf)
        state = zero, start, start, zero, infinity
        return lax.while_loop(not_converged, advance, state)[1]

    return _root(solve, lambda q, z, alpha: newton_step(z, alpha, q)[0], z, alpha)


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
    series = jnp.zeros_like(small)
    for coefficient in reversed(taylor):
        series = series * small + coefficient
    closed = (1 + (large - 1) * jnp.exp(large)) / jnp.square(large)
    return jnp.square(log_y) * jnp.where(near, series, closed)
