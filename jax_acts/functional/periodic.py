"""Periodic functions of x, and their sums and products with others."""

import math

import jax.numpy as jnp
from jax import Array, lax

from jax_acts._core.activation import activation
from jax_acts._numerics.bitwise import where
from jax_acts._numerics.double_word import hi_lo
from jax_acts._numerics.exp_log import exp_full_range
from jax_acts._numerics.ordinary import in_full_precision
from jax_acts._numerics.range_reduction import (
    Reduction,
    by_range,
)
from jax_acts._numerics.trig import (
    sin,
    sin_of_double,
    sin_squared,
    wave,
)
from jax_acts._numerics.types import Real
from jax_acts.functional.normal import gelu_exact

__all__ = [
    "cosine",
    "gelu_sine",
    "sinc",
    "sine",
    "sine_relu",
    "snake",
    "snake_beta",
]

INF = math.inf
_SQRT2 = math.sqrt(2)
_SINC_SERIES_Z = 1.5
"""Below, the power series: the 13th term is 1e-21 of the first."""
_SINC_1 = tuple(-2 * k / math.factorial(2 * k + 1) for k in range(1, 14))
_SINC_2 = tuple(2 * k * (2 * k - 1) / -math.factorial(2 * k + 1) for k in range(1, 14))


@activation(
    cite="sitzmann2020", range=(-1, 1), reference=lambda m, x, omega=1: m.sin(omega * x)
)
def sine(x: Real, omega: Real = 1.0) -> Array:
    r"""Sine, $\sin(\omega x)$.

    Args:
        x: The input.
        omega: $\omega$, the angular frequency; SIREN uses 30 in its first layer.

    >>> sine(jnp.array([-1.0, 0.0, 2.0]))
    Array([-0.84147096,  0.        ,  0.9092974 ], dtype=float32)
    """
    return sin(jnp.asarray(omega * x))


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
        omega: $\omega$, the angular frequency.

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
    cite="saratchandran2024",
    range=(-0.2172336282112216574, 1),
    reference=lambda m, x, omega=1: m.sinc(omega * m.mpf(x)),
)
def sinc(x: Real, omega: Real = 1.0) -> Array:
    r"""Cardinal sine, $\sin(\omega x) / (\omega x)$, and 1 at 0.

    Args:
        x: The input.
        omega: $\omega$, the angular frequency; $\pi$ gives `jnp.sinc`.

    >>> sinc(jnp.array([-1.0, 0.0, 2.0]))
    Array([0.841471, 1.      , 0.454649 ], dtype=float32)
    """
    z = jnp.asarray(omega * x)
    nonzero = where(z == 0, lax.full_like(z, 1), z)
    y = where(z == 0, lax.full_like(z, 1), sin(z) / nonzero)
    return where(jnp.isinf(z), 0.0, y)


@sinc.defderivative
def sinc_dx(x: Real, omega: Real = 1.0) -> Array:
    return omega * _sinc_dz(jnp.asarray(omega * x))


@sinc.derivative.defderivative
def sinc_dx2(x: Real, omega: Real = 1.0) -> Array:
    z = jnp.asarray(omega * x)
    near, large, square = _sinc_terms(z)
    # ((2 - z²) sin z - 2 z cos z) / z³
    rule = lambda reduce: wave(-2 / large, 2 / large / large - 1, reduce(large))
    d2 = by_range(rule, large) / large
    d2 = where(near, _alternating(square, _SINC_2), d2)
    return omega * omega * where(jnp.isinf(z), 0.0, d2)


@sinc.defpartial("omega")
def sinc_domega(x: Real, omega: Real = 1.0) -> Array:
    return x * _sinc_dz(jnp.asarray(omega * x))


@activation(
    cite="vitvitskyi2026",
    range=(-0.244044981135234245, INF),
    reference=lambda m, x, scale=0.1: x * m.ncdf(x) + m.mpf(scale) * m.sin(x),
)
def gelu_sine(x: Real, scale: Real = 0.1) -> Array:
    r"""GELU with a sine, $x\,\Phi(x) + a \sin x$, called GELUSine.

    Args:
        x: The input.
        scale: $a$.

    >>> gelu_sine(jnp.array([-1.0, 0.0, 2.0]))
    Array([-0.242802,  0.      ,  2.04543 ], dtype=float32)
    """
    x = jnp.asarray(x)
    y = gelu_exact.without_custom_jvp(x) + scale * sine.without_custom_jvp(x)
    # Near 0, a product of x alone: a term of the sum may be subnormal.
    y = where(lax.abs(x) < 2.0**-60, (0.5 + scale) * x, y)
    return where(x == jnp.inf, x, y)


@gelu_sine.defderivative
def gelu_sine_dx(x: Real, scale: Real = 0.1) -> Array:
    return gelu_exact.derivative(x) + scale * sine.derivative(x)


@gelu_sine.derivative.defderivative
@in_full_precision
def gelu_sine_dx2(x: Real, scale: Real = 0.1) -> Array:
    return gelu_exact.derivative.derivative(x) - scale * sine(x)


@gelu_sine.defpartial("scale")
def gelu_sine_dscale(x: Real, scale: Real = 0.1) -> Array:
    return sine(x)


@activation(
    cite="ziyin2020",
    reference=lambda m, x, alpha=1: x + m.sin(alpha * x) ** 2 / alpha,
    limits={"alpha": (INF,)},
)
def snake(x: Real, alpha: Real = 1.0) -> Array:
    r"""Snake, $x + \sin^2(\alpha x) / \alpha$.

    Args:
        x: The input.
        alpha: $\alpha$, the angular frequency; 0 gives $x$.

    >>> snake(jnp.array([-1.0, 0.0, 2.0]))
    Array([-0.29193,  0.        ,  2.82682 ], dtype=float32)
    """
    return _add_square(x, alpha, alpha)


@snake.defderivative
def snake_dx(x: Real, alpha: Real = 1.0) -> Array:
    # 2 sin²(z + π/4) = 1 + sin(2 z), which cancels at its zeros.
    return 2 * sin_squared(jnp.asarray(alpha * x), 1)


@snake.derivative.defderivative
def snake_dx2(x: Real, alpha: Real = 1.0) -> Array:
    return 2 * alpha * sin_of_double(jnp.asarray(alpha * x), 2)


@snake.defpartial("alpha")
def snake_dalpha(x: Real, alpha: Real = 1.0) -> Array:
    def value(reduce: Reduction) -> Array:
        z, divisor = jnp.asarray(alpha * x), _nonzero(alpha)
        double, square = sin_of_double(z, 0, reduce), sin_squared(z, 0, reduce)
        partial = (x * double - square / divisor) / divisor
        return where(z == 0, jnp.square(x), partial)

    return by_range(value, jnp.asarray(2 * alpha * x))


@activation(
    cite="lee2022",
    reference=lambda m, x, alpha=1, beta=1: x + m.sin(m.mpf(alpha) * x) ** 2 / beta,
)
def snake_beta(
    x: Real, alpha: Real = 1.0, beta: Real = 1.0, *, log_scale: bool = False
) -> Array:
    r"""Snake with separate amplitude, $x + \sin^2(\alpha x) / \beta$.

    Args:
        x: The input.
        alpha: $\alpha$, the angular frequency.
        beta: $\beta$, the reciprocal amplitude; $\beta = \alpha$ is `snake`. The
            limit for $\beta \to 0$ is infinite except at the zeros of the sine.
        log_scale: If true, the arguments are $\log \alpha$ and $\log \beta$. BigVGAN
            learns both, initialized to 0.

    >>> snake_beta(jnp.array([-1.0, 0.0, 2.0]), 1.0, 2.0)
    Array([-0.6459633,  0.       ,  2.413411 ], dtype=float32)
    """
    alpha, beta = _scales(alpha, beta, log_scale)
    return _add_square(x, alpha, beta)


@snake_beta.defderivative
def snake_beta_dx(
    x: Real, alpha: Real = 1.0, beta: Real = 1.0, *, log_scale: bool = False
) -> Array:
    alpha, beta = _scales(alpha, beta, log_scale)

    def value(reduce: Reduction) -> Array:
        z, r = jnp.asarray(alpha * x), alpha / _nonzero(beta)
        sine = sin_of_double(z, 0, reduce)
        # 1 + r sin(2z) cancels where it is 0 for r near 1; the other form for large r.
        dx = 2 * r * sin_squared(z, 1, reduce) + (1 - r)
        dx = where(lax.abs(r) > 4, 1 + r * sine, dx)
        return where(_is_zero(beta), 1 + _mul_infinity(alpha * sine), dx)

    return by_range(value, jnp.asarray(2 * alpha * x))


@snake_beta.derivative.defderivative
def snake_beta_dx2(
    x: Real, alpha: Real = 1.0, beta: Real = 1.0, *, log_scale: bool = False
) -> Array:
    alpha, beta = _scales(alpha, beta, log_scale)
    cosine = sin_of_double(jnp.asarray(alpha * x), 2)
    dx2 = 2 * (alpha / _nonzero(beta)) * alpha * cosine
    return where(_is_zero(beta), _mul_infinity(dx2), dx2)


@snake_beta.defpartial("alpha")
def snake_beta_dalpha(
    x: Real, alpha: Real = 1.0, beta: Real = 1.0, *, log_scale: bool = False
) -> Array:
    alpha, beta = _scales(alpha, beta, log_scale)
    partial = x * sin(jnp.asarray(2 * alpha * x)) / beta
    return partial * alpha if log_scale else partial


@snake_beta.defpartial("beta")
def snake_beta_dbeta(
    x: Real, alpha: Real = 1.0, beta: Real = 1.0, *, log_scale: bool = False
) -> Array:
    alpha, beta = _scales(alpha, beta, log_scale)
    partial = -sin_squared(jnp.asarray(alpha * x)) / beta
    return partial if log_scale else partial / beta


@activation(
    range=(-0.0025 * math.sqrt(2), INF),
    kinks={0: 0.0025},
    reference=lambda m, x, epsilon=0.0025: (
        x if x > 0 else epsilon * (m.sin(x) - m.cos(x))
    ),
)
def sine_relu(x: Real, epsilon: Real = 0.0025) -> Array:
    r"""Sine rectified linear unit, $x$ if $x > 0$, else $\epsilon (\sin x - \cos x)$.

    Args:
        x: The input.
        epsilon: $\epsilon$.

    >>> sine_relu(jnp.array([-1.0, 2.0]))
    Array([-0.00345443,  2.        ], dtype=float32)
    """
    # sin x - cos x = -sqrt(2) sin(x + 3 π/4).
    return where(x > 0, x, -_scaled_sine(x, epsilon, 3))


@sine_relu.defderivative
def sine_relu_dx(x: Real, epsilon: Real = 0.0025) -> Array:
    return where(x > 0, 1.0, _scaled_sine(x, epsilon, 1))


@sine_relu.derivative.defderivative
def sine_relu_dx2(x: Real, epsilon: Real = 0.0025) -> Array:
    return where(x > 0, 0.0, _scaled_sine(x, epsilon, 3))


@sine_relu.defpartial("epsilon")
def sine_relu_depsilon(x: Real, epsilon: Real = 0.0025) -> Array:
    return where(x > 0, 0.0, -_SQRT2 * sin(jnp.asarray(x), 3))


def _sinc_dz(z: Array) -> Array:
    """Return the derivative of sin(z) / z, (z cos z - sin z) / z²."""
    near, large, square = _sinc_terms(z)
    dz = by_range(lambda reduce: wave(1.0, -1 / large, reduce(large)), large) / large
    dz = where(near, z * _alternating(square, _SINC_1), dz)
    return where(jnp.isinf(z), 0.0, dz)


def _sinc_terms(z: Array) -> tuple[Array, Array, Array]:
    """Return whether |z| is small, z where it is not, and z² where it is."""
    near = lax.abs(z) < _SINC_SERIES_Z
    square = jnp.square(where(near, z, 0.0))
    return near, where(near, lax.full_like(z, 2), z), square


def _alternating(square: Array, terms: tuple[float, ...]) -> Array:
    """Return the sum of terms[k] (-square)^k."""
    y = lax.full_like(square, terms[-1])
    for term in reversed(terms[:-1]):
        y = term - square * y
    return y


def _nonzero(parameter: Real) -> Real:
    """Return the parameter, or 1 where it is 0."""
    if isinstance(parameter, float):
        return parameter or 1.0
    return where(parameter == 0, lax.full_like(parameter, 1), parameter)


def _is_zero(parameter: Real) -> Array:
    return jnp.asarray(parameter) == 0


def _mul_infinity(y: Array) -> Array:
    """Return y * inf, but 0 for y = 0."""
    return where(y == 0, y, y * jnp.inf)


def _scales(alpha: Real, beta: Real, log_scale: bool) -> tuple[Real, Real]:
    """Return (alpha, beta), exponentiated if they are given as logarithms."""
    if not log_scale:
        return alpha, beta
    return exp_full_range(jnp.asarray(alpha)), exp_full_range(jnp.asarray(beta))


def _scaled_sine(x: Real, epsilon: Real, eighths: int) -> Array:
    """Return ε sqrt(2) sin(x + eighths π/4), with the factor in double-word."""
    y = sin(jnp.asarray(x), eighths)
    hi, lo = hi_lo(epsilon * _SQRT2, y.dtype)
    return y * hi + y * lo


def _add_square(x: Real, alpha: Real, beta: Real) -> Array:
    """Return x + sin²(α x) / β."""

    def value(reduce: Reduction) -> Array:
        square = sin_squared(jnp.asarray(alpha * x), 0, reduce)
        y = x + square / where((square == 0) & _is_zero(beta), 1.0, beta)
        return where(jnp.isinf(x), x, y)

    return by_range(value, jnp.asarray(2 * alpha * x))
