"""The exponential, logarithms, and their odd extensions."""

import math

import jax.numpy as jnp
from jax import Array, lax

from jax_acts._core.activation import activation
from jax_acts._numerics.bitwise import (
    clip_to,
    copysign,
    minimum,
    propagate_nan,
    where,
)
from jax_acts._numerics.exp_log import (
    exp_and_expm1,
    exp_full_range,
    expm1,
    log,
    log1p,
    log_of_reduced,
    log_reduce,
)
from jax_acts._numerics.types import Real

__all__ = [
    "exponential",
    "log1mexp",
    "nlrelu",
    "symexp",
    "symlog",
]

INF = math.inf
_EXPM1_IS_EXP_X = 38.0  # e^x - 1 rounds to e^x beyond, in float64 too


@activation(range=(0, INF), reference=lambda m, x: m.exp(x))
def exponential(x: Real) -> Array:
    r"""Exponential, $e^x$.

    >>> exponential(jnp.array([-1.0, 0.0, 1.0]))
    Array([0.36787945, 1.        , 2.7182817 ], dtype=float32)
    """
    return exp_full_range(x)


@exponential.defderivative
def exponential_dx(x: Real) -> Array:
    return exponential(x)


@exponential.defoutput()
def exponential_dx_from_y(y: Array) -> Array:
    return y


@activation(
    cite="maechler2012",
    range=(-INF, 0),
    domain=(0, INF),
    reference=lambda m, x: m.log(-m.expm1(-x)),
)
def log1mexp(x: Real) -> Array:
    r"""Log of one minus exp, $\log(1 - e^{-x})$ for $x > 0$, NaN for $x < 0$.

    The value at 0 is $-\infty$.

    >>> log1mexp(jnp.array([1e-3, 1.0, 20.0]))
    Array([-6.90826e+00, -4.58675e-01, -2.06115e-09], dtype=float32)
    """
    e, m = exp_and_expm1(-jnp.maximum(x, 0))
    f, k = log_reduce(-m)
    # log1p(-e^-x) for x > log(2), else log(-expm1(-x)): one logarithm evaluates both.
    large = x > math.log(2)
    value = log_of_reduced(where(large, -e, f), where(large, 0.0, k))
    return where(x > 0, value, where(x == 0, -jnp.inf, jnp.nan))


@log1mexp.defderivative
def log1mexp_dx(x: Real) -> Array:
    e, m = exp_and_expm1(-jnp.maximum(x, 0))
    return where(x < 0, jnp.nan, e / lax.abs(m))  # abs: -expm1(0) is -0


@log1mexp.derivative.defderivative
def log1mexp_dx2(x: Real) -> Array:
    e, m = exp_and_expm1(-jnp.maximum(x, 0))
    complement = lax.abs(m)
    return where(x < 0, jnp.nan, -(e / complement) * (1 / complement))


@activation(
    cite="hafner2023", reference=lambda m, x: m.log1p(x) if x > 0 else -m.log1p(-x)
)
def symlog(x: Real) -> Array:
    r"""Symmetric logarithm, $\operatorname{sign}(x) \log(1 + |x|)$.

    >>> symlog(jnp.array([-1e30, 1e-8, 1.0]))
    Array([-6.90776e+01,  1.0e-08,  6.93147e-01], dtype=float32)
    """
    a = lax.abs(x)
    value = where(a < 1, log1p(minimum(a, 1)), log(1 + a))
    return copysign(value, x)


@symlog.defderivative
def symlog_dx(x: Real) -> Array:
    return 1 / (1 + lax.abs(x))


@symlog.defoutput()
def symlog_dx_from_y(y: Array) -> Array:
    return exp_full_range(-lax.abs(y))


@symlog.derivative.defderivative
def symlog_dx2(x: Real) -> Array:
    derivative = 1 / (1 + lax.abs(x))
    return -jnp.sign(x) * derivative * derivative


@activation(cite="hafner2023", reference=lambda m, x: m.sign(x) * m.expm1(abs(x)))
def symexp(x: Real) -> Array:
    r"""Symmetric exponential, $\operatorname{sign}(x) (e^{|x|} - 1)$.

    It is the inverse of `symlog`.

    >>> symexp(jnp.array([-1.0, 1e-8, 10.0]))
    Array([-1.71828e+00,  1.0e-08,  2.20255e+04], dtype=float32)
    """
    a = lax.abs(x)
    small = expm1(minimum(a, _EXPM1_IS_EXP_X))
    value = where(a < _EXPM1_IS_EXP_X, small, exp_full_range(a))
    return copysign(propagate_nan(x, value), x)


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
    bounds={"beta": (0.0, INF)},
)
def nlrelu(x: Real, beta: Real = 1.0) -> Array:
    r"""Natural-logarithm rectifier, $\log(1 + \beta \max(x, 0))$.

    The derivative at 0 is 0.

    Args:
        x: The input.
        beta: $\beta > 0$.

    >>> nlrelu(jnp.array([-2.0, 1e-8, 1e30]))
    Array([0.00000e+00, 1.00000e-08, 6.90776e+01], dtype=float32)
    """
    z = beta * jnp.maximum(x, 0)
    return where(z < 1, log1p(minimum(z, 1)), log(1 + z))


@nlrelu.defderivative
def nlrelu_dx(x: Real, beta: Real = 1.0) -> Array:
    return propagate_nan(x, where(x > 0, beta / (1 + beta * jnp.maximum(x, 0)), 0.0))


@nlrelu.defoutput()
def nlrelu_dx_from_y(y: Array, beta: Real = 1.0) -> Array:
    return propagate_nan(y, where(y > 0, beta * exp_full_range(-y), 0.0))


@nlrelu.derivative.defderivative
def nlrelu_dx2(x: Real, beta: Real = 1.0) -> Array:
    derivative = nlrelu.derivative(x, beta)
    return -derivative * derivative


@nlrelu.defpartial("beta")
def nlrelu_dbeta(x: Real, beta: Real = 1.0) -> Array:
    r = clip_to(x, 0, 1e30)  # inf / inf is NaN
    return r / (1 + beta * r)
