"""Functions built on the logistic sigmoid."""

import math

import jax.numpy as jnp
from jax import Array, lax

from jax_acts._core.activation import activation
from jax_acts._numerics import coefficients as table
from jax_acts._numerics.bitwise import max_nan_free, mul_sign, where
from jax_acts._numerics.double_word import Constant
from jax_acts._numerics.exp_log import (
    ScaledExp,
    exp,
    exp_and_expm1,
    expm1,
    exponent_product,
    log1p,
    log1p_ratio,
    mul_scaled_exp,
    scaled_exp,
)
from jax_acts._numerics.root import patch_near_zero
from jax_acts._numerics.types import Real

INF = math.inf


@activation(
    cite="verhulst1838", range=(0, 1), reference=lambda m, x: 1 / (1 + m.exp(-x))
)
def sigmoid(x: Real) -> Array:
    r"""Logistic sigmoid, $\sigma(x) = 1 / (1 + e^{-x})$.

    >>> sigmoid(jnp.array([-80.0, 0.0, 2.0]))
    Array([1.80485e-35, 5.0e-01, 8.80797e-01], dtype=float32)
    """
    e = exp(-lax.abs(x))
    return where(x < 0, e, 1.0) / (1 + e)


@sigmoid.defderivative
def sigmoid_dx(x: Real) -> Array:
    e = exp(-lax.abs(x))  # 1 - sigmoid(x) cancels for x >> 0
    return e / (1 + e * (2 + e))


@sigmoid.defoutput()
def sigmoid_dx_from_y(y: Array) -> Array:
    return y * (1 - y)


@sigmoid.derivative.defderivative
def sigmoid_dx2(x: Real) -> Array:
    y = -lax.abs(x)
    e = exp(y)
    bend = e * expm1(y) / ((1 + e) * (1 + e * (2 + e)))
    return mul_sign(bend, x)


@activation(
    cite="dugas2001",
    range=(0, INF),
    reference=lambda m, x, beta=1: m.log1p(m.exp(m.mpf(beta) * x)) / m.mpf(beta),
)
def softplus(x: Real, beta: Real = 1.0) -> Array:
    r"""Softplus, $\log(1 + e^{\beta x}) / \beta$, the integral of `sigmoid`.

    Args:
        x: The input.
        beta: $\beta$; as it grows, softplus tends to `relu`.

    >>> softplus(jnp.array([-20.0, 0.0, 90.0]))
    Array([2.0611537e-09, 6.9314718e-01, 9.0000000e+01], dtype=float32)
    """
    z, _, _, p = _exponential(beta, x)
    return where(z > 0, x, 0) + log1p(mul_scaled_exp(1.0, p)) / beta


@softplus.defderivative
def softplus_dx(x: Real, beta: Real = 1.0) -> Array:
    z, _, _, p = _exponential(beta, x)
    e = mul_scaled_exp(1.0, p)
    return where(z < 0, e, 1.0) / (1 + e)


@softplus.defoutput()
def softplus_dx_from_y(y: Array, beta: Real = 1.0) -> Array:
    return -expm1(-beta * y)


@softplus.derivative.defderivative
def softplus_dx2(x: Real, beta: Real = 1.0) -> Array:
    e = mul_scaled_exp(1.0, _exponential(beta, x)[-1])
    return beta * e / (1 + e * (2 + e))


@softplus.defpartial("beta")
def softplus_dbeta(x: Real, beta: Real = 1.0) -> Array:
    _, a, low, p = _exponential(beta, x)
    e = mul_scaled_exp(1.0, p)
    return -(log1p(e) + (a + low) * e / (1 + e)) / (beta * beta)


@activation(range=(-INF, 0), reference=lambda m, x: -m.log1p(m.exp(-x)))
def log_sigmoid(x: Real) -> Array:
    r"""Logarithm of the sigmoid, $\log \sigma(x) = -\log(1 + e^{-x})$.

    >>> log_sigmoid(jnp.array([-90.0, 0.0, 20.0]))
    Array([-9.0000000e+01, -6.9314718e-01, -2.0611537e-09], dtype=float32)
    """
    return jnp.minimum(x, 0) - log1p(exp(-lax.abs(x)))


@log_sigmoid.defderivative
def log_sigmoid_dx(x: Real) -> Array:
    return sigmoid(-jnp.asarray(x))


@log_sigmoid.defoutput()
def log_sigmoid_dx_from_y(y: Array) -> Array:
    return -expm1(y)


@activation(
    cite="schutt2017",
    range=(-math.log(2), INF),
    reference=lambda m, x: m.log1p(m.expm1(x) / 2),
)
def shifted_softplus(x: Real) -> Array:
    r"""Softplus through the origin, $\log(1 + e^x) - \log 2$.

    >>> shifted_softplus(jnp.array([-1.0, 1e-4, 2.0]))
    Array([-3.79885e-01,  5.00012e-05,  1.43378e+00], dtype=float32)
    """
    y = where(x < 1, x, -jnp.asarray(x))
    e, m = exp_and_expm1(y)  # softplus(x) - log(2) cancels near 0
    rest = log1p(where(x < 1, 0.5 * m, e))
    return where(x < 1, 0, x - math.log(2)) + rest


@shifted_softplus.defderivative
def shifted_softplus_dx(x: Real) -> Array:
    return sigmoid(x)


@activation(
    cite="deepseek2026",
    range=(0, INF),
    reference=lambda m, x: m.sqrt(m.log1p(m.exp(x))),
)
def sqrt_softplus(x: Real) -> Array:
    r"""Square root of softplus, $\sqrt{\log(1 + e^x)}$.

    >>> sqrt_softplus(jnp.array([-100.0, 0.0, 4.0]))
    Array([1.92875e-22, 8.32555e-01, 2.00453e+00], dtype=float32)
    """
    half, root = _softplus_root(x)
    return where(x < 0, half, 1.0) * root


@sqrt_softplus.defderivative
def sqrt_softplus_dx(x: Real) -> Array:
    half, root = _softplus_root(x)
    return where(x < 0, 0.5 * half, 0.5) / ((1 + half * half) * root)


@sqrt_softplus.derivative.defderivative
def sqrt_softplus_dx2(x: Real) -> Array:
    half, ratio = _half_exponential(x)
    e = half * half
    # The derivative is u / s, and this is (u' - u² / s²) / s, with s² = e ratio.
    left = half * (2 * ratio - 1) / (4 * jnp.square(1 + e) * ratio * jnp.sqrt(ratio))
    low = jnp.maximum(x, 0)
    e = exp(-low)
    square = jnp.maximum(low + log1p(e), 0.5)
    right = (0.5 * e - 0.25 / square) / (jnp.square(1 + e) * jnp.sqrt(square))
    right = patch_near_zero(x, right, table.SQRT_SOFTPLUS_2)
    return where(x < 0, left, right)


@activation(
    cite="hendrycks2016 elfwing2017 ramachandran2017",
    range=(-0.27846454276107376, INF),
    reference=lambda m, x, beta=1: x / (1 + m.exp(-m.mpf(beta) * x)),
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
    return _times_sigmoid(x, *_exponential(beta, x))


@silu.defderivative
def silu_dx(x: Real, beta: Real = 1.0) -> Array:
    z, a, low, p = _exponential(beta, x)
    left = patch_near_zero(-a, _silu_slope(a, low, p), table.SILU_1, -low)
    return where(z < 0, left, 1 - left)


@silu.derivative.defderivative
def silu_dx2(x: Real, beta: Real = 1.0) -> Array:
    return _silu_bend(*_exponential(beta, x), beta)


@silu.defpartial("beta")
def silu_dbeta(x: Real, beta: Real = 1.0) -> Array:
    p = _exponential(beta, x)[-1]
    e = mul_scaled_exp(1.0, p)
    finite = jnp.clip(x, -1e30, 1e30)
    return finite * (mul_scaled_exp(finite, p) / (1 + e * (2 + e)))


swish = silu


@activation(
    cite="hendrycks2016",
    range=(-0.16361013672213, INF),
    reference=lambda m, x: x / (1 + m.exp(-m.mpf("1.702") * x)),
)
def gelu_quick(x: Real) -> Array:
    r"""GELU by a sigmoid, $x\,\sigma(1.702 x)$.

    It differs from `gelu_exact` by at most 2.1e-2.

    >>> gelu_quick(jnp.array([-1.0, 0.0, 1.0]))
    Array([-0.154204,  0.      ,  0.845796], dtype=float32)
    """
    return _times_sigmoid(x, *_exponential(table.GELU_QUICK, x))


@gelu_quick.defderivative
def gelu_quick_dx(x: Real) -> Array:
    _, a, low, p = _exponential(table.GELU_QUICK, x)
    left = patch_near_zero(-lax.abs(x), _silu_slope(a, low, p), table.GELU_QUICK_1)
    return where(x < 0, left, 1 - left)


@gelu_quick.derivative.defderivative
def gelu_quick_dx2(x: Real) -> Array:
    bend = _silu_bend(*_exponential(table.GELU_QUICK, x), 1.702)
    return patch_near_zero(lax.abs(x), bend, table.GELU_QUICK_2)


def _times_sigmoid(x: Real, z: Array, a: Array, low: Real, p: ScaledExp) -> Array:
    """Returns x σ(z)."""
    finite = max_nan_free(-1e30, jnp.asarray(x))
    return where(z < 0, mul_scaled_exp(finite, p), x) / (1 + mul_scaled_exp(1.0, p))


def _silu_slope(a: Array, low: Real, p: ScaledExp) -> Array:
    """Returns the derivative of z σ(z) at z = -a; at a it is 1 less that."""
    e = mul_scaled_exp(1.0, p)
    top = mul_scaled_exp(1 - (a + low) + e, p)
    return top / (1 + e * (2 + e))  # by (1 + e)^2, rounded once


def _silu_bend(z: Array, a: Array, low: Real, p: ScaledExp, scale: Real) -> Array:
    """Returns the second derivative of z σ(z), which is even, times the scale."""
    e = mul_scaled_exp(1.0, p)
    cube = (1 + e) * (1 + e * (2 + e))
    even = 2 - (a + low) + e * (2 + (a + low))
    even = mul_scaled_exp(scale * even, p) / cube
    return patch_near_zero(a, even, table.SILU_2, low, scale)


def _exponential(
    beta: Real | Constant, x: Real
) -> tuple[Array, Array, Real, ScaledExp]:
    """Returns z = beta x, a = |z|, what a lacks, and e^-a."""
    z, low = exponent_product(beta, x)
    a = lax.abs(z)
    if not isinstance(low, float):
        low = where(z < 0, -low, low)
    return z, a, low, scaled_exp(-a, -low)


def _softplus_root(x: Real) -> tuple[Array, Array]:
    """Returns h = e^(-|x|/2) and sqrt(softplus(x)), without the factor h if x < 0."""
    half = exp(-0.5 * lax.abs(x))
    e = half * half
    ratio = log1p_ratio(e)
    return half, jnp.sqrt(where(x < 0, ratio, x + e * ratio))


def _half_exponential(x: Real) -> tuple[Array, Array]:
    """Returns e^(x/2) and log(1 + e^x) / e^x for x < 0; e^x vanishes too soon."""
    half = exp(0.5 * jnp.minimum(x, 0))
    return half, log1p_ratio(half * half)
