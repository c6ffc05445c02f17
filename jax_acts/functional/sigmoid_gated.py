"""Functions x g(x), or similar, with a gate g that is a function of the sigmoid."""

import math

import jax.numpy as jnp
from jax import Array, lax

from jax_acts._core.activation import activation
from jax_acts._numerics import coefficients as coeffs
from jax_acts._numerics.bitwise import (
    clip_to,
    max_nan_free,
    min_nan_free,
    propagate_nan,
    where,
)
from jax_acts._numerics.exp_log import (
    exp,
    exp_and_expm1,
    expm1,
    mul_exp,
    mul_scaled_exp,
    scaled_exp,
)
from jax_acts._numerics.ordinary import in_full_precision
from jax_acts._numerics.polynomial import polynomial
from jax_acts._numerics.root import patch_near_zero
from jax_acts._numerics.types import Real
from jax_acts.functional.hyperbolic import softcap
from jax_acts.functional.logistic import silu

__all__ = [
    "aptx",
    "bsilu",
    "elish",
    "hard_elish",
    "logish",
    "situ",
    "smish",
]

INF = math.inf

_EXP_UNDERFLOW_X = 1000.0  # e^-x underflows to 0 beyond, in float64 too


@activation(
    cite="kumar2022 alcaide2018",
    range=(-0.13923227138053688, INF),
    reference=lambda m, x, alpha=1, beta=1, gamma=0.5: (
        gamma * x * ((alpha - 1) + 2 / (1 + m.exp(-2 * beta * x)))
    ),
    limits={"beta": (INF,)},
)
def aptx(x: Real, alpha: Real = 1.0, beta: Real = 1.0, gamma: Real = 0.5) -> Array:
    r"""Alpha plus tanh times x, $(\alpha + \tanh(\beta x))\,\gamma x$.

    It is $2 \gamma x\,\sigma(2 \beta x)$ at $\alpha = 1$, and `silu(2 x) / 2` with the
    default parameters.

    Args:
        x: The input.
        alpha: $\alpha$.
        beta: $\beta$.
        gamma: $\gamma$.

    >>> aptx(jnp.array([-1.0, 0.0, 1.0]))
    Array([-0.11920, 0.     , 0.8808 ], dtype=float32)
    """
    gated = 2 * silu.without_custom_jvp(x, 2 * beta)
    if isinstance(alpha, float):  # the default value, 1
        return gamma * gated
    return gamma * (gated + where(alpha == 1, 0.0, (alpha - 1) * x))


@aptx.defderivative
def aptx_dx(x: Real, alpha: Real = 1.0, beta: Real = 1.0, gamma: Real = 0.5) -> Array:
    return gamma * (2 * silu.derivative(x, 2 * beta) + (alpha - 1))


@aptx.derivative.defderivative
def aptx_dx2(x: Real, alpha: Real = 1.0, beta: Real = 1.0, gamma: Real = 0.5) -> Array:
    return 2 * gamma * silu.derivative.derivative(x, 2 * beta)


@aptx.defpartial("alpha")
def aptx_dalpha(
    x: Real, alpha: Real = 1.0, beta: Real = 1.0, gamma: Real = 0.5
) -> Array:
    return jnp.asarray(gamma * x)


@aptx.defpartial("beta")
def aptx_dbeta(
    x: Real, alpha: Real = 1.0, beta: Real = 1.0, gamma: Real = 0.5
) -> Array:
    return 4 * gamma * silu.partial("beta")(x, 2 * beta)


@activation(
    cite="horuz2025",
    range=(-0.899900466549756533, INF),
    reference=lambda m, x, alpha=1.67: (
        (x + m.mpf(alpha)) / (1 + m.exp(-x)) - m.mpf(alpha) / 2
    ),
)
def bsilu(x: Real, alpha: Real = 1.67) -> Array:
    r"""Bounded SiLU, $(x + \alpha)\,\sigma(x) - \alpha / 2$.

    The limit at $-\infty$ is $-\alpha/2$. The paper uses the derivative as a surrogate
    derivative of `relu`.

    Args:
        x: The input.
        alpha: $\alpha$.

    >>> bsilu(jnp.array([-1.0, 0.0, 1.0]))
    Array([-0.65481, 0.     , 1.11693 ], dtype=float32)
    """
    z, y = _minus_abs(x)
    e, m = exp_and_expm1(y)  # m / (1 + e) = -tanh(|x| / 2)
    numerator = where(z < 0, 2 * z * e + alpha * m, 2 * z - alpha * m)
    return where(x > _EXP_UNDERFLOW_X, x + 0.5 * alpha, numerator / (2 + 2 * e))


@bsilu.defderivative
def bsilu_dx(x: Real, alpha: Real = 1.67) -> Array:
    z, y = _minus_abs(x)
    e = exp(y)
    left = mul_exp((1 + alpha + z) + e, y)
    derivative = where(z < 0, left, 1 + e * (1 + alpha + z)) / (1 + e * (2 + e))
    if isinstance(alpha, float):  # the default value: the zero depends on alpha
        return patch_near_zero(z, derivative, coeffs.BSILU_1)
    return derivative


@bsilu.derivative.defderivative
def bsilu_dx2(x: Real, alpha: Real = 1.67) -> Array:
    z, y = _minus_abs(x)
    e, m = exp_and_expm1(y)
    odd = where(z < 0, -m, m) * (z + alpha)
    return mul_exp(2 * (1 + e) + odd, y) / ((1 + e) * (1 + e * (2 + e)))


@activation(
    cite="moonshot2026",
    range=(-0.26976899547249181, 4),
    reference=lambda m, x, cap=4: cap * m.tanh(x / m.mpf(cap)) / (1 + m.exp(-x)),
    bounds={"cap": (1e-6, INF)},
)
def situ(x: Real, cap: Real = 4.0) -> Array:
    r"""Sigmoid tanh unit, $c \tanh(x / c)\,\sigma(x)$, a soft-capped `silu`.

    Args:
        x: The input.
        cap: $c > 0$; $c \to \infty$ gives `silu`.

    >>> situ(jnp.array([-1.0, 0.0, 100.0]))
    Array([-0.263475,  0.      ,  4.      ], dtype=float32)
    """
    return _mul_sigmoid(x, softcap.without_custom_jvp(x, cap))


@situ.defderivative
@in_full_precision
def situ_dx(x: Real, cap: Real = 4.0) -> Array:
    # With e = exp(-|x|), σ' = e / (1 + e)², and σ = e / (1 + e) for x < 0.
    p = scaled_exp(-lax.abs(x))
    e = mul_scaled_exp(1.0, p)
    s, ds = softcap(x, cap), softcap.derivative(x, cap)
    left = mul_scaled_exp(ds * (1 + e) + s, p)
    return where(x < 0, left, ds * (1 + e) + s * e) / (1 + e * (2 + e))


@situ.derivative.defderivative
def situ_dx2(x: Real, cap: Real = 4.0) -> Array:
    p = scaled_exp(-lax.abs(x))
    e, m = mul_scaled_exp(1.0, p), expm1(-lax.abs(x))
    s, ds = softcap(x, cap), softcap.derivative(x, cap)
    d2s = softcap.derivative.derivative(x, cap) * (1 + e * (2 + e))
    left = mul_scaled_exp(d2s + 2 * ds * (1 + e) - s * m, p)
    right = d2s + e * (2 * ds * (1 + e) + s * m)
    return where(x < 0, left, right) / ((1 + e) * (1 + e * (2 + e)))


@situ.defpartial("cap")
def situ_dcap(x: Real, cap: Real = 4.0) -> Array:
    return _mul_sigmoid(x, softcap.partial("cap")(x, cap))


@activation(
    cite="basirat2018",
    range=(2 * math.sqrt(2) - 3, INF),
    reference=lambda m, x: (x if x > 0 else m.expm1(x)) / (1 + m.exp(-x)),
)
def elish(x: Real) -> Array:
    r"""Exponential linear sigmoid squashing, $x\,\sigma(x)$ if $x > 0$, else
    $(e^x - 1)\,\sigma(x)$.

    >>> elish(jnp.array([-1.0, 0.0, 1.0]))
    Array([-0.17000, 0.     , 0.73106], dtype=float32)
    """
    y = -lax.abs(x)
    e, m = exp_and_expm1(y)
    return where(x < 0, mul_exp(m, y), x) / (1 + e)


@elish.defderivative
@in_full_precision
def elish_dx(x: Real) -> Array:
    z, y = _minus_abs(x)
    e = exp(y)
    left = mul_exp(e * (2 + e) - 1, y)
    return where(z < 0, left, 1 + e * (1 + z)) / (1 + e * (2 + e))


@elish.derivative.defderivative
@in_full_precision
def elish_dx2(x: Real) -> Array:
    z, y = _minus_abs(x)
    e = exp(y)
    d2 = where(z < 0, e * (5 + e * (3 + e)) - 1, 2 - z + e * (2 + z))
    return mul_exp(d2, y) / ((1 + e) * (1 + e * (2 + e)))


@activation(
    cite="basirat2018",
    range=(-0.0996731515287426179, INF),
    kinks={-1: 0, 1: 1},
    reference=lambda m, x: (x if x > 0 else m.expm1(x)) * min(max((x + 1) / 2, 0), 1),
)
def hard_elish(x: Real) -> Array:
    r"""Hard elish: $x$ if $x > 0$, else $e^x - 1$, times
    $\min(\max((x + 1) / 2, 0), 1)$.

    The gate is `sparse_sigmoid`. The derivative is 0 at -1 and 1 at 1.

    >>> hard_elish(jnp.array([-2.0, -0.5, 0.5]))
    Array([-0.     , -0.09837,  0.375  ], dtype=float32)
    """
    gate = 0.5 * (clip_to(x, -1, 1) + 1)
    return where(x < 0, expm1(clip_to(x, -1, 0)), x) * gate


@hard_elish.defderivative
@in_full_precision
def hard_elish_dx(x: Real) -> Array:
    z = clip_to(x, -1, 0)
    left = where(x > -1, 0.5 * ((2 + z) * exp(z) - 1), 0.0)
    right = where(x < 1, 0.5 + x, 1.0)
    return propagate_nan(x, where(x < 0, left, right))


@hard_elish.derivative.defderivative
def hard_elish_dx2(x: Real) -> Array:
    z = clip_to(x, -1, 0)
    d2 = where(x < 0, 0.5 * (3 + z) * exp(z), 1.0)
    return propagate_nan(x, where(lax.abs(x) < 1, d2, 0.0))


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
    z, y, e = _exp_minus_abs(x)
    h, _ = _logish_gate(z < 0, e)
    return where(z < 0, mul_exp(z, y), x) / h


@logish.defderivative
def logish_dx(x: Real) -> Array:
    # With e = e^-|x| and D = (1 + σ) (1 + e)² it is e (D + x h) / (h D) for x < 0, and
    # (D + x h e) / (h D) for x > 0.
    z, y, e = _exp_minus_abs(x)
    left = z < 0
    h, h_lo = _logish_gate(left, e)
    d_lo = e * (3 + e * where(left, 2.0, 1.0))  # D - 1 for x < 0, D - 2 for x > 0
    numerator = where(left, 1 + z, 2.0) + (d_lo + z * where(left, h_lo, e * h))
    denominator = where(left, 1.0, 3.0) + (where(left, 1.0, 2.0) * h_lo + d_lo * h)
    return where(left, mul_exp(numerator, y), numerator) / denominator


@logish.derivative.defderivative
def logish_dx2(x: Real) -> Array:
    z, y, e = _exp_minus_abs(x)
    left = z < 0
    base = where(left, 1 + e * (3 + 2 * e), 2 + e * (3 + e))
    odd = where(left, z * (1 - 2 * e * e), -z * (2 - e * e))
    return mul_exp(2 * base + odd, y) / (base * base)


@activation(
    cite="wang2022",
    range=(-0.249993663660129495, INF),
    reference=lambda m, x: x * m.tanh(m.log1p(1 / (1 + m.exp(-x)))),
)
def smish(x: Real) -> Array:
    r"""Smish, $x \tanh(\log(1 + \sigma(x)))$.

    The derivative at $\infty$ is 3/5.

    >>> smish(jnp.array([-1.0, 0.0, 1.0]))
    Array([-0.23378 , 0.     , 0.49957], dtype=float32)
    """
    z, y, e = _exp_minus_abs(x)
    left = z < 0
    quotient = where(left, e * (1 + 2 * e), 2 + e)
    quotient = quotient / _reversible_polynomial(left, e, 2.0, 3.0)
    # The smaller terms are added first: their sum has a smaller rounding error.
    return where(left, mul_exp(z, y), x) / (1 + (e + quotient))


@smish.defderivative
def smish_dx(x: Real) -> Array:
    z, y, e = _exp_minus_abs(x)
    numerator = (4 + 4 * z, 18 + 12 * z, 28 + 8 * z, 15.0)
    numerator = _reversible_polynomial(z < 0, e, *numerator)
    numerator = where(z < 0, mul_exp(numerator, y), numerator)
    return patch_near_zero(z, numerator / _smish_denominator(z < 0, e), coeffs.SMISH_1)


@smish.derivative.defderivative
def smish_dx2(x: Real) -> Array:
    z, y, e = _exp_minus_abs(x)
    numerator = (4 + 2 * z, 24 + 6 * z, 54 - 3 * z, 54 - 18 * z, 20 - 10 * z)
    d2 = mul_exp(4 * _reversible_polynomial(z < 0, e, *numerator), y)
    base = _reversible_polynomial(z < 0, e, 2.0, 6.0, 5.0)
    return d2 / (base * _smish_denominator(z < 0, e))


def _mul_sigmoid(x: Real, factor: Real) -> Array:
    """Return `factor` times σ(x)."""
    p = scaled_exp(-lax.abs(x))
    left = mul_scaled_exp(factor, p)
    return where(x < 0, left, factor) / (1 + mul_scaled_exp(1.0, p))


def _minus_abs(x: Real) -> tuple[Array, Array]:
    """Return z = clip(x, -1000, 1000), which avoids inf * 0, and -|z|."""
    z = max_nan_free(-_EXP_UNDERFLOW_X, jnp.asarray(x))
    z = min_nan_free(_EXP_UNDERFLOW_X, z)
    return z, -lax.abs(z)


def _exp_minus_abs(x: Real) -> tuple[Array, Array, Array]:
    """Return z and -|z| as `_minus_abs`, and e^-|z|."""
    z, y = _minus_abs(x)
    return z, y, exp(y)


def _logish_gate(left: Array, e: Array) -> tuple[Array, Array]:
    """Return h = e / log(1 + σ), e = e^x, if `left`, else 1 / log(1 + σ), e = e^-x.

    Also return h - 1 if `left`, else h - 1.5. With s = σ / (2 + σ), log(1 + σ) is
    2 atanh(s), and h is (2 + σ) (1 + e) / 2 times s / atanh(s), rounded once.
    """
    c0, c1 = where(left, 1.0, 1.5), where(left, 1.5, 1.0)
    half = 0.5 * where(left, e, 1.0)
    s = half * (1 / (c0 + c1 * e))
    lo = half * s * polynomial(s * s, coeffs.ATANH_INVERSE)
    return (c0 - lo) + c1 * e, c1 * e - lo


def _reversible_polynomial(left: Array, e: Array, *coefficients: Real) -> Array:
    """Return a polynomial in e, lowest power first if `left`, else highest power first.

    A rational function of e^x is a rational function of e^-x with the coefficients in
    reverse order.
    """
    pairs = zip(coefficients[::-1], coefficients, strict=True)
    result = where(left, *next(pairs))
    for c, d in pairs:
        result = result * e + where(left, c, d)
    return result


def _smish_denominator(left: Array, e: Array) -> Array:
    """Return (1 + (1 + σ)²)² (1 + e)⁴, e = e^-|x|, as one polynomial in e."""
    return _reversible_polynomial(left, e, 4.0, 24.0, 56.0, 60.0, 25.0)
