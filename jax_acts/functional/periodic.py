"""Periodic functions: the sine and what is made of it."""

import math

import jax.numpy as jnp
from jax import Array

from jax_acts._core.activation import activation
from jax_acts._numerics.bitwise import where
from jax_acts._numerics.double_word import hi_lo
from jax_acts._numerics.exp_log import exp_full_range
from jax_acts._numerics.trig import sin, sin_squared
from jax_acts._numerics.types import Real

INF = math.inf
_SQRT2 = math.sqrt(2)


@activation(
    cite="sitzmann2020", range=(-1, 1), reference=lambda m, x, omega=1: m.sin(omega * x)
)
def sine(x: Real, omega: Real = 1.0) -> Array:
    r"""Sine, $\sin(\omega x)$.

    Args:
        x: The input.
        omega: $\omega$; SIREN takes 30 in its first layer.

    >>> sine(jnp.array([-1.0, 0.0, 2.0]))
    Array([-0.84147096,  0.        ,  0.9092974 ], dtype=float32)
    """
    return where(x == 0, x, sin(jnp.asarray(omega * x)))  # which has lost the sign


@sine.defderivative
def sine_dx(x: Real, omega: Real = 1.0) -> Array:
    return omega * sin(jnp.asarray(omega * x), 2)


@sine.derivative.defderivative
def sine_dx2(x: Real, omega: Real = 1.0) -> Array:
    return -omega * omega * sine(x, omega)


@sine.defpartial("omega")
def sine_domega(x: Real, omega: Real = 1.0) -> Array:
    return x * sin(jnp.asarray(omega * x), 2)


@activation(range=(-1, 1), reference=lambda m, x, omega=1: m.cos(omega * x))
def cosine(x: Real, omega: Real = 1.0) -> Array:
    r"""Cosine, $\cos(\omega x)$.

    Args:
        x: The input.
        omega: $\omega$.

    >>> cosine(jnp.array([-1.0, 0.0, 2.0]))
    Array([ 0.5403023 ,  1.        , -0.41614684], dtype=float32)
    """
    return sin(jnp.asarray(omega * x), 2)


@cosine.defderivative
def cosine_dx(x: Real, omega: Real = 1.0) -> Array:
    return -omega * sine(x, omega)


@cosine.derivative.defderivative
def cosine_dx2(x: Real, omega: Real = 1.0) -> Array:
    return -omega * omega * cosine(x, omega)


@cosine.defpartial("omega")
def cosine_domega(x: Real, omega: Real = 1.0) -> Array:
    return -x * sine(x, omega)


@activation(
    cite="ziyin2020", reference=lambda m, x, alpha=1: x + m.sin(alpha * x) ** 2 / alpha
)
def snake(x: Real, alpha: Real = 1.0) -> Array:
    r"""Snake, $x + \sin^2(\alpha x) / \alpha$.

    Args:
        x: The input.
        alpha: $\alpha$, not 0.

    >>> snake(jnp.array([-1.0, 0.0, 2.0]))
    Array([-0.29193,  0.        ,  2.82682 ], dtype=float32)
    """
    y = x + sin_squared(jnp.asarray(alpha * x)) / alpha
    return where(jnp.isinf(x), x, y)


@snake.defderivative
def snake_dx(x: Real, alpha: Real = 1.0) -> Array:
    return 2 * sin_squared(
        jnp.asarray(alpha * x), 1
    )  # 1 + sin(2 z) cancels at its zeros


@snake.derivative.defderivative
def snake_dx2(x: Real, alpha: Real = 1.0) -> Array:
    z = jnp.asarray(alpha * x)
    return 4 * alpha * sin(z, 1) * sin(z, 3)  # 2 alpha cos(2 z)


@snake.defpartial("alpha")
def snake_dalpha(x: Real, alpha: Real = 1.0) -> Array:
    z = jnp.asarray(alpha * x)
    return (x * sin(2 * z) - sin_squared(z) / alpha) / alpha


@activation(
    cite="lee2022",
    reference=lambda m, x, alpha=1, beta=1: x + m.sin(m.mpf(alpha) * x) ** 2 / beta,
)
def snake_beta(
    x: Real, alpha: Real = 1.0, beta: Real = 1.0, *, log_scale: bool = False
) -> Array:
    r"""Snake with a height of its own, $x + \sin^2(\alpha x) / \beta$.

    Args:
        x: The input.
        alpha: $\alpha$, the frequency.
        beta: $\beta$, not 0; where it is $\alpha$, this is `snake`.
        log_scale: Whether the arguments are $\log \alpha$ and $\log \beta$, as BigVGAN
            learns them, from 0.

    >>> snake_beta(jnp.array([-1.0, 0.0, 2.0]), 1.0, 2.0)
    Array([-0.6459633,  0.       ,  2.413411 ], dtype=float32)
    """
    alpha, beta = _scales(alpha, beta, log_scale)
    y = x + sin_squared(jnp.asarray(alpha * x)) / beta
    return where(jnp.isinf(x), x, y)


@snake_beta.defderivative
def snake_beta_dx(
    x: Real, alpha: Real = 1.0, beta: Real = 1.0, *, log_scale: bool = False
) -> Array:
    alpha, beta = _scales(alpha, beta, log_scale)
    r = alpha / beta
    return 2 * r * sin_squared(jnp.asarray(alpha * x), 1) + (1 - r)


@snake_beta.derivative.defderivative
def snake_beta_dx2(
    x: Real, alpha: Real = 1.0, beta: Real = 1.0, *, log_scale: bool = False
) -> Array:
    alpha, beta = _scales(alpha, beta, log_scale)
    z = jnp.asarray(alpha * x)
    return 4 * (alpha / beta) * alpha * sin(z, 1) * sin(z, 3)


@snake_beta.defpartial("alpha")
def snake_beta_dalpha(
    x: Real, alpha: Real = 1.0, beta: Real = 1.0, *, log_scale: bool = False
) -> Array:
    alpha, beta = _scales(alpha, beta, log_scale)
    slope = x * sin(jnp.asarray(2 * alpha * x)) / beta
    return slope * alpha if log_scale else slope


@snake_beta.defpartial("beta")
def snake_beta_dbeta(
    x: Real, alpha: Real = 1.0, beta: Real = 1.0, *, log_scale: bool = False
) -> Array:
    alpha, beta = _scales(alpha, beta, log_scale)
    slope = -sin_squared(jnp.asarray(alpha * x)) / beta
    return slope if log_scale else slope / beta


@activation(
    range=(-0.0025 * math.sqrt(2), INF),
    kinks={0: 0.0025},
    reference=lambda m, x, epsilon=0.0025: (
        x if x > 0 else epsilon * (m.sin(x) - m.cos(x))
    ),
)
def sine_relu(x: Real, epsilon: Real = 0.0025) -> Array:
    r"""Sine rectifier, $x$ if $x > 0$, else $\epsilon (\sin x - \cos x)$.

    Args:
        x: The input.
        epsilon: $\epsilon$.

    >>> sine_relu(jnp.array([-1.0, 2.0]))
    Array([-0.00345443,  2.        ], dtype=float32)
    """
    return where(x > 0, x, -_wave(x, epsilon, 3))


@sine_relu.defderivative
def sine_relu_dx(x: Real, epsilon: Real = 0.0025) -> Array:
    return where(x > 0, 1.0, _wave(x, epsilon, 1))


@sine_relu.derivative.defderivative
def sine_relu_dx2(x: Real, epsilon: Real = 0.0025) -> Array:
    return where(x > 0, 0.0, _wave(x, epsilon, 3))


@sine_relu.defpartial("epsilon")
def sine_relu_depsilon(x: Real, epsilon: Real = 0.0025) -> Array:
    return where(x > 0, 0.0, -_SQRT2 * sin(jnp.asarray(x), 3))


def _scales(alpha: Real, beta: Real, log_scale: bool) -> tuple[Real, Real]:
    """Returns the frequency and the height of a snake."""
    if not log_scale:
        return alpha, beta
    return exp_full_range(jnp.asarray(alpha)), exp_full_range(jnp.asarray(beta))


def _wave(x: Real, epsilon: Real, eighths: int) -> Array:
    """Returns ε sqrt(2) sin(x + eighths π/4), with the factor in two parts."""
    y = sin(jnp.asarray(x), eighths)
    high, low = hi_lo(epsilon * _SQRT2, y.dtype)
    return y * high + y * low
