"""Smooth clipping: a ramp from one level to another, rounded at both ends."""

import jax.numpy as jnp
from jax import Array

from jax_acts._activation import activation
from jax_acts._function import Real
from jax_acts._math import (
    Power,
    at_least,
    exp,
    expm1,
    keep_nan,
    log1p,
    power,
    product,
    signed,
    sum_of_two,
    times,
)
from jax_acts.functional.logistic import softplus


@activation(
    cite="klimek2018",
    range=(0, 1),
    oracle=lambda m, x, alpha=1: (
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
    u, p, ahead = _ramp(x, alpha)
    ratio = times(_complement(alpha, u), p) / (1 + ahead)
    near = log1p(jnp.minimum(ratio, 1))
    far = u + (log1p(exp(-jnp.maximum(u, 0))) - log1p(ahead))
    y = jnp.where(ratio < 1, near, far) / alpha
    return jnp.where(x > 0.5, 1 - y, y)


@soft_clipping.defderivative
def _(x: Real, alpha: Real = 1.0) -> Array:
    u, p, ahead = _ramp(x, alpha)
    # The difference of two sigmoids, which cancels, is a product of them.
    return times(_complement(alpha, u), p) / ((1 + times(1.0, p)) * (1 + ahead))


@soft_clipping.derivative.defderivative
def _(x: Real, alpha: Real = 1.0) -> Array:
    u, p, ahead = _ramp(x, alpha)
    distance = jnp.asarray(x) - 0.5
    m = expm1(-2 * alpha * jnp.abs(distance))
    both = (1 + times(1.0, p)) * (1 + ahead)
    bend = times(alpha * _complement(alpha, u), p) / both * (m / both)
    return signed(bend, distance)


@soft_clipping.defpartial("alpha")
def _(x: Real, alpha: Real = 1.0) -> Array:
    before = softplus.partial("beta")(x, alpha)
    return before - softplus.partial("beta")(jnp.asarray(x) - 1, alpha)


def _ramp(x: Real, alpha: Real) -> tuple[Array, Power, Array]:
    """Returns u = alpha min(x, 1 - x), e^u, and e^(u - alpha).

    The value at 1 - x is 1 less that at x, and the derivative is the same.
    """
    x = jnp.asarray(x)
    high, low = product(alpha, jnp.clip(x, -1e9, 1e9))
    high, low = sum_of_two(high, low)
    right, right_low = sum_of_two(keep_nan(x, alpha), -high)
    u = jnp.where(x > 0.5, right, high)
    low = jnp.where(x > 0.5, right_low - low, low)
    low = jnp.where(u < -1000, 0.0, low)  # where e^u is 0
    u = at_least(-1000.0, u)
    return u, power(u, low), exp(u - alpha)


def _complement(alpha: Real, u: Array) -> Array:
    """Returns 1 - e^-alpha in the dtype of u."""
    return -expm1(-jnp.asarray(alpha, u.dtype))
