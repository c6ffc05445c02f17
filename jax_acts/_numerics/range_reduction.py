"""Reduction of an argument to an angle within ±π/4 and a number of quarter turns.

Below 12,800 it is that of Cody and Waite: a multiple of π/2 is subtracted in parts that
are exact. It takes a quarter of the instructions of the reduction of Payne and Hanek,
which holds for every float32: x = m 2^e with an integer m. Only 96 bits of 2/π,
selected by e, affect x / (π/2) modulo 4; they are selected from a table and multiplied
by m in integer arithmetic, which the compiler vectorizes, at the same cost for every x.
"""

import itertools
import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jax_acts._numerics import coefficients as table
from jax_acts._numerics.bitwise import where
from jax_acts._numerics.double_word import two_sum
from jax_acts._numerics.ordinary import by_platform, is_ordinary, ordinary_form
from jax_acts._numerics.types import Real

_TWO_OVER_PI_WORDS = [np.uint32(w) for w in table.TWO_OVER_PI]
_PI_4 = (0.785398185253143310547, -2.18556941e-8)
"""π/4 as hi + lo; hi is a float32."""
_TURN_UNIT = (3216 * 2.0**-43, (math.pi / 4 - 3216 * 2.0**-12) * 2.0**-31)
"""2^-32 of π/2 as hi + lo; hi times an integer of 12 bits is exact."""
HALF_PI = {
    "float32": (1.570796251296997, 7.549789415861596e-08, 5.390302858158119e-15),
    "float64": (1.5707963267341256, 6.077100506303966e-11, 2.0222662487959506e-21),
}
"""π/2 as three words (Cody–Waite); n < 2^20 times the first two is exact in float64."""
_SHORT_HALF_PI = (1.5703125, 0.0004839897155761719, -1.6298145055770874e-07)
"""π/2 as words of 10 bits, whose products with an integer of 14 bits are exact."""
_HALF_PI_LO = 6.077100506506192e-11
"""The rest of π/2."""
_NEAR = 12_800.0
"""The short reduction multiplies by at most 2^14, in units of π/4."""


class Angle(NamedTuple):
    """The angle quarters π/2 + r + lo with |r| <= π/4 and |lo| < 2^-20."""

    quarters: Array
    r: Array
    lo: Array


Reduction = Callable[..., Angle]
"""The arguments of `angle`, to an angle."""


def by_range(f: Callable[[Reduction], Array], x: Array) -> Array:
    """Return f(reduce), where f reduces only arguments of at most |x|.

    The result does not depend on the other elements, but its speed does: on CPU the
    program has a loop for arrays without an element beyond `_NEAR`. That is decided for
    all elements, also under `vmap`, since a `cond` of an array of conditions computes
    both branches. An array that is sharded over CPU devices costs one all-reduce of a
    boolean, inside `shard_map` none. GPUs and TPUs have the reduction of Payne and
    Hanek only: a branch would need a kernel of its own to be decided.
    """
    if is_ordinary() or x.dtype != jnp.float32:
        return f(angle)
    far = lambda x: jax.lax.cond(
        _any_far(lax.stop_gradient(x)), lambda: f(_angle_of_range), lambda: f(_near)
    )
    return by_platform(x, cpu=far, default=lambda x: f(angle))


@jax.custom_batching.custom_vmap
def _any_far(x: Array) -> Array:
    """Return whether any |x| >= _NEAR."""
    return jnp.any(lax.abs(x) >= _NEAR)


@_any_far.def_vmap
def _any_far_of_batch(
    axis_size: int, in_batched: list[bool], x: Array
) -> tuple[Array, bool]:
    del axis_size, in_batched
    return _any_far(x), False


@ordinary_form(lambda x: small_angle(x))
def angle(x: Array, eighths: int = 0, double: bool = False) -> Angle:
    """Reduce x + eighths π/4, or 2 x + eighths π/4, to an angle.

    The error of r + lo is below 2^-36 in float32, and below 2^-102 in float64 for
    |x| < 2^20 π/2. Multiples of π/4 and `double` are for float32.
    """
    return _far(x, eighths, double) if x.dtype == jnp.float32 else _angle_64(x)


def small_angle(r: Array, lo: Real = 0.0) -> Angle:
    """Return r + lo as an angle, for |r| <= π/4."""
    return Angle(jnp.zeros_like(r, jnp.uint32), r, jnp.asarray(lo, r.dtype))


def _near(x: Array, eighths: int = 0, double: bool = False) -> Angle:
    """Return `angle` for |x| < _NEAR, or |2 x| < _NEAR (Cody–Waite)."""
    x = 2 * x if double else x
    odd = eighths % 2 == 1
    magic = np.float32(1.5 * 2.0**23)
    # The product in between keeps XLA from adding both constants at compile time.
    t = (x + math.pi / 4 if odd else x) * (2 / math.pi) + magic
    bits = lax.bitcast_convert_type(t, jnp.int32)
    if odd:  # x + π/4 = n π/2 + r = (n - 1/2) π/2 + r + π/4
        minus_n = 0.5 - lax.sub(bits, magic.view(np.int32)).astype(jnp.float32)
    else:  # negative, as in `round_exponent`
        minus_n = magic - lax.bitcast_convert_type(bits, jnp.float32)
    first, second, third = _SHORT_HALF_PI
    exact, step = (x + minus_n * first) + minus_n * second, minus_n * third
    r = exact + step
    lo = ((exact - r) + step) + minus_n * _HALF_PI_LO
    quarters = lax.bitcast_convert_type(bits, jnp.uint32) + np.uint32(eighths // 2 % 4)
    return Angle(quarters & np.uint32(3), r, lo)


def _angle_of_range(x: Array, eighths: int = 0, double: bool = False) -> Angle:
    """Return `_near` where it holds, else `angle`."""
    holds = lax.abs(2 * x if double else x) < _NEAR
    pairs = zip(_near(x, eighths, double), _far(x, eighths, double), strict=True)
    return Angle(*(where(holds, near, far) for near, far in pairs))


def _far(x: Array, eighths: int = 0, double: bool = False) -> Angle:
    """Return `angle` in float32 (Payne–Hanek)."""
    hi, lo = _turns(x)
    if double:
        hi, lo = hi << 1 | lo >> 31, lo << 1
    quarters, r, r_lo = _reduce_turns(hi + np.uint32(eighths % 8 << 29), lo)
    r = r + (1 + double) * _zero_with_unit_derivative(x)

    x = 2 * x if double else x
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


def _zero_with_unit_derivative(x: Array) -> Array:
    """Return 0 with the derivative 1, which integer arithmetic does not carry."""
    return x - lax.stop_gradient(x)


def _reduce_turns(hi: Array, lo: Array) -> tuple[Array, Array, Array]:
    """Return quarters, the angle r with |r| <= π/4, and the lo word of r.

    The magnitude of the fraction of a quarter is split into 12 + 12 + 8 bits, so that
    the products with `_TURN_UNIT` are exact. For a fraction close to 0, they are 0.
    """
    quarters = (hi + np.uint32(1 << 29)) >> 30
    hi, lo = hi << 2 | lo >> 30, lo << 2
    minus = lax.bitcast_convert_type(_as_int32(hi) >> 31, jnp.uint32)
    fraction, rest = _as_int32(hi ^ minus), _as_int32((lo ^ minus) >> 1)
    first = (fraction & ~0xFFFFF).astype(jnp.float32)
    second = (fraction & 0xFFF00).astype(jnp.float32)
    third = (fraction & 0xFF).astype(jnp.float32) + rest.astype(jnp.float32) * 2.0**-31
    unit_hi, unit_lo = _TURN_UNIT
    r, r_lo = two_sum(first * unit_hi, second * unit_hi)
    r_lo = r_lo + ((first + second) * unit_lo + third * (unit_hi + unit_lo))
    r, r_lo = two_sum(r, r_lo)
    sign = 1 - 2 * _as_int32(minus & 1).astype(jnp.float32)
    return quarters, sign * r, sign * r_lo


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


def _angle_64(x: Array) -> Angle:
    """Return x as an angle, in float64."""
    first, second, third = HALF_PI["float64"]
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
