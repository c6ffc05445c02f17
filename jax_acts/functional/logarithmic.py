"""Logarithms and exponentials that are odd: they compress, or expand, both signs."""

import math

import jax.numpy as jnp
from jax import Array, lax

from jax_acts._core.activation import activation
from jax_acts._numerics.bitwise import propagate_nan, where
from jax_acts._numerics.exp_log import exp_full_range, expm1, log, log1p
from jax_acts._numerics.types import Real

INF = math.inf
_LARGE = 38.0  # 1 is nothing to e^38, in float64 too


@activation(
    cite="hafner2023", reference=lambda m, x: m.log1p(x) if x > 0 else -m.log1p(-x)
)
def symlog(x: Real) -> Array:
    r"""Symmetric logarithm, $\operatorname{sign}(x) \log(1 + |x|)$.

    >>> symlog(jnp.array([-1e30, 1e-8, 1.0]))
    Array([-6.90776e+01,  1.0e-08,  6.93147e-01], dtype=float32)
    """
    a = lax.abs(x)
    value = where(a < 1, log1p(jnp.minimum(a, 1)), log(1 + a))
    return jnp.copysign(value, x)


@symlog.defderivative
def symlog_dx(x: Real) -> Array:
    return 1 / (1 + lax.abs(x))


@symlog.defoutput()
def symlog_dx_from_y(y: Array) -> Array:
    return exp_full_range(-lax.abs(y))


@symlog.derivative.defderivative
def symlog_dx2(x: Real) -> Array:
    slope = 1 / (1 + lax.abs(x))
    return -jnp.sign(x) * slope * slope


@activation(cite="hafner2023", reference=lambda m, x: m.sign(x) * m.expm1(abs(x)))
def symexp(x: Real) -> Array:
    r"""Symmetric exponential, $\operatorname{sign}(x) (e^{|x|} - 1)$.

    It is the inverse of `symlog`.

    >>> symexp(jnp.array([-1.0, 1e-8, 10.0]))
    Array([-1.71828e+00,  1.0e-08,  2.20255e+04], dtype=float32)
    """
    a = lax.abs(x)
    value = where(a < _LARGE, expm1(jnp.minimum(a, _LARGE)), exp_full_range(a))
    return jnp.copysign(propagate_nan(x, value), x)


@symexp.defderivative
def symexp_dx(x: Real) -> Array:
    return exp_full_range(lax.abs(x))


@symexp.defoutput()
def symexp_dx_from_y(y: Array) -> Array:
    return 1 + lax.abs(y)


@symexp.derivative.defderivative
def symexp_dx2(x: Real) -> Array:
    return jnp.sign(x) * exp_full_range(lax.abs(x))


@activation(
    cite="liu2019",
    range=(0, INF),
    kinks={0: 0},
    reference=lambda m, x, beta=1: m.log1p(m.mpf(beta) * max(x, 0)),
)
def nlrelu(x: Real, beta: Real = 1.0) -> Array:
    r"""Natural-logarithm rectifier, $\log(1 + \beta \max(x, 0))$.

    Its derivative at 0 is 0.

    Args:
        x: The input.
        beta: $\beta$, positive.

    >>> nlrelu(jnp.array([-2.0, 1e-8, 1e30]))
    Array([0.00000e+00, 1.00000e-08, 6.90776e+01], dtype=float32)
    """
    z = beta * jnp.maximum(x, 0)
    return where(z < 1, log1p(jnp.minimum(z, 1)), log(1 + z))


@nlrelu.defderivative
def nlrelu_dx(x: Real, beta: Real = 1.0) -> Array:
    return propagate_nan(x, where(x > 0, beta / (1 + beta * jnp.maximum(x, 0)), 0.0))


@nlrelu.defoutput()
def nlrelu_dx_from_y(y: Array, beta: Real = 1.0) -> Array:
    return propagate_nan(y, where(y > 0, beta * exp_full_range(-y), 0.0))


@nlrelu.derivative.defderivative
def nlrelu_dx2(x: Real, beta: Real = 1.0) -> Array:
    slope = nlrelu.derivative(x, beta)
    return -slope * slope


@nlrelu.defpartial("beta")
def nlrelu_dbeta(x: Real, beta: Real = 1.0) -> Array:
    a = jnp.clip(x, 0, 1e30)  # an infinite one would be divided by itself
    return a / (1 + beta * a)
