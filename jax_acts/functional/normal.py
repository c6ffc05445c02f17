"""The normal distribution: GELU, erf and gaussian; Φ(x) = (1 + erf(x / √2)) / 2."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jax_acts._core.activation import activation
from jax_acts._numerics import coefficients as coeffs
from jax_acts._numerics.bitwise import (
    clip_to,
    copysign,
    divide,
    max_nan_free,
    min_nan_free,
    mul_sign,
    odd,
    propagate_nan,
    round_exponent,
    sign_bit,
    where,
)
from jax_acts._numerics.double_word import hi_lo, split, two_div, two_prod, two_sum
from jax_acts._numerics.exp_log import (
    RECIPROCAL_HEADROOM,
    ScaledExp,
    exp,
    exp2_for_bfloat16,
    exponent_limits,
    mul_exp,
    mul_scaled_exp,
    scaled_exp,
)
from jax_acts._numerics.ordinary import is_bfloat16, ordinary_form
from jax_acts._numerics.polynomial import fold_half_line, polynomial, polynomial_hi_lo
from jax_acts._numerics.types import Real
from jax_acts.functional.hard import hard_tanh

__all__ = [
    "erf",
    "gaussian",
    "gelu",
    "gelu_clipped",
    "gelu_exact",
    "gelu_tanh",
    "laplace",
    "smu",
]

INF = math.inf

_PDF_0 = 1 / math.sqrt(2 * math.pi)  # normal density at 0
ERF_DX_0 = 2 / math.sqrt(math.pi)  # erf'(0)
_GELU_LINEAR = math.sqrt(8 / math.pi)
_GELU_CUBIC = 0.044715 * _GELU_LINEAR  # c
_EXP_HEADROOM = 24  # of e^-v, which underflows before its product with a factor
_EXPONENT_LIMIT = 40.0  # e^(-x²/2) underflows to 0 beyond, in float64 too


def _gelu_exact_reference(m: Any, x: Any) -> Any:
    return x * m.erfc(-x / m.sqrt(2)) / 2


def _gelu_tanh_reference(m: Any, x: Any) -> Any:
    return x / (1 + m.exp(-m.sqrt(8 / m.pi) * (x + m.mpf("0.044715") * x**3)))


@activation(
    cite="hendrycks2016",
    range=(-0.16997120747990369, INF),
    reference=_gelu_exact_reference,
)
def gelu_exact(x: Real) -> Array:
    r"""Gaussian error linear unit, $x\,\Phi(x)$.

    >>> gelu_exact(jnp.array([-1.0, 0.0, 1.0]))
    Array([-0.15866,  0.        ,  0.84134 ], dtype=float32)
    """
    x = jnp.asarray(x)
    a, y, lo = _gaussian_exponent(x)
    ratio, ratio_lo = polynomial_hi_lo(fold_half_line(a), coeffs.PHI_TAIL)
    tail = mul_scaled_exp(ratio, scaled_exp(y, lo), ratio_lo)  # a Φ(-a)
    center = x * (0.5 + x * polynomial(jnp.square(x), coeffs.PHI))
    far = where(sign_bit(x), -0.0, x) - tail
    return where(a < 0.875, center, far)  # 0.5 + x P(x²) cancels for x << 0


@gelu_exact.defderivative
def gelu_exact_dx(x: Real) -> Array:
    x = jnp.asarray(x)
    a, y, lo = _gaussian_exponent(x)
    zero, _ = coeffs.GELU_1.zero[a.dtype.name]
    factor = polynomial(fold_half_line(a), coeffs.GELU_1.factor)
    negative = mul_exp((a - zero) * factor, y, lo)
    return where(sign_bit(x), negative, 1 - negative)  # gelu'(-x) = 1 - gelu'(x)


@gelu_exact.derivative.defderivative
def gelu_exact_dx2(x: Real) -> Array:
    a, y, lo = _gaussian_exponent(x)
    root, root_lo = coeffs.SQRT2[a.dtype.name]
    difference = (root - a) * (root + a) + 2 * math.sqrt(2) * root_lo  # 2 - x²
    return mul_exp(difference * _PDF_0, y, lo)


@activation(
    cite="hendrycks2016",
    range=(-0.17004075057125412, INF),
    reference=_gelu_tanh_reference,
)
def gelu_tanh(x: Real) -> Array:
    r"""Tanh form of GELU, $\frac{x}{2} (1 + \tanh(\sqrt{2/\pi} (x + 0.044715 x^3)))$.

    The difference from `gelu_exact` is at most 4.8e-4.

    >>> gelu_tanh(jnp.array([-1.0, 0.0, 1.0]))
    Array([-0.15880801,  0.        ,  0.841192  ], dtype=float32)
    """
    x = jnp.asarray(x)
    a, growth = _gelu_tanh_growth(x)
    h = divide(a, growth)
    return where(sign_bit(x), -0.0, x) - 2.0**RECIPROCAL_HEADROOM * h


@gelu_tanh.defderivative
def gelu_tanh_dx(x: Real) -> Array:
    x = jnp.asarray(x)
    a, growth = _gelu_tanh_growth(x)
    scale = 2.0**RECIPROCAL_HEADROOM
    h = 1 / growth  # σ(-v) / scale
    u = a * (_GELU_LINEAR + (3 * _GELU_CUBIC) * (a * a))  # a v'(a)
    left = -scale * (u * (h - (scale * h) * h) - h)
    return where(sign_bit(x), left, 1 - left)  # gelu'(-x) = 1 - gelu'(x)


@gelu_tanh.defxla
def gelu_tanh_xla(x: Real) -> Array:
    return jax.nn.gelu(jnp.asarray(x))


@gelu_tanh.derivative.defderivative
def gelu_tanh_dx2(x: Real) -> Array:
    a, w, lo = _gelu_tanh_cubic(x, headroom=-60)
    r, scale = _gelu_tanh_reduce(-w, -lo, _EXP_HEADROOM)
    r = _GELU_CUBIC * r
    p = ScaledExp(r, polynomial(r, coeffs.EXP), scale, _EXP_HEADROOM)  # e^-v
    e = mul_scaled_exp(1.0, p)
    v_dx = _GELU_LINEAR + (3 * _GELU_CUBIC) * (a * a)
    v_dx2 = (6 * _GELU_CUBIC) * a
    factor = 2 * v_dx + a * (v_dx2 - v_dx * v_dx * (1 - e) / (1 + e))
    return mul_scaled_exp(factor, p) / (1 + e * (2 + e))


@activation(
    cite="hendrycks2016",
    range=(-0.17004075057125412, INF),
    reference=_gelu_tanh_reference,
)
def gelu(x: Real, approximate: bool = True) -> Array:
    r"""Gaussian error linear unit, $x\,\Phi(x)$, as `jax.nn.gelu`.

    JAX and Flax default to the tanh form; PyTorch, Keras and ONNX to the exact form.

    Args:
        x: The input.
        approximate: Use `gelu_tanh` if true, else `gelu_exact`.

    >>> gelu(jnp.array([-1.0, 0.0, 1.0]))
    Array([-0.15880801,  0.        ,  0.841192  ], dtype=float32)
    """
    return (gelu_tanh if approximate else gelu_exact).without_custom_jvp(x)


@gelu.defxla
def gelu_xla(x: Real, approximate: bool = True) -> Array:
    return jax.nn.gelu(jnp.asarray(x), approximate)


@gelu.defderivative
def gelu_dx(x: Real, approximate: bool = True) -> Array:
    return (gelu_tanh if approximate else gelu_exact).derivative(x)


@activation(
    cite="wu2020",
    range=(-0.16997120747990369, 10),
    kinks={10: 1},
    reference=lambda m, x, min_val=-10, max_val=10: min(
        max(_gelu_exact_reference(m, x), min_val), max_val
    ),
)
def gelu_clipped(x: Real, min_val: Real = -10.0, max_val: Real = 10.0) -> Array:
    r"""Clipped GELU, $\min(\max(x\,\Phi(x), a), b)$.

    The derivatives at the kinks are those of `gelu_exact`.

    Args:
        x: The input.
        min_val: $a$.
        max_val: $b$.

    >>> gelu_clipped(jnp.array([-1.0, 1.0, 20.0]))
    Array([-0.15866,  0.84134 , 10.        ], dtype=float32)
    """
    return clip_to(gelu_exact.without_custom_jvp(x), min_val, max_val)


@gelu_clipped.defderivative
def gelu_clipped_dx(x: Real, min_val: Real = -10.0, max_val: Real = 10.0) -> Array:
    y = gelu_exact(x)
    inside = (y >= min_val) & (y <= max_val)
    return propagate_nan(x, where(inside, gelu_exact.derivative(x), 0.0))


@gelu_clipped.defpartial("min_val")
def gelu_clipped_dmin_val(
    x: Real, min_val: Real = -10.0, max_val: Real = 10.0
) -> Array:
    return propagate_nan(
        x, hard_tanh.partial("min_val")(gelu_exact(x), min_val, max_val)
    )


@gelu_clipped.defpartial("max_val")
def gelu_clipped_dmax_val(
    x: Real, min_val: Real = -10.0, max_val: Real = 10.0
) -> Array:
    return propagate_nan(
        x, hard_tanh.partial("max_val")(gelu_exact(x), min_val, max_val)
    )


@activation(
    cite="biswas2022",
    reference=lambda m, x, alpha=0.25, mu=1: (
        ((1 + alpha) * x + (1 - alpha) * x * m.erf(mu * (1 - alpha) * x)) / 2
    ),
    limits={"mu": (INF,)},
)
def smu(x: Real, alpha: Real = 0.25, mu: Real = 1.0) -> Array:
    r"""Smooth maximum unit,
    $x (\alpha + (1 - \alpha)\,\Phi(\sqrt{2} \mu (1 - \alpha) x))$.

    It is a smooth maximum of $x$ and $\alpha x$. It tends to `leaky_relu` as
    $\mu \to \infty$ and is `gelu_exact` at $\alpha = 0$, $\mu = 1 / \sqrt{2}$. The
    paper learns $\mu$, starting at $10^6$.

    Args:
        x: The input.
        alpha: $\alpha$, the slope at $-\infty$.
        mu: $\mu$, the sharpness.

    >>> smu(jnp.array([-1.0, 0.0, 1.0]))
    Array([-0.3583,  0.        ,  0.8917], dtype=float32)
    """
    u = jnp.asarray(math.sqrt(2) * mu * (1 - alpha) * x)
    a, y, lo = _gaussian_exponent(u)
    gate = _normal_cdf(mul_sign(a, u), y, lo)
    return x * (alpha + (1 - alpha) * gate)


@smu.defderivative
def smu_dx(x: Real, alpha: Real = 0.25, mu: Real = 1.0) -> Array:
    gelu_dx = gelu_exact.derivative(math.sqrt(2) * mu * (1 - alpha) * x)
    return alpha + (1 - alpha) * gelu_dx


@smu.derivative.defderivative
def smu_dx2(x: Real, alpha: Real = 0.25, mu: Real = 1.0) -> Array:
    c = mu * (1 - alpha)
    a, y, lo = _scaled_gaussian_exponent(x, c)
    ca, ca_lo = two_prod(c, a)
    factor = ((1 - ca) - ca_lo) * (1 + c * a)  # 1 - (c x)², whose zero depends on c
    return mul_exp(ERF_DX_0 * (1 - alpha) * c * factor, y, lo)


@smu.defpartial("alpha")
def smu_dalpha(x: Real, alpha: Real = 0.25, mu: Real = 1.0) -> Array:
    return x * (1 - gelu_exact.derivative(math.sqrt(2) * mu * (1 - alpha) * x))


@smu.defpartial("mu")
def smu_dmu(x: Real, alpha: Real = 0.25, mu: Real = 1.0) -> Array:
    a, y, lo = _scaled_gaussian_exponent(x, mu * (1 - alpha))
    return mul_exp(0.5 * ERF_DX_0 * jnp.square((1 - alpha) * a), y, lo)


@activation(range=(-1, 1), reference=lambda m, x: m.erf(x))
def erf(x: Real) -> Array:
    r"""Error function, $\frac{2}{\sqrt\pi} \int_0^x e^{-t^2} dt$.

    >>> erf(jnp.array([-1.0, 0.0, 0.5]))
    Array([-0.8427,  0.       ,  0.5205], dtype=float32)
    """
    a, y, lo = _gaussian_exponent(x, scale=-1.0)
    far = 1 - mul_exp(erfc_ratio(a), y, lo) / a
    clipped = min_nan_free(1.0, a)
    center = clipped * polynomial(clipped * clipped, coeffs.ERF)
    return mul_sign(where(a <= 0.9, center, far), x)


@erf.defderivative
def erf_dx(x: Real) -> Array:
    _, y, lo = _gaussian_exponent(x, scale=-1.0)
    return mul_exp(ERF_DX_0, y, lo)


@erf.derivative.defderivative
def erf_dx2(x: Real) -> Array:
    a, y, lo = _gaussian_exponent(x, scale=-1.0)
    return mul_exp(-2 * ERF_DX_0 * odd(a, x), y, lo)


@activation(
    cite="ma2022",
    range=(0, 1),
    reference=lambda m, x, mu=0.707107, sigma=0.282095: (
        m.erfc((mu - x) / (sigma * m.sqrt(2))) / 2
    ),
    bounds={"sigma": (1e-3, INF)},
    limits={"sigma": (0, INF)},
)
def laplace(x: Real, mu: Real = 0.707107, sigma: Real = 0.282095) -> Array:
    r"""Normal cumulative distribution function, $\Phi((x - \mu) / \sigma)$.

    Args:
        x: The input.
        mu: $\mu$, the mean.
        sigma: $\sigma > 0$, the standard deviation.

    >>> laplace(jnp.array([-1.0, 0.707107, 1.0]))
    Array([7.17373e-10, 5.0e-01, 8.5043e-01], dtype=float32)
    """
    return _normal_cdf(*_standardize(x, mu, sigma))


@laplace.defderivative
def laplace_dx(x: Real, mu: Real = 0.707107, sigma: Real = 0.282095) -> Array:
    _, y, lo = _standardize(x, mu, sigma)
    return mul_exp(_PDF_0 / sigma, y, lo)


@laplace.derivative.defderivative
def laplace_dx2(x: Real, mu: Real = 0.707107, sigma: Real = 0.282095) -> Array:
    u, y, lo = _standardize(x, mu, sigma)
    return mul_exp(-_PDF_0 * u / (sigma * sigma), y, lo)


@laplace.defpartial("mu")
def laplace_dmu(x: Real, mu: Real = 0.707107, sigma: Real = 0.282095) -> Array:
    return -laplace.derivative(x, mu, sigma)


@laplace.defpartial("sigma")
def laplace_dsigma(x: Real, mu: Real = 0.707107, sigma: Real = 0.282095) -> Array:
    u, y, lo = _standardize(x, mu, sigma)
    return mul_exp(-_PDF_0 * u / sigma, y, lo)


@activation(range=(0, 1), reference=lambda m, x: m.exp(-x * x))
def gaussian(x: Real) -> Array:
    r"""Gaussian, $e^{-x^2}$.

    >>> gaussian(jnp.array([-1.0, 0.0, 2.0]))
    Array([0.36787945, 1.        , 0.01831564], dtype=float32)
    """
    _, y, lo = _gaussian_exponent(x, scale=-1.0)
    return exp(y, lo)


@gaussian.defderivative
def gaussian_dx(x: Real) -> Array:
    a, y, lo = _gaussian_exponent(x, scale=-1.0)
    return mul_exp(-2 * copysign(a, x), y, lo)


@gaussian.derivative.defderivative
def gaussian_dx2(x: Real) -> Array:
    a, y, lo = _gaussian_exponent(x, scale=-1.0)
    root, root_lo = coeffs.SQRT_HALF[a.dtype.name]
    difference = (a - root) * (a + root) - math.sqrt(2) * root_lo  # x² - 1/2
    return mul_exp(4 * difference, y, lo)


def erfc_ratio(a: Array) -> Array:
    """Return a e^(a²) erfc(a) for a >= 0."""
    return math.sqrt(2) * polynomial(fold_half_line(math.sqrt(2) * a), coeffs.PHI_TAIL)


def _normal_cdf(u: Array, y: Array, lo: Array) -> Array:
    """Return Φ(u), with the exponent y + lo = -u²/2."""
    a = lax.abs(u)
    ratio, ratio_lo = polynomial_hi_lo(fold_half_line(a), coeffs.PHI_TAIL)
    tail = mul_scaled_exp(ratio, scaled_exp(y, lo), ratio_lo) / u  # Φ(-a) sign(u)
    clipped = min_nan_free(1.0, max_nan_free(-1.0, u))
    center = 0.5 + clipped * polynomial(clipped * clipped, coeffs.PHI)
    return where(a <= 0.875, center, where(u < 0, 0.0, 1.0) - tail)


def _gaussian_exponent(x: Real, *, scale: float = -0.5) -> tuple[Array, Array, Array]:
    """Return a = min(|x|, 40) and the exponent scale a² in double-word."""
    a = min_nan_free(_EXPONENT_LIMIT, lax.abs(x))
    if is_bfloat16():
        return a, scale * (a * a), lax.full_like(a, 0.0)
    hi, lo = two_prod(a, a)
    return a, scale * hi, scale * lo


def _scaled_gaussian_exponent(x: Real, c: Real) -> tuple[Array, Array, Array]:
    """Return a = |x|, clipped where e^-(c a)² is 0, and -(c a)² in double-word."""
    a = lax.abs(x)
    a = where(lax.abs(c * a) > _EXPONENT_LIMIT, _EXPONENT_LIMIT / lax.abs(c), a)
    u, u_lo = two_sum(*two_prod(c, a))
    hi, lo = two_prod(u, u)
    return a, -hi, -(lo + 2 * u * u_lo)


def _gelu_tanh_growth(x: Real) -> tuple[Array, Array]:
    """Return a = |x|, clamped, and 1 + e^v with the headroom of reciprocals."""
    headroom = RECIPROCAL_HEADROOM
    if is_bfloat16():
        a = _gelu_tanh_clamp(x, headroom)
        linear, cubic = (c / math.log(2) for c in (_GELU_LINEAR, _GELU_CUBIC))
        e = exp2_for_bfloat16(a * (linear + cubic * (a * a)), headroom).product
        return a, 2.0**headroom + e
    a, w, lo = _gelu_tanh_cubic(x, headroom)
    r, scale = _gelu_tanh_reduce(w, lo, headroom)
    e = (1 + r * polynomial(r, coeffs.GELU_TANH_EXP)) * scale
    return a, 2.0**headroom + e


def _gelu_tanh_clamp(x: Real, headroom: int) -> Array:
    """Return |x|, clamped where 2^headroom e^v is ∞."""
    x = jnp.asarray(x)
    _, highest = exponent_limits(x.dtype, headroom)
    roots = np.roots([_GELU_CUBIC, 0, _GELU_LINEAR, -highest])
    return min_nan_free(float(roots.real.max()), lax.abs(x))


def _gelu_tanh_cubic(x: Real, headroom: int) -> tuple[Array, Array, Array]:
    """Return a = |x| and w = a (q + a²), q = 1/0.044715, in double-word; v = c w.

    The relative error of e^v is the absolute error of v. The high word, b f, is exact:
    b and f are a and q + b² truncated to half of the bits. c is a factor of the
    constants that reduce the exponent: here, its rounding error would count.
    """
    a = _gelu_tanh_clamp(x, headroom)
    q, q_lo = coeffs.GELU_TANH_QUOTIENT[a.dtype.name]
    b, difference = split(a, a.dtype)
    square = b * b
    factor = q + square
    f, _ = split(factor, a.dtype)
    f_lo = ((q - f) + square) + q_lo  # the first two sums are exact
    # (w(a) - w(b)) / (a - b)
    quotient = factor + a * (a + b)
    return a, b * f, b * f_lo + difference * quotient


@ordinary_form(
    lambda w, lo, headroom: (
        lax.full_like(w, 0),
        2.0**headroom * lax.exp(_GELU_CUBIC * (w + lo)),
    )
)
def _gelu_tanh_reduce(w: Array, lo: Array, headroom: int) -> tuple[Array, Array]:
    """Return r and 2^(k + headroom), w + lo = k log(2)/c + r, for e^v = 2^k e^(c r)."""
    period, period_lo = coeffs.GELU_TANH_PERIOD[w.dtype.name]
    lowest, _ = exponent_limits(w.dtype, headroom)
    total = max_nan_free(lowest / _GELU_CUBIC, w + lo) if headroom > 0 else w + lo
    minus_k, scale = round_exponent(total * (_GELU_CUBIC / math.log(2)), headroom)
    return (w + minus_k * period) + (lo + minus_k * period_lo), scale


def _standardize(x: Real, mu: Real, sigma: Real) -> tuple[Array, Array, Array]:
    """Return u = (x - mu) / sigma, and -u²/2 in double-word."""
    x = jnp.asarray(x)
    mu, mu_lo = hi_lo(mu, x.dtype)
    mu = propagate_nan(x, mu)  # an array: XLA folds (x - c) - d into x - (c + d)
    shifted, shifted_lo = two_sum(min_nan_free(1e18, max_nan_free(-1e18, x)), -mu)
    hi, lo = two_div(shifted, sigma)
    lo = lo + (shifted_lo - mu_lo) / sigma
    lo = where(lax.abs(hi) < _EXPONENT_LIMIT, lo, 0.0)
    hi = min_nan_free(_EXPONENT_LIMIT, max_nan_free(-_EXPONENT_LIMIT, hi))
    return hi + lo, -0.5 * hi * hi, -lo * (hi + 0.5 * lo)
