"""Functions x g(x) whose gate g is made of a logarithm: logish, smish, gish."""

import math

import jax.numpy as jnp
from jax import Array, lax

from jax_acts._core.activation import activation
from jax_acts._numerics import coefficients as table
from jax_acts._numerics.bitwise import max_nan_free, min_nan_free, propagate_nan, where
from jax_acts._numerics.exp_log import (
    exp,
    exp_and_expm1,
    exp_hi_lo,
    expm1,
    log1p,
    mul_exp,
    mul_scaled_exp,
    scaled_exp,
)
from jax_acts._numerics.polynomial import polynomial, polynomial_hi_lo
from jax_acts._numerics.root import patch_near_zero
from jax_acts._numerics.types import Real

INF = math.inf

_EDGE = 1000.0  # beyond it every exponential below is 0, in float64 too
_TOP = 7.0  # beyond it e^-e^x is 0, in float64 too


@activation(
    cite="zhu2021",
    range=(-0.252768816789440353, INF),
    reference=lambda m, x: x * m.log1p(1 / (1 + m.exp(-x))),
)
def logish(x: Real) -> Array:
    r"""Logish, $x \log(1 + \sigma(x))$.

    >>> logish(jnp.array([-1.0, 0.0, 1.0]))
    Array([-0.23818, 0.     , 0.54873 ], dtype=float32)
    """
    z, y, e = _exponential(x)
    h, _ = _logish_gate(z < 0, e)
    return where(z < 0, mul_exp(z, y), x) / h


@logish.defderivative
def logish_dx(x: Real) -> Array:
    # With e = e^-|x| and D = (1 + σ) (1 + e)² it is (D + x h) / (h D) times e for
    # x < 0, and (D + x h e) / (h D) for x > 0.
    z, y, e = _exponential(x)
    left = z < 0
    h, rest = _logish_gate(left, e)
    more = e * (3 + e * where(left, 2.0, 1.0))  # D is 1 more, or 2
    top = where(left, 1 + z, 2.0) + (more + z * where(left, rest, e * h))
    bottom = where(left, 1.0, 3.0) + (where(left, 1.0, 2.0) * rest + more * h)
    slope = where(left, mul_exp(top, y), top) / bottom
    return patch_near_zero(z, slope, table.LOGISH_1)


@logish.derivative.defderivative
def logish_dx2(x: Real) -> Array:
    z, y, e = _exponential(x)
    left = z < 0
    base = where(left, 1 + e * (3 + 2 * e), 2 + e * (3 + e))
    turn = where(left, z * (1 - 2 * e * e), -z * (2 - e * e))
    bend = mul_exp(2 * base + turn, y) / (base * base)
    bend = patch_near_zero(z, bend, table.LOGISH_2_LEFT)
    return patch_near_zero(z, bend, table.LOGISH_2_RIGHT)


@activation(
    cite="wang2022",
    range=(-0.249993663660129495, INF),
    reference=lambda m, x: x * m.tanh(m.log1p(1 / (1 + m.exp(-x)))),
)
def smish(x: Real) -> Array:
    r"""Smish, $x \tanh(\log(1 + \sigma(x)))$, whose slope tends to 3/5.

    >>> smish(jnp.array([-1.0, 0.0, 1.0]))
    Array([-0.23378 , 0.     , 0.49957], dtype=float32)
    """
    z, y, e = _exponential(x)
    left = z < 0
    rest = where(left, e * (1 + 2 * e), 2 + e) / _either_way(left, e, 2.0, 3.0)
    # The sum of the smaller two is rounded to a lesser place than that with 1.
    return where(left, mul_exp(z, y), x) / (1 + (e + rest))


@smish.defderivative
def smish_dx(x: Real) -> Array:
    z, y, e = _exponential(x)
    top = _either_way(z < 0, e, 4 + 4 * z, 18 + 12 * z, 28 + 8 * z, 15.0)
    slope = where(z < 0, mul_exp(top, y), top) / _smish_square(z < 0, e)
    return patch_near_zero(z, slope, table.SMISH_1)


@smish.derivative.defderivative
def smish_dx2(x: Real) -> Array:
    z, y, e = _exponential(x)
    bends = (4 + 2 * z, 24 + 6 * z, 54 - 3 * z, 54 - 18 * z, 20 - 10 * z)
    bend = mul_exp(4 * _either_way(z < 0, e, *bends), y)
    base = _either_way(z < 0, e, 2.0, 6.0, 5.0)
    bend = bend / (base * _smish_square(z < 0, e))
    bend = patch_near_zero(z, bend, table.SMISH_2_LEFT)
    return patch_near_zero(z, bend, table.SMISH_2_RIGHT)


@activation(
    cite="kaytan2023",
    range=(-0.278159460896386914, INF),
    reference=lambda m, x: x * m.log(2 - m.exp(-m.exp(min(x, 20)))),  # e^-e^20 is 0
)
def gish(x: Real) -> Array:
    r"""Gish, $x \log(2 - e^{-e^x})$.

    >>> gish(jnp.array([-1.0, 0.0, 1.0]))
    Array([-0.26835, 0.     , 0.65960], dtype=float32)
    """
    z = _below_top(x)
    p = scaled_exp(z)
    u = mul_scaled_exp(1.0, p)
    gate, rest = _gish_gate(u)
    left = mul_scaled_exp(gate, p, rest, z)
    return where(x < 0, left, x * log1p(-expm1(-u)))


@gish.defderivative
def gish_dx(x: Real) -> Array:
    # With u = e^x and q = e^-u it is log(2 - q) + x u q / (2 - q).
    z = _below_top(x)
    u = exp(z)
    q, m = exp_and_expm1(-u, tail=True)
    share = z / (1 - m)
    gate, rest = _gish_gate(u)
    # Where x < -1 the first sum is exact.
    left = mul_exp((1 + z) + (((gate - 1) + rest) + 2 * m * share), z)
    right = log1p(-m) + u * q * share
    return patch_near_zero(z, where(x < 0, left, right), table.GISH_1)


@gish.derivative.defderivative
def gish_dx2(x: Real) -> Array:
    # With u = e^x and q = e^-u it is u q (2 (2 - q) + x (2 - q - 2 u)) / (2 - q)².
    z = _below_top(x)
    u, low = exp_hi_lo(max_nan_free(-80.0, z))
    q = exp(-u, -low)
    bend = (2 * (2 - q) + z * ((2 - q) - 2 * u)) / ((2 - q) * (2 - q))
    left = patch_near_zero(z, mul_exp(bend * q, jnp.minimum(z, 0)), table.GISH_2_LEFT)
    right = patch_near_zero(z, mul_exp(bend * u, -u, -low), table.GISH_2_RIGHT)
    return propagate_nan(x, where(z < 0, left, right))


def _exponential(x: Real) -> tuple[Array, Array, Array]:
    """Returns x within bounds, y = -|x|, and e^y."""
    z = min_nan_free(_EDGE, max_nan_free(-_EDGE, jnp.asarray(x)))
    y = -lax.abs(z)
    return z, y, exp(y)


def _logish_gate(left: Array, e: Array) -> tuple[Array, Array]:
    """Returns h = e / log(1 + σ) for e = e^x if `left`, else 1 / log(1 + σ), e = e^-x.

    Also what it is more than 1, or than 1.5. With s = σ / (2 + σ), whose logarithm is
    2 atanh(s), h is (2 + σ) (1 + e) / 2 times s / atanh(s), which is rounded once.
    """
    least, slope = where(left, 1.0, 1.5), where(left, 1.5, 1.0)
    part = 0.5 * where(left, e, 1.0)
    s = part * (1 / (least + slope * e))
    lack = part * s * polynomial(s * s, table.ATANH_INVERSE)
    return (least - lack) + slope * e, slope * e - lack


def _either_way(left: Array, e: Array, *coefficients: Real) -> Array:
    """Returns a polynomial in e, lowest power first if `left`, else highest.

    What is a quotient of polynomials in e^x is one in e^-x, with the coefficients in
    the other order.
    """
    rest = zip(coefficients[::-1], coefficients, strict=True)
    result = where(left, *next(rest))
    for c, d in rest:
        result = result * e + where(left, c, d)
    return result


def _smish_square(left: Array, e: Array) -> Array:
    """Returns (1 + (1 + σ)²)² (1 + e)⁴ for e = e^-|x|, rounded once."""
    return _either_way(left, e, 4.0, 24.0, 56.0, 60.0, 25.0)


def _below_top(x: Real) -> Array:
    """Returns x within bounds."""
    return min_nan_free(_TOP, max_nan_free(-_EDGE, jnp.asarray(x)))


def _gish_gate(u: Array) -> tuple[float, Array]:
    """Returns log(2 - e^-u) / u for u <= 1, in two parts."""
    return polynomial_hi_lo(min_nan_free(1.0, u) - 0.5, table.GISH_GATE)
