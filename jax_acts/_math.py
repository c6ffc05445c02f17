"""Building blocks that are right to the last place or two, in float32 and in float64.

They use + - * / sqrt and the scaling by powers of two, and nothing else: the compiler
vectorises them on every platform, and what is measured on one holds on the others,
while the accuracy of `exp`, `tanh` or `log1p` as primitives differs by platform.

What XLA does to arithmetic is minded at the spot: it adds up constants that follow each
other, `(x - a) - b`, turns division by a constant into a product, contracts a product
and a sum, and flushes subnormal numbers to 0.
"""

import math
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jax_acts import _coefficients as table
from jax_acts._function import Real

_LOG2_E = 1 / math.log(2)
# ln(2) in two parts; the high one ends in so many zeros that k times it is exact.
_LN2 = {
    "float32": (0.693145751953125, 1.4286068203094172e-06),
    "float64": (0.6931471803691238, 1.9082149292705877e-10),
}
_EXP_RANGE = {"float32": (-170.0, 90.0), "float64": (-1400.0, 711.0)}


def polynomial(x: Array, coefficients: table.Coefficients) -> Array:
    """Returns the polynomial with the coefficients for the dtype of x, lowest first."""
    *rest, last = coefficients[x.dtype.name]
    result = jnp.full_like(x, last)
    for c in reversed(rest):
        result = result * x + c
    return result


def exp(y: Real, low: Real = 0.0) -> Array:
    """Returns e^(y + low), to 1 ulp; `low` as of `times_exp`."""
    return times_exp(1.0, y, low)


def times_exp(v: Real, y: Real, low: Real = 0.0) -> Array:
    """Returns v e^(y + low), which does not vanish where e^y alone would.

    Args:
        v: Any factor below 2^20; where y is far below 0, also an infinite one.
        y: The exponent.
        low: What y lacks, of at most 0.1.
    """
    y = jnp.asarray(y)
    least, greatest = _EXP_RANGE[y.dtype.name]
    q, k = _reduced(jnp.clip(y, least, greatest))
    if not isinstance(low, float):
        q = q + (1 + q) * (low * _small_expm1(low))
    return jnp.where(y <= least, 0, times_power_of_two(v + v * q, k))


def exp_parts(y: Array) -> tuple[Array, Array]:
    """Returns e^y in two parts, good to 2^-4 of the last place, for |y| < 1000."""
    high, low = _LN2[y.dtype.name]
    k = jnp.round(y * _LOG2_E)
    r, r_low = sum_of_two(y - k * high, -k * low)
    first, rest = sum_of_two(r, r * r * polynomial(r, table.EXP))
    first, more = sum_of_two(keep_nan(y, 1.0), first)
    rest = rest + more + r_low * (1 + r)
    return times_power_of_two(first, k), times_power_of_two(rest, k)


def expm1(y: Real) -> Array:
    """Returns e^y - 1, to 1.4 ulp."""
    y = jnp.asarray(y)
    q, k = _reduced(jnp.clip(y, -50.0, _EXP_RANGE[y.dtype.name][1]))
    inverse = _power_of_two(jnp.maximum(-k, -100.0), y.dtype)
    return times_power_of_two(q + (1 - inverse), k)


def expm1_plus(y: Real, a: Real, b: Real, low: Real = 0.0) -> Array:
    """Returns a (e^y - 1) + b + low for y <= 0, where the terms may cancel."""
    y = jnp.asarray(y)
    q, k = _reduced(jnp.clip(y, -50.0, 0.0))
    power = _power_of_two(k, y.dtype)
    high, rest = product(a, power - 1)
    return (high + b) + (rest + low + a * power * q)


def log1p(f: Real) -> Array:
    """Returns log(1 + f) for -1/2 <= f <= 1, to 1.1 ulp."""
    s = jnp.asarray(f / (2 + f))  # log(1 + f) = 2 atanh(s), and f - s f = 2 s
    h = 0.5 * f * f
    return f - (h - s * (h + s * s * polynomial(s * s, table.LOG1P)))


def times_power_of_two(v: Real, k: Array) -> Array:
    """Returns v 2^k, in two steps so that only the result may be out of range."""
    top = jnp.finfo(k.dtype).maxexp - 1
    first = jnp.clip(k, 1 - top, top)
    return v * _power_of_two(first, k.dtype) * _power_of_two(k - first, k.dtype)


def log1p_ratio(f: Real) -> Array:
    """Returns log(1 + f) / f for 0 <= f <= 1, to 1 ulp."""
    s = jnp.asarray(f / (2 + f))
    rest = 0.5 * f + s * polynomial(s * s, table.LOG1P) / (
        2 + f
    )  # of s / f = 1 / (2 + f)
    return 1 - (0.5 * f - s * rest)


def log(v: Real) -> Array:
    """Returns log(v) for v >= 0, to 1 ulp."""
    v = jnp.asarray(v)
    info = jnp.finfo(v.dtype)
    root_half = np.asarray(math.sqrt(0.5), v.dtype).view(f"int{info.bits}")
    k = (lax.bitcast_convert_type(v, root_half.dtype) - root_half) >> info.nmant
    k = jnp.clip(k, info.minexp, info.maxexp).astype(v.dtype)
    f = times_power_of_two(v, -k) - 1  # between 1/sqrt(2) - 1 and sqrt(2) - 1
    high, low = _LN2[v.dtype.name]
    result = k * high + (log1p(f) + k * low)
    return jnp.where((v > 0) & (v < jnp.inf), result, jnp.where(v == 0, -jnp.inf, v))


def expm1_minus(x: Real) -> Array:
    """Returns e^x - 1 - x for x <= 0, to 2 ulp."""
    x = jnp.asarray(x)
    near = jnp.clip(x, -2.0, 0.0)
    return jnp.where(
        x > -2, near * near * polynomial(near, table.EXPM1_MINUS), expm1(x) - x
    )


def product(a: Real | table.Constant, b: Real) -> tuple[Array, Array]:
    """Returns a b in two parts, of which the first is exact in half the digits.

    Where e^(a b) is wanted, the rounding of a b would be multiplied by a b.
    """
    b = jnp.asarray(b)
    a0, a1 = _split(a, b.dtype)
    b0, b1 = _split(b, b.dtype)
    return a0 * b0, a0 * b1 + a1 * b


def parts(c: Real | table.Constant, dtype: Any) -> tuple[Any, Any]:
    """Returns a constant as a number of the dtype and the rest, 0 of an array."""
    if isinstance(c, dict):
        return c[jnp.dtype(dtype).name]
    if isinstance(c, float):
        high = float(np.asarray(c, dtype))
        return high, c - high
    return c, 0.0


def sum_of_two(a: Array, b: Array) -> tuple[Array, Array]:
    """Returns a + b in two parts: the rounded sum and its rounding error.

    Neither may be a constant, since XLA adds up constants.
    """
    s = a + b
    b_part = s - a
    return s, (a - (s - b_part)) + (b - b_part)


def quotient(a: Real, b: Real) -> tuple[Array, Array]:
    """Returns a / b in two parts, as `product` does."""
    a = jnp.asarray(a)
    high, _ = _split(a / b, a.dtype)
    b0, b1 = _split(b, a.dtype)
    return high, ((a - high * b0) - high * b1) / b


def scaled(a: Real | table.Constant, x: Real) -> tuple[Array, Real]:
    """Returns a x as an exponent and its `low` for `times_exp`, cut off far from 0."""
    x = jnp.asarray(x)
    limit = -_EXP_RANGE[x.dtype.name][0]
    if isinstance(a, float) and a == 1.0:
        return jnp.clip(x, -limit, limit), 0.0
    whole = (a[x.dtype.name][0] if isinstance(a, dict) else a) * x
    high, low = product(a, x)
    near = jnp.abs(whole) < limit
    return (
        jnp.where(near, high, jnp.clip(whole, -limit, limit)),
        jnp.where(near, low, 0.0),
    )


def near_root(
    x: Real, value: Real, root: table.Root, low: Real = 0.0, scale: Real = 1.0
) -> Array:
    """Returns the value, but near a zero of it a polynomial with that zero.

    Near a zero the terms of a formula cancel, and their rounding errors stay.

    Args:
        x: The input.
        value: The formula, good elsewhere.
        root: The zero, in two parts, and the polynomial that (x - zero) multiplies.
        low: What x lacks.
        scale: What the polynomial is multiplied by.
    """
    x = jnp.asarray(x)
    zero, rest = root.zero[x.dtype.name]
    d = jnp.clip((x - zero) + low, -1, 1)
    near = scale * (d * polynomial(d, root.factor) - rest * root.slope)
    return jnp.where(jnp.abs(d) < root.radius, near, value)


def folded(a: Array) -> Array:
    """Returns (a - 4) / (a + 4), which maps the half-line to [-1, 1)."""
    return (a - 4) / (a + 4)


def keep_nan(x: Real, value: Real) -> Array:
    """Returns the value, but NaN where x is: a choice by comparison forgets it."""
    return jnp.where(jnp.isnan(x), x, value)


def _split(x: Real | table.Constant, dtype: Any) -> tuple[Array, Array]:
    """Returns x in two parts, each of half the digits: products of such are exact."""
    bits = jnp.finfo(dtype).bits
    mask = {32: np.int32(-(2**12)), 64: np.int64(-(2**27))}[bits]
    if isinstance(x, dict | float):  # which has digits that the dtype has no place for
        high, rest = parts(x, dtype)
        first = (np.asarray(high, dtype).view(mask.dtype) & mask).view(dtype)
        rest = (high - float(first)) + rest
        return jnp.asarray(first, dtype), jnp.asarray(rest, dtype)
    value = jnp.asarray(x, dtype)
    whole = lax.bitcast_convert_type(value, mask.dtype)
    first = lax.bitcast_convert_type(whole & mask, dtype)
    return first, value - first


def _reduced(y: Array) -> tuple[Array, Array]:
    """Returns q and k with e^y = (1 + q) 2^k, k a whole number, |q| < 0.42."""
    high, low = _LN2[y.dtype.name]
    k = jnp.round(y * _LOG2_E)
    r0 = y - k * high
    r = r0 - k * low
    return r0 + (r * r * polynomial(r, table.EXP) - k * low), k


def _small_expm1(x: Real) -> Real:
    """Returns (e^x - 1) / x for |x| < 0.1."""
    return 1 + x * (1 / 2 + x * (1 / 6 + x * (1 / 24 + x * (1 / 120))))


def _power_of_two(k: Array, dtype: Any) -> Array:
    info = jnp.finfo(dtype)
    whole = k.astype(np.dtype(f"int{info.bits}")) + (info.maxexp - 1)
    return lax.bitcast_convert_type(whole << info.nmant, dtype)
