"""The hyperbolic tangent and what is made of it."""

import math

import jax.numpy as jnp
from jax import Array, lax

from jax_acts._core.activation import activation
from jax_acts._numerics import coefficients as table
from jax_acts._numerics.bitwise import min_nan_free, mul_sign, propagate_nan, where
from jax_acts._numerics.double_word import hi_lo
from jax_acts._numerics.exp_log import (
    exp,
    exp_and_expm1,
    expm1,
    exponent_quotient,
    log1p,
    log_of_reduced,
    log_reduce,
    mul_exp,
    mul_scaled_exp,
    scaled_exp,
)
from jax_acts._numerics.polynomial import polynomial
from jax_acts._numerics.root import patch_near_zero
from jax_acts._numerics.types import Real

INF = math.inf

_LECUN = 1.7159


@activation(range=(-1, 1), reference=lambda m, x: m.tanh(x))
def tanh(x: Real) -> Array:
    r"""Hyperbolic tangent, $\tanh x = (e^x - e^{-x}) / (e^x + e^{-x})$.

    >>> tanh(jnp.array([-20.0, 0.0, 1.0]))
    Array([-1.       ,  0.       ,  0.7615942], dtype=float32)
    """
    m = expm1(-2 * lax.abs(x))
    return mul_sign(lax.abs(m) / (2 + m), x)  # -m of +0 would be -0


@tanh.defderivative
def tanh_dx(x: Real) -> Array:
    p = scaled_exp(-2 * lax.abs(x))
    e = mul_scaled_exp(1.0, p)  # 1 - tanh(x)^2 cancels for |x| >> 0
    return mul_scaled_exp(4.0, p) / (1 + e * (2 + e))


@tanh.defoutput()
def tanh_dx_from_y(y: Array) -> Array:
    return (1 - y) * (1 + y)


@tanh.derivative.defderivative
def tanh_dx2(x: Real) -> Array:
    y = -2 * lax.abs(x)
    e, m = exp(y), expm1(y)  # tanh(|x|) is -m / (2 + m)
    bend = mul_exp(8 * m, y) / ((2 + m) * (1 + e * (2 + e)))
    return mul_sign(bend, x)  # m is negative


@activation(reference=lambda m, x: x - m.tanh(x))
def tanh_shrink(x: Real) -> Array:
    r"""Tanh shrinkage, $x - \tanh x$, which is about $x^3/3$ near 0.

    >>> tanh_shrink(jnp.array([-1.0, 1e-4, 2.0]))
    Array([-2.38406e-01,  3.33333e-13,  1.03597e+00], dtype=float32)
    """
    a = lax.abs(x)
    e = exp(-2 * a)
    far = (a - 1) + 2 * e / (1 + e)
    return where(a <= 1, _shrinkage(x), mul_sign(far, x))


@tanh_shrink.defderivative
def tanh_shrink_dx(x: Real) -> Array:
    far = 1 - tanh.derivative(x)
    return where(lax.abs(x) < 0.9, jnp.square(x - _shrinkage(x)), far)


@tanh_shrink.derivative.defderivative
def tanh_shrink_dx2(x: Real) -> Array:
    return -tanh.derivative.derivative(x)


@activation(cite="roy2019", range=(0, INF), reference=lambda m, x: x * m.tanh(x))
def lisht(x: Real) -> Array:
    r"""Linearly scaled tanh, $x \tanh x$.

    >>> lisht(jnp.array([-1.0, 0.0, 2.0]))
    Array([0.76159424, 0.        , 1.9280554 ], dtype=float32)
    """
    return x * tanh.without_custom_jvp(x)


@lisht.defderivative
def lisht_dx(x: Real) -> Array:
    a = lax.abs(_bounded(x))
    e, m = exp_and_expm1(-2 * a)  # tanh(a) is -m / (1 + e)
    return mul_sign((4 * a * e - m * (1 + e)) / (1 + e * (2 + e)), x)


@lisht.derivative.defderivative
def lisht_dx2(x: Real) -> Array:
    a = lax.abs(_bounded(x))
    e = exp(-2 * a)
    top = mul_exp(8 * ((1 - a) * (1 + e) + 2 * a * e), -2 * a)
    return patch_near_zero(a, top / ((1 + e) * (1 + e * (2 + e))), table.LISHT_2)


@activation(
    cite="gemma2024",
    range=(-30, 30),
    reference=lambda m, x, cap=30: cap * m.tanh(x / cap),
)
def softcap(x: Real, cap: Real = 30.0) -> Array:
    r"""Soft capping, $c \tanh(x / c)$.

    Args:
        x: The input.
        cap: $c$; Gemma 2 takes 50 in attention, and 30 for the last logits.

    >>> softcap(jnp.array([-1.0, 30.0, 1000.0]))
    Array([-0.99963, 22.84783 , 30.       ], dtype=float32)
    """
    t = x / cap
    y = jnp.clip(t, -1, 1)
    near = jnp.copysign(x - x * (y * y * polynomial(y * y, table.TANH_SHRINK)), x)
    return where(lax.abs(t) < 0.9, near, cap * tanh.without_custom_jvp(t))


@softcap.defderivative
def softcap_dx(x: Real, cap: Real = 30.0) -> Array:
    p = scaled_exp(*exponent_quotient(-2 * lax.abs(x), lax.abs(cap)))
    e = mul_scaled_exp(1.0, p)
    return mul_scaled_exp(4.0, p) / (1 + e * (2 + e))


@softcap.derivative.defderivative
def softcap_dx2(x: Real, cap: Real = 30.0) -> Array:
    return (-2 / cap) * tanh(x / cap) * softcap.derivative(x, cap)


@softcap.defpartial("cap")
def softcap_dcap(x: Real, cap: Real = 30.0) -> Array:
    t = x / cap  # tanh(t) - t sech(t)^2, whose terms cancel for |t| << 1
    slope = tanh.derivative(t)
    far = tanh(t) - _bounded(t) * slope
    near = jnp.square(tanh(t)) * t - tanh_shrink(t)
    return where(lax.abs(t) < 1, near, far)


@activation(
    cite="lecun1998",
    range=(-1.7159, 1.7159),
    reference=lambda m, x: m.mpf("1.7159") * m.tanh(2 * x / 3),
)
def lecun_tanh(x: Real) -> Array:
    r"""Scaled tanh, $1.7159 \tanh(2x/3)$, which is about $\pm 1$ at $\pm 1$.

    >>> lecun_tanh(jnp.array([-100.0, 0.0, 1.0]))
    Array([-1.7159   ,  0.       ,  0.9999972], dtype=float32)
    """
    t = (2 / 3) * jnp.asarray(x)
    y = jnp.clip(t, -1, 1)
    near = x - x * (y * y * polynomial(y * y, table.TANH_SHRINK))
    near = (_LECUN * 2 / 3) * jnp.copysign(near, x)
    return where(lax.abs(t) < 0.9, near, _LECUN * tanh.without_custom_jvp(t))


@lecun_tanh.defderivative
def lecun_tanh_dx(x: Real) -> Array:
    p = scaled_exp(*exponent_quotient(-4 * lax.abs(x), 3.0))
    e = mul_scaled_exp(1.0, p)
    return mul_scaled_exp(_LECUN * 8 / 3, p) / (1 + e * (2 + e))


@lecun_tanh.derivative.defderivative
def lecun_tanh_dx2(x: Real) -> Array:
    p = scaled_exp(*exponent_quotient(-4 * lax.abs(x), 3.0))
    e = mul_scaled_exp(1.0, p)
    return mul_scaled_exp((-32 / 9) * lecun_tanh(x), p) / (1 + e * (2 + e))


@activation(range=(0, INF), reference=lambda m, x: m.log(m.cosh(x)))
def logcosh(x: Real) -> Array:
    r"""Logarithm of the hyperbolic cosine, $\log \cosh x$, the integral of `tanh`.

    It is about $x^2/2$ near 0 and $|x| - \log 2$ far from it.

    >>> logcosh(jnp.array([-100.0, 1e-4, 1.0]))
    Array([9.93069e+01, 5.0e-09, 4.33781e-01], dtype=float32)
    """
    a = lax.abs(x)
    square = jnp.square(min_nan_free(1.0, a))
    near = square * polynomial(square, table.LOGCOSH)
    high, low = hi_lo(math.log(2), a.dtype)
    return where(a < 1, near, (a - high) + (log1p(exp(-2 * a)) - low))


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
    low = min_nan_free(0.75, a)  # a root of the same would be stored, to be used twice
    near = low + low * low / (1 + jnp.sqrt(1 + low * low))
    f, k = where(a < 0.75, near, f), where(a < 0.75, 0.0, k)
    value = log_of_reduced(f, where(a < 1e9, k, k + 1))  # log(2 a) from there on
    return mul_sign(where(a < INF, value, a), x)


@asinh.defderivative
def asinh_dx(x: Real) -> Array:
    return 1 / _hypotenuse(x)


@asinh.derivative.defderivative
def asinh_dx2(x: Real) -> Array:
    h = _hypotenuse(x)
    return -propagate_nan(x, where(jnp.isinf(x), jnp.sign(x), x / h)) / h * (1 / h)


def _shrinkage(x: Real) -> Array:
    """Returns x - tanh(x) for |x| <= 1."""
    y = jnp.clip(x, -1, 1)
    return y * (y * y) * polynomial(y * y, table.TANH_SHRINK)


def _hypotenuse(x: Real) -> Array:
    """Returns sqrt(1 + x²), whose square need not be finite."""
    a = lax.abs(x)
    middle = jnp.minimum(a, 1e9)
    return where(a < 1e9, jnp.sqrt(1 + middle * middle), a)


def _bounded(x: Real) -> Array:
    """Returns x within [-1000, 1000], for a factor of what vanishes there."""
    return jnp.clip(x, -1000, 1000)
