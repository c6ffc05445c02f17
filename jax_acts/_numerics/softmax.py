"""Softmax, log_softmax and log-sum-exp with custom JVP rules, on checked arguments.

    x  --logits-->  x, m = max x  --exponentials-->  e = e^(x - m)

    softmax = e / Σ e        log_softmax = x - m - log Σ e        log_sum = m + log Σ e

All derivatives are functions of softmax, the only residual of the backward pass.
"""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.custom_derivatives import SymbolicZero

from jax_acts._numerics import coefficients as table
from jax_acts._numerics.bitwise import power_of_two, promote_16bit, round_to_int
from jax_acts._numerics.compensated_sum import sum_keepdims, zero_sum_gradient
from jax_acts._numerics.double_word import two_div, two_sum
from jax_acts._numerics.exp_log import expm1, log, log1p
from jax_acts._numerics.polynomial import polynomial
from jax_acts._numerics.types import Axes, Real

EXPONENT_HEADROOM = 60
"""Exponentials are multiplied by 2^60, so that many that underflow sum correctly."""
_LN2 = (355 / 512, -2.121944400546905827679e-4)
"""ln 2 as hi + lo; k hi is exact for |k| <= 2^12 (Cody–Waite)."""
_LO_LIMIT = 1e3
"""For |z| above it e^-z is 0, and the low word of z is dropped."""


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def softmax(
    axes: Axes, x: Array, where: Array | None, temperature: Array | None
) -> Array:
    """Return e^(x / T) / Σ e^(x / T) over the axes; 0 where the mask is false."""
    wide, m, lo = logits(axes, x, where, temperature)
    e = exponentials(wide, m, lo)
    ties, rest = _sum_parts(axes, wide, m, e)
    s = 2.0**EXPONENT_HEADROOM * (ties + rest)
    return (e * (1 / jnp.where(s == 0, 1, s))).astype(x.dtype)


def _softmax_jvp(axes: Axes, primals: Any, tangents: Any) -> tuple[Array, Array]:
    p = softmax(axes, *primals)
    t = _logit_tangent(axes, primals, tangents)
    return p, _softmax_derivative(axes, p, primals[2], t)


softmax.defjvp(_softmax_jvp, symbolic_zeros=True)


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def log_softmax(
    axes: Axes, x: Array, where: Array | None, temperature: Array | None
) -> Array:
    """Return log(softmax(x)), -inf where the mask is false."""
    wide, m, lo = logits(axes, x, where, temperature)
    size = jnp.maximum(_log_total(axes, wide, m, lo), 0)  # -inf for an empty vector
    log_sum_hi, log_sum_lo = two_sum(m, size)
    # The entry of the maximum is -size; for an infinite maximum x - log_sum is NaN.
    log_sum_lo = jnp.where(jnp.isinf(log_sum_hi), 0, log_sum_lo)
    y = (wide - log_sum_hi) - log_sum_lo
    y = jnp.where(wide == m, jnp.where(m == -jnp.inf, m, -size), y)
    return (y + lo).astype(x.dtype)


def _log_softmax_jvp(axes: Axes, primals: Any, tangents: Any) -> tuple[Array, Array]:
    p = softmax(axes, *primals)
    _, where, temperature = primals
    t = _logit_tangent(axes, primals, tangents)
    dy = _log_softmax_derivative(axes, p, where, temperature, t)
    return log_softmax(axes, *primals), dy


log_softmax.defjvp(_log_softmax_jvp, symbolic_zeros=True)


def logits(
    axes: Axes, x: Array, where: Array | None, temperature: Array | None
) -> tuple[Array, Array, Real]:
    """Return z, its maximum, and the low word of z; entries off the mask are -inf.

    z is x or, with a temperature, (x - max x) / T.
    """
    if temperature is None:
        x = _apply_mask(x, where)
        return x, _maximum(axes, x), 0.0
    z, lo = center(axes, x, where, temperature)
    return z, _maximum(axes, z), lo


def center(
    axes: Axes, x: Array, where: Array | None, temperature: Array | None
) -> tuple[Array, Array]:
    """Return (x - max x) / T as hi + lo, -inf off the mask.

    x - max x is rounded where the operands differ in magnitude, and e^lo is a factor
    of the exponential.
    """
    x = _apply_mask(x, where)
    m = _maximum(axes, x)
    z, lo = two_sum(x, -m)
    z = jnp.where(jnp.isinf(m), jnp.where(x == jnp.inf, 0, -jnp.inf), z)
    if temperature is not None:
        t = jnp.where(temperature >= 0, temperature, jnp.nan)
        rounded = jnp.where((z == 0) | jnp.isinf(z), z, z / t)
        hi, quotient_lo = two_div(z, t)
        near = (rounded != 0) & (jnp.abs(rounded) < _LO_LIMIT)
        z, lo = (
            jnp.where(near, hi, rounded),
            jnp.where(near, quotient_lo + lo / t, 0),
        )
    return z, jnp.where((jnp.abs(z) < _LO_LIMIT) & (z < 0), lo, 0)


def exponentials(x: Array, m: Array, lo: Real) -> Array:
    """Return e^(x + lo - m) 2^60 for the maximum m of x, within 1.3 ulp (float32).

    The rounding error of x - m would become a relative error of the result. Cody–Waite
    reduction of both operands avoids it: x - k ln 2 and m - l ln 2 are exact for the
    integer l and the k that brings them together, and so is their difference. For
    |m| >= 2048 they are not, but then x - m is exact wherever e^(x - m) is not 0.
    """
    ln2_hi, ln2_lo = _LN2
    large = jnp.abs(m) >= 2048
    shift, near = jnp.where(large, m, 0), jnp.where(large, 0, m)
    l = jnp.round(near / math.log(2))
    m_reduced = (near - l * ln2_hi) - l * ln2_lo

    y = x - shift
    underflow = int(jnp.finfo(x.dtype).maxexp) - 1 + EXPONENT_HEADROOM
    lowest = near - underflow * math.log(2)  # where `power_of_two` is 0
    y = jnp.where(y < lowest, lowest, y)
    exponent = round_to_int((y - near) * (1 / math.log(2)))
    k = exponent.astype(x.dtype) + l
    r = (y - k * ln2_hi) - (m_reduced + k * ln2_lo) + lo
    q = r + r * r * polynomial(r, table.EXP)
    scale = power_of_two(exponent + EXPONENT_HEADROOM, x.dtype)
    # Infinite maxima share the total equally; entries equal to -inf are masked.
    largest = jnp.where(m == -jnp.inf, 0, 2.0**EXPONENT_HEADROOM)
    return jnp.where(x == m, largest, scale + scale * q)


def _apply_mask(x: Array, where: Array | None) -> Array:
    x = promote_16bit(x)
    return x if where is None else jnp.where(where, x, -jnp.inf)


def _maximum(axes: Axes, x: Array) -> Array:
    return jnp.max(x, axes, keepdims=True, initial=-jnp.inf)


def _log_total(axes: Axes, x: Array, m: Array, lo: Real) -> Array:
    """Return log Σ e^(x - m).

    For a total just above 1 it is log1p of the terms below the maximum.
    """
    ties, rest = _sum_parts(axes, x, m, exponentials(x, m, lo))
    s, s_lo = two_sum(ties, rest)
    near = log1p(jnp.minimum(rest, 1))
    far = log(s) + s_lo / jnp.maximum(s, 2)
    return jnp.where(s < 2, jnp.where(s == 0, -jnp.inf, near), far)


def _sum_parts(axes: Axes, x: Array, m: Array, e: Array) -> tuple[Array, Array]:
    """Return the multiplicity of the maximum and the sum of the other exponentials.

    Small terms would be lost one by one if they were added to the maximum directly.
    """
    rest = sum_keepdims(jnp.where(x == m, 0, e), axes)
    ties = jnp.round((sum_keepdims(e, axes) - rest) * 2.0**-EXPONENT_HEADROOM)
    return ties, rest * 2.0**-EXPONENT_HEADROOM


def _log_mean(axes: Axes, x: Array, m: Array, where: Array | None) -> Array:
    """Return log mean e^(x - m); for a mean near 1 as log1p(mean - 1)."""
    e = exponentials(x, m, 0.0) / 2.0**EXPONENT_HEADROOM
    mask = jnp.ones_like(x) if where is None else where.astype(x.dtype)
    n = jnp.maximum(sum_keepdims(mask, axes), 1)
    mean = sum_keepdims(e, axes) / n
    z, lo = center(axes, x, where, None)
    mean_m1 = sum_keepdims(jnp.where(mask == 0, 0, expm1(z) + lo * e), axes) / n
    near = log1p(jnp.clip(mean_m1, -0.5, 0))
    return jnp.where(mean_m1 > -0.5, near, log(mean))


@functools.partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def log_sum(axes: Axes, mean: bool, x: Array, where: Array | None) -> Array:
    """Return log Σ e^x, or the logarithm of the mean, with keepdims."""
    wide, m, lo = logits(axes, x, where, None)
    if mean:
        log_ratio = _log_mean(axes, wide, m, where)
    else:
        log_ratio = _log_total(axes, wide, m, lo)
    return jnp.where(jnp.isinf(m), m, m + log_ratio).astype(x.dtype)


@log_sum.defjvp
def log_sum_jvp(
    axes: Axes, mean: bool, primals: Any, tangents: Any
) -> tuple[Array, Array]:
    """Return the value and Σ p t."""
    x, where = primals
    p = softmax(axes, x, where, None)
    return log_sum(axes, mean, x, where), _weighted_sum(axes, p, tangents[0])


def _logit_tangent(axes: Axes, primals: Any, tangents: Any) -> Array:
    """Return the tangent of x - (x - max x) / T dT."""
    dx, _, dt = tangents
    x = promote_16bit(primals[0])
    t = jnp.zeros_like(x) if type(dx) is SymbolicZero else promote_16bit(dx)
    if dt is not None and type(dt) is not SymbolicZero:
        z, lo = center(axes, *primals)
        t = t - jnp.where(jnp.isfinite(z), z + lo, 0) * dt
    return t


@functools.partial(jax.checkpoint, prevent_cse=False, static_argnums=0)
def _softmax_derivative(
    axes: Axes, p: Array, temperature: Array | None, t: Array
) -> Array:
    """Return p (t - Σ p t / Σ p) / T, the tangent of softmax.

    The checkpoint makes p the only residual.
    """
    s = promote_16bit(p) if temperature is None else promote_16bit(p) / temperature
    return weighted_jvp(axes, s, t, p.dtype).astype(p.dtype)


def weighted_jvp(axes: Axes, s: Array, t: Array, dtype: Any) -> Array:
    """Return s (t - Σ s t / Σ s); its transpose sums to 0 after rounding to `dtype`.

    Where s = 0 the result is 0, also for t = NaN or inf.
    """
    t = jnp.where(s == 0, 0, zero_sum_gradient(t, dtype, axes))
    total = _nonzero(sum_keepdims(s, axes))
    v = s * (t - sum_keepdims(s * t, axes) / total)
    # v sums to 0 already. The transpose starts at this line: it subtracts the weighted
    # mean from the cotangent before multiplying by s.
    v = v - s * (sum_keepdims(v, axes) / total)
    return jnp.where(s == 0, 0, v)


@functools.partial(jax.checkpoint, prevent_cse=False, static_argnums=0)
def _log_softmax_derivative(
    axes: Axes, p: Array, where: Array | None, temperature: Array | None, t: Array
) -> Array:
    """Return (t - Σ p t / Σ p) / T, the tangent of log_softmax.

    For p near 1, t - p t cancels: tangents are taken relative to that of the entry with
    p > 1/2.
    """
    t, p, dtype = zero_sum_gradient(t, p.dtype, axes), promote_16bit(p), p.dtype
    t = t if temperature is None else t / temperature
    total = sum_keepdims(p, axes)
    mask = total != 0 if where is None else where & (total != 0)
    dominant = p > 0.5
    t = jnp.where(mask, t, 0)
    reference = sum_keepdims(jnp.where(dominant, t, 0), axes)
    t = jnp.where(dominant | ~mask, 0, t - reference)
    v = t - sum_keepdims(p * t, axes) / _nonzero(total)
    return jnp.where(mask, v, 0).astype(dtype)


@functools.partial(jax.checkpoint, prevent_cse=False, static_argnums=0)
def _weighted_sum(axes: Axes, p: Array, t: Array) -> Array:
    """Return Σ p t, the tangent of log_sum; t is ignored where p = 0."""
    t = jnp.where(p == 0, 0, promote_16bit(t))
    return jnp.sum(promote_16bit(p) * t, axes, keepdims=True).astype(p.dtype)


def _nonzero(s: Array) -> Array:
    return jnp.where(s == 0, 1, s)
