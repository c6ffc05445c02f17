"""Waves whose height or frequency depends on the input: gcu, gabor and finer.

Their derivatives are sums a cos(t) + b sin(t), made by `wave` where the terms cancel;
but a zero near 0, where `wave` has too few digits, has a polynomial.
"""

import jax.numpy as jnp
from jax import Array, lax

from jax_acts._core.activation import activation
from jax_acts._numerics import coefficients as table
from jax_acts._numerics.bitwise import min_nan_free, mul_sign, propagate_nan, where
from jax_acts._numerics.double_word import split, two_prod, two_sum
from jax_acts._numerics.exp_log import mul_exp
from jax_acts._numerics.root import patch_near_zero
from jax_acts._numerics.trig import (
    Angle,
    angle,
    cosine_of,
    sin,
    sine_of,
    small_angle,
    sum_of_angles,
    wave,
)
from jax_acts._numerics.types import Real

_REACH = 40.0  # beyond it e^-x² is 0, in float64 too
_FAR = 2.0**12
"""Beyond it neighbours of finer in float32 are more than half a period apart."""


@activation(cite="noel2021", reference=lambda m, x: x * m.cos(x))
def gcu(x: Real) -> Array:
    r"""Growing cosine unit, $x \cos x$.

    >>> gcu(jnp.array([-1.0, 0.0, 2.0]))
    Array([-0.5403,  0.    , -0.8323], dtype=float32)
    """
    return x * sin(jnp.asarray(x), 2)


@gcu.defderivative
def gcu_dx(x: Real) -> Array:
    a = lax.abs(x)
    slope = wave(1.0, -a, angle(a))  # cos x - x sin x
    slope = patch_near_zero(a, slope, table.GCU_1_FIRST)
    return patch_near_zero(a, slope, table.GCU_1_SECOND)


@gcu.derivative.defderivative
def gcu_dx2(x: Real) -> Array:
    a = lax.abs(x)
    bend = wave(-a, -2.0, angle(a))
    bend = patch_near_zero(a, bend, table.GCU_2_FIRST)
    return mul_sign(patch_near_zero(a, bend, table.GCU_2_SECOND), x)


@activation(
    cite="saragadam2023",
    range=(-0.00900567814857385736, 1),
    reference=lambda m, x, omega=1, scale=1: (
        m.cos(omega * x) * m.exp(-((scale * m.mpf(x)) ** 2))
    ),
)
def gabor(x: Real, omega: Real = 1.0, scale: Real = 1.0) -> Array:
    r"""Gabor wavelet, $\cos(\omega x)\,e^{-(s x)^2}$, the real form of WIRE.

    Args:
        x: The input.
        omega: $\omega$; WIRE takes 10.
        scale: $s$; WIRE takes 10.

    >>> gabor(jnp.array([-1.0, 0.0, 2.0]))
    Array([ 0.19877,  1.     , -0.00762 ], dtype=float32)
    """
    t, _, y, low = _wavelet(x, omega, scale)
    return mul_exp(cosine_of(t), y, low)


@gabor.defderivative
def gabor_dx(x: Real, omega: Real = 1.0, scale: Real = 1.0) -> Array:
    t, a, y, low = _wavelet(x, omega, scale)
    slope = -wave(2 * scale * scale * a, omega, t)
    if _is_default(omega, scale):  # the zeros move with them
        slope = patch_near_zero(a, slope, table.GABOR_1)
    return mul_sign(mul_exp(slope, y, low), x)


@gabor.derivative.defderivative
def gabor_dx2(x: Real, omega: Real = 1.0, scale: Real = 1.0) -> Array:
    t, a, y, low = _wavelet(x, omega, scale)
    square = scale * scale
    even = (4 * square * a * a - 2) * square - omega * omega
    bend = wave(even, 4 * square * omega * a, t)
    if _is_default(omega, scale):
        bend = patch_near_zero(a, bend, table.GABOR_2_FIRST)
        bend = patch_near_zero(a, bend, table.GABOR_2_SECOND)
        bend = patch_near_zero(a, bend, table.GABOR_2_THIRD)
        bend = patch_near_zero(a, bend, table.GABOR_2_FOURTH)
    return mul_exp(bend, y, low)


@gabor.defpartial("omega")
def gabor_domega(x: Real, omega: Real = 1.0, scale: Real = 1.0) -> Array:
    t, a, y, low = _wavelet(x, omega, scale)
    return mul_exp(-a * sine_of(t), y, low)


@gabor.defpartial("scale")
def gabor_dscale(x: Real, omega: Real = 1.0, scale: Real = 1.0) -> Array:
    t, a, y, low = _wavelet(x, omega, scale)
    return mul_exp(-2 * scale * a * a * cosine_of(t), y, low)


@activation(
    cite="zhu2024",
    range=(-1, 1),
    domain=(-_FAR, _FAR),
    reference=lambda m, x, omega=1: m.sin(omega * (abs(x) + 1) * x),
)
def finer(x: Real, omega: Real = 1.0) -> Array:
    r"""Variable-periodic sine, $\sin(\omega (|x| + 1) x)$, of FINER.

    Its period shrinks as $|x|$ grows. Beyond $|x| = 4096$ two neighbours in float32 are
    further apart than half of it; there the result is within $\pm 1$, and no more.

    Args:
        x: The input.
        omega: $\omega$; FINER takes 30.

    >>> finer(jnp.array([-1.0, 0.0, 0.5]))
    Array([-0.9093,  0.    ,  0.6816], dtype=float32)
    """
    t, _, _ = _finer_angle(x, omega)
    return where(x == 0, x, mul_sign(sine_of(t), x))


@finer.defderivative
def finer_dx(x: Real, omega: Real = 1.0) -> Array:
    t, _, _ = _finer_angle(x, omega)
    return omega * (2 * lax.abs(x) + 1) * cosine_of(t)


@finer.derivative.defderivative
def finer_dx2(x: Real, omega: Real = 1.0) -> Array:
    # With z = x² + |x| it is 2 ω cos(ω z) - ω² (4 z + 1) sin(ω z) for x > 0.
    t, z, low = _finer_angle(x, omega)
    high, rest = two_sum(4 * z, propagate_nan(x, 1.0))
    square = omega * omega
    bend = wave(2 * omega, -square * high, t, 0.0, -square * (rest + 4 * low))
    if isinstance(omega, float):
        bend = patch_near_zero(lax.abs(x), bend, table.FINER_2)
    return where(x == 0, 0.0, mul_sign(bend, x))


@finer.defpartial("omega")
def finer_domega(x: Real, omega: Real = 1.0) -> Array:
    t, z, _ = _finer_angle(x, omega)
    return mul_sign(z * cosine_of(t), x)


def _is_default(omega: Real, scale: Real) -> bool:
    """Returns whether both are numbers, which they are only where nothing is given."""
    return isinstance(omega, float) and isinstance(scale, float)


def _wavelet(x: Real, omega: Real, scale: Real) -> tuple[Angle, Array, Array, Array]:
    """Returns ω |x|, |x| where the wavelet is not 0, and -(s x)² with what it lacks."""
    a = lax.abs(x)
    a = where(lax.abs(scale * a) > _REACH, _REACH / lax.abs(scale), a)
    u, low = two_sum(*two_prod(scale, a))
    square, rest = two_prod(u, u)
    return angle(jnp.asarray(omega * a)), a, -square, -(rest + 2 * u * low)


def _finer_angle(x: Real, omega: Real) -> tuple[Angle, Array, Array]:
    """Returns ω z for z = x² + |x|, and z in two parts."""
    a = (
        min_nan_free(2.0**60, lax.abs(x)) + 0 * x
    )  # whose square is finite; NaN at infinity
    a0, a1 = split(a, a.dtype)
    square, lack = two_sum(a0 * a0, 2 * a0 * a1)
    lack, last = two_sum(lack, a1 * a1)
    z, rest = two_sum(square, a)
    # Up to _FAR nothing was rounded; beyond it no digit of what is lacking counts.
    lack, last, rest = (where(a <= _FAR, v, 0.0) for v in (lack, last, rest))
    low = lack + (rest + last)
    if isinstance(omega, float) and omega == 1:
        t = sum_of_angles(angle(z), small_angle(lack))
        return sum_of_angles(t, small_angle(rest, last)), z, low
    first, second = two_prod(omega, z)
    return sum_of_angles(angle(first), angle(second + omega * low)), z, low
