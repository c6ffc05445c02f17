"""Exponentials and logarithms in float32 and float64, with measured error bounds.

They use + - * /, bit patterns and powers of two only. The compiler vectorizes those on
every platform, and the bounds measured on one platform hold on the others, whereas the
accuracy of `lax.exp`, `lax.tanh` and `lax.log1p` differs by platform. XLA turns a
division by a constant into a product and flushes subnormal numbers to 0.

`tests/numerics` measures each bound stated here against mpmath, where products and sums
contract to fused multiply-adds; without these, exponentials err by 0.3 ulp more.
"""

import math
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jax_acts._numerics import coefficients as table
from jax_acts._numerics.bitwise import (
    clip,
    ldexp,
    max_nan_free,
    min_nan_free,
    power_of_two,
    propagate_nan,
    round_exponent,
    round_to_int,
    where,
)
from jax_acts._numerics.double_word import (
    Constant,
    fast_two_sum,
    two_div,
    two_prod,
    two_sum,
)
from jax_acts._numerics.ordinary import is_bfloat16, is_ordinary, ordinary_form
from jax_acts._numerics.polynomial import horner, polynomial
from jax_acts._numerics.types import Real

_LOG2_E = 1 / math.log(2)
_LN2 = {
    "float32": (0.693145751953125, 1.4286068203094172e-06),
    "float64": (0.6931471803691238, 1.9082149292705877e-10),
}
"""ln 2 as hi + lo; hi ends in zero bits, so that k hi is exact (Cody–Waite)."""
_EXPONENT_HEADROOM = {"float32": 24, "float64": 60}
"""Added to the exponent of e^y until the product with a factor is taken."""
RECIPROCAL_HEADROOM = -10
"""Added to the exponent of e^y in a denominator, see `reciprocal_exp`."""


class ScaledExp(NamedTuple):
    """e^y as (1 + slope r + r² tail) scale, multiplied by 2^headroom.

    One is shared by all factors: the compiler would merge equal exponentials, but only
    after tracing and lowering each.
    """

    r: Array
    """y - k log(2), or y / log(2) - k."""
    tail: Array
    """(e^r - 1 - r) / r², or (2^r - 1 - r log(2)) / r²."""
    scale: Array
    """2^(k + headroom)."""
    headroom: int | Array
    slope: float = 1.0
    """1, or log(2)."""

    @property
    def q(self) -> Array:
        """e^r - 1."""
        if is_ordinary():
            return lax.full_like(self.scale, 0)
        if self.slope != 1:
            return self.r * (self.slope + self.r * self.tail)
        return self.r + self.r * self.r * self.tail

    @property
    def product(self) -> Array:
        """2^headroom e^y."""
        if is_ordinary():
            return self.scale
        return (1 + self.r * (self.slope + self.r * self.tail)) * self.scale

    @property
    def minus_one(self) -> Array:
        """e^y - 1, for headroom 0."""
        if is_ordinary():
            return lax.expm1(self.r)
        return self.scale * self.q + (self.scale - 1)


def exponent_limits(dtype: Any, headroom: int = 0) -> tuple[float, float]:
    """Return the y at which 2^headroom e^y, as `ScaledExp`, is exactly 0 and exactly ∞.

    Beyond these y it is undefined: the exponent field of the power of two overflows.
    """
    maxexp = jnp.finfo(dtype).maxexp
    return math.log(2) * (1 - maxexp - headroom), math.log(2) * (maxexp - headroom)


def exp(y: Real, lo: Real = 0.0) -> Array:
    """Return e^(y + lo) for y < 88, within 1.0 ulp (float32) and 1.1 ulp (float64).

    It is 0 below the least normal number. `lo` is as in `mul_exp`.
    """
    return scaled_exp(y, lo, headroom=0).product


def exp_or_inf(y: Real) -> Array:
    """Return e^y for y > -87: `exp` for y < 88, ∞ for y > 88.4 (708 and 709.4).

    The denominator 1 + e^y of a quotient then needs one clamp. For y < 88 it is within
    1.0 ulp (float32) and 1.1 ulp (float64).
    """
    y = jnp.asarray(y)
    _, highest = exponent_limits(y.dtype)
    return reciprocal_exp(min_nan_free(highest, y), headroom=0).product


def mul_exp(v: Real, y: Real, lo: Real = 0.0) -> Array:
    """Return v e^(y + lo) for y < 70, also where e^y underflows and v e^y does not.

    For lo = 0 it is within 1.2 ulp (float32) and 1.2 ulp (float64).

    Args:
        v: A finite factor with |v| e^y < 2^104: the product has 24 bits of headroom.
        y: The high word of the exponent.
        lo: The low word of the exponent; where it is not 0, y > -20,000.
    """
    return mul_scaled_exp(v, scaled_exp(y, lo))


def scaled_exp(y: Real, lo: Real = 0.0, headroom: int | None = None) -> ScaledExp:
    """Return e^(y + lo) for `mul_scaled_exp`; the arguments are those of `mul_exp`."""
    y = jnp.asarray(y)
    if headroom is None:
        headroom = _EXPONENT_HEADROOM[y.dtype.name]
    lowest, _ = exponent_limits(y.dtype, headroom)
    if isinstance(lo, float) and lo == 0:
        return _reduce_exponent(max_nan_free(lowest, y), 0.0, headroom)
    return _reduce_exponent(y, lo, headroom, max_nan_free(lowest, y + lo))


def reciprocal_exp(
    y: Real, lo: Real = 0.0, headroom: int = RECIPROCAL_HEADROOM
) -> ScaledExp:
    """Return 2^headroom e^(y + lo) for y within `exponent_limits(dtype, headroom)`.

    Its reciprocal is e^-y with headroom: a / (2^-10 + 2^-10 e^a) = 2^10 a σ(-a) is a
    normal number wherever a σ(-a) is.
    """
    y = jnp.asarray(y)
    total = y if isinstance(lo, float) and lo == 0 else y + lo
    return _reduce_exponent(y, lo, headroom, total)


def one_plus_exp(y: Real, lo: Real = 0.0, headroom: int = RECIPROCAL_HEADROOM) -> Array:
    """Return 2^headroom (1 + e^(y + lo)), with the arguments of `reciprocal_exp`."""
    return 2.0**headroom + reciprocal_exp(y, lo, headroom).product


def mul_scaled_exp(v: Real, p: ScaledExp, lo: Real = 0.0, x: Real = 1.0) -> Array:
    """Return x (v + lo) e^y; v + lo is rounded once, and x is multiplied last."""
    if isinstance(v, float) and v == 1:
        result = p.product
    elif is_bfloat16():
        result = (v + lo) * p.product
    elif isinstance(lo, float) and lo == 0:
        result = (v + v * p.q) * p.scale
    else:
        result = (v + (lo + (v + lo) * p.q)) * p.scale
    if not (isinstance(x, float) and x == 1):
        result = result * x
    return result * 2.0**-p.headroom if p.headroom else result


def exp_full_range(y: Real) -> Array:
    """Return e^y for all y, within 1.0 ulp (float32) and 1.1 ulp (float64)."""
    y = jnp.asarray(y)
    lowest, highest = exponent_limits(y.dtype)
    y = min_nan_free(highest + 0.1, max_nan_free(lowest, y))  # ∞ after the last product
    # 2^(k - 1) for y > 0, since 2^k overflows earlier than e^y, e.g. 0.8 * 2^128.
    positive = y > 0
    shift = where(positive, lax.full_like(y, -1.0), 0.0)
    return _reduce_exponent(y, 0.0, shift).product * where(
        positive, lax.full_like(y, 2.0), 1.0
    )


@ordinary_form(lambda y: (lax.exp(y), lax.full_like(y, 0)))
def exp_hi_lo(y: Array) -> tuple[Array, Array]:
    """Return e^y as hi + lo for -87 < y < 88 (-708 < y < 709 in float64).

    The relative error is below 2^-29 (float32) and 2^-61 (float64) where lo is normal,
    for y > -64 (-660). e^-e^-x needs it: its exponent e^-x grows up to 104 (745).
    """
    ln2_hi, ln2_lo = _LN2[y.dtype.name]
    k = round_to_int(y * _LOG2_E)
    whole = k.astype(y.dtype)
    r, r_lo = two_sum(y - whole * ln2_hi, -whole * ln2_lo)
    square, square_lo = two_prod(r, r)
    hi, lo = fast_two_sum(r, 0.5 * square)
    lo = lo + (0.5 * square_lo + r_lo * (1 + hi))
    if y.dtype == jnp.float64:  # r³/6 in double-word form; EXP_FINE starts with 1/6
        cube, cube_lo = two_prod(r, square)
        sixth, sixth_lo = two_prod(table.SIXTH, cube)
        hi, error = fast_two_sum(hi, sixth)
        cube_lo = cube_lo + r * square_lo
        lo = lo + (error + (sixth_lo + cube_lo / 6))
        lo = lo + (cube + cube_lo) * r * horner(r, table.EXP_FINE["float64"][1:])
    else:
        lo = lo + r * r * r * polynomial(r, table.EXP_FINE)
    hi, error = fast_two_sum(propagate_nan(y, 1.0), hi)
    hi, lo = fast_two_sum(hi, lo + error)
    scale = power_of_two(k, y.dtype)
    return hi * scale, lo * scale


def expm1(y: Real) -> Array:
    """Return e^y - 1 for y < 40, within 1.7 ulp (float32) and 2.3 ulp (float64)."""
    y = max_nan_free(-40.0, jnp.asarray(y))
    return _reduce_exponent(y, 0.0, 0).minus_one


def exp_and_expm1(y: Real) -> tuple[Array, Array]:
    """Return e^y and e^y - 1 for y < 40, from one exponential.

    e^y is within 1.0 ulp (float32) and 1.1 ulp (float64);
    e^y - 1 is within 1.7 ulp (float32) and 2.3 ulp (float64).
    """
    p = scaled_exp(y, headroom=0)
    return p.product, p.minus_one


@ordinary_form(lambda y, a, b, lo=0.0: a * jnp.expm1(y) + b + lo)
def expm1_plus(y: Real, a: Real, b: Real, lo: Real = 0.0) -> Array:
    """Return a (e^y - 1) + b + lo for y <= 0, where the terms may cancel.

    The error is within 1.7 ulp (float32) and 1.9 ulp (float64) of
    max(|result|, |a|, |b|).
    """
    y = max_nan_free(-50.0, jnp.asarray(y))
    p = _reduce_exponent(y, 0.0, 0)
    product, product_lo = two_prod(a, p.scale - 1)
    return (product + b) + (product_lo + lo + a * p.scale * p.q)


def expm1_minus(x: Real) -> Array:
    """Return e^x - 1 - x for x <= 0.

    It is within 2.6 ulp (float32) and 2.5 ulp (float64).
    """
    x = jnp.asarray(x)
    near = jnp.clip(x, -2.0, 0.0)
    return where(
        x > -2, near * near * polynomial(near, table.EXPM1_MINUS), expm1(x) - x
    )


@ordinary_form(jnp.log1p)
def log1p(f: Real) -> Array:
    """Return log(1 + f) for -1/2 <= f <= 1.

    It is within 1.5 ulp (float32) and 1.5 ulp (float64).
    """
    f = jnp.asarray(f)
    s = f * (1 / (2 + f))  # log(1 + f) = 2 atanh(s), and f - s f = 2 s
    if is_bfloat16():
        return f - s * (f - s * s * polynomial(s * s, table.LOG1P))
    h = 0.5 * f * f
    return f - (h - s * (h + s * s * polynomial(s * s, table.LOG1P)))


def log1p_ratio(f: Real) -> Array:
    """Return log(1 + f) / f for 0 <= f <= 1.

    It is within 1.4 ulp (float32) and 1.4 ulp (float64).
    """
    f = jnp.asarray(f)
    inverse = 1 / (2 + f)
    s = f * inverse
    rest = 0.5 * f + s * inverse * polynomial(s * s, table.LOG1P)
    return 1 - (0.5 * f - s * rest)


@ordinary_form(jnp.log)
def log(v: Real) -> Array:
    """Return log(v) for v >= 0, within 0.9 ulp (float32) and 1.2 ulp (float64)."""
    v = jnp.asarray(v)
    result = log_of_reduced(*log_reduce(v))
    return where((v > 0) & (v < jnp.inf), result, where(v == 0, -jnp.inf, v))


def log_reduce(v: Array) -> tuple[Array, Array]:
    """Return f and integer k with v = (1 + f) 2^k and sqrt(1/2) <= 1 + f < sqrt(2)."""
    info = jnp.finfo(v.dtype)
    if is_ordinary():
        k = jnp.floor(jnp.log(v) * _LOG2_E + 0.5)
        k = clip(k, info.minexp, info.maxexp)
        return v * 2.0**-k - 1, k
    root_half = np.asarray(math.sqrt(0.5), v.dtype).view(f"int{info.bits}")
    k = (lax.bitcast_convert_type(v, root_half.dtype) - root_half) >> info.nmant
    k = jnp.clip(k, info.minexp, info.maxexp)
    return ldexp(v, -k) - 1, k.astype(v.dtype)


def log_of_reduced(f: Array, k: Array) -> Array:
    """Return log((1 + f) 2^k) for -1/2 <= f <= 1 and integer k.

    It is within 0.9 ulp (float32) and 1.2 ulp (float64) for the f of `log_reduce`.
    A value that is the logarithm of one of two arguments selects between their (f, k),
    so that only one logarithm is computed.
    """
    hi, lo = _LN2[f.dtype.name]
    return k * hi + (log1p(f) + k * lo)


def exponent_product(a: Real | Constant, x: Real) -> tuple[Array, Real]:
    """Return a x as hi and lo for `mul_exp`, clipped where e^(a x) is 0."""
    x = jnp.asarray(x)
    limit = _underflow_limit(x.dtype)
    if isinstance(a, float) and a == 1.0:
        return clip(x, -limit, limit), 0.0
    rounded = (a[x.dtype.name][0] if isinstance(a, dict) else a) * x
    hi, lo = two_prod(a, x)
    near = jnp.abs(rounded) < limit
    return (
        where(near, hi, clip(rounded, -limit, limit)),
        where(near, lo, 0.0),
    )


def exponent_quotient(x: Real, b: Real) -> tuple[Array, Real]:
    """Return x / b as hi and lo for `mul_exp`, clipped where e^(x / b) is 0."""
    x = jnp.asarray(x)
    limit = _underflow_limit(x.dtype)
    if isinstance(b, float) and b == 1.0:
        return clip(x, -limit, limit), 0.0
    hi, lo = two_div(x, b)
    near = jnp.abs(hi) < limit
    return clip(hi, -limit, limit), where(near, lo, 0.0)


def _underflow_limit(dtype: Any) -> float:
    """Return y with e^-y = 0 as `ScaledExp`."""
    return -exponent_limits(dtype, _EXPONENT_HEADROOM[jnp.dtype(dtype).name])[0]


def exp2_for_bfloat16(z: Array, headroom: int | Array) -> ScaledExp:
    """Return 2^headroom 2^z, for results that are rounded to bfloat16.

    The relative error is below 2^-16 and that of 2^z for an error of z by 1 ulp.
    """
    minus_k, scale = round_exponent(z, headroom)
    r = lax.add(z, minus_k)
    powers = enumerate(table.EXP["bfloat16"], 2)
    tail = horner(r, [c * math.log(2) ** n for n, c in powers])
    return ScaledExp(r, tail, scale, headroom, math.log(2))


def _reduce_exponent(
    y: Array, lo: Real, headroom: int | Array, total: Array | None = None
) -> ScaledExp:
    """Return e^(y + lo) by Cody–Waite range reduction.

    Args:
        y: The high word of the exponent.
        lo: The low word of the exponent.
        headroom: Added to the exponent of the power of two.
        total: y + lo, clamped where the power of two is 0 or ∞; y by default.
    """
    total = y if total is None else total
    if is_ordinary():
        return ScaledExp(total, total, lax.exp(total) * 2.0**headroom, headroom)
    ln2_hi, ln2_lo, log2_e = map(y.dtype.type, (*_LN2[y.dtype.name], _LOG2_E))
    if is_bfloat16():
        return exp2_for_bfloat16(lax.mul(total, log2_e), headroom)
    minus_k, scale = round_exponent(lax.mul(total, log2_e), headroom)
    r, r_lo = lax.add(y, lax.mul(minus_k, ln2_hi)), lax.mul(minus_k, ln2_lo)
    single_word = isinstance(lo, float) and lo == 0
    r = lax.add(r, r_lo) if single_word else r + (lo + r_lo)
    return ScaledExp(r, polynomial(r, table.EXP), scale, headroom)
