"""Sines whose amplitude or phase depends on the input.

The derivatives of gcu, gabor and finer have the form a cos(t) + b sin(t); `wave`
evaluates it where the terms cancel. Zeros close to 0, where `wave` loses digits, use a
polynomial around the zero (`patch_near_zero`).
"""

import math
from collections.abc import Callable

import jax.numpy as jnp
from jax import Array, lax

from jax_acts._core.activation import activation
from jax_acts._numerics import coefficients as table
from jax_acts._numerics.bitwise import min_nan_free, mul_sign, odd, propagate_nan, where
from jax_acts._numerics.double_word import split, two_prod, two_sum
from jax_acts._numerics.exp_log import mul_exp
from jax_acts._numerics.range_reduction import (
    Angle,
    Reduction,
    by_range,
    small_angle,
)
from jax_acts._numerics.root import patch_near_zero
from jax_acts._numerics.trig import (
    cosine_of,
    sin,
    sine_of,
    sum_of_angles,
    wave,
)
from jax_acts._numerics.types import Real

__all__ = ["finer", "gabor", "gcu"]

INF = math.inf
_EXP_UNDERFLOW_X = 40.0  # e^(-x²) = 0 for |x| > 40, also in float64.
_ALIASING_X = 2.0**12
"""For |x| > 2^12 the float32 spacing exceeds half a period of finer."""


@activation(cite="noel2021", reference=lambda m, x: x * m.cos(x))
def gcu(x: Real) -> Array:
    r"""Growing cosine unit, $x \cos x$.

    >>> gcu(jnp.array([-1.0, 0.0, 2.0]))
    Array([-0.5403,  0.    , -0.8323], dtype=float32)
    """
    x = jnp.asarray(x)
    return by_range(lambda reduce: x * sin(x, 2, reduce), x)


@gcu.defderivative
def gcu_dx(x: Real) -> Array:
    def value(reduce: Reduction) -> Array:
        a = lax.abs(x)
        dx = wave(1.0, -a, reduce(a))  # cos a - a sin a
        dx = patch_near_zero(a, dx, table.GCU_1_FIRST)
        return patch_near_zero(a, dx, table.GCU_1_SECOND)

    return by_range(value, jnp.asarray(x))


@gcu.derivative.defderivative
def gcu_dx2(x: Real) -> Array:
    def value(reduce: Reduction) -> Array:
        a = lax.abs(x)
        d2 = wave(-a, -2.0, reduce(a))  # -a cos a - 2 sin a
        d2 = patch_near_zero(a, d2, table.GCU_2_FIRST)
        return odd(patch_near_zero(a, d2, table.GCU_2_SECOND), x)

    return by_range(value, jnp.asarray(x))


@activation(
    cite="saragadam2023",
    range=(-0.00900567814857385736, 1),
    reference=lambda m, x, omega=1, scale=1: (
        m.cos(omega * x) * m.exp(-((scale * m.mpf(x)) ** 2))
    ),
    limits={"scale": (INF,)},
)
def gabor(x: Real, omega: Real = 1.0, scale: Real = 1.0) -> Array:
    r"""Gabor wavelet, $\cos(\omega x)\,e^{-(s x)^2}$, the real form of WIRE.

    Args:
        x: The input.
        omega: $\omega$, the angular frequency; WIRE uses 10.
        scale: $s$, the reciprocal width; WIRE uses 10.

    >>> gabor(jnp.array([-1.0, 0.0, 2.0]))
    Array([ 0.19877,  1.     , -0.00762 ], dtype=float32)
    """
    return _gabor(x, omega, scale, lambda t, a: cosine_of(t))


@gabor.defderivative
def gabor_dx(x: Real, omega: Real = 1.0, scale: Real = 1.0) -> Array:
    factor = lambda t, a: mul_sign(-wave(2 * scale * scale * a, omega, t), x)
    return _gabor(x, omega, scale, factor)


@gabor.derivative.defderivative
def gabor_dx2(x: Real, omega: Real = 1.0, scale: Real = 1.0) -> Array:
    def factor(t: Angle, a: Array) -> Array:
        square = scale * scale
        cos_factor = (4 * square * a * a - 2) * square - omega * omega
        return wave(cos_factor, 4 * square * omega * a, t)

    return _gabor(x, omega, scale, factor)


@gabor.defpartial("omega")
def gabor_domega(x: Real, omega: Real = 1.0, scale: Real = 1.0) -> Array:
    return _gabor(x, omega, scale, lambda t, a: -a * sine_of(t))


@gabor.defpartial("scale")
def gabor_dscale(x: Real, omega: Real = 1.0, scale: Real = 1.0) -> Array:
    factor = lambda t, a: -2 * scale * a * a * cosine_of(t)
    return _gabor(x, omega, scale, factor)


@activation(
    cite="zhu2024",
    range=(-1, 1),
    domain=(-_ALIASING_X, _ALIASING_X),
    reference=lambda m, x, omega=1: m.sin(omega * (abs(x) + 1) * x),
)
def finer(x: Real, omega: Real = 1.0) -> Array:
    r"""Variable-periodic sine, $\sin(\omega (|x| + 1) x)$, of FINER.

    The period shrinks as $|x|$ grows. For $|x| > 4096$ adjacent float32 inputs are more
    than half a period apart, and only $|y| \le 1$ is guaranteed. NaN at $\pm\infty$.

    Args:
        x: The input.
        omega: $\omega$, the angular frequency; FINER uses 30.

    >>> finer(jnp.array([-1.0, 0.0, 0.5]))
    Array([-0.9093,  0.    ,  0.6816], dtype=float32)
    """
    value = lambda t, z, z_lo: where(x == 0, x, mul_sign(sine_of(t), x))
    return _finer(x, omega, value)


@finer.defderivative
def finer_dx(x: Real, omega: Real = 1.0) -> Array:
    slope = lambda t, z, z_lo: omega * (2 * lax.abs(x) + 1) * cosine_of(t)
    return _finer(x, omega, slope)


@finer.derivative.defderivative
def finer_dx2(x: Real, omega: Real = 1.0) -> Array:
    # With z = x² + |x| the value for x > 0 is 2 ω cos(ω z) - ω² (4 z + 1) sin(ω z).
    def value(t: Angle, z: Array, z_lo: Array) -> Array:
        hi, lo = two_sum(4 * z, propagate_nan(x, 1.0))
        square = omega * omega
        d2 = wave(2 * omega, -square * hi, t, 0.0, -square * (lo + 4 * z_lo))
        if isinstance(omega, float):
            d2 = patch_near_zero(lax.abs(x), d2, table.FINER_2)
        return where(x == 0, 0.0, mul_sign(d2, x))

    return _finer(x, omega, value)


@finer.defpartial("omega")
def finer_domega(x: Real, omega: Real = 1.0) -> Array:
    return _finer(x, omega, lambda t, z, z_lo: mul_sign(z * cosine_of(t), x))


def _gabor(
    x: Real, omega: Real, scale: Real, factor: Callable[[Angle, Array], Array]
) -> Array:
    """Return factor(angle of ω |x|, |x|) e^-(s x)²; |x| is clipped to the support."""

    def clipped() -> Array:
        a = lax.abs(x)
        far = lax.abs(scale * a) > _EXP_UNDERFLOW_X
        return where(far, _EXP_UNDERFLOW_X / lax.abs(scale), a)

    def value(reduce: Reduction) -> Array:
        a = clipped()
        u, u_lo = two_sum(*two_prod(scale, a))
        square, square_lo = two_prod(u, u)
        t = reduce(jnp.asarray(omega * a))
        return mul_exp(factor(t, a), -square, -(square_lo + 2 * u * u_lo))

    return by_range(value, jnp.asarray(omega * clipped()))


def _finer(
    x: Real, omega: Real, value: Callable[[Angle, Array, Array], Array]
) -> Array:
    """Return value(angle of ω z, z, z_lo) for z = x² + |x|."""

    def rule(reduce: Reduction) -> Array:
        z, z_lo, los = _finer_square(x)
        if isinstance(omega, float) and omega == 1:
            t = sum_of_angles(reduce(z), small_angle(los[0]))
            return value(sum_of_angles(t, small_angle(*los[1:])), z, z_lo)
        hi, lo = two_prod(omega, z)
        t = sum_of_angles(reduce(hi), reduce(lo + omega * z_lo))
        return value(t, z, z_lo)

    return by_range(rule, jnp.asarray(omega * (lax.abs(x) + 1) * x))


def _finer_square(x: Real) -> tuple[Array, Array, tuple[Array, Array, Array]]:
    """Return z = x² + |x| as hi + lo, and lo as three words."""
    # 2^60 squared is finite in float32; 0 * x is NaN at infinity.
    a = min_nan_free(2.0**60, lax.abs(x)) + 0 * x
    # Dekker split: a² is the exact sum of square, lo0 and lo1.
    a0, a1 = split(a, a.dtype)
    square, lo0 = two_sum(a0 * a0, 2 * a0 * a1)
    lo0, lo1 = two_sum(lo0, a1 * a1)
    z, lo2 = two_sum(square, a)
    # Beyond _ALIASING_X the low-order terms do not affect the result.
    lo0, lo1, lo2 = (where(a <= _ALIASING_X, v, 0.0) for v in (lo0, lo1, lo2))
    return z, lo0 + (lo2 + lo1), (lo0, lo2, lo1)
