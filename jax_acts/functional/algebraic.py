"""Powers, square roots and quotients, and the arc tangent."""

import math

import jax.numpy as jnp
from jax import Array, lax

from jax_acts._core.activation import activation
from jax_acts._numerics import coefficients as coeffs
from jax_acts._numerics.bitwise import (
    max_nan_free,
    min_nan_free,
    minimum,
    mul_sign,
    propagate_nan,
    shared_quotient,
    sign_bit,
    where,
)
from jax_acts._numerics.double_word import hi_lo, two_prod
from jax_acts._numerics.polynomial import polynomial
from jax_acts._numerics.types import Real

__all__ = [
    "arctan",
    "bent_identity",
    "isrlu",
    "isru",
    "nelu",
    "soft_sign",
    "square",
    "squareplus",
]

INF = math.inf


@activation(reference=lambda m, x: x * x, range=(0, INF))
def square(x: Real) -> Array:
    r"""Square, $x^2$.

    >>> square(jnp.array([-2.0, 3.0]))
    Array([4., 9.], dtype=float32)
    """
    return jnp.square(x)


@square.defderivative
def square_dx(x: Real) -> Array:
    return 2 * jnp.asarray(x)


@activation(cite="bergstra2009", range=(-1, 1), reference=lambda m, x: x / (1 + abs(x)))
def soft_sign(x: Real) -> Array:
    r"""Soft sign, $x / (1 + |x|)$.

    >>> soft_sign(jnp.array([-1.0, 0.0, 3.0]))
    Array([-0.5 ,  0.  ,  0.75], dtype=float32)
    """
    finite = _clip_square(x)
    return finite / (1 + lax.abs(finite))


@soft_sign.defderivative
def soft_sign_dx(x: Real) -> Array:
    return jnp.square(1 / (1 + lax.abs(x)))


@soft_sign.defoutput()
def soft_sign_dx_from_y(y: Array) -> Array:
    return jnp.square(1 - lax.abs(y))


@soft_sign.derivative.defderivative
def soft_sign_dx2(x: Real) -> Array:
    inverse = 1 / (1 + lax.abs(x))
    return -2 * jnp.sign(x) * inverse * (inverse * inverse)


@activation(
    cite="barron2021",
    range=(0, INF),
    reference=lambda m, x, b=4: (x + m.sqrt(x * x + b)) / 2,
    bounds={"b": (0.0, INF)},
)
def squareplus(x: Real, b: Real = 4.0) -> Array:
    r"""Squareplus, $\frac{1}{2} (x + \sqrt{x^2 + b})$.

    Args:
        x: The input.
        b: $b \ge 0$; 0 gives `relu`.

    >>> squareplus(jnp.array([-5000.0, 0.0, 3.0]))
    Array([1.9999999e-04, 1.0000000e+00, 3.3027756e+00], dtype=float32)
    """
    x = jnp.asarray(x)
    h = 0.5 * lax.abs(x)
    m = min_nan_free(_max_square_root(h), h)
    root = jnp.sqrt(m * m + 0.25 * b)
    s = h + where(root < h, h, root)  # root < h where m < h
    # x + sqrt(x² + b) cancels for x << 0.
    return where(sign_bit(x), 0.25 * b / _not_0(s, b), s)


@squareplus.defderivative
def squareplus_dx(x: Real, b: Real = 4.0) -> Array:
    x = jnp.asarray(x)
    a = lax.abs(x)
    square = a * a + b
    # 1 + x / root cancels for x << 0; b / (2 root (root + a)) does not.
    negative = 0.5 * b / (a * jnp.sqrt(square) + square)
    if not isinstance(b, float):
        negative = where(square == 0, 0.5, negative)
    return where(sign_bit(x), negative, 1 - negative)


@squareplus.derivative.defderivative
def squareplus_dx2(x: Real, b: Real = 4.0) -> Array:
    root = _root(x, b)
    root = where(root == 0, 1, root)
    return 0.5 * b / root / root / root


@squareplus.defpartial("b")
def squareplus_db(x: Real, b: Real = 4.0) -> Array:
    root = _root(x, b)
    return 0.25 / where(root == 0, 1, root)


@activation(reference=lambda m, x: (m.sqrt(x * x + 1) - 1) / 2 + x)
def bent_identity(x: Real) -> Array:
    r"""Bent identity, $\frac{1}{2} (\sqrt{x^2 + 1} - 1) + x$.

    >>> bent_identity(jnp.array([-1.0, 1e-4, 3.0]))
    Array([-7.92893e-01,  1.00003e-04,  4.08114e+00], dtype=float32)
    """
    a, root = lax.abs(x), _root(x, 1.0)
    # sqrt(x² + 1) - 1 = a ratio, without cancellation near 0.
    ratio = where(a < _max_square_root(x), a / (1 + root), 1.0)
    return x * (1 + mul_sign(0.5 * ratio, x))


@bent_identity.defderivative
def bent_identity_dx(x: Real) -> Array:
    ratio = lax.abs(x) / _root(x, 1.0)
    ratio = where(lax.abs(x) < INF, ratio, propagate_nan(x, 1.0))
    return 1 + 0.5 * mul_sign(ratio, x)


@bent_identity.derivative.defderivative
def bent_identity_dx2(x: Real) -> Array:
    root = _root(x, 1.0)
    return 0.5 / root / root / root


@activation(
    cite="carlile2017",
    range=(-1, 1),
    reference=lambda m, x, alpha=1: x / m.sqrt(1 + alpha * x * x),
    bounds={"alpha": (0.0, INF)},
)
def isru(x: Real, alpha: Real = 1.0) -> Array:
    r"""Inverse square root unit, $x / \sqrt{1 + \alpha x^2}$.

    Args:
        x: The input.
        alpha: $\alpha > 0$.

    >>> isru(jnp.array([-1.0, 0.0, 1e30]))
    Array([-0.70710677,  0.        ,  1.        ], dtype=float32)
    """
    a = lax.abs(x)
    clipped = minimum(a, 1)
    small = clipped / jnp.sqrt(1 + _finite(alpha) * clipped * clipped)
    inverse = 1 / jnp.maximum(a, 1)  # x² overflows for large x, 1 / x² does not
    large = 1 / jnp.sqrt(alpha + inverse * inverse)
    return mul_sign(where(a < 1, small, large), x)


@isru.defderivative
def isru_dx(x: Real, alpha: Real = 1.0) -> Array:
    square = 1 + _finite(alpha) * jnp.square(x)
    return 1 / (square * jnp.sqrt(square))


@isru.derivative.defderivative
def isru_dx2(x: Real, alpha: Real = 1.0) -> Array:
    square = 1 + alpha * jnp.square(x)
    return -3 * alpha * isru(x, alpha) / square / square


@isru.defpartial("alpha")
def isru_dalpha(x: Real, alpha: Real = 1.0) -> Array:
    y = isru(x, alpha)
    return -0.5 * y * y * y


@activation(
    cite="carlile2017",
    range=(-1, INF),
    reference=lambda m, x, alpha=1: x if x > 0 else x / m.sqrt(1 + alpha * x * x),
    bounds={"alpha": (0.0, INF)},
)
def isrlu(x: Real, alpha: Real = 1.0) -> Array:
    r"""Inverse square root linear unit, $x$ if $x \ge 0$, else
    $x / \sqrt{1 + \alpha x^2}$.

    The negative part is `isru`.

    Args:
        x: The input.
        alpha: $\alpha > 0$.

    >>> isrlu(jnp.array([-1.0, 0.0, 3.0]))
    Array([-0.70710677,  0.        ,  3.        ], dtype=float32)
    """
    return where(x < 0, isru.without_custom_jvp(minimum(x, 0), alpha), x)


@isrlu.defderivative
def isrlu_dx(x: Real, alpha: Real = 1.0) -> Array:
    return propagate_nan(x, where(x < 0, isru.derivative(x, alpha), 1.0))


@isrlu.defpartial("alpha")
def isrlu_dalpha(x: Real, alpha: Real = 1.0) -> Array:
    return propagate_nan(x, where(x < 0, isru.partial("alpha")(x, alpha), 0.0))


@activation(range=(-math.pi / 2, math.pi / 2), reference=lambda m, x: m.atan(x))
def arctan(x: Real) -> Array:
    r"""Arc tangent, $\arctan x$.

    >>> arctan(jnp.array([-1.0, 0.0, 3.0]))
    Array([-0.7854,  0.       ,  1.24905], dtype=float32)
    """
    a = lax.abs(x)
    middle, far = a > math.tan(math.pi / 8), a > math.tan(3 * math.pi / 8)
    finite = min_nan_free(_max_square_root(a), a)
    # Argument reduction to |t| <= tan(π/8): arctan(a) = offset + arctan(t).
    numerator = where(far, -1.0, where(middle, finite - 1, finite))
    denominator = where(far, finite, where(middle, finite + 1, 1.0))
    t = numerator / denominator
    offset = where(far, math.pi / 2, where(middle, math.pi / 4, 0.0))
    value = offset + (t + t * (t * t) * polynomial(t * t, coeffs.ATAN))
    return mul_sign(propagate_nan(x, value), x)


@arctan.defderivative
def arctan_dx(x: Real) -> Array:
    return 1 / (1 + jnp.square(x))


@arctan.derivative.defderivative
def arctan_dx2(x: Real) -> Array:
    finite = _clip_square(x)
    square = 1 + finite * finite
    return -2 * (finite / square) * (1 / square)


@activation(
    cite="horuz2025",
    range=(0, INF),
    kinks={0: 0},
    reference=lambda m, x, alpha=0.05: (
        x if x > 0 else m.mpf(alpha) * x * x / (1 + x * x)
    ),
)
def nelu(x: Real, alpha: Real = 0.05) -> Array:
    r"""Negative slope linear unit, $x$ if $x > 0$, else $\alpha x^2 / (1 + x^2)$.

    The derivative at 0 is 0. The paper defines only the derivative,
    $2 \alpha x / (1 + x^2)^2$ for $x < 0$, as a surrogate derivative of `relu`:
    `sugar(surrogate=nelu)`. The value is its integral from 0.

    Args:
        x: The input.
        alpha: $\alpha$.

    >>> nelu(jnp.array([-1.0, 0.0, 2.0]))
    Array([0.025, 0.   , 2.   ], dtype=float32)
    """
    ratio = _square_ratio(x)
    alpha, alpha_lo = hi_lo(alpha, ratio.dtype)
    return where(x > 0, x, ratio * alpha + ratio * alpha_lo)


@nelu.defderivative
def nelu_dx(x: Real, alpha: Real = 0.05) -> Array:
    s, l, total = _scaled_sum(x)
    negative = -2 * alpha * s / (l * total * total)
    return propagate_nan(x, where(x > 0, 1.0, negative))


@nelu.derivative.defderivative
def nelu_dx2(x: Real, alpha: Real = 0.05) -> Array:
    s, l, total = _scaled_sum(x)
    hi, lo = two_prod(s, s)
    small = ((1 - hi) - 2 * hi) - 3 * lo  # 1 - 3 x²: the first three terms are exact
    d2 = where(l > 1, jnp.square(1 / l) - 3, small)
    d2 = d2 / (l * total * total * total)
    return propagate_nan(x, where(x > 0, 0.0, 2 * alpha * d2))


@nelu.defpartial("alpha")
def nelu_dalpha(x: Real, alpha: Real = 0.05) -> Array:
    return propagate_nan(x, where(x > 0, 0.0, _square_ratio(x)))


def _square_ratio(x: Real) -> Array:
    """Return x² / (1 + x²)."""
    s, l, _ = _scaled_sum(x)
    return shared_quotient(s * s, 1 + jnp.square(s / l))


def _scaled_sum(x: Real) -> tuple[Array, Array, Array]:
    """Return s = min(|x|, 1), l = max(|x|, 1) and l + s² / l.

    1 + x² = l (l + s² / l); the factors do not overflow.
    """
    a = lax.abs(x)
    s, l = minimum(a, 1), jnp.maximum(a, 1)
    return s, l, l + s * s / l


def _finite(alpha: Real) -> Array:
    """Return min(alpha, the largest number): inf * 0 would be NaN."""
    return minimum(alpha, float(jnp.finfo(jnp.result_type(alpha)).max))


def _max_square_root(x: Real) -> float:
    """Return a value whose square is finite and to which adding 1 changes nothing."""
    return float(jnp.finfo(jnp.asarray(x).dtype).max) ** 0.5 / 4


def _clip_square(x: Real) -> Array:
    """Clip x so that x² is finite."""
    limit = _max_square_root(x)
    return min_nan_free(limit, max_nan_free(-limit, jnp.asarray(x)))


def _not_0(s: Array, b: Real) -> Array:
    """Return s, or 1 where it is 0, as it may be if b is not a constant above 0."""
    return s if isinstance(b, float) and b > 0 else where(s == 0, 1, s)


def _root(x: Real, b: Real) -> Array:
    """Return sqrt(x² + b) without overflow of x²."""
    a = lax.abs(x)
    finite = min_nan_free(_max_square_root(a), a)
    return where(a < _max_square_root(x), jnp.sqrt(finite * finite + b), a)
