"""Functions of one number whose shape is meant to be learned: S-shapes and hinges.

Their arguments are numbers, or arrays that broadcast against x: one for each feature.
"""

import math

import jax.numpy as jnp
from jax import Array

from jax_acts._core.activation import activation
from jax_acts._numerics.bitwise import propagate_nan
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

INF = math.inf
_FAR = 1e30
"""Beyond it x counts as this where it multiplies what has vanished there."""


@activation(
    cite="ma2020",
    range=(-0.27846454276107376, INF),
    reference=lambda m, x, p1=1, p2=0, beta=1: (
        (m.mpf(p1) - p2) * x / (1 + m.exp(-m.mpf(beta) * (m.mpf(p1) - p2) * x)) + p2 * x
    ),
)
def aconc(x: Real, p1: Real = 1.0, p2: Real = 0.0, beta: Real = 1.0) -> Array:
    r"""ACON-C, $d x\,\sigma(\beta d x) + p_2 x$ with $d = p_1 - p_2$.

    A smooth maximum of $p_1 x$ and $p_2 x$. By default it is `silu`; the paper starts
    $p_1$ and $p_2$ at random, one of each for a feature.

    Args:
        x: The input.
        p1: $p_1$, the slope on one side.
        p2: $p_2$, that on the other.
        beta: $\beta$; at 0 it is linear, and it tends to a maximum as $\beta$ grows.

    >>> aconc(jnp.array([-1.0, 0.0, 2.0]), 1.0, 0.25)
    Array([-0.49061596,  0.        ,  1.7263616 ], dtype=float32)
    """
    d = p1 - p2
    y = silu.without_custom_jvp(d * x, beta) + p2 * x
    outside = jnp.where(beta * d * x > 0, p1, p2)
    return jnp.where(jnp.isinf(x), jnp.where(outside == 0, 0, outside * x), y)


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
    return jnp.clip(x, -_FAR, _FAR) * silu.derivative((p1 - p2) * x, beta)


@aconc.defpartial("p2")
def aconc_dp2(x: Real, p1: Real = 1.0, p2: Real = 0.0, beta: Real = 1.0) -> Array:
    # silu'(z) is 1 - silu'(-z), without cancellation.
    return jnp.clip(x, -_FAR, _FAR) * silu.derivative((p2 - p1) * x, beta)


@aconc.defpartial("beta")
def aconc_dbeta(x: Real, p1: Real = 1.0, p2: Real = 0.0, beta: Real = 1.0) -> Array:
    return silu.partial("beta")((p1 - p2) * x, beta)


@activation(
    cite="trottier2016",
    range=(-1, INF),
    reference=lambda m, x, alpha=1, beta=1: (
        (m.mpf(alpha) / beta) * x if x > 0 else alpha * m.expm1(x / m.mpf(beta))
    ),
)
def pelu(x: Real, alpha: Real = 1.0, beta: Real = 1.0) -> Array:
    r"""Parametric ELU, $\frac \alpha \beta x$ if $x > 0$, else
    $\alpha (e^{x/\beta} - 1)$.

    Args:
        x: The input.
        alpha: $\alpha$, positive; the paper keeps both above 0.1.
        beta: $\beta$, positive.

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
    bend = alpha / beta / beta
    return jnp.where(x > 0, 0.0, mul_exp(bend, *exponent_quotient(x, beta)))


@pelu.defpartial("alpha")
def pelu_dalpha(x: Real, alpha: Real = 1.0, beta: Real = 1.0) -> Array:
    return jnp.where(x < 0, expm1(x / beta), x / beta)


@pelu.defpartial("beta")
def pelu_dbeta(x: Real, alpha: Real = 1.0, beta: Real = 1.0) -> Array:
    steep = -(alpha / beta) * (jnp.maximum(x, -_FAR) / beta)
    return jnp.where(x > 0, steep, mul_exp(steep, *exponent_quotient(x, beta)))


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
    r"""S-shaped rectifier, $x$ between two thresholds, with another slope beyond each.

    $l + a_l (x - l)$ if $x \le l$, $u + a_u (x - u)$ if $x \ge u$, and else $x$. By
    default it is a leaky rectifier, which the paper starts from.

    Args:
        x: The input.
        lower: $l$, at which the derivative is $a_l$.
        lower_slope: $a_l$.
        upper: $u$, above $l$, at which the derivative is $a_u$.
        upper_slope: $a_u$.

    >>> srelu(jnp.array([-1.0, 0.5, 3.0]), upper_slope=0.5)
    Array([-0.2,  0.5,  2. ], dtype=float32)
    """
    below = _sloped(lower_slope, x) + lower * (1 - lower_slope)
    above = _sloped(upper_slope, x) + upper * (1 - upper_slope)
    # The thresholds themselves are met exactly by x.
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
    return jnp.minimum(x - lower, 0)


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
)
def dyt(x: Real, alpha: Real = 0.5, gamma: Real = 1.0, beta: Real = 0.0) -> Array:
    r"""Dynamic tanh, $\gamma \tanh(\alpha x) + \beta$, in place of a normalisation.

    Args:
        x: The input.
        alpha: $\alpha$; the paper learns one for a layer.
        gamma: $\gamma$; the paper learns it and $\beta$ for each feature.
        beta: $\beta$.

    >>> dyt(jnp.array([-2.0, 0.0, 20.0]))
    Array([-0.7615942,  0.       ,  1.       ], dtype=float32)
    """
    return gamma * tanh.without_custom_jvp(alpha * x) + beta


@dyt.defderivative
def dyt_dx(x: Real, alpha: Real = 0.5, gamma: Real = 1.0, beta: Real = 0.0) -> Array:
    return _times_sech_squared(gamma * alpha, alpha, x)


@dyt.derivative.defderivative
def dyt_dx2(x: Real, alpha: Real = 0.5, gamma: Real = 1.0, beta: Real = 0.0) -> Array:
    slope = _times_sech_squared(gamma * alpha, alpha, x)
    return (-2 * alpha) * tanh(alpha * x) * slope


@dyt.defpartial("alpha")
def dyt_dalpha(
    x: Real, alpha: Real = 0.5, gamma: Real = 1.0, beta: Real = 0.0
) -> Array:
    return _times_sech_squared(gamma * jnp.clip(x, -_FAR, _FAR), alpha, x)


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
)
def derf(
    x: Real, alpha: Real = 0.5, shift: Real = 0.0, gamma: Real = 1.0, beta: Real = 0.0
) -> Array:
    r"""Dynamic error function, $\gamma \operatorname{erf}(\alpha x + s) + \beta$.

    Args:
        x: The input.
        alpha: $\alpha$; the paper learns one for a layer, and one $s$.
        shift: $s$.
        gamma: $\gamma$; the paper learns it and $\beta$ for each feature.
        beta: $\beta$.

    >>> derf(jnp.array([-2.0, 0.0, 20.0]))
    Array([-0.8427,  0.    ,  1.    ], dtype=float32)
    """
    y = gamma * erf.without_custom_jvp(alpha * x + shift)
    # Near 0 it is linear, and alpha x vanishes before the value does.
    line = (gamma * alpha * (2 / math.sqrt(math.pi))) * x
    return jnp.where((shift == 0) & (jnp.abs(x) < 1e-30), line, y) + beta


@derf.defderivative
def derf_dx(
    x: Real, alpha: Real = 0.5, shift: Real = 0.0, gamma: Real = 1.0, beta: Real = 0.0
) -> Array:
    u, lack = _shifted(alpha, x, shift)
    return gamma * alpha * (erf.derivative(u) * lack)


@derf.derivative.defderivative
def derf_dx2(
    x: Real, alpha: Real = 0.5, shift: Real = 0.0, gamma: Real = 1.0, beta: Real = 0.0
) -> Array:
    u, lack = _shifted(alpha, x, shift)
    return gamma * alpha * (alpha * (erf.derivative.derivative(u) * lack))


@derf.defpartial("alpha")
def derf_dalpha(
    x: Real, alpha: Real = 0.5, shift: Real = 0.0, gamma: Real = 1.0, beta: Real = 0.0
) -> Array:
    u, lack = _shifted(alpha, x, shift)
    return gamma * jnp.clip(x, -_FAR, _FAR) * (erf.derivative(u) * lack)


@derf.defpartial("shift")
def derf_dshift(
    x: Real, alpha: Real = 0.5, shift: Real = 0.0, gamma: Real = 1.0, beta: Real = 0.0
) -> Array:
    u, lack = _shifted(alpha, x, shift)
    return gamma * (erf.derivative(u) * lack)


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


def _sloped(slope: Real, x: Real) -> Array:
    """Returns slope x, which is 0 for a slope of 0 and an infinite x."""
    return jnp.where(jnp.isinf(x) & (slope == 0), 0, slope * x)


def _times_sech_squared(v: Real, alpha: Real, x: Real) -> Array:
    """Returns v / cosh²(alpha x), for a finite v."""
    y, low = exponent_product(-2.0 * abs(alpha), jnp.abs(x))
    e = exp(y, low)
    return mul_exp(4.0 * v, y, low) / (1 + e * (2 + e))


def _shifted(alpha: Real, x: Real, shift: Real) -> tuple[Array, Array]:
    """Returns u = alpha x + shift, rounded, and e^(u² - (alpha x + shift)²)."""
    near = jnp.clip(x, -1e18, 1e18)
    high, low = two_prod(alpha, near)
    high, rest = two_sum(high, propagate_nan(near, shift))  # which takes no constant
    u, rest = two_sum(high, low + rest)
    u = jnp.where(jnp.abs(x) < 1e-18, alpha * x + shift, u)  # where `low` vanishes
    return u, 1 - 2 * jnp.where(jnp.abs(u) < 40, u * rest, 0.0)  # 0 beyond
