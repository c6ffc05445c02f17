"""Functions built on the normal distribution, whose Φ(x) is (1 + erf(x / √2)) / 2."""

import math
from typing import Any

import jax.numpy as jnp
from jax import Array, lax

from jax_acts._core.activation import activation
from jax_acts._numerics import coefficients as table
from jax_acts._numerics.bitwise import (
    max_nan_free,
    min_nan_free,
    mul_sign,
    propagate_nan,
    round_to_bits,
    where,
)
from jax_acts._numerics.double_word import hi_lo, two_div, two_prod, two_sum
from jax_acts._numerics.exp_log import exp, mul_exp, mul_scaled_exp, scaled_exp
from jax_acts._numerics.polynomial import fold_half_line, polynomial, polynomial_hi_lo
from jax_acts._numerics.root import patch_near_zero
from jax_acts._numerics.types import Real

INF = math.inf

_DENSITY = 1 / math.sqrt(2 * math.pi)


def _exact(m: Any, x: Any) -> Any:
    return x * m.erfc(-x / m.sqrt(2)) / 2


def _by_tanh(m: Any, x: Any) -> Any:
    return x / (1 + m.exp(-m.sqrt(8 / m.pi) * (x + m.mpf("0.044715") * x**3)))


@activation(
    cite="hendrycks2016",
    range=(-0.16997120747990369, INF),
    reference=_exact,
)
def gelu_exact(x: Real) -> Array:
    r"""Gaussian error linear unit, $x\,\Phi(x)$.

    >>> gelu_exact(jnp.array([-1.0, 0.0, 1.0]))
    Array([-0.15866,  0.        ,  0.84134 ], dtype=float32)
    """
    a, y, low = half_square(x)
    ratio, rest = polynomial_hi_lo(fold_half_line(a), table.PHI_TAIL)
    tail = mul_scaled_exp(ratio, scaled_exp(y, low), rest)  # a Φ(-a)
    middle = x * (0.5 + x * polynomial(jnp.square(x), table.PHI))
    far = where(x < 0, 0, x) - tail
    return where(a < 0.875, middle, far)  # 0.5 + x P(x²) cancels for x < 0


@gelu_exact.defderivative
def gelu_exact_dx(x: Real) -> Array:
    a, y, low = half_square(x)
    zero, rest = table.GELU_1.zero[a.dtype.name]
    factor = polynomial(fold_half_line(a), table.GELU_1.factor)
    left = mul_exp((a - zero) * factor - rest * table.GELU_1.slope, y, low)
    return where(x < 0, left, 1 - left)  # gelu'(-x) = 1 - gelu'(x)


@gelu_exact.derivative.defderivative
def gelu_exact_dx2(x: Real) -> Array:
    a, y, low = half_square(x)
    root, rest = table.SQRT2[a.dtype.name]
    difference = (root - a) * (root + a) + 2 * math.sqrt(2) * rest  # 2 - x²
    return mul_exp(difference * _DENSITY, y, low)


@activation(
    cite="hendrycks2016",
    range=(-0.17004075057125412, INF),
    reference=_by_tanh,
)
def gelu_tanh(x: Real) -> Array:
    r"""GELU by a tanh, $\frac{x}{2} (1 + \tanh(\sqrt{2/\pi} (x + 0.044715 x^3)))$.

    It differs from `gelu_exact` by at most 4.8e-4.

    >>> gelu_tanh(jnp.array([-1.0, 0.0, 1.0]))
    Array([-0.15880801,  0.        ,  0.841192  ], dtype=float32)
    """
    v, low = _gelu_tanh_exponent(x)
    p = scaled_exp(-v, -low)
    finite = max_nan_free(-_REACH, jnp.asarray(x))
    return where(x < 0, mul_scaled_exp(finite, p), x) / (1 + mul_scaled_exp(1.0, p))


@gelu_tanh.defderivative
def gelu_tanh_dx(x: Real) -> Array:
    v, low = _gelu_tanh_exponent(x)
    p = scaled_exp(-v, -low)
    e = mul_scaled_exp(1.0, p)
    a = min_nan_free(_REACH, lax.abs(x))
    cubic, rest = table.GELU_TANH_CUBIC[a.dtype.name]
    t = v + (2 * (cubic + rest) * a * a * a + low)  # a times the derivative of v
    left = mul_scaled_exp(1 + e - t, p) / (1 + e * (2 + e))
    left = patch_near_zero(-a, left, table.GELU_TANH_1)
    return where(x < 0, left, 1 - left)  # gelu'(-x) = 1 - gelu'(x)


@gelu_tanh.derivative.defderivative
def gelu_tanh_dx2(x: Real) -> Array:
    v, low = _gelu_tanh_exponent(x)
    p = scaled_exp(-v, -low)
    e = mul_scaled_exp(1.0, p)
    a = min_nan_free(_REACH, lax.abs(x))
    slope = _gelu_tanh_slope(a)
    cubic, rest = table.GELU_TANH_CUBIC[a.dtype.name]
    inner = 2 * slope + a * (6 * (cubic + rest) * a - slope * slope * (1 - e) / (1 + e))
    even = mul_scaled_exp(inner, p) / (1 + e * (2 + e))
    return patch_near_zero(a, even, table.GELU_TANH_2)


@activation(
    cite="hendrycks2016",
    range=(-0.17004075057125412, INF),
    reference=_by_tanh,
)
def gelu(x: Real, approximate: bool = True) -> Array:
    r"""Gaussian error linear unit, $x\,\Phi(x)$, as `jax.nn.gelu`.

    It is `gelu_tanh` or `gelu_exact`.

    Args:
        x: The input.
        approximate: Whether to use the formula with tanh, which is the default of JAX
            and Flax, while that of PyTorch, Keras and ONNX is the exact one.

    >>> gelu(jnp.array([-1.0, 0.0, 1.0]))
    Array([-0.15880801,  0.        ,  0.841192  ], dtype=float32)
    """
    return (gelu_tanh if approximate else gelu_exact).without_custom_jvp(x)


@gelu.defderivative
def gelu_dx(x: Real, approximate: bool = True) -> Array:
    return (gelu_tanh if approximate else gelu_exact).derivative(x)


@activation(
    cite="wu2020",
    range=(-0.16997120747990369, 10),
    kinks={10: 1},
    reference=lambda m, x, low=-10, high=10: min(max(_exact(m, x), low), high),
)
def gelu_clipped(x: Real, min_val: Real = -10.0, max_val: Real = 10.0) -> Array:
    r"""GELU within bounds, $\min(\max(x\,\Phi(x), a), b)$.

    Args:
        x: The input.
        min_val: $a$.
        max_val: $b$.

    >>> gelu_clipped(jnp.array([-1.0, 1.0, 20.0]))
    Array([-0.15866,  0.84134 , 10.        ], dtype=float32)
    """
    return jnp.clip(gelu_exact.without_custom_jvp(x), min_val, max_val)


@gelu_clipped.defderivative
def gelu_clipped_dx(x: Real, min_val: Real = -10.0, max_val: Real = 10.0) -> Array:
    y = gelu_exact(x)
    inside = (y >= min_val) & (y <= max_val)
    return propagate_nan(x, where(inside, gelu_exact.derivative(x), 0.0))


@gelu_clipped.defpartial("min_val")
def gelu_clipped_dmin_val(
    x: Real, min_val: Real = -10.0, max_val: Real = 10.0
) -> Array:
    return propagate_nan(x, where(gelu_exact(x) < min_val, 1.0, 0.0))


@gelu_clipped.defpartial("max_val")
def gelu_clipped_dmax_val(
    x: Real, min_val: Real = -10.0, max_val: Real = 10.0
) -> Array:
    return propagate_nan(x, where(gelu_exact(x) > max_val, 1.0, 0.0))


@activation(range=(-1, 1), reference=lambda m, x: m.erf(x))
def erf(x: Real) -> Array:
    r"""Error function, $\frac{2}{\sqrt\pi} \int_0^x e^{-t^2} dt$.

    >>> erf(jnp.array([-1.0, 0.0, 0.5]))
    Array([-0.8427,  0.       ,  0.5205], dtype=float32)
    """
    a, y, low = half_square(x, twice=True)
    tail = math.sqrt(2) * polynomial(fold_half_line(math.sqrt(2) * a), table.PHI_TAIL)
    far = 1 - mul_exp(tail, y, low) / a
    near = min_nan_free(1.0, a)
    middle = near * polynomial(near * near, table.ERF)
    return mul_sign(where(a <= 0.9, middle, far), x)


@erf.defderivative
def erf_dx(x: Real) -> Array:
    _, y, low = half_square(x, twice=True)
    return mul_exp(2 / math.sqrt(math.pi), y, low)


@erf.derivative.defderivative
def erf_dx2(x: Real) -> Array:
    a, y, low = half_square(x, twice=True)
    return mul_exp(-4 / math.sqrt(math.pi) * jnp.copysign(a, x), y, low)


@activation(
    cite="ma2022",
    range=(0, 1),
    reference=lambda m, x, mu=0.707107, sigma=0.282095: (
        m.erfc((mu - x) / (sigma * m.sqrt(2))) / 2
    ),
)
def laplace(x: Real, mu: Real = 0.707107, sigma: Real = 0.282095) -> Array:
    r"""Distribution function of a normal variable, $\Phi((x - \mu) / \sigma)$.

    Args:
        x: The input.
        mu: $\mu$.
        sigma: $\sigma$, positive.

    >>> laplace(jnp.array([-1.0, 0.707107, 1.0]))
    Array([7.17373e-10, 5.0e-01, 8.5043e-01], dtype=float32)
    """
    return cumulative(*_standardised(x, mu, sigma))


@laplace.defderivative
def laplace_dx(x: Real, mu: Real = 0.707107, sigma: Real = 0.282095) -> Array:
    _, y, low = _standardised(x, mu, sigma)
    return mul_exp(_DENSITY / sigma, y, low)


@laplace.derivative.defderivative
def laplace_dx2(x: Real, mu: Real = 0.707107, sigma: Real = 0.282095) -> Array:
    u, y, low = _standardised(x, mu, sigma)
    return mul_exp(-_DENSITY * u / (sigma * sigma), y, low)


@laplace.defpartial("mu")
def laplace_dmu(x: Real, mu: Real = 0.707107, sigma: Real = 0.282095) -> Array:
    return -laplace.derivative(x, mu, sigma)


@laplace.defpartial("sigma")
def laplace_dsigma(x: Real, mu: Real = 0.707107, sigma: Real = 0.282095) -> Array:
    u, y, low = _standardised(x, mu, sigma)
    return mul_exp(-_DENSITY * u / sigma, y, low)


@activation(range=(0, 1), reference=lambda m, x: m.exp(-x * x))
def gaussian(x: Real) -> Array:
    r"""Gaussian, $e^{-x^2}$.

    >>> gaussian(jnp.array([-1.0, 0.0, 2.0]))
    Array([0.36787945, 1.        , 0.01831564], dtype=float32)
    """
    _, y, low = half_square(x, twice=True)
    return exp(y, low)


@gaussian.defderivative
def gaussian_dx(x: Real) -> Array:
    a, y, low = half_square(x, twice=True)
    return mul_exp(-2 * jnp.copysign(a, x), y, low)


@gaussian.derivative.defderivative
def gaussian_dx2(x: Real) -> Array:
    a, y, low = half_square(x, twice=True)
    root, rest = table.SQRT_HALF[a.dtype.name]
    difference = (a - root) * (a + root) - math.sqrt(2) * rest  # x² - 1/2
    return mul_exp(4 * difference, y, low)


_REACH = 40.0  # beyond it e^(-x²/2) is 0, in float64 too
_BOUND = {"float32": 16.0, "float64": 64.0}
"""Beyond it gelu_tanh(-x) is 0; it is a power of two, so that `rest` is 0 there."""


def cumulative(u: Array, y: Array, low: Array) -> Array:
    """Returns Φ(u) for -u²/2 as an exponent, and what it lacks."""
    a = lax.abs(u)
    ratio, rest = polynomial_hi_lo(fold_half_line(a), table.PHI_TAIL)
    tail = mul_scaled_exp(ratio, scaled_exp(y, low), rest) / a  # Φ(-a)
    near = min_nan_free(1.0, max_nan_free(-1.0, u))
    middle = 0.5 + near * polynomial(near * near, table.PHI)
    return where(a <= 0.875, middle, where(u < 0, tail, 1 - tail))


def half_square(x: Real, *, twice: bool = False) -> tuple[Array, Array, Array]:
    """Returns |x|, and -x²/2 as an exponent and what it lacks; or twice that."""
    a = min_nan_free(_REACH, lax.abs(x))
    high, low = two_prod(a, a)
    factor = -1.0 if twice else -0.5
    return a, factor * high, factor * low


def _gelu_tanh_exponent(x: Real) -> tuple[Array, Array]:
    """Returns v = a (l + c a²) for a = |x|, with l = 2 sqrt(2/π), c = 0.044715 l.

    It is in two parts, since e^v has v times the error of v. Of the short factors the
    first part is made without rounding: a in 8 digits, c in 7, l + c a² in 16.
    """
    a = min_nan_free(_BOUND[jnp.asarray(x).dtype.name], lax.abs(x))
    (linear, linear_rest), (cubic, cubic_rest) = _linear_and_cubic(a)
    short = round_to_bits(a, {"float32": 8, "float64": 17})
    square, rest = short * short, a - short
    factor = linear + cubic * square
    first = round_to_bits(factor, {"float32": 16, "float64": 36})
    lack = (linear - first) + cubic * square  # without rounding, unlike the factor
    lack = lack + (linear_rest + cubic_rest * square)
    # The slope of v between `short` and a.
    slope = (cubic + cubic_rest) * (square + a * (short + a)) + (linear + linear_rest)
    return short * first, short * lack + rest * slope


def _gelu_tanh_slope(a: Array) -> Array:
    """Returns the derivative of that exponent."""
    (linear, linear_rest), (cubic, cubic_rest) = _linear_and_cubic(a)
    return (linear + linear_rest) + 3 * (cubic + cubic_rest) * a * a


def _linear_and_cubic(a: Array) -> tuple[tuple[float, float], tuple[float, float]]:
    """Returns the coefficients of that exponent, in two parts each."""
    name = a.dtype.name
    return table.GELU_TANH_LINEAR[name], table.GELU_TANH_CUBIC[name]


def _standardised(x: Real, mu: Real, sigma: Real) -> tuple[Array, Array, Array]:
    """Returns u = (x - mu) / sigma, and -u²/2 as an exponent and what it lacks."""
    x = jnp.asarray(x)
    mu, mu_low = hi_lo(mu, x.dtype)
    mu = propagate_nan(x, mu)  # no constant, which XLA would add up with others
    shifted, shifted_low = two_sum(min_nan_free(1e18, max_nan_free(-1e18, x)), -mu)
    high, low = two_div(shifted, sigma)
    low = low + (shifted_low - mu_low) / sigma
    low = where(lax.abs(high) < _REACH, low, 0.0)
    high = min_nan_free(_REACH, max_nan_free(-_REACH, high))
    return high + low, -0.5 * high * high, -low * (high + 0.5 * low)
