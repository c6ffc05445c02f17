"""Functions of x or e^x - 1 times a sigmoid, or a hard one: aptx, bsilu, elish."""

import math

import jax.numpy as jnp
from jax import Array, lax

from jax_acts._core.activation import activation
from jax_acts._numerics import coefficients as table
from jax_acts._numerics.bitwise import max_nan_free, min_nan_free, propagate_nan, where
from jax_acts._numerics.exp_log import exp, exp_and_expm1, expm1, mul_exp
from jax_acts._numerics.root import patch_near_zero
from jax_acts._numerics.types import Real
from jax_acts.functional.logistic import silu

INF = math.inf

_EDGE = 1000.0  # beyond it every exponential below is 0, in float64 too


@activation(
    cite="kumar2022 alcaide2018",
    range=(-0.13923227138053688, INF),
    reference=lambda m, x, alpha=1, beta=1, gamma=0.5: (
        gamma * x * ((alpha - 1) + 2 / (1 + m.exp(-2 * beta * x)))
    ),
)
def aptx(x: Real, alpha: Real = 1.0, beta: Real = 1.0, gamma: Real = 0.5) -> Array:
    r"""Alpha plus tanh times x, $(\alpha + \tanh(\beta x))\,\gamma x$.

    At $\alpha = 1$ it is $2 \gamma x\,\sigma(2 \beta x)$, of which `silu(2 x) / 2` is
    the default.

    Args:
        x: The input.
        alpha: $\alpha$.
        beta: $\beta$.
        gamma: $\gamma$.

    >>> aptx(jnp.array([-1.0, 0.0, 1.0]))
    Array([-0.11920, 0.     , 0.8808 ], dtype=float32)
    """
    gated = 2 * silu.without_custom_jvp(x, 2 * beta)
    if isinstance(alpha, float):  # its default, which adds nothing
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
    r"""Bounded SiLU, $(x + \alpha)\,\sigma(x) - \alpha / 2$, with limit $-\alpha/2$.

    Its derivative is a surrogate of that of `relu`.

    Args:
        x: The input.
        alpha: $\alpha$.

    >>> bsilu(jnp.array([-1.0, 0.0, 1.0]))
    Array([-0.65481, 0.     , 1.11693 ], dtype=float32)
    """
    z, y = _bounded(x)
    e, m = exp_and_expm1(y, tail=True)  # m / (1 + e) is -tanh(|x| / 2)
    top = where(z < 0, 2 * z * e + alpha * m, 2 * z - alpha * m)
    return where(x > _EDGE, x + 0.5 * alpha, top / (2 + 2 * e))


@bsilu.defderivative
def bsilu_dx(x: Real, alpha: Real = 1.67) -> Array:
    z, y = _bounded(x)
    e = exp(y)
    left = mul_exp((1 + alpha + z) + e, y)
    slope = where(z < 0, left, 1 + e * (1 + alpha + z)) / (1 + e * (2 + e))
    if isinstance(alpha, float):  # its default; the zero moves with alpha
        return patch_near_zero(z, slope, table.BSILU_1)
    return slope


@bsilu.derivative.defderivative
def bsilu_dx2(x: Real, alpha: Real = 1.67) -> Array:
    z, y = _bounded(x)
    e, m = exp_and_expm1(y, tail=True)
    turn = where(z < 0, -m, m) * (z + alpha)
    bend = mul_exp(2 * (1 + e) + turn, y) / ((1 + e) * (1 + e * (2 + e)))
    if isinstance(alpha, float):
        bend = patch_near_zero(z, bend, table.BSILU_2_LEFT)
        return patch_near_zero(z, bend, table.BSILU_2_RIGHT)
    return bend


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
    e, m = exp_and_expm1(y, tail=True)
    return where(x < 0, mul_exp(m, y), x) / (1 + e)


@elish.defderivative
def elish_dx(x: Real) -> Array:
    z, y = _bounded(x)
    e = exp(y)
    left = mul_exp(e * (2 + e) - 1, y)
    slope = where(z < 0, left, 1 + e * (1 + z)) / (1 + e * (2 + e))
    return patch_near_zero(z, slope, table.ELISH_1)


@elish.derivative.defderivative
def elish_dx2(x: Real) -> Array:
    z, y = _bounded(x)
    e = exp(y)
    bend = where(z < 0, e * (5 + e * (3 + e)) - 1, 2 - z + e * (2 + z))
    bend = mul_exp(bend, y) / ((1 + e) * (1 + e * (2 + e)))
    bend = patch_near_zero(z, bend, table.ELISH_2)
    return patch_near_zero(z, bend, table.SILU_2)


@activation(
    cite="basirat2018",
    range=(-0.0996731515287426179, INF),
    kinks={-1: 0, 1: 1},
    reference=lambda m, x: (x if x > 0 else m.expm1(x)) * min(max((x + 1) / 2, 0), 1),
)
def hard_elish(x: Real) -> Array:
    r"""Hard elish: $x$ if $x > 0$, else $e^x - 1$, times the hard sigmoid
    $\min(\max((x + 1) / 2, 0), 1)$.

    >>> hard_elish(jnp.array([-2.0, -0.5, 0.5]))
    Array([-0.     , -0.09837,  0.375  ], dtype=float32)
    """
    gate = 0.5 * (jnp.clip(x, -1, 1) + 1)
    return where(x < 0, expm1(jnp.clip(x, -1, 0)), x) * gate


@hard_elish.defderivative
def hard_elish_dx(x: Real) -> Array:
    z = jnp.clip(x, -1, 0)
    left = patch_near_zero(z, 0.5 * ((2 + z) * exp(z) - 1), table.HARD_ELISH_1)
    left = where(x > -1, left, 0.0)
    right = where(x < 1, 0.5 + x, 1.0)
    return propagate_nan(x, where(x < 0, left, right))


@hard_elish.derivative.defderivative
def hard_elish_dx2(x: Real) -> Array:
    z = jnp.clip(x, -1, 0)
    bend = where(x < 0, 0.5 * (3 + z) * exp(z), 1.0)
    return propagate_nan(x, where(lax.abs(x) < 1, bend, 0.0))


def _bounded(x: Real) -> tuple[Array, Array]:
    """Returns x within bounds, and -|x|."""
    z = min_nan_free(_EDGE, max_nan_free(-_EDGE, jnp.asarray(x)))
    return z, -lax.abs(z)
