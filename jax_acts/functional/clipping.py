"""Smooth clipping: a ramp from one level to another, rounded at both ends."""

import math

import jax.numpy as jnp
from jax import Array, lax

from jax_acts._core.activation import activation
from jax_acts._numerics import coefficients as table
from jax_acts._numerics.bitwise import max_nan_free, mul_sign, propagate_nan, where
from jax_acts._numerics.double_word import hi_lo, two_prod, two_sum
from jax_acts._numerics.exp_log import ScaledExp, exp, expm1, mul_scaled_exp, scaled_exp
from jax_acts._numerics.polynomial import polynomial
from jax_acts._numerics.types import Real
from jax_acts.functional.logistic import softplus


@activation(
    cite="klimek2018",
    range=(0, 1),
    reference=lambda m, x, alpha=1: (
        m.log1p((1 - m.exp(-alpha)) / (m.exp(-alpha * x) + m.exp(-alpha))) / alpha
    ),
)
def soft_clipping(x: Real, alpha: Real = 1.0) -> Array:
    r"""Soft clipping, $\log((1 + e^{\alpha x}) / (1 + e^{\alpha (x - 1)})) / \alpha$.

    Args:
        x: The input.
        alpha: $\alpha$, from 0 to 100; as it grows, this tends to `clip` from 0 to 1.

    >>> soft_clipping(jnp.array([-50.0, 0.5, 2.0]), 10.0)
    Array([0.      , 0.5     , 0.999995], dtype=float32)
    """
    u, p, least = _ramp(x, alpha)
    e, top = mul_scaled_exp(1.0, p), _scaled(alpha, p)
    # It is log(1 + f) for f = top / (1 + ahead), or u more for another top where f > 1,
    # and log(1 + f) is 2 atanh(s) for s = f / (2 + f).
    ahead = least * e
    near = top < 1 + ahead
    after = 1 / jnp.maximum(e, 1)  # e^-u
    top = where(near, top, after - ahead)
    w = 0.5 * where(near, (1 + least) * e, after + ahead)  # ahead and half of top
    inverse = 1 / (1 + w)
    rest = (1 - inverse) - w * inverse  # its rounding error, times 1 + w
    s = 0.5 * top * inverse
    rest = rest + 0.5 * (s * s) * polynomial(s * s, table.LOG1P)
    y = (where(near, 0, u) + (top * inverse + top * (inverse * rest))) / alpha
    return where(x > 0.5, 1 - y, y)


@soft_clipping.defderivative
def soft_clipping_dx(x: Real, alpha: Real = 1.0) -> Array:
    _, p, least = _ramp(x, alpha)
    # The difference of two sigmoids, which cancels, is a product of them.
    return _scaled(alpha, p) / _both(mul_scaled_exp(1.0, p), least)


@soft_clipping.derivative.defderivative
def soft_clipping_dx2(x: Real, alpha: Real = 1.0) -> Array:
    _, p, least = _ramp(x, alpha)
    distance = jnp.asarray(x) - 0.5
    m = expm1(-2 * alpha * lax.abs(distance))
    both = _both(mul_scaled_exp(1.0, p), least)
    return mul_sign(alpha * _scaled(alpha, p) / both * (m / both), distance)


@soft_clipping.defpartial("alpha")
def soft_clipping_dalpha(x: Real, alpha: Real = 1.0) -> Array:
    before = softplus.partial("beta")(x, alpha)
    return before - softplus.partial("beta")(jnp.asarray(x) - 1, alpha)


def _ramp(x: Real, alpha: Real) -> tuple[Array, ScaledExp, Real]:
    """Returns u = alpha min(x, 1 - x), e^u, and e^-alpha.

    The value at 1 - x is 1 less that at x, and the derivative is the same.
    """
    x = jnp.asarray(x)
    high, low = two_prod(alpha, jnp.clip(x, -1e9, 1e9))
    high, low = two_sum(high, low)
    right, right_low = two_sum(propagate_nan(x, alpha), -high)
    u = where(x > 0.5, right, high)
    low = where(x > 0.5, right_low - low, low)
    low = where(u < -1000, 0.0, low)  # where e^u is 0
    u = max_nan_free(-1000.0, u)
    least = math.exp(-alpha) if isinstance(alpha, float) else exp(-alpha)
    return u, scaled_exp(u, low), least


def _scaled(alpha: Real, p: ScaledExp) -> Array:
    """Returns (1 - e^-alpha) e^u."""
    if isinstance(alpha, float):
        high, low = hi_lo(-math.expm1(-alpha), p.q.dtype)
        return mul_scaled_exp(high, p, low)
    return mul_scaled_exp(-expm1(-alpha), p)


def _both(e: Array, least: Real) -> Array:
    """Returns (1 + e) (1 + least e), rounded once."""
    return 1 + e * ((1 + least) + least * e)
