"""Building blocks that are right to the last place or two, in float32 and in float64.

They use + - * / sqrt and the scaling by powers of two, and nothing else: the compiler
vectorises them on every platform, and what is measured on one holds on the others,
while the accuracy of `exp`, `tanh` or `log1p` as primitives differs by platform.

What XLA does to arithmetic is minded at the spot: it turns division by a constant into
a product, flushes subnormal numbers to 0, and does what is said in `_parts`. The blocks
that all others are made of are written in `lax`, as `_bits` says.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

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
    round_to_int,
    where,
)
from jax_acts._numerics.double_word import (
    fast_two_sum,
    hi_lo,
    two_div,
    two_prod,
    two_sum,
)
from jax_acts._numerics.types import Real

_LOG2_E = 1 / math.log(2)
# ln(2) in two parts; the high one ends in so many zeros that k times it is exact.
_LN2 = {
    "float32": (0.693145751953125, 1.4286068203094172e-06),
    "float64": (0.6931471803691238, 1.9082149292705877e-10),
}
_EXPONENT_HEADROOM = {"float32": 24, "float64": 60}
"""What is added to the exponent of e^y while there is something to multiply it by."""
_EXP_UNDERFLOW = {"float32": -104.7, "float64": -750.7}
"""Where e^y is 0 with that addition too: its exponent is that of 0."""
_EXP_FLUSH = {"float32": -88.0, "float64": -709.0}
"""Where e^y is 0 without the addition: its exponent is just that of 0."""


def polynomial(x: Array, coefficients: table.Coefficients) -> Array:
    """Returns the polynomial with the coefficients for the dtype of x, lowest first."""
    return _horner(x, coefficients[x.dtype.name])


def polynomial_hi_lo(x: Array, coefficients: table.Coefficients) -> tuple[float, Array]:
    """Returns the same in two parts: the first coefficient, and the rest.

    Near a polynomial's centre the rest is small, and so is its rounding error; `mul_scaled_exp`
    takes both parts and rounds their sum once.
    """
    first, *rest = coefficients[x.dtype.name]
    high, low = hi_lo(first, x.dtype)
    return high, low + x * _horner(x, rest)


def _horner(x: Array, coefficients: Sequence[float]) -> Array:
    last, before, *rest = map(x.dtype.type, reversed(coefficients))
    result = lax.add(lax.mul(last, x), before)
    for c in rest:
        result = lax.add(lax.mul(result, x), c)
    return result


def exp(y: Real, low: Real = 0.0) -> Array:
    """Returns e^(y + low) for y < 70, to 1 ulp; `low` as of `mul_exp`."""
    return mul_exp(1.0, y, low)


def mul_exp(v: Real, y: Real, low: Real = 0.0) -> Array:
    """Returns v e^(y + low) for y < 70, which does not vanish where e^y alone would.

    Args:
        v: A finite factor; where y > 0, one below 2^20.
        y: The exponent.
        low: What y lacks; where it is not 0, y is above -20,000.
    """
    return mul_scaled_exp(v, scaled_exp(y, low))


class ScaledExp(NamedTuple):
    """A power of e, ready to be multiplied: (1 + q) scale, 2^24 or 2^60 times it.

    What takes it alone and multiplied makes it once: the compiler would find that two
    are the same, but has them traced and read first.
    """

    q: Array
    scale: Array


def scaled_exp(y: Real, low: Real = 0.0) -> ScaledExp:
    """Returns e^(y + low) for `mul_scaled_exp`, with the arguments of `mul_exp`."""
    y = jnp.asarray(y)
    if isinstance(low, float) and low == 0:
        y = max_nan_free(_EXP_UNDERFLOW[y.dtype.name], y)
    q, k = _reduce_exponent(y, low)
    spare = k.dtype.type(_EXPONENT_HEADROOM[y.dtype.name])
    return ScaledExp(q, power_of_two(lax.add(k, spare), y.dtype))


def mul_scaled_exp(v: Real, p: ScaledExp, low: Real = 0.0, x: Real = 1.0) -> Array:
    """Returns x (v + low) times the power, as `mul_exp`; v + low is rounded once."""
    if isinstance(v, float) and v == 1:
        first = 1 + p.q
    elif isinstance(low, float) and low == 0:
        first = v + v * p.q
    else:
        first = v + (low + (v + low) * p.q)
    result = first * p.scale
    if not (isinstance(x, float) and x == 1):
        result = result * x
    return result * 2.0 ** -_EXPONENT_HEADROOM[p.q.dtype.name]


def exp_full_range(y: Real) -> Array:
    """Returns e^y, to 1 ulp."""
    y = jnp.asarray(y)
    top = math.log(2) * (jnp.finfo(y.dtype).maxexp + 1)
    q, k = _reduce_exponent(min_nan_free(top, max_nan_free(-1.9 * top, y)), 0.0)
    return ldexp(1 + q, k)


def exp_hi_lo(y: Array) -> tuple[Array, Array]:
    """Returns e^y in two parts, for -87 < y < 88, good to 2^-7 of the last place.

    In float64 it is good to 2^-9: e^-e^-x is a number up to e^-x = 745.
    """
    high, low = _LN2[y.dtype.name]
    k = round_to_int(y * _LOG2_E)
    whole = k.astype(y.dtype)
    r, r_low = two_sum(y - whole * high, -whole * low)
    square, square_low = two_prod(r, r)
    first, rest = fast_two_sum(r, 0.5 * square)
    rest = rest + (0.5 * square_low + r_low * (1 + first))
    if y.dtype == jnp.float64:  # r³/6 in two parts; 1/6 is the first of EXP_FINE
        cube, cube_low = two_prod(r, square)
        sixth, sixth_low = two_prod(table.SIXTH, cube)
        first, more = fast_two_sum(first, sixth)
        cube_low = cube_low + r * square_low
        rest = rest + (more + (sixth_low + cube_low / 6))
        rest = rest + (cube + cube_low) * r * _horner(r, table.EXP_FINE["float64"][1:])
    else:
        rest = rest + r * r * r * polynomial(r, table.EXP_FINE)
    first, more = fast_two_sum(propagate_nan(y, 1.0), first)
    first, rest = fast_two_sum(first, rest + more)
    scaled_exp = power_of_two(k, y.dtype)
    return first * scaled_exp, rest * scaled_exp


def expm1(y: Real) -> Array:
    """Returns e^y - 1 for y < 40, to 1.4 ulp."""
    y = jnp.asarray(y)
    q, k = _reduce_exponent(max_nan_free(-40.0, y), 0.0)
    scaled_exp = power_of_two(k, y.dtype)
    return scaled_exp * q + (scaled_exp - 1)


def exp_and_expm1(y: Real, *, tail: bool = False) -> tuple[Array, Array]:
    """Returns e^y and e^y - 1 for y < 40, to 1 and 1.4 ulp, by one exponential.

    With a tail, e^y is that of `exp` down to the least number; it takes more steps.
    """
    y = jnp.asarray(y)
    least = (_EXP_UNDERFLOW if tail else _EXP_FLUSH)[y.dtype.name]
    q, k = _reduce_exponent(max_nan_free(least, y), 0.0)
    if not tail:
        scale = power_of_two(k, y.dtype)
        return (1 + q) * scale, scale * q + (scale - 1)
    spare = _EXPONENT_HEADROOM[y.dtype.name]
    e = (1 + q) * power_of_two(k + spare, y.dtype) * 2.0**-spare
    scale = power_of_two(jnp.maximum(k, jnp.finfo(y.dtype).minexp), y.dtype)
    return e, scale * q + (scale - 1)


def expm1_plus(y: Real, a: Real, b: Real, low: Real = 0.0) -> Array:
    """Returns a (e^y - 1) + b + low for y <= 0, where the terms may cancel."""
    y = jnp.asarray(y)
    q, k = _reduce_exponent(max_nan_free(-50.0, y), 0.0)
    scaled_exp = power_of_two(k, y.dtype)
    high, rest = two_prod(a, scaled_exp - 1)
    return (high + b) + (rest + low + a * scaled_exp * q)


def log1p(f: Real) -> Array:
    """Returns log(1 + f) for -1/2 <= f <= 1, to 1.2 ulp."""
    f = jnp.asarray(f)
    s = f * (1 / (2 + f))  # log(1 + f) = 2 atanh(s), and f - s f = 2 s
    h = 0.5 * f * f
    return f - (h - s * (h + s * s * polynomial(s * s, table.LOG1P)))


def log1p_ratio(f: Real) -> Array:
    """Returns log(1 + f) / f for 0 <= f <= 1, to 1.2 ulp."""
    f = jnp.asarray(f)
    inverse = 1 / (2 + f)
    s = f * inverse
    rest = 0.5 * f + s * inverse * polynomial(s * s, table.LOG1P)
    return 1 - (0.5 * f - s * rest)


def log(v: Real) -> Array:
    """Returns log(v) for v >= 0, to 1 ulp."""
    v = jnp.asarray(v)
    result = log_of_reduced(*log_reduce(v))
    return where((v > 0) & (v < jnp.inf), result, where(v == 0, -jnp.inf, v))


def log_reduce(v: Array) -> tuple[Array, Array]:
    """Returns f and a whole k with v = (1 + f) 2^k, sqrt(1/2) <= 1 + f < sqrt(2)."""
    info = jnp.finfo(v.dtype)
    root_half = np.asarray(math.sqrt(0.5), v.dtype).view(f"int{info.bits}")
    k = (lax.bitcast_convert_type(v, root_half.dtype) - root_half) >> info.nmant
    k = jnp.clip(k, info.minexp, info.maxexp)
    return ldexp(v, -k) - 1, k.astype(v.dtype)


def log_of_reduced(f: Array, k: Array) -> Array:
    """Returns log((1 + f) 2^k) for -1/2 <= f <= 1 and a whole k, to 1 ulp.

    Where a value is the logarithm of one thing or of another, the choice is between
    their parts, so that there is one logarithm.
    """
    high, low = _LN2[f.dtype.name]
    return k * high + (log1p(f) + k * low)


def expm1_minus(x: Real) -> Array:
    """Returns e^x - 1 - x for x <= 0, to 2 ulp."""
    x = jnp.asarray(x)
    near = jnp.clip(x, -2.0, 0.0)
    return where(
        x > -2, near * near * polynomial(near, table.EXPM1_MINUS), expm1(x) - x
    )


def exponent_product(a: Real | table.Constant, x: Real) -> tuple[Array, Real]:
    """Returns a x as an exponent and its `low` for `mul_exp`, cut off far from 0."""
    x = jnp.asarray(x)
    limit = -_EXP_UNDERFLOW[x.dtype.name]
    if isinstance(a, float) and a == 1.0:
        return clip(x, -limit, limit), 0.0
    whole = (a[x.dtype.name][0] if isinstance(a, dict) else a) * x
    high, low = two_prod(a, x)
    near = jnp.abs(whole) < limit
    return (
        where(near, high, clip(whole, -limit, limit)),
        where(near, low, 0.0),
    )


def exponent_quotient(x: Real, b: Real) -> tuple[Array, Real]:
    """Returns x / b as an exponent and its `low` for `mul_exp`, cut off as above."""
    x = jnp.asarray(x)
    limit = -_EXP_UNDERFLOW[x.dtype.name]
    if isinstance(b, float) and b == 1.0:
        return clip(x, -limit, limit), 0.0
    high, low = two_div(x, b)
    near = jnp.abs(high) < limit
    return where(near, high, clip(x / b, -limit, limit)), where(near, low, 0.0)


def patch_near_zero(
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
    d = (x - zero) + low
    near = scale * (d * polynomial(d, root.factor) - rest * root.slope)
    return where(lax.lt(lax.abs(d), d.dtype.type(root.radius)), near, value)


def fold_half_line(a: Array) -> Array:
    """Returns (a - 2.5) / (a + 2.5), which maps the half-line to [-1, 1)."""
    return (a - 2.5) * (1 / (a + 2.5))  # a quotient would be stored to be used twice


def _reduce_exponent(y: Array, low: Real) -> tuple[Array, Array]:
    """Returns q and k with e^(y + low) = (1 + q) 2^k, k a whole number, |q| < 0.5.

    Where y + low is far below 0, k stays at the exponent of 0 and q is any number.
    """
    high, rest, per_e = map(y.dtype.type, (*_LN2[y.dtype.name], _LOG2_E))
    exact = isinstance(low, float) and low == 0
    total = y if exact else max_nan_free(_EXP_UNDERFLOW[y.dtype.name], y + low)
    k = round_to_int(lax.mul(total, per_e))
    whole = lax.convert_element_type(k, y.dtype)
    r, lack = lax.sub(y, lax.mul(whole, high)), lax.mul(whole, rest)
    r = lax.sub(r, lack) if exact else r + (low - lack)
    return lax.add(r, lax.mul(lax.mul(r, r), polynomial(r, table.EXP))), k
