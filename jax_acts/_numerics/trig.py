"""The sine of any number, to the last place or two, as fast near 0 as far from it.

A float32 x is m 2^e with a whole m, and x / (π/2) modulo 4 needs no more of 2/π than
the 96 binary digits from the place that 2^e moves before the point. They are picked
from jax_acts._numerics.types import Real
from a table and multiplied by m in whole numbers, which the compiler vectorises, while
on a CPU it calls the sine as a primitive for one number at a time.
"""

import itertools
import math
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jax_acts._numerics import coefficients as table
from jax_acts._numerics.double_word import split, two_prod, two_sum
from jax_acts._numerics.exp_log import polynomial
from jax_acts._numerics.types import Real

_WORDS = [np.uint32(w) for w in table.TWO_OVER_PI]
_PI_4 = (0.785398185253143310547, -2.18556941e-8)
"""π/4 in two parts; the first is a float32."""
_UNIT = (3216 * 2.0**-43, (math.pi / 4 - 3216 * 2.0**-12) * 2.0**-31)
"""2^-32 of π/2 in two parts; products of the first with 12 digits are exact."""
_HALF_PI = {
    "float32": (1.570796251296997, 7.549789415861596e-08, 5.390302858158119e-15),
    "float64": (1.5707963267341256, 6.077100506303966e-11, 2.0222662487959506e-21),
}
"""π/2 in three parts; up to 2^20 times the first two of float64 are exact."""


class Angle(NamedTuple):
    """The angle quarters π/2 + r + low, |r| <= π/4, with low far below r."""

    quarters: Array
    r: Array
    low: Array


def sin(x: Array, eighths: int = 0) -> Array:
    """Returns sin(x + eighths π/4), also where that is near 0."""
    if x.dtype != jnp.float32:
        return _by_primitives(x, eighths % 8)
    return sine_of(_angle_32(x, eighths))


def sin_squared(x: Array, eighths: int = 0) -> Array:
    """Returns sin²(x + eighths π/4), by (1 - cos(2 x + eighths π/2)) / 2.

    It errs less than the square of a sine where it is near 1/2.
    """
    if x.dtype != jnp.float32:
        return jnp.square(_by_primitives(x, eighths % 8))
    high, low = _turns(x)
    high, low = (high << 1 | low >> 31) + np.uint32(eighths % 4 << 30), low << 1
    quarters, r, r_low = _reduced(high, low)
    r = r + 2 * _nothing(x)

    near = jnp.abs(x) < 0.25
    quarters = jnp.where(near, np.uint32(eighths % 4), quarters)
    r, r_low = jnp.where(near, 2 * x, r), jnp.where(near, 0.0, r_low)

    step = jnp.where(quarters & 1 == 0, _versine(r, r_low), _sine(r, r_low))
    start = jnp.where(quarters & 1 == 1, 1.0, jnp.where(quarters == 0, 0.0, 2.0))
    return 0.5 * (start + jnp.where(quarters & 2 == 0, step, -step))


def angle(x: Array) -> Angle:
    """Returns x as an angle."""
    return _angle_32(x) if x.dtype == jnp.float32 else _angle_64(x)


def sine_of(a: Angle) -> Array:
    """Returns the sine of an angle."""
    even = a.quarters & 1 == 0
    value = jnp.where(even, _sine(a.r, a.low), 1 - _versine(a.r, a.low))
    return jnp.where(a.quarters & 2 == 0, value, -value)


def cosine_of(a: Angle) -> Array:
    """Returns the cosine of an angle."""
    return sine_of(Angle(a.quarters + np.uint32(1), a.r, a.low))


def small_angle(r: Array, low: Real = 0.0) -> Angle:
    """Returns r + low, |r| <= π/4, as an angle."""
    return Angle(jnp.zeros_like(r, jnp.uint32), r, jnp.asarray(low, r.dtype))


def sum_of_angles(a: Angle, b: Angle) -> Angle:
    """Returns the sum of two angles."""
    r, lack = two_sum(a.r, b.r)
    low = lack + (a.low + b.low)
    high, middle, rest = _HALF_PI[r.dtype.name]
    step = jnp.round(r * (2 / math.pi))  # -1, 0 or 1
    r, lack = two_sum(r - step * high, -step * middle)
    quarters = a.quarters + b.quarters + step.astype(jnp.int32).astype(jnp.uint32)
    return Angle(quarters, *two_sum(r, lack + (low - step * rest)))


def wave(a: Real, b: Real, at: Angle, a_low: Real = 0.0, b_low: Real = 0.0) -> Array:
    """Returns a cos(t) + b sin(t) of an angle t, also where the terms cancel.

    Args:
        a: The factor of the cosine.
        b: The factor of the sine.
        at: The angle.
        a_low: What `a` lacks.
        b_low: What `b` lacks.
    """
    even = at.quarters & 1 == 0
    c, c_low = jnp.where(even, a, b), jnp.where(even, a_low, b_low)
    s, s_low = jnp.where(even, -b, a), jnp.where(even, -b_low, a_low)
    value = _difference(c, c_low, s, s_low, at.r, at.low)
    return jnp.where(at.quarters & 2 == 0, value, -value)


def _difference(
    a: Array, a_low: Array, b: Array, b_low: Array, r: Array, low: Array
) -> Array:
    """Returns (a + a_low) cos(r + low) - (b + b_low) sin(r + low) for |r| <= π/4.

    Near a zero of it b r is near a, and what they differ by is near a r²/3: r²/2 from
    the cosine less r²/6 from the sine. These three are added up without rounding.
    """
    (b0, b1), (r0, r1) = split(b, r.dtype), split(r, r.dtype)
    high, rest = two_prod(r, r)
    third, third_low = two_prod(1 / 3, high)
    exact = (((a - b0 * r0) - a * third) - b0 * r1 - b1 * r0) - b1 * r1
    square, along = r * r, b * r
    first = jnp.where(jnp.abs(r) > 2.0**-80, exact, a - along)  # r1 may be subnormal
    small = a_low - b_low * r - b * low * (1 - 0.5 * square)
    small = small - a * (r * low + third_low + rest / 3)
    small = small - (first + a * third) * (square / 6)
    sine = along * polynomial(square, table.SIN_FINE)
    cosine = a * polynomial(square, table.COS)
    return first + (small + square * square * (cosine - sine))


def _sine(r: Array, low: Array) -> Array:
    """Returns sin(r + low) for |r| <= π/4."""
    square = r * r
    return r + (r * square * polynomial(square, table.SIN) + low)


def _versine(r: Array, low: Array) -> Array:
    """Returns 1 - cos(r + low) for |r| <= π/4."""
    square = r * r
    return 0.5 * square + (
        low * (r + 0.5 * low) - square * square * polynomial(square, table.COS)
    )


def _nothing(x: Array) -> Array:
    """Returns 0 with the derivative 1, which whole numbers do not have."""
    return x - lax.stop_gradient(x)


def _reduced(high: Array, low: Array) -> tuple[Array, Array, Array]:
    """Returns quarters q, the angle r, |r| <= π/4, that is left, and what r lacks."""
    quarters = (high + np.uint32(1 << 29)) >> 30
    part = _signed(high << 2 | low >> 30)
    # In units of 2^-32 quarters: 12 digits, the next 12, and the rest.
    first = (part & ~0xFFFFF).astype(jnp.float32)
    second = (part & 0xFFF00).astype(jnp.float32)
    rest = (part & 0xFF).astype(jnp.float32)
    rest = rest + _signed(low << 2 >> 1).astype(jnp.float32) * 2.0**-31
    r, lack = two_sum(first * _UNIT[0], second * _UNIT[0])
    lack = lack + ((first + second) * _UNIT[1] + rest * (_UNIT[0] + _UNIT[1]))
    return quarters, *two_sum(r, lack)


def _turns(x: Array) -> tuple[Array, Array]:
    """Returns x / (π/2) modulo 4 in 2 and 62 binary digits.

    It is garbage for |x| < 2^-7, infinity and NaN.
    """
    bits = lax.bitcast_convert_type(x, jnp.uint32)
    m = bits & np.uint32(0x7FFFFF) | np.uint32(0x800000)
    # The exponent of m, and so the place in 2/π, with the zeros before it.
    place = (bits >> 23 & np.uint32(0xFF)) - np.uint32(150 - 30)
    word, shift = place >> 5, place & np.uint32(31)
    w = [_pick(word, _WORDS[i : i + 5]) for i in range(4)]
    top, middle, last = (
        (a << shift) | (b >> 1 >> (np.uint32(31) - shift))
        for a, b in itertools.pairwise(w)
    )
    low = middle * m + ((last >> 16) * (m >> 8) >> 8)
    carry = (low < middle * m).astype(jnp.uint32)
    high = top * m + _upper(middle, m) + carry
    sign = lax.bitcast_convert_type(
        _signed(bits) >> 31, jnp.uint32
    )  # all ones if x < 0
    return high ^ sign, low ^ sign


def _pick(index: Array, words: list[np.uint32]) -> Array:
    """Returns words[index]."""
    chosen = jnp.full_like(index, words[-1])
    for i, word in reversed(list(enumerate(words[:-1]))):
        chosen = jnp.where(index == i, word, chosen)
    return chosen


def _upper(a: Array, b: Array) -> Array:
    """Returns the upper 32 of the 64 binary digits of a product."""
    half = np.uint32(0xFFFF)
    a1, a0, b1, b0 = a >> 16, a & half, b >> 16, b & half
    cross = a1 * b0 + (a0 * b0 >> 16)
    return a1 * b1 + (cross >> 16) + ((cross & half) + a0 * b1 >> 16)


def _signed(bits: Array) -> Array:
    return lax.bitcast_convert_type(bits, jnp.int32)


def _angle_32(x: Array, eighths: int = 0) -> Angle:
    """Returns x + eighths π/4 as an angle, in float32."""
    high, low = _turns(x)
    quarters, r, r_low = _reduced(high + np.uint32(eighths % 8 << 29), low)
    r = r + _nothing(x)

    near = jnp.abs(x) < 0.5
    if eighths % 2 == 0:
        small, small_low, count = x, jnp.zeros_like(x), jnp.uint32(eighths // 2 % 4)
    else:
        right = x > 0  # π/4 above 0 is π/4 below the next quarter
        small, small_low = two_sum(jnp.where(right, -_PI_4[0], _PI_4[0]), x)
        small_low = small_low + jnp.where(right, -_PI_4[1], _PI_4[1])
        count = (jnp.uint32(eighths // 2 % 4) + right) & np.uint32(3)
    quarters = jnp.where(near, count, quarters)
    return Angle(quarters, jnp.where(near, small, r), jnp.where(near, small_low, r_low))


def _angle_64(x: Array) -> Angle:
    """Returns x as an angle, in float64."""
    high, middle, rest = _HALF_PI["float64"]
    count = jnp.round(x * (2 / math.pi))
    near = jnp.abs(count) < 2.0**20
    n = jnp.where(near, count, 0)
    r, lack = two_sum(x - n * high, -n * middle)
    r, low = two_sum(r, lack - n * rest)
    # Further out of its sine and cosine, the smaller of which is the more exact.
    s, c = jnp.sin(x), jnp.cos(x)
    upright = jnp.abs(s) > jnp.abs(c)
    tangent = jnp.where(upright, -c, s) / jnp.where(upright, s, c)
    r = jnp.where(near, r, jnp.arctan(tangent))
    far = jnp.where(upright, jnp.where(s > 0, 1, 3), jnp.where(c > 0, 0, 2))
    quarters = jnp.where(near, n.astype(jnp.int32), far).astype(jnp.uint32)
    return Angle(quarters, r, jnp.where(near, low, 0.0))


def _by_primitives(x: Array, eighths: int) -> Array:
    """Returns sin(x + eighths π/4); of an odd number of them without cancellation."""
    quarters: Any = [jnp.sin, jnp.cos, lambda x: -jnp.sin(x), lambda x: -jnp.cos(x)]
    if eighths % 2 == 0:
        return quarters[eighths // 2](x)
    before = quarters[eighths // 2](x)
    after = quarters[(eighths // 2 + 1) % 4](x)
    # sqrt(2) times it is their sum: (after² - before²) / (after - before).
    near = (jnp.abs(after - before) > 1) & jnp.isfinite(2 * x)
    sign = -1.0 if eighths // 2 % 2 else 1.0
    quotient = sign * jnp.cos(2 * x) / jnp.where(near, after - before, 1)
    return math.sqrt(0.5) * jnp.where(near, quotient, after + before)
