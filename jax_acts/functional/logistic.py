"""The logistic sigmoid, its integral softplus, and SiLU."""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jax_acts._core.activation import activation
from jax_acts._numerics import coefficients as coeffs
from jax_acts._numerics.bitwise import (
    clip_to,
    divide,
    max_nan_free,
    min_nan_free,
    minimum,
    mul_sign,
    odd,
    propagate_nan,
    sign_bit,
    where,
)
from jax_acts._numerics.double_word import Constant, hi_lo, two_prod, two_sum
from jax_acts._numerics.exp_log import (
    RECIPROCAL_HEADROOM,
    ScaledExp,
    exp,
    exp_and_expm1,
    exp_or_inf,
    expm1,
    exponent_limits,
    exponent_product,
    log1p,
    log1p_ratio,
    mul_scaled_exp,
    one_plus_exp,
    scaled_exp,
)
from jax_acts._numerics.ordinary import is_bfloat16
from jax_acts._numerics.polynomial import polynomial
from jax_acts._numerics.root import patch_near_zero
from jax_acts._numerics.types import Real

__all__ = [
    "gelu_quick",
    "log_sigmoid",
    "shifted_softplus",
    "sigmoid",
    "silu",
    "soft_clipping",
    "softplus",
    "sqrt_softplus",
    "swish",
]

INF = math.inf

_EXP_HEADROOM = -60  # e^-a is 0 at the limit, also with the headroom of `scaled_exp`
_RECIPROCAL_SCALE = 2.0**RECIPROCAL_HEADROOM


@activation(
    cite="verhulst1838", range=(0, 1), reference=lambda m, x: 1 / (1 + m.exp(-x))
)
def sigmoid(x: Real) -> Array:
    r"""Logistic sigmoid, $\sigma(x) = 1 / (1 + e^{-x})$.

    >>> sigmoid(jnp.array([-80.0, 0.0, 2.0]))
    Array([1.80485e-35, 5.0e-01, 8.80797e-01], dtype=float32)
    """
    x = jnp.asarray(x)
    lowest, highest = exponent_limits(x.dtype)
    y = min_nan_free(highest, max_nan_free(lowest, -x))  # e^y is ∞ or 0 there
    return 1 / one_plus_exp(y, headroom=0)


@sigmoid.defderivative
def sigmoid_dx(x: Real) -> Array:
    s = 1 / (1 + exp_or_inf(lax.abs(x)))  # 1 - sigmoid(x) cancels for x >> 0
    return s - s * s


@sigmoid.defxla
def sigmoid_xla(x: Real) -> Array:
    return jax.nn.sigmoid(jnp.asarray(x))


@sigmoid.defoutput()
def sigmoid_dx_from_y(y: Array) -> Array:
    return y * (1 - y)


@sigmoid.derivative.defderivative
def sigmoid_dx2(x: Real) -> Array:
    y = -lax.abs(x)
    e = exp(y)
    d2 = e * expm1(y) / ((1 + e) * (1 + e * (2 + e)))
    return odd(d2, x)


@activation(
    cite="dugas2001",
    range=(0, INF),
    reference=lambda m, x, beta=1: m.log1p(m.exp(m.mpf(beta) * x)) / m.mpf(beta),
    bounds={"beta": (1e-3, INF)},
    limits={"beta": (INF,)},
)
def softplus(x: Real, beta: Real = 1.0) -> Array:
    r"""Softplus, $\log(1 + e^{\beta x}) / \beta$, the integral of `sigmoid`.

    It tends to `relu` as $\beta \to \infty$.

    Args:
        x: The input.
        beta: $\beta$.

    >>> softplus(jnp.array([-20.0, 0.0, 90.0]))
    Array([2.0611537e-09, 6.9314718e-01, 9.0000000e+01], dtype=float32)
    """
    negative, a, lo = _double_word_exponent(beta, x, headroom=0)
    logarithm = log1p(exp(-a, -lo))
    if isinstance(beta, float):
        return max_nan_free(0.0, jnp.asarray(x)) + logarithm
    return where(negative, 0, x) + logarithm / beta


@softplus.defderivative
def softplus_dx(x: Real, beta: Real = 1.0) -> Array:
    negative, a, lo = _double_word_exponent(beta, x, headroom=0)
    e = exp(-a, -lo)  # as in the value
    return where(negative, e, 1.0) / (1 + e)


@softplus.defoutput()
def softplus_dx_from_y(y: Array, beta: Real = 1.0) -> Array:
    return -expm1(-beta * y)


@softplus.derivative.defderivative
def softplus_dx2(x: Real, beta: Real = 1.0) -> Array:
    _, a, lo = _double_word_exponent(beta, x, headroom=0)
    e = exp(-a, -lo)
    s = e / (1 + e)
    return beta * (s - s * s)


@softplus.defpartial("beta")
def softplus_dbeta(x: Real, beta: Real = 1.0) -> Array:
    _, a, lo = _double_word_exponent(beta, x, headroom=0)
    e = exp(-a, -lo)
    return -(log1p(e) + (a + lo) * e / (1 + e)) / (beta * beta)


@activation(range=(-INF, 0), reference=lambda m, x: -m.log1p(m.exp(-x)))
def log_sigmoid(x: Real) -> Array:
    r"""Logarithm of the sigmoid, $\log \sigma(x) = -\log(1 + e^{-x})$.

    >>> log_sigmoid(jnp.array([-90.0, 0.0, 20.0]))
    Array([-9.0000000e+01, -6.9314718e-01, -2.0611537e-09], dtype=float32)
    """
    return minimum(x, 0) - log1p(exp(-lax.abs(x)))


@log_sigmoid.defderivative
def log_sigmoid_dx(x: Real) -> Array:
    x = jnp.asarray(x)
    e = exp(-lax.abs(x))  # as in the value
    return where(sign_bit(x), 1.0, e) / (1 + e)


@log_sigmoid.derivative.defderivative
def log_sigmoid_dx2(x: Real) -> Array:
    return -sigmoid.derivative(x)


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
    e, m = exp_and_expm1(y)
    # log1p((e^x - 1) / 2) for x < 1: softplus(x) - log(2) cancels near 0.
    logarithm = log1p(where(x < 1, 0.5 * m, e))
    return where(x < 1, 0, x - math.log(2)) + logarithm


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
    # With s = sqrt(softplus(x)) and u = σ(x) / 2 it is (u' - u² / s²) / s.
    half = exp(0.5 * minimum(x, 0))  # e^(x/2): e^x underflows earlier
    e = half * half
    ratio = log1p_ratio(e)  # s² / e^x
    left = half * (2 * ratio - 1) / (4 * jnp.square(1 + e) * ratio * jnp.sqrt(ratio))
    r = where(x < 0, 0.0, x)  # with derivative 1 at 0
    e = exp(-r)
    square = jnp.maximum(r + log1p(e), 0.5)  # s²
    right = (0.5 * e - 0.25 / square) / (jnp.square(1 + e) * jnp.sqrt(square))
    right = patch_near_zero(x, right, coeffs.SQRT_SOFTPLUS_2)
    return where(x < 0, left, right)


@activation(
    cite="hendrycks2016 elfwing2017 ramachandran2017",
    range=(-0.27846454276107376, INF),
    reference=lambda m, x, beta=1: x / (1 + m.exp(-m.mpf(beta) * x)),
    limits={"beta": (INF,)},
)
def silu(x: Real, beta: Real = 1.0) -> Array:
    r"""Sigmoid-weighted linear unit, $x\,\sigma(\beta x)$, also called swish.

    It is $x/2$ at $\beta = 0$ and tends to `relu` as $\beta \to \infty$.

    Args:
        x: The input.
        beta: $\beta$.

    >>> silu(jnp.array([-1.0, 0.0, 1.0]))
    Array([-0.26894143,  0.        ,  0.7310586 ], dtype=float32)
    """
    if isinstance(beta, float):
        return _mul_sigmoid(x, beta)
    negative, a, lo = _double_word_exponent(beta, x, _EXP_HEADROOM)
    p = scaled_exp(-a, -lo)
    finite = max_nan_free(-1e30, jnp.asarray(x))  # -inf * 0 is NaN
    return where(negative, mul_scaled_exp(finite, p), x) / (1 + mul_scaled_exp(1.0, p))


@silu.defderivative
def silu_dx(x: Real, beta: Real = 1.0) -> Array:
    return _silu_derivative(*_double_word_exponent(beta, x))


@silu.derivative.defderivative
def silu_dx2(x: Real, beta: Real = 1.0) -> Array:
    _, a, lo = _double_word_exponent(beta, x, _EXP_HEADROOM)
    return _silu_d2(a, lo, beta)


@silu.defpartial("beta")
def silu_dbeta(x: Real, beta: Real = 1.0) -> Array:
    _, a, lo = _double_word_exponent(beta, x, _EXP_HEADROOM)
    p = scaled_exp(-a, -lo)
    e = mul_scaled_exp(1.0, p)
    finite = clip_to(x, -1e30, 1e30)  # inf * 0 is NaN
    return finite * (mul_scaled_exp(finite, p) / (1 + e * (2 + e)))


swish = silu


@activation(
    cite="hendrycks2016",
    range=(-0.16361013672213, INF),
    reference=lambda m, x: x / (1 + m.exp(-m.mpf("1.702") * x)),
)
def gelu_quick(x: Real) -> Array:
    r"""Sigmoid form of GELU, $x\,\sigma(1.702 x)$.

    The difference from `gelu_exact` is at most 2.1e-2.

    >>> gelu_quick(jnp.array([-1.0, 0.0, 1.0]))
    Array([-0.154204,  0.      ,  0.845796], dtype=float32)
    """
    return _mul_sigmoid(x, coeffs.GELU_QUICK)


@gelu_quick.defderivative
def gelu_quick_dx(x: Real) -> Array:
    return _silu_derivative(*_double_word_exponent(coeffs.GELU_QUICK, x))


@gelu_quick.derivative.defderivative
def gelu_quick_dx2(x: Real) -> Array:
    _, a, lo = _double_word_exponent(coeffs.GELU_QUICK, x, _EXP_HEADROOM)
    return _silu_d2(a, lo, 1.702)


@activation(
    cite="klimek2018",
    range=(0, 1),
    reference=lambda m, x, alpha=1: (
        m.log1p((1 - m.exp(-alpha)) / (m.exp(-alpha * x) + m.exp(-alpha))) / alpha
    ),
    bounds={"alpha": (1e-6, INF)},
    limits={"alpha": (0, INF)},
)
def soft_clipping(x: Real, alpha: Real = 1.0) -> Array:
    r"""Soft clipping, $\log((1 + e^{\alpha x}) / (1 + e^{\alpha (x - 1)})) / \alpha$.

    It tends to `clip(x, 0, 1)` as $\alpha \to \infty$.

    Args:
        x: The input.
        alpha: $\alpha$, between 0 and 100.

    >>> soft_clipping(jnp.array([-50.0, 0.5, 2.0]), 10.0)
    Array([0.      , 0.5     , 0.999995], dtype=float32)
    """
    u, p, decay = _folded_exponent(x, alpha)
    e, numerator = mul_scaled_exp(1.0, p), _numerator(alpha, p)
    # log(1 + f) with f = numerator / (1 + decay e) if f <= 1, else u + log(1 + f) with
    # another numerator; log(1 + f) = 2 atanh(s), s = f / (2 + f).
    de = decay * e
    small = numerator < 1 + de
    e_inverse = 1 / jnp.maximum(e, 1)
    numerator = where(small, numerator, e_inverse - de)
    w = 0.5 * where(small, (1 + decay) * e, e_inverse + de)  # de + numerator / 2
    inverse = 1 / (1 + w)
    correction = (1 - inverse) - w * inverse  # rounding error of `inverse`, times 1 + w
    s = 0.5 * numerator * inverse
    correction = correction + 0.5 * (s * s) * polynomial(s * s, coeffs.LOG1P)
    log1p_f = numerator * inverse + numerator * (inverse * correction)
    y = (where(small, 0, u) + log1p_f) / alpha
    return where(x > 0.5, 1 - y, y)


@soft_clipping.defderivative
def soft_clipping_dx(x: Real, alpha: Real = 1.0) -> Array:
    _, p, decay = _folded_exponent(x, alpha)
    # σ(αx) - σ(α(x - 1)) cancels; it equals (1 - e^-α) e^u / ((1 + e^u) (1 + e^(u-α))).
    return _numerator(alpha, p) / _denominator(mul_scaled_exp(1.0, p), decay)


@soft_clipping.derivative.defderivative
def soft_clipping_dx2(x: Real, alpha: Real = 1.0) -> Array:
    _, p, decay = _folded_exponent(x, alpha)
    distance = jnp.asarray(x) - 0.5
    m = expm1(-2 * alpha * lax.abs(distance))
    denominator = _denominator(mul_scaled_exp(1.0, p), decay)
    d2 = alpha * _numerator(alpha, p) / denominator * (m / denominator)
    return mul_sign(d2, distance)


@soft_clipping.defpartial("alpha")
def soft_clipping_dalpha(x: Real, alpha: Real = 1.0) -> Array:
    # It is the integral of t σ'(αt) over [x - 1, x]. The difference cancels for small
    # α, where six nodes suffice: 1e-12 at α = 1.
    x = jnp.asarray(x)
    nodes, weights = np.polynomial.legendre.leggauss(6)
    integral = sum(
        float(w) / 2 * t * sigmoid.derivative(alpha * t)
        for t, w in zip([x - (1 - float(s)) / 2 for s in nodes], weights, strict=True)
    )
    softplus_dbeta = softplus.partial("beta")
    difference = softplus_dbeta(x, alpha) - softplus_dbeta(x - 1, alpha)
    return where(lax.abs(alpha) < 1, integral, difference)


def _double_word_exponent(
    beta: Real | Constant, x: Real, headroom: int = RECIPROCAL_HEADROOM
) -> tuple[Array, Array, Real]:
    """Return the mask beta x < 0, and |beta x| = a + lo in double-word.

    a is clamped where 2^headroom e^a is ∞; a float or constant beta is positive.
    """
    x = jnp.asarray(x)
    _, highest = exponent_limits(x.dtype, headroom)
    if isinstance(beta, float | dict):
        factor, _ = hi_lo(beta, x.dtype)
        a = min_nan_free(highest / factor, lax.abs(x))
        if factor == 1:
            hi, lo = a, 0.0
        else:
            hi, lo = (factor * a, 0.0) if is_bfloat16() else two_prod(beta, a)
        return sign_bit(x), hi, lo
    z, lo = exponent_product(beta, x)
    return z < 0, min_nan_free(highest, lax.abs(z)), where(z < 0, -lo, lo)


def _mul_sigmoid(x: Real, beta: float | Constant) -> Array:
    """Return x σ(beta x) for beta > 0: max(x, 0) - |x| σ(-beta |x|)."""
    x = jnp.asarray(x)
    _, a, lo = _double_word_exponent(beta, x)
    b = a if beta == 1 else min_nan_free(1e3, lax.abs(x))
    h = divide(b, one_plus_exp(a, lo))
    return where(sign_bit(x), -0.0, x) - _RECIPROCAL_SCALE * h


def _silu_derivative(negative: Array, a: Array, lo: Real) -> Array:
    """Return the derivative f' of z σ(z) at |z| = a + lo; f'(-z) = 1 - f'(z)."""
    h = 1 / one_plus_exp(a, lo)  # 2^10 σ(-a)
    # -a and not a: XLA:CPU stores an array that is used before and after a division
    # with several users, unless it is a function of one array.
    minus = -a if isinstance(lo, float) else -(a + lo)
    left = -_RECIPROCAL_SCALE * (-h - minus * (h - (_RECIPROCAL_SCALE * h) * h))
    return where(negative, left, 1 - left)


def _silu_d2(a: Array, lo: Real, scale: Real) -> Array:
    """Return `scale` times the second derivative of z σ(z), even in |z| = a + lo."""
    p = scaled_exp(-a, -lo)
    e = mul_scaled_exp(1.0, p)
    factor = 2 - (a + lo) + e * (2 + (a + lo))
    return mul_scaled_exp(scale * factor, p) / ((1 + e) * (1 + e * (2 + e)))


def _softplus_root(x: Real) -> tuple[Array, Array]:
    """Return h = e^(-|x|/2) and sqrt(softplus(x)), the latter divided by h if x < 0."""
    half = exp(-0.5 * lax.abs(x))
    e = half * half
    ratio = log1p_ratio(e)
    return half, jnp.sqrt(where(x < 0, ratio, x + e * ratio))


def _folded_exponent(x: Real, alpha: Real) -> tuple[Array, ScaledExp, Real]:
    """Return u = alpha min(x, 1 - x), e^u and e^-alpha.

    soft_clipping is evaluated for x <= 1/2: its value at 1 - x is 1 minus that at x.
    """
    x = jnp.asarray(x)
    hi, lo = two_sum(*two_prod(alpha, clip_to(x, -1e9, 1e9)))
    right, right_lo = two_sum(propagate_nan(x, alpha), -hi)
    u = where(x > 0.5, right, hi)
    lo = where(x > 0.5, right_lo - lo, lo)
    lo = where(lax.abs(u) > 1000, 0.0, lo)
    u = max_nan_free(-1000.0, u)  # e^-1000 is 0
    # 1 is negligible beyond e^u = 2^64 or 2^512; e^u may not overflow.
    half = 0.5 * math.log(2) * jnp.finfo(x.dtype).maxexp
    decay = math.exp(-alpha) if isinstance(alpha, float) else exp(-alpha)
    return u, scaled_exp(min_nan_free(half, u), lo), decay


def _numerator(alpha: Real, p: ScaledExp) -> Array:
    """Return (1 - e^-alpha) e^u."""
    if isinstance(alpha, float):
        hi, lo = hi_lo(-math.expm1(-alpha), p.scale.dtype)
        return mul_scaled_exp(hi, p, lo)
    return mul_scaled_exp(-expm1(-alpha), p)


def _denominator(e: Array, decay: Real) -> Array:
    """Return (1 + e) (1 + decay e), expanded: a product adds the relative errors."""
    return 1 + e * ((1 + decay) + decay * e)
