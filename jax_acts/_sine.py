"""The sine of any number, to the last place or two, as fast near 0 as far from it.

A float32 x is m 2^e with a whole m, and x / (π/2) modulo 4 needs no more of 2/π than
the 96 binary digits from the place that 2^e moves before the point. They are picked
from a table and multiplied by m in whole numbers, which the compiler vectorises, while
on a CPU it calls the sine as a primitive for one number at a time.
"""

import itertools
import math
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jax_acts import _coefficients as table
from jax_acts._math import polynomial, sum_of_two

_WORDS = [np.uint32(w) for w in table.TWO_OVER_PI]
_PI_4 = (0.785398185253143310547, -2.18556941e-8)
"""π/4 in two parts; the first is a float32."""
_UNIT = (3216 * 2.0**-43, (math.pi / 4 - 3216 * 2.0**-12) * 2.0**-31)
"""2^-32 of π/2 in two parts; products of the first with 12 digits are exact."""


def sin(x: Array, eighths: int = 0) -> Array:
    """Returns sin(x + eighths π/4), also where that is near 0."""
    if x.dtype != jnp.float32:
        return _by_primitives(x, eighths % 8)
    high, low = _turns(x)
    quarters, r, r_low = _reduced(high + np.uint32(eighths % 8 << 29), low)
    r = r + _nothing(x)

    near = jnp.abs(x) < 0.5
    if eighths % 2 == 0:
        small, small_low, count = x, jnp.zeros_like(x), jnp.uint32(eighths // 2 % 4)
    else:
        right = x > 0  # π/4 above 0 is π/4 below the next quarter
        small, small_low = sum_of_two(jnp.where(right, -_PI_4[0], _PI_4[0]), x)
        small_low = small_low + jnp.where(right, -_PI_4[1], _PI_4[1])
        count = (jnp.uint32(eighths // 2 % 4) + right) & np.uint32(3)
    quarters = jnp.where(near, count, quarters)
    r, r_low = jnp.where(near, small, r), jnp.where(near, small_low, r_low)

    value = jnp.where(quarters & 1 == 0, _sine(r, r_low), 1 - _versine(r, r_low))
    return jnp.where(quarters & 2 == 0, value, -value)


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
    r, lack = sum_of_two(first * _UNIT[0], second * _UNIT[0])
    lack = lack + ((first + second) * _UNIT[1] + rest * (_UNIT[0] + _UNIT[1]))
    return quarters, *sum_of_two(r, lack)


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
