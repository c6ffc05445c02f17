"""Sine and cosine of every float32.

On CPU the primitive `lax.sin` is evaluated one element at a time.
"""

import math
from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jax_acts._numerics import coefficients as table
from jax_acts._numerics.bitwise import round_to_int, where
from jax_acts._numerics.double_word import split, two_prod, two_sum
from jax_acts._numerics.ordinary import ordinary_form
from jax_acts._numerics.polynomial import polynomial
from jax_acts._numerics.range_reduction import HALF_PI, Angle, Reduction, by_range
from jax_acts._numerics.types import Real


@ordinary_form(lambda x, eighths=0, reduce=None: _sin_64(x, eighths % 8))
def sin(x: Array, eighths: int = 0, reduce: Reduction | None = None) -> Array:
    """Return sin(x + eighths π/4), within 1.7 ulp (float32).

    For float64 it calls `lax.sin`. A rule that does more than call it once does all of
    it in `by_range`, and passes the reduction.
    """
    if x.dtype != jnp.float32:
        return _sin_64(x, eighths % 8)
    if reduce is None:
        return by_range(lambda reduce: sin(x, eighths, reduce), x)
    y = sine_of(reduce(x, eighths))
    return y if eighths else where(lax.eq(x, lax.full_like(x, 0)), x, y)  # sin(-0)


@ordinary_form(lambda x, eighths=0, reduce=None: _sin_64(2 * x, eighths % 8))
def sin_of_double(x: Array, eighths: int = 0, reduce: Reduction | None = None) -> Array:
    """Return sin(2 x + eighths π/4), also where 2 x overflows; see `sin`."""
    if x.dtype != jnp.float32:
        return _sin_64(2 * x, eighths % 8)
    if reduce is None:
        return by_range(lambda reduce: sin_of_double(x, eighths, reduce), 2 * x)
    return sine_of(reduce(x, eighths, double=True))


@ordinary_form(lambda x, eighths=0, reduce=None: jnp.square(_sin_64(x, eighths % 8)))
def sin_squared(x: Array, eighths: int = 0, reduce: Reduction | None = None) -> Array:
    """Return sin²(x + eighths π/4), within 3.9 ulp (float32).

    It is (1 - cos(2 x + eighths π/2)) / 2: near 1/2 the square of a sine has twice the
    error. `reduce` is as in `sin`, for arguments up to |2 x|.
    """
    if x.dtype != jnp.float32:
        return jnp.square(_sin_64(x, eighths % 8))
    if reduce is None:
        return by_range(lambda reduce: sin_squared(x, eighths, reduce), 2 * x)
    quarters, r, lo = reduce(x, 2 * eighths, double=True)
    even = quarters & 1 == 0
    step = _flip_sign(quarters, jnp.where(even, _versine(r, lo), _sine(r, lo)))
    start = jnp.where(even, jnp.where(quarters == 0, 0.0, 2.0), 1.0)
    return 0.5 * (start + step)


@ordinary_form(lambda a: _rotate(a.quarters, jnp.sin(a.r), jnp.cos(a.r)))
def sine_of(a: Angle) -> Array:
    """Return the sine of an angle, within 1.1 ulp (float32) and 1.1 ulp (float64)."""
    return _rotate(a.quarters, _sine(a.r, a.lo), 1 - _versine(a.r, a.lo))


def cosine_of(a: Angle) -> Array:
    """Return the cosine of an angle.

    It is within 1.1 ulp (float32) and 1.1 ulp (float64).
    """
    return sine_of(Angle(a.quarters + np.uint32(1), a.r, a.lo))


@ordinary_form(
    lambda a, b: Angle(a.quarters + b.quarters, a.r + b.r, jnp.zeros_like(a.r))
)
def sum_of_angles(a: Angle, b: Angle) -> Angle:
    """Return the sum of two angles."""
    r, r_lo = two_sum(a.r, b.r)
    lo = r_lo + (a.lo + b.lo)
    first, second, third = HALF_PI[r.dtype.name]
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
    return _flip_sign(at.quarters, _cosine_minus_sine(c, c_lo, s, s_lo, at.r, at.lo))


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
    return _flip_sign(quarters, jnp.where(quarters & 1 == 0, sine, cosine))


@ordinary_form(lambda quarters, v: jnp.where(quarters & 2 == 0, v, -v))
def _flip_sign(quarters: Array, v: Array) -> Array:
    """Return v, or -v in the third and fourth quarter."""
    dtype = np.dtype(f"uint{jnp.finfo(v.dtype).bits}")
    sign = (quarters & 2).astype(dtype) << dtype.type(8 * dtype.itemsize - 2)
    one = np.ones((), v.dtype).view(dtype)
    return v * lax.bitcast_convert_type(sign | one, v.dtype)


def _sine(r: Array, lo: Array) -> Array:
    """Return sin(r + lo) for |r| <= π/4."""
    square = r * r
    trailing = lo * (1 - 0.5 * square)
    return r + (r * square * polynomial(square, table.SIN) + trailing)


def _versine(r: Array, lo: Array) -> Array:
    """Return 1 - cos(r + lo) for |r| <= π/4."""
    square = r * r
    return 0.5 * square + (
        lo * (r + 0.5 * lo) - square * square * polynomial(square, table.COS)
    )


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
