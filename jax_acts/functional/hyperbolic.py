"""Hyperbolic and inverse hyperbolic functions: tanh, its variants, logcosh, asinh."""

import math

import jax.numpy as jnp
from jax import Array, lax

from jax_acts._core.activation import activation
from jax_acts._numerics import coefficients as coeffs
from jax_acts._numerics.bitwise import (
    clip_to,
    copy_sign_of_zero,
    copysign,
    max_nan_free,
    min_nan_free,
    minimum,
    mul_sign,
    odd,
    propagate_nan,
    where,
)
from jax_acts._numerics.double_word import hi_lo
from jax_acts._numerics.exp_log import (
    ScaledExp,
    exp,
    exp_and_expm1,
    expm1,
    exponent_limits,
    exponent_quotient,
    log1p,
    log_of_reduced,
    log_reduce,
    mul_exp,
    mul_scaled_exp,
    one_plus_exp,
    reciprocal_exp,
    scaled_exp,
)
from jax_acts._numerics.polynomial import polynomial
from jax_acts._numerics.types import Real

__all__ = [
    "asinh",
    "lecun_tanh",
    "lisht",
    "logcosh",
    "softcap",
    "tanh",
    "tanh_shrink",
]

INF = math.inf

_LECUN_SCALE = 1.7159
_TANH_SATURATION_X = {"float32": 10.0, "float64": 20.0}  # tanh(x) rounds to 1 beyond


@activation(range=(-1, 1), reference=lambda m, x: m.tanh(x))
def tanh(x: Real) -> Array:
    r"""Hyperbolic tangent, $\tanh x = (e^x - e^{-x}) / (e^x + e^{-x})$.

    >>> tanh(jnp.array([-20.0, 0.0, 1.0]))
    Array([-1.       ,  0.       ,  0.7615942], dtype=float32)
    """
    x = jnp.asarray(x)
    limit = _TANH_SATURATION_X[x.dtype.name]
    z = min_nan_free(limit, max_nan_free(-limit, x))
    m = reciprocal_exp(2 * z, headroom=0).minus_one
    return copy_sign_of_zero(m / (2 + m), x)


@tanh.defderivative
def tanh_dx(x: Real) -> Array:
    # 1 - tanh(x)² cancels for |x| >> 0.
    _, highest = exponent_limits(jnp.asarray(x).dtype, -2)
    a = min_nan_free(0.5 * highest, lax.abs(x))
    h = 1 / one_plus_exp(2 * a, headroom=-2)  # 4 σ(-2 a)
    return h * (1 - 0.25 * h)


@tanh.defoutput()
def tanh_dx_from_y(y: Array) -> Array:
    return (1 - y) * (1 + y)


@tanh.derivative.defderivative
def tanh_dx2(x: Real) -> Array:
    y = -2 * lax.abs(x)
    e, m = exp(y), expm1(y)  # tanh(|x|) = -m / (2 + m)
    d2 = mul_exp(8 * m, y) / ((2 + m) * (1 + e * (2 + e)))
    return odd(d2, x)


@activation(reference=lambda m, x: x - m.tanh(x))
def tanh_shrink(x: Real) -> Array:
    r"""Tanh shrinkage, $x - \tanh x$.

    It is about $x^3/3$ near 0.

    >>> tanh_shrink(jnp.array([-1.0, 1e-4, 2.0]))
    Array([-2.38406e-01,  3.33333e-13,  1.03597e+00], dtype=float32)
    """
    a = lax.abs(x)
    e = exp(-2 * a)
    large = (a - 1) + 2 * e / (1 + e)
    return where(a <= 1, _tanh_shrink_near_0(x), mul_sign(large, x))


@tanh_shrink.defderivative
def tanh_shrink_dx(x: Real) -> Array:
    large = 1 - tanh.derivative(x)
    small = jnp.square(x - _tanh_shrink_near_0(x))  # tanh(x)²
    return where(lax.abs(x) < 0.9, small, large)


@tanh_shrink.derivative.defderivative
def tanh_shrink_dx2(x: Real) -> Array:
    return -tanh.derivative.derivative(x)


@activation(cite="roy2019", range=(0, INF), reference=lambda m, x: x * m.tanh(x))
def lisht(x: Real) -> Array:
    r"""Linearly scaled tanh, $x \tanh x$.

    >>> lisht(jnp.array([-1.0, 0.0, 2.0]))
    Array([0.76159424, 0.        , 1.928055 ], dtype=float32)
    """
    return x * tanh.without_custom_jvp(x)


@lisht.defderivative
def lisht_dx(x: Real) -> Array:
    a = lax.abs(_clip_1000(x))
    e, m = exp_and_expm1(-2 * a)  # tanh(a) = -m / (1 + e)
    return mul_sign((4 * a * e - m * (1 + e)) / (1 + e * (2 + e)), x)


@lisht.derivative.defderivative
def lisht_dx2(x: Real) -> Array:
    a = lax.abs(_clip_1000(x))
    e = exp(-2 * a)
    numerator = mul_exp(8 * ((1 - a) * (1 + e) + 2 * a * e), -2 * a)
    return numerator / ((1 + e) * (1 + e * (2 + e)))


@activation(
    cite="gemma2024",
    range=(-30, 30),
    reference=lambda m, x, cap=30: cap * m.tanh(x / cap),
    bounds={"cap": (1e-6, INF)},
    limits={"cap": (0, INF)},
)
def softcap(x: Real, cap: Real = 30.0) -> Array:
    r"""Soft capping, $c \tanh(x / c)$.

    Args:
        x: The input.
        cap: $c$: 50 for attention logits and 30 for final logits in Gemma 2.

    >>> softcap(jnp.array([-1.0, 30.0, 1000.0]))
    Array([-0.99963, 22.84783 , 30.       ], dtype=float32)
    """
    t = x / cap
    small = _scaled_tanh_near_0(x, t)
    return where(lax.abs(t) < 0.9, small, cap * tanh.without_custom_jvp(t))


@softcap.defderivative
def softcap_dx(x: Real, cap: Real = 30.0) -> Array:
    y = exponent_quotient(-2 * lax.abs(x), lax.abs(cap))
    return _mul_sech2(4.0, scaled_exp(*y))


@softcap.derivative.defderivative
def softcap_dx2(x: Real, cap: Real = 30.0) -> Array:
    return (-2 / cap) * tanh(x / cap) * softcap.derivative(x, cap)


@softcap.defpartial("cap")
def softcap_dcap(x: Real, cap: Real = 30.0) -> Array:
    t = x / cap
    large = tanh(t) - _clip_1000(t) * tanh.derivative(t)  # cancels for |t| << 1
    small = jnp.square(tanh(t)) * t - tanh_shrink(t)
    return where(lax.abs(t) < 1, small, large)


@activation(
    cite="lecun1998",
    range=(-1.7159, 1.7159),
    reference=lambda m, x: m.mpf("1.7159") * m.tanh(2 * x / 3),
)
def lecun_tanh(x: Real) -> Array:
    r"""Scaled tanh, $1.7159 \tanh(2x/3)$.

    It is about $\pm 1$ at $\pm 1$.

    >>> lecun_tanh(jnp.array([-100.0, 0.0, 1.0]))
    Array([-1.7159   ,  0.       ,  0.9999972], dtype=float32)
    """
    t = (2 / 3) * jnp.asarray(x)
    small = (_LECUN_SCALE * 2 / 3) * _scaled_tanh_near_0(x, t)
    return where(lax.abs(t) < 0.9, small, _LECUN_SCALE * tanh.without_custom_jvp(t))


@lecun_tanh.defderivative
def lecun_tanh_dx(x: Real) -> Array:
    y = exponent_quotient(-4 * lax.abs(x), 3.0)
    return _mul_sech2(_LECUN_SCALE * 8 / 3, scaled_exp(*y))


@lecun_tanh.derivative.defderivative
def lecun_tanh_dx2(x: Real) -> Array:
    y = exponent_quotient(-4 * lax.abs(x), 3.0)
    return _mul_sech2((-32 / 9) * lecun_tanh(x), scaled_exp(*y))


@activation(range=(0, INF), reference=lambda m, x: m.log(m.cosh(x)))
def logcosh(x: Real) -> Array:
    r"""Logarithm of the hyperbolic cosine, $\log \cosh x$, the integral of `tanh`.

    It is about $x^2/2$ near 0 and $|x| - \log 2$ for large $|x|$.

    >>> logcosh(jnp.array([-100.0, 1e-4, 1.0]))
    Array([9.93069e+01, 5.0e-09, 4.33781e-01], dtype=float32)
    """
    a = lax.abs(x)
    square = jnp.square(min_nan_free(1.0, a))
    small = square * polynomial(square, coeffs.LOGCOSH)
    log2, log2_lo = hi_lo(math.log(2), a.dtype)
    return where(a < 1, small, (a - log2) + (log1p(exp(-2 * a)) - log2_lo))


@logcosh.defderivative
def logcosh_dx(x: Real) -> Array:
    return tanh(x)


@logcosh.derivative.defderivative
def logcosh_dx2(x: Real) -> Array:
    return tanh.derivative(x)


@activation(reference=lambda m, x: m.asinh(x))
def asinh(x: Real) -> Array:
    r"""Inverse hyperbolic sine, $\log(x + \sqrt{x^2 + 1})$.

    >>> asinh(jnp.array([-1.0, 1e-4, 1e30]))
    Array([-8.81374e-01,  1.0e-04,  6.97707e+01], dtype=float32)
    """
    a = lax.abs(x)
    middle = min_nan_free(1e9, a)
    f, k = log_reduce(where(a < 1e9, middle + jnp.sqrt(1 + middle * middle), a))
    # log1p for small a. A root shared with the line above would be stored in memory.
    small = min_nan_free(0.75, a)
    small_f = small + small * small / (1 + jnp.sqrt(1 + small * small))
    f, k = where(a < 0.75, small_f, f), where(a < 0.75, 0.0, k)
    value = log_of_reduced(f, where(a < 1e9, k, k + 1))  # log(2 a) for a >= 1e9
    return mul_sign(where(a < INF, value, a), x)


@asinh.defderivative
def asinh_dx(x: Real) -> Array:
    return 1 / _hypotenuse(x)


@asinh.derivative.defderivative
def asinh_dx2(x: Real) -> Array:
    h = _hypotenuse(x)
    return -propagate_nan(x, where(jnp.isinf(x), jnp.sign(x), x / h)) / h * (1 / h)


def _mul_sech2(v: Real, p: ScaledExp) -> Array:
    """Return v e / (1 + e)² for e = e^-2|y|; v = 4 gives sech(y)²."""
    e = mul_scaled_exp(1.0, p)
    return mul_scaled_exp(v, p) / (1 + e * (2 + e))


def _scaled_tanh_near_0(x: Real, t: Real) -> Array:
    """Return x tanh(t) / t for |t| <= 1."""
    y = clip_to(t, -1, 1)
    value = x - x * (y * y * polynomial(y * y, coeffs.TANH_SHRINK))
    return copysign(value, x)


def _tanh_shrink_near_0(x: Real) -> Array:
    """Return x - tanh(x) for |x| <= 1."""
    y = clip_to(x, -1, 1)
    return y * (y * y) * polynomial(y * y, coeffs.TANH_SHRINK)


def _hypotenuse(x: Real) -> Array:
    """Return sqrt(1 + x²) without overflow of x²."""
    a = lax.abs(x)
    middle = minimum(a, 1e9)
    return where(a < 1e9, jnp.sqrt(1 + middle * middle), a)


def _clip_1000(x: Real) -> Array:
    """Clip x to [-1000, 1000], where e^-|x| underflows: inf * 0 is NaN."""
    return clip_to(x, -1000, 1000)
