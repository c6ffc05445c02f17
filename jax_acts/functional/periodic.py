"""Periodic functions: the sine and what is made of it."""

import math

import jax.numpy as jnp
from jax import Array

from jax_acts._activation import activation
from jax_acts._function import Real

INF = math.inf


@activation(
    cite="sitzmann2020", range=(-1, 1), oracle=lambda m, x, omega=1: m.sin(omega * x)
)
def sine(x: Real, omega: Real = 1.0) -> Array:
    r"""Sine, $\sin(\omega x)$.

    Args:
        x: The input.
        omega: $\omega$; SIREN takes 30 in its first layer.

    >>> sine(jnp.array([-1.0, 0.0, 2.0]))
    Array([-0.84147096,  0.        ,  0.9092974 ], dtype=float32)
    """
    return jnp.sin(omega * x)


@sine.defderivative
def _(x: Real, omega: Real = 1.0) -> Array:
    return omega * jnp.cos(omega * x)


@sine.derivative.defderivative
def _(x: Real, omega: Real = 1.0) -> Array:
    return -omega * omega * sine(x, omega)


@sine.defpartial("omega")
def _(x: Real, omega: Real = 1.0) -> Array:
    return x * jnp.cos(omega * x)


@activation(
    cite="ziyin2020", oracle=lambda m, x, alpha=1: x + m.sin(alpha * x) ** 2 / alpha
)
def snake(x: Real, alpha: Real = 1.0) -> Array:
    r"""Snake, $x + \sin^2(\alpha x) / \alpha$.

    Args:
        x: The input.
        alpha: $\alpha$, not 0.

    >>> snake(jnp.array([-1.0, 0.0, 2.0]))
    Array([-0.29193,  0.        ,  2.82682 ], dtype=float32)
    """
    y = x + jnp.square(jnp.sin(alpha * x)) / alpha
    return jnp.where(jnp.isinf(x), x, y)


@snake.defderivative
def _(x: Real, alpha: Real = 1.0) -> Array:
    return jnp.square(_cos_plus_sin(alpha * x))  # 1 + sin(2 z) cancels at its zeros


@snake.derivative.defderivative
def _(x: Real, alpha: Real = 1.0) -> Array:
    z = alpha * x
    return 2 * alpha * _cos_plus_sin(z) * _cos_plus_sin(z, -1)  # cos(2 z)


@snake.defpartial("alpha")
def _(x: Real, alpha: Real = 1.0) -> Array:
    sin = jnp.sin(alpha * x)
    return (x * jnp.sin(2 * alpha * x) - sin * sin / alpha) / alpha


@activation(
    range=(-0.0025 * math.sqrt(2), INF),
    kinks={0: 0.0025},
    oracle=lambda m, x, epsilon=0.0025: x if x > 0 else epsilon * (m.sin(x) - m.cos(x)),
)
def sine_relu(x: Real, epsilon: Real = 0.0025) -> Array:
    r"""Sine rectifier, $x$ if $x > 0$, else $\epsilon (\sin x - \cos x)$.

    Args:
        x: The input.
        epsilon: $\epsilon$.

    >>> sine_relu(jnp.array([-1.0, 2.0]))
    Array([-0.00345443,  2.        ], dtype=float32)
    """
    low = jnp.minimum(x, 0)
    return jnp.where(x > 0, x, -epsilon * _cos_plus_sin(low, -1))


@sine_relu.defderivative
def _(x: Real, epsilon: Real = 0.0025) -> Array:
    low = jnp.minimum(x, 0)
    return jnp.where(x > 0, 1.0, epsilon * _cos_plus_sin(low))


@sine_relu.derivative.defderivative
def _(x: Real, epsilon: Real = 0.0025) -> Array:
    low = jnp.minimum(x, 0)
    return jnp.where(x > 0, 0.0, epsilon * _cos_plus_sin(low, -1))


@sine_relu.defpartial("epsilon")
def _(x: Real, epsilon: Real = 0.0025) -> Array:
    low = jnp.minimum(x, 0)
    return jnp.where(x > 0, 0.0, -_cos_plus_sin(low, -1))


def _cos_plus_sin(z: Real, sign: int = 1) -> Array:
    """Returns cos(z) + sin(z), or with sign -1 cos(z) - sin(z).

    Where these cancel they are cos(2 z) over the other one.
    """
    z = jnp.asarray(z)
    cos, sin = jnp.cos(z), sign * jnp.sin(z)
    near = (jnp.abs(cos - sin) > 1) & jnp.isfinite(2 * z)
    quotient = jnp.cos(2 * z) / jnp.where(near, cos - sin, 1)
    return jnp.where(near, quotient, cos + sin)
