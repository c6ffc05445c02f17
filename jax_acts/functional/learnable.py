"""Elementwise functions with learnable shape parameters.

Parameters are scalars, or arrays that broadcast against x (one value per feature).
"""

import math

import jax.numpy as jnp
from jax import Array

from jax_acts._core.activation import activation
from jax_acts._numerics.bitwise import (
    clip_to,
    minimum,
    propagate_nan,
)
from jax_acts._numerics.double_word import two_prod, two_sum
from jax_acts._numerics.exp_log import (
    exp,
    expm1,
    exponent_product,
    exponent_quotient,
    mul_exp,
)
from jax_acts._numerics.types import Real
from jax_acts.functional.hyperbolic import tanh
from jax_acts.functional.logistic import silu
from jax_acts.functional.normal import erf

__all__ = [
    "aconc",
    "derf",
    "dyt",
    "pelu",
    "srelu",
]

INF = math.inf
_MAX_FACTOR = 1e30
"""Bound on |x| as a factor of an underflowed term: inf * 0 would be NaN."""


@activation(
    cite="ma2020",
    range=(-0.27846454276107376, INF),
    reference=lambda m, x, p1=1, p2=0, beta=1: (
        (m.mpf(p1) - p2) * x / (1 + m.exp(-m.mpf(beta) * (m.mpf(p1) - p2) * x)) + p2 * x
    ),
    limits={"beta": (INF,)},
)
def aconc(x: Real, p1: Real = 1.0, p2: Real = 0.0, beta: Real = 1.0) -> Array:
    r"""ACON-C, $d x\,\sigma(\beta d x) + p_2 x$ with $d = p_1 - p_2$.

    A smooth maximum of $p_1 x$ and $p_2 x$. The default is `silu`. The paper
    initializes $p_1$ and $p_2$ at random, per feature.

    Args:
        x: The input.
        p1: $p_1$, the slope as $\beta d x \to \infty$.
        p2: $p_2$, the slope as $\beta d x \to -\infty$.
        beta: $\beta$, the sharpness: linear at 0, $\max(p_1 x, p_2 x)$ in the limit.

    >>> aconc(jnp.array([-1.0, 0.0, 2.0]), 1.0, 0.25)
    Array([-0.49061596,  0.        ,  1.726362 ], dtype=float32)
    """
    d = p1 - p2
    y = silu.without_custom_jvp(d * x, beta) + p2 * x
    slope = jnp.where(beta * d * x > 0, p1, p2)
    return jnp.where(jnp.isinf(x), jnp.where(slope == 0, 0, slope * x), y)


@aconc.defderivative
def aconc_dx(x: Real, p1: Real = 1.0, p2: Real = 0.0, beta: Real = 1.0) -> Array:
    d = p1 - p2
    return d * silu.derivative(d * x, beta) + p2


@aconc.derivative.defderivative
def aconc_dx2(x: Real, p1: Real = 1.0, p2: Real = 0.0, beta: Real = 1.0) -> Array:
    d = p1 - p2
    return d * (d * silu.derivative.derivative(d * x, beta))


@aconc.defpartial("p1")
def aconc_dp1(x: Real, p1: Real = 1.0, p2: Real = 0.0, beta: Real = 1.0) -> Array:
    return _bounded(x) * silu.derivative((p1 - p2) * x, beta)


@aconc.defpartial("p2")
def aconc_dp2(x: Real, p1: Real = 1.0, p2: Real = 0.0, beta: Real = 1.0) -> Array:
    # silu'(-z) = 1 - silu'(z), which cancels for z >> 0.
    return _bounded(x) * silu.derivative((p2 - p1) * x, beta)


@aconc.defpartial("beta")
def aconc_dbeta(x: Real, p1: Real = 1.0, p2: Real = 0.0, beta: Real = 1.0) -> Array:
    return silu.partial("beta")((p1 - p2) * x, beta)


@activation(
    cite="trottier2016",
    range=(-1, INF),
    reference=lambda m, x, alpha=1, beta=1: (
        (m.mpf(alpha) / beta) * x if x > 0 else alpha * m.expm1(x / m.mpf(beta))
    ),
    bounds={"beta": (1e-6, INF)},
    limits={"beta": (INF,)},
)
def pelu(x: Real, alpha: Real = 1.0, beta: Real = 1.0) -> Array:
    r"""Parametric ELU, $\frac \alpha \beta x$ if $x > 0$, else
    $\alpha (e^{x/\beta} - 1)$.

    Args:
        x: The input.
        alpha: $\alpha > 0$. The paper constrains both parameters to at least 0.1.
        beta: $\beta > 0$.

    >>> pelu(jnp.array([-1.0, 0.0, 2.0]), 1.0, 2.0)
    Array([-0.39346933,  0.        ,  1.        ], dtype=float32)
    """
    return jnp.where(x < 0, alpha * expm1(x / beta), (alpha / beta) * x)


@pelu.defderivative
def pelu_dx(x: Real, alpha: Real = 1.0, beta: Real = 1.0) -> Array:
    slope = alpha / beta
    return jnp.where(x > 0, slope, mul_exp(slope, *exponent_quotient(x, beta)))


@pelu.derivative.defderivative
def pelu_dx2(x: Real, alpha: Real = 1.0, beta: Real = 1.0) -> Array:
    factor = alpha / beta / beta
    return jnp.where(x > 0, 0.0, mul_exp(factor, *exponent_quotient(x, beta)))


@pelu.defpartial("alpha")
def pelu_dalpha(x: Real, alpha: Real = 1.0, beta: Real = 1.0) -> Array:
    return jnp.where(x < 0, expm1(x / beta), x / beta)


@pelu.defpartial("beta")
def pelu_dbeta(x: Real, alpha: Real = 1.0, beta: Real = 1.0) -> Array:
    factor = -(alpha / beta) * (jnp.maximum(x, -_MAX_FACTOR) / beta)
    return jnp.where(x > 0, factor, mul_exp(factor, *exponent_quotient(x, beta)))


@activation(
    cite="jin2015",
    kinks={0: 0.2},
    reference=lambda m, x, lower=0, lower_slope=0.2, upper=1, upper_slope=1: (
        x
        + (m.mpf(lower_slope) - 1) * min(x - lower, 0)
        + (m.mpf(upper_slope) - 1) * max(x - upper, 0)
    ),
)
def srelu(
    x: Real,
    lower: Real = 0.0,
    lower_slope: Real = 0.2,
    upper: Real = 1.0,
    upper_slope: Real = 1.0,
) -> Array:
    r"""S-shaped ReLU, $l + a_l (x - l)$ if $x \le l$, $u + a_u (x - u)$ if $x \ge u$,
    else $x$.

    The default is a leaky ReLU, the initialization of the paper.

    Args:
        x: The input.
        lower: $l$, the lower threshold. The derivative at $l$ is $a_l$.
        lower_slope: $a_l$.
        upper: $u > l$, the upper threshold. The derivative at $u$ is $a_u$.
        upper_slope: $a_u$.

    >>> srelu(jnp.array([-1.0, 0.5, 3.0]), upper_slope=0.5)
    Array([-0.2,  0.5,  2. ], dtype=float32)
    """
    below = _mul_zero_slope(lower_slope, x) + lower * (1 - lower_slope)
    above = _mul_zero_slope(upper_slope, x) + upper * (1 - upper_slope)
    # x itself is exact at the thresholds.
    return jnp.where(x < lower, below, jnp.where(x > upper, above, x))


@srelu.defderivative
def srelu_dx(
    x: Real,
    lower: Real = 0.0,
    lower_slope: Real = 0.2,
    upper: Real = 1.0,
    upper_slope: Real = 1.0,
) -> Array:
    above = jnp.where(x >= upper, upper_slope, 1.0)
    return propagate_nan(x, jnp.where(x <= lower, lower_slope, above))


@srelu.defpartial("lower")
def srelu_dlower(
    x: Real,
    lower: Real = 0.0,
    lower_slope: Real = 0.2,
    upper: Real = 1.0,
    upper_slope: Real = 1.0,
) -> Array:
    return propagate_nan(x, jnp.where(x <= lower, 1 - lower_slope, 0.0))


@srelu.defpartial("lower_slope")
def srelu_dlower_slope(
    x: Real,
    lower: Real = 0.0,
    lower_slope: Real = 0.2,
    upper: Real = 1.0,
    upper_slope: Real = 1.0,
) -> Array:
    return minimum(x - lower, 0)


@srelu.defpartial("upper")
def srelu_dupper(
    x: Real,
    lower: Real = 0.0,
    lower_slope: Real = 0.2,
    upper: Real = 1.0,
    upper_slope: Real = 1.0,
) -> Array:
    return propagate_nan(x, jnp.where(x >= upper, 1 - upper_slope, 0.0))


@srelu.defpartial("upper_slope")
def srelu_dupper_slope(
    x: Real,
    lower: Real = 0.0,
    lower_slope: Real = 0.2,
    upper: Real = 1.0,
    upper_slope: Real = 1.0,
) -> Array:
    return jnp.maximum(x - upper, 0)


@activation(
    cite="zhu2025",
    range=(-1, 1),
    reference=lambda m, x, alpha=0.5, gamma=1, beta=0: (
        m.mpf(gamma) * m.tanh(m.mpf(alpha) * x) + beta
    ),
    limits={"alpha": (INF,)},
)
def dyt(x: Real, alpha: Real = 0.5, gamma: Real = 1.0, beta: Real = 0.0) -> Array:
    r"""Dynamic tanh, $\gamma \tanh(\alpha x) + \beta$, a replacement for LayerNorm.

    Args:
        x: The input.
        alpha: $\alpha$, one scalar per layer in the paper.
        gamma: $\gamma$, one value per feature in the paper.
        beta: $\beta$, one value per feature in the paper.

    >>> dyt(jnp.array([-2.0, 0.0, 20.0]))
    Array([-0.7615942,  0.       ,  1.       ], dtype=float32)
    """
    return gamma * tanh.without_custom_jvp(alpha * x) + beta


@dyt.defderivative
def dyt_dx(x: Real, alpha: Real = 0.5, gamma: Real = 1.0, beta: Real = 0.0) -> Array:
    return _mul_sech_squared(gamma * alpha, alpha, x)


@dyt.derivative.defderivative
def dyt_dx2(x: Real, alpha: Real = 0.5, gamma: Real = 1.0, beta: Real = 0.0) -> Array:
    dx = _mul_sech_squared(gamma * alpha, alpha, x)
    return (-2 * alpha) * tanh(alpha * x) * dx


@dyt.defpartial("alpha")
def dyt_dalpha(
    x: Real, alpha: Real = 0.5, gamma: Real = 1.0, beta: Real = 0.0
) -> Array:
    return _mul_sech_squared(gamma * _bounded(x), alpha, x)


@dyt.defpartial("gamma")
def dyt_dgamma(
    x: Real, alpha: Real = 0.5, gamma: Real = 1.0, beta: Real = 0.0
) -> Array:
    return tanh(alpha * x)


@dyt.defpartial("beta")
def dyt_dbeta(x: Real, alpha: Real = 0.5, gamma: Real = 1.0, beta: Real = 0.0) -> Array:
    return propagate_nan(x, 1.0)


@activation(
    cite="chen2025",
    range=(-1, 1),
    reference=lambda m, x, alpha=0.5, shift=0, gamma=1, beta=0: (
        m.mpf(gamma) * m.erf(m.mpf(alpha) * x + shift) + beta
    ),
    limits={"alpha": (INF,), "shift": (INF,)},
)
def derf(
    x: Real, alpha: Real = 0.5, shift: Real = 0.0, gamma: Real = 1.0, beta: Real = 0.0
) -> Array:
    r"""Dynamic error function, $\gamma \operatorname{erf}(\alpha x + s) + \beta$.

    Args:
        x: The input.
        alpha: $\alpha$, one scalar per layer in the paper.
        shift: $s$, one scalar per layer in the paper.
        gamma: $\gamma$, one value per feature in the paper.
        beta: $\beta$, one value per feature in the paper.

    >>> derf(jnp.array([-2.0, 0.0, 20.0]))
    Array([-0.8427,  0.    ,  1.    ], dtype=float32)
    """
    y = gamma * erf.without_custom_jvp(alpha * x + shift)
    # Linear near 0, where alpha x underflows although the value does not.
    linear = (gamma * alpha * (2 / math.sqrt(math.pi))) * x
    return jnp.where((shift == 0) & (jnp.abs(x) < 1e-30), linear, y) + beta


@derf.defderivative
def derf_dx(
    x: Real, alpha: Real = 0.5, shift: Real = 0.0, gamma: Real = 1.0, beta: Real = 0.0
) -> Array:
    u, correction = _erf_argument(alpha, x, shift)
    return gamma * alpha * (erf.derivative(u) * correction)


@derf.derivative.defderivative
def derf_dx2(
    x: Real, alpha: Real = 0.5, shift: Real = 0.0, gamma: Real = 1.0, beta: Real = 0.0
) -> Array:
    u, correction = _erf_argument(alpha, x, shift)
    return gamma * alpha * (alpha * (erf.derivative.derivative(u) * correction))


@derf.defpartial("alpha")
def derf_dalpha(
    x: Real, alpha: Real = 0.5, shift: Real = 0.0, gamma: Real = 1.0, beta: Real = 0.0
) -> Array:
    u, correction = _erf_argument(alpha, x, shift)
    return gamma * _bounded(x) * (erf.derivative(u) * correction)


@derf.defpartial("shift")
def derf_dshift(
    x: Real, alpha: Real = 0.5, shift: Real = 0.0, gamma: Real = 1.0, beta: Real = 0.0
) -> Array:
    u, correction = _erf_argument(alpha, x, shift)
    return gamma * (erf.derivative(u) * correction)


@derf.defpartial("gamma")
def derf_dgamma(
    x: Real, alpha: Real = 0.5, shift: Real = 0.0, gamma: Real = 1.0, beta: Real = 0.0
) -> Array:
    return erf(alpha * x + shift)


@derf.defpartial("beta")
def derf_dbeta(
    x: Real, alpha: Real = 0.5, shift: Real = 0.0, gamma: Real = 1.0, beta: Real = 0.0
) -> Array:
    return propagate_nan(x, 1.0)


def _bounded(x: Real) -> Array:
    return clip_to(x, -_MAX_FACTOR, _MAX_FACTOR)


def _mul_zero_slope(slope: Real, x: Real) -> Array:
    """Return slope * x, with 0 * inf = 0."""
    return jnp.where(jnp.isinf(x) & (slope == 0), 0, slope * x)


def _mul_sech_squared(v: Real, alpha: Real, x: Real) -> Array:
    """Return v / cosh²(alpha x) = 4 v e / (1 + e)² with e = e^(-2 |alpha x|)."""
    y, y_lo = exponent_product(-2.0 * abs(alpha), jnp.abs(x))
    e = exp(y, y_lo)
    return mul_exp(4.0 * v, y, y_lo) / (1 + e * (2 + e))


def _erf_argument(alpha: Real, x: Real, shift: Real) -> tuple[Array, Array]:
    """Return u = fl(alpha x + shift) and the factor e^(u² - (alpha x + shift)²).

    The derivatives of erf contain e^(-u²), which amplifies the rounding error of u.
    """
    near = clip_to(x, -1e18, 1e18)
    hi, lo = two_prod(alpha, near)
    hi, sum_lo = two_sum(hi, propagate_nan(near, shift))  # two_sum needs an array
    u, u_lo = two_sum(hi, lo + sum_lo)
    u = jnp.where(jnp.abs(x) < 1e-18, alpha * x + shift, u)  # lo underflows
    return u, 1 - 2 * jnp.where(jnp.abs(u) < 40, u * u_lo, 0.0)  # e^(-u²) = 0 beyond
