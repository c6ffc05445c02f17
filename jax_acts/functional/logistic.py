"""Functions built on the logistic sigmoid."""

import math

import jax.numpy as jnp
from jax import Array

from jax_acts import _coefficients as table
from jax_acts._activation import activation
from jax_acts._function import Real
from jax_acts._math import exp, log1p, near_root, scaled, times_exp
from jax_acts.functional.hyperbolic import tanh

INF = math.inf


@activation(cite="verhulst1838", range=(0, 1), oracle=lambda m, x: 1 / (1 + m.exp(-x)))
def sigmoid(x: Real) -> Array:
    r"""Logistic sigmoid, $\sigma(x) = 1 / (1 + e^{-x})$.

    >>> sigmoid(jnp.array([-100.0, 0.0, 2.0]))
    Array([3.783506e-44, 5.000000e-01, 8.807971e-01], dtype=float32)
    """
    e = exp(-jnp.abs(x))
    return jnp.where(x < 0, e, 1.0) / (1 + e)


@sigmoid.defderivative
def _(x: Real) -> Array:
    e = exp(-jnp.abs(x))  # 1 - sigmoid(x) cancels for x >> 0
    return e / (1 + e * (2 + e))


@sigmoid.derivative.defderivative
def _(x: Real) -> Array:
    return -sigmoid.derivative(x) * tanh(0.5 * x)


@activation(
    cite="dugas2001",
    range=(0, INF),
    oracle=lambda m, x, beta=1: m.log1p(m.exp(m.mpf(beta) * x)) / m.mpf(beta),
)
def softplus(x: Real, beta: Real = 1.0) -> Array:
    r"""Softplus, $\log(1 + e^{\beta x}) / \beta$, the integral of `sigmoid`.

    Args:
        x: The input.
        beta: $\beta$; as it grows, softplus tends to `relu`.

    >>> softplus(jnp.array([-20.0, 0.0, 90.0]))
    Array([2.0611537e-09, 6.9314718e-01, 9.0000000e+01], dtype=float32)
    """
    z, _, _, e = _exponential(beta, x)
    return jnp.where(z > 0, x, 0) + log1p(e) / beta


@softplus.defderivative
def _(x: Real, beta: Real = 1.0) -> Array:
    z, _, _, e = _exponential(beta, x)
    return jnp.where(z < 0, e, 1.0) / (1 + e)


@softplus.derivative.defderivative
def _(x: Real, beta: Real = 1.0) -> Array:
    _, _, _, e = _exponential(beta, x)
    return beta * e / (1 + e * (2 + e))


@softplus.defpartial("beta")
def _(x: Real, beta: Real = 1.0) -> Array:
    _, a, _, e = _exponential(beta, x)
    return -(log1p(e) + a * e / (1 + e)) / (beta * beta)


@activation(range=(-INF, 0), oracle=lambda m, x: -m.log1p(m.exp(-x)))
def log_sigmoid(x: Real) -> Array:
    r"""Logarithm of the sigmoid, $\log \sigma(x) = -\log(1 + e^{-x})$.

    >>> log_sigmoid(jnp.array([-90.0, 0.0, 20.0]))
    Array([-9.0000000e+01, -6.9314718e-01, -2.0611537e-09], dtype=float32)
    """
    return jnp.minimum(x, 0) - log1p(exp(-jnp.abs(x)))


@log_sigmoid.defderivative
def _(x: Real) -> Array:
    return sigmoid(-jnp.asarray(x))


@activation(
    cite="hendrycks2016 elfwing2017 ramachandran2017",
    range=(-0.27846454276107376, INF),
    oracle=lambda m, x, beta=1: x / (1 + m.exp(-m.mpf(beta) * x)),
)
def silu(x: Real, beta: Real = 1.0) -> Array:
    r"""Sigmoid-weighted linear unit, $x\,\sigma(\beta x)$, also called swish.

    At $\beta = 0$ it is $x/2$, and as $\beta \to \infty$ it tends to `relu`.

    Args:
        x: The input.
        beta: $\beta$.

    >>> silu(jnp.array([-1.0, 0.0, 1.0]))
    Array([-0.26894143,  0.        ,  0.7310586 ], dtype=float32)
    """
    z, a, low, e = _exponential(beta, x)
    y = x / (1 + e)
    return jnp.where(z < 0, times_exp(y, -a, -low), y)


@silu.defderivative
def _(x: Real, beta: Real = 1.0) -> Array:
    z, a, low, e = _exponential(beta, x)
    square = 1 + e * (2 + e)  # (1 + e)^2, rounded once
    left = times_exp((1 - a + e) / square, -a, -low)
    left = near_root(-a, left, table.SILU_1, -low)
    return jnp.where(z < 0, left, (1 + e * (1 + a)) / square)


@silu.derivative.defderivative
def _(x: Real, beta: Real = 1.0) -> Array:
    _, a, low, e = _exponential(beta, x)
    cube = (1 + e) * (1 + e * (2 + e))
    even = times_exp((2 - a + e * (2 + a)) / cube, -a, -low)
    return beta * near_root(a, even, table.SILU_2, low)


@silu.defpartial("beta")
def _(x: Real, beta: Real = 1.0) -> Array:
    _, a, low, e = _exponential(beta, x)
    return x * times_exp(x / (1 + e * (2 + e)), -a, -low)


swish = silu


def _exponential(beta: Real, x: Real) -> tuple[Array, Array, Real, Array]:
    """Returns z = beta x, a = |z|, what a lacks, and e^-a."""
    z, low = scaled(beta, x)
    a = jnp.abs(z)
    if not isinstance(low, float):
        low = jnp.where(z < 0, -low, low)
    return z, a, low, exp(-a, -low)
