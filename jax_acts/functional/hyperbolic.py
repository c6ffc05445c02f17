"""The hyperbolic tangent and what is made of it."""

import jax.numpy as jnp
from jax import Array

from jax_acts._activation import activation
from jax_acts._function import Real
from jax_acts._math import exp, expm1, times_exp


@activation(range=(-1, 1), oracle=lambda m, x: m.tanh(x))
def tanh(x: Real) -> Array:
    r"""Hyperbolic tangent, $\tanh x = (e^x - e^{-x}) / (e^x + e^{-x})$.

    >>> tanh(jnp.array([-20.0, 0.0, 1.0]))
    Array([-1.       ,  0.       ,  0.7615942], dtype=float32)
    """
    m = expm1(-2 * jnp.abs(x))
    return jnp.copysign(-m / (2 + m), x)


@tanh.defderivative
def _(x: Real) -> Array:
    y = -2 * jnp.abs(x)
    e = exp(y)  # 1 - tanh(x)^2 cancels for |x| >> 0
    return times_exp(4 / (1 + e * (2 + e)), y)


@tanh.derivative.defderivative
def _(x: Real) -> Array:
    return -2 * tanh(x) * tanh.derivative(x)
