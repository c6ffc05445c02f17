"""Functions x g(x) with a gate g that is a function of e^x."""

import math

import jax.numpy as jnp
from jax import Array, lax

from jax_acts._core.activation import activation
from jax_acts._numerics import coefficients as coeffs
from jax_acts._numerics.bitwise import (
    clip_to,
    divide,
    max_nan_free,
    min_nan_free,
    minimum,
    propagate_nan,
    shared_quotient,
    sign_bit,
    where,
)
from jax_acts._numerics.double_word import two_prod, two_sum
from jax_acts._numerics.exp_log import (
    ScaledExp,
    exp,
    exp_and_expm1,
    exp_hi_lo,
    expm1,
    exponent_product,
    log1p,
    mul_exp,
    mul_scaled_exp,
    scaled_exp,
)
from jax_acts._numerics.ordinary import in_full_precision
from jax_acts._numerics.polynomial import polynomial, polynomial_hi_lo
from jax_acts._numerics.root import patch_near_zero
from jax_acts._numerics.types import Real
from jax_acts.functional.normal import ERF_DX_0, erfc_ratio

__all__ = [
    "gish",
    "golu",
    "mish",
    "serf",
    "tanhexp",
    "telu",
]

INF = math.inf

_EXP_UNDERFLOW_X = 1000.0  # e^-x underflows to 0 beyond, in float64 too
_GAUSSIAN_UNDERFLOW_X = 40.0  # e^-x² underflows to 0 beyond
_GOMPERTZ_UNDERFLOW_X = 7.0  # e^-e^x underflows to 0 beyond
_MISH_SATURATION_X = 22.0  # mish(x) rounds to x beyond, in float64 too


@activation(
    cite="misra2019",
    range=(-0.308843413017250407, INF),
    reference=lambda m, x: x * m.tanh(m.log1p(m.exp(x))),
)
def mish(x: Real) -> Array:
    r"""Mish, $x \tanh(\log(1 + e^x))$.

    >>> mish(jnp.array([-1.0, 0.0, 1.0]))
    Array([-0.3034,  0.        ,  0.8651], dtype=float32)
    """
    x = jnp.asarray(x)
    z = min_nan_free(_MISH_SATURATION_X, max_nan_free(-_EXP_UNDERFLOW_X, x))
    p = scaled_exp(z)
    e = mul_scaled_exp(1.0, p)
    # With D = 2 + e (2 + e) it is x (1 - 2 / D) = x e (1 - e (1 + e) / D).
    factor = where(z < 0, mul_scaled_exp(z, p), x)
    complement = divide(where(z < 0, e * (1 + e), 2.0), 2 + e * (2 + e))
    return factor * (1 - complement)


@mish.defderivative
def mish_dx(x: Real) -> Array:
    x = jnp.asarray(x)
    z = min_nan_free(_MISH_SATURATION_X, max_nan_free(-_EXP_UNDERFLOW_X, x))
    p = scaled_exp(z)
    e = mul_scaled_exp(1.0, p)
    left = 4 * (z + 1) + e * ((4 * z + 6) + e * (4 + e))
    # mish'(x) - 1, for x > 0
    right = e * (4 * (z - 1) + e * (4 * z - 2)) - 4
    # (2 + e (2 + e))² expanded: a square doubles the relative error.
    denominator = 4 + e * (8 + e * (8 + e * (4 + e)))
    negative = sign_bit(z)
    numerator = where(negative, mul_scaled_exp(left, p), right)
    return where(negative, -0.0, 1.0) + numerator / denominator


@mish.derivative.defderivative
def mish_dx2(x: Real) -> Array:
    # A rational function of e^x for x < 0, of e^-x for x > 0.
    z, p = _exp_minus_abs(x)
    e = mul_scaled_exp(1.0, p)
    n = 2 + e * (2 + e)
    left = (4 + 2 * z) + e * ((8 + 2 * z) + e * ((6 - 3 * z) + e * (2 - 2 * z)))
    left = mul_scaled_exp(4 * left, p) / (n * n * n)
    m = 1 + 2 * e * (1 + e)
    right = (2 - 2 * z) + e * ((6 - 3 * z) + e * ((8 + 2 * z) + e * (4 + 2 * z)))
    # Not the maximum, whose derivative at 0 is 1/2.
    right = mul_exp(4 * right, -2 * where(z < 0, 0.0, z)) / (m * m * m)
    return where(x < 0, left, right)


@activation(
    cite="liu2020 fernandez2024",
    range=(-0.353285777848211271, INF),
    reference=lambda m, x: x * m.tanh(m.exp(min(x, 20))),  # tanh(e^20) is 1
)
def telu(x: Real) -> Array:
    r"""Hyperbolic tangent exponential linear unit, $x \tanh(e^x)$, also called TanhExp.

    >>> telu(jnp.array([-1.0, 0.0, 1.0]))
    Array([-0.35214,  0.        ,  0.99133], dtype=float32)
    """
    z, p, u, q = _double_exponential(x)
    left = mul_scaled_exp(z * (1 - _one_minus_tanhc(u)), p)
    return where(x < 0, left, x * ((1 - q) / (1 + q)))


@telu.defderivative
def telu_dx(x: Real) -> Array:
    # tanh(u) + x u (1 - tanh(u)²), with u = e^x.
    z, p, u, q = _double_exponential(x)
    complement = _one_minus_tanhc(u)
    t = u - u * complement  # tanh(u) for u <= 1
    left = mul_scaled_exp((1 + z) - (complement + z * t * t), p)
    right = 1 - q * q + 4 * q * (min_nan_free(4.0, z) * u)
    return where(x < 0, left, right / (1 + q * (2 + q)))


@telu.derivative.defderivative
def telu_dx2(x: Real) -> Array:
    # u (1 - t²) (2 + x - 2 x u t), with u = e^x and t = tanh(u).
    z = clip_to(x, -_EXP_UNDERFLOW_X, 7)
    u, lo = exp_hi_lo(max_nan_free(-80.0, z))
    q = exp(-2 * u, -2 * lo)
    t = where(u < 1, u - u * _one_minus_tanhc(u), (1 - q) / (1 + q))
    factor = (2 + z * (1 - 2 * u * t)) * (4 / (1 + q * (2 + q)))
    left = mul_exp(factor * q, minimum(z, 0))
    right = mul_exp(factor * u, -2 * u, -2 * lo)
    return propagate_nan(x, where(z < 0, left, right))


tanhexp = telu


@activation(
    cite="nag2021",
    range=(-0.34843745875960642, INF),
    reference=lambda m, x: x * m.erf(m.log1p(m.exp(x))),
)
def serf(x: Real) -> Array:
    r"""Log-softplus error function, $x \operatorname{erf}(\log(1 + e^x))$.

    >>> serf(jnp.array([-1.0, 0.0, 1.0]))
    Array([-0.34225,  0.        ,  0.93672 ], dtype=float32)
    """
    z, p = _exp_minus_abs(x)
    e = mul_scaled_exp(1.0, p)
    ratio, ratio_lo = polynomial_hi_lo(e - 0.5, coeffs.SERF_GATE_LEFT)  # gate / e^x
    right, _ = _serf_gate_right(z, e)
    return where(x < 0, mul_scaled_exp(ratio, p, ratio_lo, z), x * right)


@serf.defderivative
def serf_dx(x: Real) -> Array:
    z, p = _exp_minus_abs(x)
    e = mul_scaled_exp(1.0, p)
    series = polynomial(e, coeffs.SERF_GATE_1) + z * polynomial(e, coeffs.SERF_SLOPE)
    left = mul_scaled_exp(ERF_DX_0 * ((1 + z) + e * series), p)
    left = patch_near_zero(z, left, coeffs.SERF_1)
    gate, density = _serf_gate_right(z, e)
    return where(x < 0, left, gate + ERF_DX_0 * z * density / (1 + e))


@serf.derivative.defderivative
def serf_dx2(x: Real) -> Array:
    # erf'(p) s (2 + x (1 - s - 2 p s)), with p = softplus(x) and s = σ(x).
    z = clip_to(x, -_EXP_UNDERFLOW_X, _GAUSSIAN_UNDERFLOW_X)
    e = exp(-lax.abs(z))
    p, p_lo = two_sum(where(z < 0, 0.0, z), log1p(e))  # with derivative 1 at 0
    square, square_lo = two_prod(p, p)
    square_lo = square_lo + 2 * p * p_lo
    # s = s_numerator / (1 + e), 1 - s = c_numerator / (1 + e).
    s_numerator, c_numerator = where(z < 0, e, 1.0), where(z < 0, 1.0, e)
    d2 = (2 + z * ((c_numerator - 2 * p * s_numerator) / (1 + e))) / (1 + e)
    d2 = mul_exp(ERF_DX_0 * d2, -square, -square_lo)
    left = patch_near_zero(z, mul_exp(d2, minimum(z, 0)), coeffs.SERF_2_LEFT)
    return propagate_nan(x, where(z < 0, left, d2))


@activation(
    cite="kaytan2023",
    range=(-0.278159460896386914, INF),
    reference=lambda m, x: x * m.log(2 - m.exp(-m.exp(min(x, 20)))),  # e^-e^20 = 0
)
def gish(x: Real) -> Array:
    r"""Gish, $x \log(2 - e^{-e^x})$.

    >>> gish(jnp.array([-1.0, 0.0, 1.0]))
    Array([-0.26835, 0.     , 0.65960], dtype=float32)
    """
    z = _clip_gish(x)
    p = scaled_exp(z)
    u = mul_scaled_exp(1.0, p)
    ratio, ratio_lo = _gish_gate_ratio(u)
    left = mul_scaled_exp(ratio, p, ratio_lo, z)
    return where(x < 0, left, x * log1p(-expm1(-u)))


@gish.defderivative
@in_full_precision
def gish_dx(x: Real) -> Array:
    # log(2 - q) + x u q / (2 - q), with u = e^x and q = e^-u.
    z = _clip_gish(x)
    u = exp(z)
    q, m = exp_and_expm1(-u)
    quotient = shared_quotient(z, 1 - m)  # x / (2 - q)
    ratio, ratio_lo = _gish_gate_ratio(u)
    # 1 + z is exact for -2 <= z <= -1/2 (Sterbenz lemma).
    left = mul_exp((1 + z) + (((ratio - 1) + ratio_lo) + 2 * m * quotient), z)
    right = log1p(-m) + u * q * quotient
    return where(x < 0, left, right)


@gish.derivative.defderivative
def gish_dx2(x: Real) -> Array:
    # u q (2 (2 - q) + x (2 - q - 2 u)) / (2 - q)², with u = e^x and q = e^-u.
    z = _clip_gish(x)
    u, lo = exp_hi_lo(max_nan_free(-80.0, z))
    q = exp(-u, -lo)
    factor = (2 * (2 - q) + z * ((2 - q) - 2 * u)) / ((2 - q) * (2 - q))
    left = mul_exp(factor * q, minimum(z, 0))
    right = mul_exp(factor * u, -u, -lo)
    return propagate_nan(x, where(z < 0, left, right))


@activation(
    cite="das2025",
    range=(-0.0972601312276394046, INF),
    reference=lambda m, x, alpha=1, beta=1, gamma=1: (
        alpha * x * m.exp(-beta * m.exp(min(-gamma * x, 20)))  # e^-e^20 = 0
    ),
    bounds={"beta": (1e-6, INF)},
    limits={"alpha": (INF,), "beta": (INF,), "gamma": (INF,)},
)
def golu(x: Real, alpha: Real = 1.0, beta: Real = 1.0, gamma: Real = 1.0) -> Array:
    r"""Gompertz linear unit, $\alpha x \exp(-\beta e^{-\gamma x})$.

    The gate is the Gompertz curve. It tends to a step function as
    $\gamma \to \infty$.

    Args:
        x: The input.
        alpha: $\alpha$, the slope at $\infty$.
        beta: $\beta > 0$; the gate is shifted by $\log(\beta) / \gamma$.
        gamma: $\gamma > 0$.

    >>> golu(jnp.array([-1.0, 0.0, 1.0]))
    Array([-0.06599, 0.     , 0.6922 ], dtype=float32)
    """
    _, _, w, w_lo = _gompertz_exponent(x, beta, gamma)
    finite = max_nan_free(-1e30, jnp.asarray(x))
    # x e^-w for x < 0, where e^-w may underflow before x e^-w does. For subnormal terms
    # of x e^-w, which are flushed, x is the last factor.
    left = x < -1e-30
    product = mul_exp(where(left, finite, 1.0), -w, -w_lo)
    return alpha * where(left, product, x * product)


@golu.defderivative
def golu_dx(x: Real, alpha: Real = 1.0, beta: Real = 1.0, gamma: Real = 1.0) -> Array:
    z, _, w, w_lo = _gompertz_exponent(x, beta, gamma)
    return alpha * mul_exp(1 + z * (w + w_lo), -w, -w_lo)


@golu.derivative.defderivative
def golu_dx2(x: Real, alpha: Real = 1.0, beta: Real = 1.0, gamma: Real = 1.0) -> Array:
    z, z_lo, w, w_lo = _gompertz_exponent(x, beta, gamma)
    scale = alpha * gamma
    return scale * _mul_gate_dz(2 - z + z * (w + w_lo), z, z_lo, w, w_lo, beta)


@golu.defpartial("beta")
def golu_dbeta(
    x: Real, alpha: Real = 1.0, beta: Real = 1.0, gamma: Real = 1.0
) -> Array:
    z, z_lo, w, w_lo = _gompertz_exponent(x, beta, gamma)
    exponent, lo = two_sum(w, z)
    return -alpha * mul_exp(_clip_1e9(x), -exponent, -(lo + (w_lo + z_lo)))


@golu.defpartial("gamma")
def golu_dgamma(
    x: Real, alpha: Real = 1.0, beta: Real = 1.0, gamma: Real = 1.0
) -> Array:
    square = jnp.square(_clip_1e9(x))
    return alpha * _mul_gate_dz(square, *_gompertz_exponent(x, beta, gamma), beta)


def _exp_minus_abs(x: Real) -> tuple[Array, ScaledExp]:
    """Return z = clip(x, -1000, 1000) and e^-|z|."""
    z = _clip_1000(x)
    return z, scaled_exp(-lax.abs(z))


def _serf_gate_right(x: Array, e: Array) -> tuple[Array, Array]:
    """Return erf(v) and e^-v², v = log(1 + e^x), for x > 0 and e = e^-x."""
    v = max_nan_free(0.0, x) + log1p(e)
    density = exp(-v * v)
    # For small x, erfc(v) is up to 0.3, and 1 - erfc(v) has its rounding error.
    small = polynomial(x - 0.8, coeffs.SERF_GATE_RIGHT)
    return where(x < 1.6, small, 1 - erfc_ratio(v) * density / v), density


def _double_exponential(x: Real) -> tuple[Array, ScaledExp, Array, Array]:
    """Return z = clip(x, -1000, 1000), e^z as `ScaledExp` and array u, and e^-2u.

    The exponentials are those of min(z, 4): 1 - e^-2u rounds to 1 beyond.
    """
    z = _clip_1000(x)
    p = scaled_exp(min_nan_free(4.0, z))
    u = mul_scaled_exp(1.0, p)
    return z, p, u, exp(-2 * u)


def _one_minus_tanhc(u: Array) -> Array:
    """Return 1 - tanh(u) / u for 0 <= u <= 1."""
    v = minimum(u, 1)
    return v * v * polynomial(v * v, coeffs.TANH_SHRINK)


def _clip_1000(x: Real) -> Array:
    """Clip x to [-1000, 1000], where e^-|x| underflows: inf * 0 is NaN."""
    z = max_nan_free(-_EXP_UNDERFLOW_X, jnp.asarray(x))
    return min_nan_free(_EXP_UNDERFLOW_X, z)


def _clip_gish(x: Real) -> Array:
    """Clip x to [-1000, 7], where e^x and e^-e^x underflow."""
    z = max_nan_free(-_EXP_UNDERFLOW_X, jnp.asarray(x))
    return min_nan_free(_GOMPERTZ_UNDERFLOW_X, z)


def _gish_gate_ratio(u: Array) -> tuple[float, Array]:
    """Return log(2 - e^-u) / u in double-word, for u <= 1."""
    return polynomial_hi_lo(min_nan_free(1.0, u) - 0.5, coeffs.GISH_GATE)


def _gompertz_exponent(
    x: Real, beta: Real, gamma: Real
) -> tuple[Array, Real, Array, Array]:
    """Return z = gamma x and w = beta e^-z in double-word, both clipped.

    The gate is e^-w: its relative error is the absolute error of w.
    """
    z, z_lo = exponent_product(gamma, x)
    if not isinstance(z_lo, float):
        z, z_lo = two_sum(z, jnp.asarray(z_lo))
    u, u_lo = exp_hi_lo(-clip_to(z, -80, 80))
    w, w_lo = exponent_product(beta, u)
    # Clipped: the correction is large where w is clipped.
    correction = clip_to(beta * (u_lo - u * z_lo), -0.01, 0.01)
    return z, z_lo, w, w_lo + correction


def _mul_gate_dz(
    v: Array, z: Array, z_lo: Real, w: Array, w_lo: Array, beta: Real
) -> Array:
    """Return v times w e^-w, the derivative of the gate e^-w with respect to z.

    For z > 0 it is v beta e^-(w + z): w underflows before v w does.
    """
    total, total_lo = two_sum(w, z)
    left = z < 0
    exponent = where(left, w, total)
    exponent_lo = where(left, w_lo, total_lo + (w_lo + z_lo))
    factor = where(left, w + w_lo, beta)
    return mul_exp(v * factor, -exponent, -exponent_lo)


def _clip_1e9(x: Real) -> Array:
    """Clip x to [-1e9, 1e9]: inf * 0 is NaN."""
    return clip_to(x, -1e9, 1e9)
