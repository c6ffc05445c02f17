"""Sine and cosine of every float32, by Payne–Hanek range reduction.

A float32 is x = m 2^e with an integer m. Only 96 bits of 2/π, selected by e, affect
x / (π/2) modulo 4. They are selected from a table and multiplied by m in integer
arithmetic, which the compiler vectorizes, at the same cost for every x. On CPU the
primitive `lax.sin` is evaluated one element at a time.
"""

import itertools
import math
from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jax_acts._numerics import coefficients as table
from jax_acts._numerics.bitwise import round_to_int
from jax_acts._numerics.double_word import split, two_prod, two_sum
from jax_acts._numerics.ordinary import ordinary_form
from jax_acts._numerics.polynomial import polynomial
from jax_acts._numerics.types import Real

_TWO_OVER_PI_WORDS = [np.uint32(w) for w in table.TWO_OVER_PI]
_PI_4 = (0.785398185253143310547, -2.18556941e-8)
"""π/4 as hi + lo; hi is a float32."""
_TURN_UNIT = (3216 * 2.0**-43, (math.pi / 4 - 3216 * 2.0**-12) * 2.0**-31)
"""2^-32 of π/2 as hi + lo; hi times an integer of 12 bits is exact."""
_HALF_PI = {
    "float32": (1.570796251296997, 7.549789415861596e-08, 5.390302858158119e-15),
    "float64": (1.5707963267341256, 6.077100506303966e-11, 2.0222662487959506e-21),
}
"""π/2 as three words (Cody–Waite); n < 2^20 times the first two is exact in float64."""


class Angle(NamedTuple):
    """The angle quarters π/2 + r + lo with |r| <= π/4; lo is the lo word of r."""

    quarters: Array
    r: Array
    lo: Array


@ordinary_form(lambda x, eighths=0: _sin_64(x, eighths % 8))
def sin(x: Array, eighths: int = 0) -> Array:
    """Return sin(x + eighths π/4), within 2.3 ulp (float32).

    For float64 it calls `lax.sin`.
    """
    if x.dtype != jnp.float32:
        return _sin_64(x, eighths % 8)
    return sine_of(_angle_32(x, eighths))


@ordinary_form(lambda x, eighths=0: jnp.square(_sin_64(x, eighths % 8)))
def sin_squared(x: Array, eighths: int = 0) -> Array:
    """Return sin²(x + eighths π/4), within 5.4 ulp (float32).

    It is (1 - cos(2 x + eighths π/2)) / 2: near 1/2 the square of a sine has twice the
    error.
    """
    if x.dtype != jnp.float32:
        return jnp.square(_sin_64(x, eighths % 8))
    hi, lo = _turns(x)
    hi, lo = (hi << 1 | lo >> 31) + np.uint32(eighths % 4 << 30), lo << 1
    quarters, r, r_lo = _reduce_turns(hi, lo)
    r = r + 2 * _zero_with_unit_derivative(x)

    near = jnp.abs(x) < 0.25
    quarters = jnp.where(near, np.uint32(eighths % 4), quarters)
    r, r_lo = jnp.where(near, 2 * x, r), jnp.where(near, 0.0, r_lo)

    step = jnp.where(quarters & 1 == 0, _versine(r, r_lo), _sine(r, r_lo))
    start = jnp.where(quarters & 1 == 1, 1.0, jnp.where(quarters == 0, 0.0, 2.0))
    return 0.5 * (start + jnp.where(quarters & 2 == 0, step, -step))


@ordinary_form(lambda x: small_angle(x))
def angle(x: Array) -> Angle:
    """Reduce x to an angle.

    The error of r + lo is below 2^-36 in float32, and below 2^-102 in float64 for
    |x| < 2^20 π/2.
    """
    return _angle_32(x) if x.dtype == jnp.float32 else _angle_64(x)


@ordinary_form(lambda a: _rotate(a.quarters, jnp.sin(a.r), jnp.cos(a.r)))
def sine_of(a: Angle) -> Array:
    """Return the sine of an angle, within 2.3 ulp (float32) and 1.1 ulp (float64)."""
    return _rotate(a.quarters, _sine(a.r, a.lo), 1 - _versine(a.r, a.lo))


def cosine_of(a: Angle) -> Array:
    """Return the cosine of an angle.

    It is within 2.3 ulp (float32) and 1.1 ulp (float64).
    """
    return sine_of(Angle(a.quarters + np.uint32(1), a.r, a.lo))


def small_angle(r: Array, lo: Real = 0.0) -> Angle:
    """Return r + lo as an angle, for |r| <= π/4."""
    return Angle(jnp.zeros_like(r, jnp.uint32), r, jnp.asarray(lo, r.dtype))


@ordinary_form(
    lambda a, b: Angle(a.quarters + b.quarters, a.r + b.r, jnp.zeros_like(a.r))
)
def sum_of_angles(a: Angle, b: Angle) -> Angle:
    """Return the sum of two angles."""
    r, r_lo = two_sum(a.r, b.r)
    lo = r_lo + (a.lo + b.lo)
    first, second, third = _HALF_PI[r.dtype.name]
    count = round_to_int(r * (2 / math.pi))  # -1, 0 or 1
    step = count.astype(r.dtype)
    r, r_lo = two_sum(r - step * first, -step * second)
    quarters = a.quarters + b.quarters + count.astype(jnp.int32).astype(jnp.uint32)
    return Angle(quarters, *two_sum(r, r_lo + (lo - step * third)))


@ordinary_form(
    lambda a, b, at, a_lo=0.0, b_lo=0.0: (
        (a + a_lo) * cosine_of(at) + (b + b_lo) * sine_of(at)
    )
)
def wave(a: Real, b: Real, at: Angle, a_lo: Real = 0.0, b_lo: Real = 0.0) -> Array:
    """Return a cos(t) + b sin(t) of an angle t, also where the terms cancel.

    The error is within 4.8 ulp (float32) and 5.1 ulp (float64) of
    max(|result|, |a|/16, |b|/16).

    Args:
        a: The factor of the cosine.
        b: The factor of the sine.
        at: The angle t.
        a_lo: The lo word of a.
        b_lo: The lo word of b.
    """
    even = at.quarters & 1 == 0
    c, c_lo = jnp.where(even, a, b), jnp.where(even, a_lo, b_lo)
    s, s_lo = jnp.where(even, -b, a), jnp.where(even, -b_lo, a_lo)
    value = _cosine_minus_sine(c, c_lo, s, s_lo, at.r, at.lo)
    return jnp.where(at.quarters & 2 == 0, value, -value)


def _cosine_minus_sine(
    a: Array, a_lo: Array, b: Array, b_lo: Array, r: Array, r_lo: Array
) -> Array:
    """Return (a + a_lo) cos(r + r_lo) - (b + b_lo) sin(r + r_lo) for |r| <= π/4.

    Near a zero b r is close to a, and the difference is close to a r²/3: r²/2 from the
    cosine minus r²/6 from the sine. a, b r and a r²/3 are added without rounding.
    """
    (b0, b1), (r0, r1) = split(b, r.dtype), split(r, r.dtype)
    square_hi, square_lo = two_prod(r, r)
    third, third_lo = two_prod(1 / 3, square_hi)
    exact = (((a - b0 * r0) - a * third) - b0 * r1 - b1 * r0) - b1 * r1
    square, b_r = r * r, b * r
    leading = jnp.where(jnp.abs(r) > 2.0**-80, exact, a - b_r)  # r1 may be subnormal
    trailing = a_lo - b_lo * r - b * r_lo * (1 - 0.5 * square)
    trailing = trailing - a * (r * r_lo + third_lo + square_lo / 3)
    trailing = trailing - (leading + a * third) * (square / 6)
    sine = b_r * polynomial(square, table.SIN_FINE)
    cosine = a * polynomial(square, table.COS)
    return leading + (trailing + square * square * (cosine - sine))


def _rotate(quarters: Array, sine: Array, cosine: Array) -> Array:
    """Return the sine of an angle from those of its r."""
    value = jnp.where(quarters & 1 == 0, sine, cosine)
    return jnp.where(quarters & 2 == 0, value, -value)


def _sine(r: Array, lo: Array) -> Array:
    """Return sin(r + lo) for |r| <= π/4."""
    square = r * r
    return r + (r * square * polynomial(square, table.SIN) + lo)


def _versine(r: Array, lo: Array) -> Array:
    """Return 1 - cos(r + lo) for |r| <= π/4."""
    square = r * r
    return 0.5 * square + (
        lo * (r + 0.5 * lo) - square * square * polynomial(square, table.COS)
    )


def _zero_with_unit_derivative(x: Array) -> Array:
    """Return 0 with the derivative 1, which integer arithmetic does not carry."""
    return x - lax.stop_gradient(x)


def _reduce_turns(hi: Array, lo: Array) -> tuple[Array, Array, Array]:
    """Return quarters, the angle r with |r| <= π/4, and the lo word of r.

    The fraction of a quarter is split into 12 + 12 + 8 bits, so that the products with
    `_TURN_UNIT` are exact.
    """
    quarters = (hi + np.uint32(1 << 29)) >> 30
    fraction = _as_int32(hi << 2 | lo >> 30)
    first = (fraction & ~0xFFFFF).astype(jnp.float32)
    second = (fraction & 0xFFF00).astype(jnp.float32)
    third = (fraction & 0xFF).astype(jnp.float32)
    third = third + _as_int32(lo << 2 >> 1).astype(jnp.float32) * 2.0**-31
    unit_hi, unit_lo = _TURN_UNIT
    r, r_lo = two_sum(first * unit_hi, second * unit_hi)
    r_lo = r_lo + ((first + second) * unit_lo + third * (unit_hi + unit_lo))
    return quarters, *two_sum(r, r_lo)


def _turns(x: Array) -> tuple[Array, Array]:
    """Return x / (π/2) modulo 4 as a fixed-point number of 2 + 62 bits (Payne–Hanek).

    It is undefined for |x| < 2^-7, infinity and NaN.
    """
    bits = lax.bitcast_convert_type(x, jnp.uint32)
    m = bits & np.uint32(0x7FFFFF) | np.uint32(0x800000)
    # The first bit of 2/π that counts, from the exponent of m and the leading zeros.
    offset = (bits >> 23 & np.uint32(0xFF)) - np.uint32(150 - 30)
    word, shift = offset >> 5, offset & np.uint32(31)
    w = [_select(word, _TWO_OVER_PI_WORDS[i : i + 5]) for i in range(4)]
    top, middle, last = (
        (a << shift) | (b >> 1 >> (np.uint32(31) - shift))
        for a, b in itertools.pairwise(w)
    )
    lo = middle * m + ((last >> 16) * (m >> 8) >> 8)
    carry = (lo < middle * m).astype(jnp.uint32)
    hi = top * m + _mul_high(middle, m) + carry
    negative = lax.bitcast_convert_type(_as_int32(bits) >> 31, jnp.uint32)
    return hi ^ negative, lo ^ negative  # all bits of `negative` are 1 if x < 0


def _select(index: Array, words: list[np.uint32]) -> Array:
    """Return words[index]."""
    result = jnp.full_like(index, words[-1])
    for i, word in reversed(list(enumerate(words[:-1]))):
        result = jnp.where(index == i, word, result)
    return result


def _mul_high(a: Array, b: Array) -> Array:
    """Return the upper 32 bits of the 64-bit product."""
    half = np.uint32(0xFFFF)
    a1, a0, b1, b0 = a >> 16, a & half, b >> 16, b & half
    cross = a1 * b0 + (a0 * b0 >> 16)
    return a1 * b1 + (cross >> 16) + ((cross & half) + a0 * b1 >> 16)


def _as_int32(bits: Array) -> Array:
    return lax.bitcast_convert_type(bits, jnp.int32)


def _angle_32(x: Array, eighths: int = 0) -> Angle:
    """Return x + eighths π/4 as an angle, in float32."""
    hi, lo = _turns(x)
    quarters, r, r_lo = _reduce_turns(hi + np.uint32(eighths % 8 << 29), lo)
    r = r + _zero_with_unit_derivative(x)

    near = jnp.abs(x) < 0.5
    if eighths % 2 == 0:
        small, small_lo, count = x, jnp.zeros_like(x), jnp.uint32(eighths // 2 % 4)
    else:
        right = x > 0  # for x > 0, x + π/4 is the next quarter minus π/4 plus x
        small, small_lo = two_sum(jnp.where(right, -_PI_4[0], _PI_4[0]), x)
        small_lo = small_lo + jnp.where(right, -_PI_4[1], _PI_4[1])
        count = (np.uint32(eighths // 2 % 4) + right.astype(jnp.uint32)) & np.uint32(3)
    quarters = jnp.where(near, count, quarters)
    return Angle(quarters, jnp.where(near, small, r), jnp.where(near, small_lo, r_lo))


def _angle_64(x: Array) -> Angle:
    """Return x as an angle, in float64."""
    first, second, third = _HALF_PI["float64"]
    count = jnp.round(x * (2 / math.pi))
    near = jnp.abs(count) < 2.0**20
    n = jnp.where(near, count, 0)
    r, r_lo = two_sum(x - n * first, -n * second)
    r, lo = two_sum(r, r_lo - n * third)
    # Beyond 2^20 quarters, arctan of the primitives; the smaller of the sine and the
    # cosine determines r to full precision.
    s, c = jnp.sin(x), jnp.cos(x)
    odd = jnp.abs(s) > jnp.abs(c)
    tangent = jnp.where(odd, -c, s) / jnp.where(odd, s, c)
    r = jnp.where(near, r, jnp.arctan(tangent))
    far = jnp.where(odd, jnp.where(s > 0, 1, 3), jnp.where(c > 0, 0, 2))
    quarters = jnp.where(near, n.astype(jnp.int32), far).astype(jnp.uint32)
    return Angle(quarters, r, jnp.where(near, lo, 0.0))


def _sin_64(x: Array, eighths: int) -> Array:
    """Return sin(x + eighths π/4) from primitives, without cancellation."""
    sines: list[Callable[[Array], Array]] = [
        jnp.sin,
        jnp.cos,
        lambda x: -jnp.sin(x),
        lambda x: -jnp.cos(x),
    ]
    if eighths % 2 == 0:
        return sines[eighths // 2](x)
    before = sines[eighths // 2](x)
    after = sines[(eighths // 2 + 1) % 4](x)
    # sqrt(2) sin(x + π/4) = before + after = (after² - before²) / (after - before).
    near = (jnp.abs(after - before) > 1) & jnp.isfinite(2 * x)
    sign = -1.0 if eighths // 2 % 2 else 1.0
    quotient = sign * jnp.cos(2 * x) / jnp.where(near, after - before, 1)
    return math.sqrt(0.5) * jnp.where(near, quotient, after + before)
