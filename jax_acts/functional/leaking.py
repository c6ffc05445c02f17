"""Rectifiers whose left side is another one than that of `leaky_relu`: smu, nelu."""

import math

import jax.numpy as jnp
from jax import Array, lax

from jax_acts._core.activation import activation
from jax_acts._numerics.bitwise import mul_sign, propagate_nan, where
from jax_acts._numerics.double_word import hi_lo, two_prod, two_sum
from jax_acts._numerics.exp_log import mul_exp
from jax_acts._numerics.types import Real
from jax_acts.functional.gaussian import cumulative, gelu_exact, half_square

INF = math.inf

_SQRT2 = math.sqrt(2)
_ERF_1 = 2 / math.sqrt(math.pi)  # erf'(0)
_REACH = 40.0  # beyond it e^-x² is 0, in float64 too


@activation(
    cite="biswas2022",
    reference=lambda m, x, alpha=0.25, mu=1: (
        ((1 + alpha) * x + (1 - alpha) * x * m.erf(mu * (1 - alpha) * x)) / 2
    ),
)
def smu(x: Real, alpha: Real = 0.25, mu: Real = 1.0) -> Array:
    r"""Smooth maximum unit,
    $x (\alpha + (1 - \alpha)\,\Phi(\sqrt{2} \mu (1 - \alpha) x))$.

    It is a smooth maximum of $x$ and $\alpha x$: `leaky_relu` as $\mu$ grows, and
    `gelu_exact` at $\alpha = 0$, $\mu = 1 / \sqrt{2}$. Its authors learn $\mu$, from
    $10^6$.

    Args:
        x: The input.
        alpha: $\alpha$, the slope at $-\infty$.
        mu: $\mu$, the sharpness.

    >>> smu(jnp.array([-1.0, 0.0, 1.0]))
    Array([-0.3583,  0.        ,  0.8917], dtype=float32)
    """
    u = jnp.asarray(_SQRT2 * mu * (1 - alpha) * x)
    a, y, low = half_square(u)
    gate = cumulative(mul_sign(a, u), y, low)
    return x * (alpha + (1 - alpha) * gate)


@smu.defderivative
def smu_dx(x: Real, alpha: Real = 0.25, mu: Real = 1.0) -> Array:
    slope = gelu_exact.derivative(_SQRT2 * mu * (1 - alpha) * x)
    return alpha + (1 - alpha) * slope


@smu.derivative.defderivative
def smu_dx2(x: Real, alpha: Real = 0.25, mu: Real = 1.0) -> Array:
    c = mu * (1 - alpha)
    a, y, low = _bell(x, c)
    high, rest = two_prod(c, a)
    factor = ((1 - high) - rest) * (1 + c * a)  # 1 - c² x², whose zero moves with c
    return mul_exp(_ERF_1 * (1 - alpha) * c * factor, y, low)


@smu.defpartial("alpha")
def smu_dalpha(x: Real, alpha: Real = 0.25, mu: Real = 1.0) -> Array:
    return x * (1 - gelu_exact.derivative(_SQRT2 * mu * (1 - alpha) * x))


@smu.defpartial("mu")
def smu_dmu(x: Real, alpha: Real = 0.25, mu: Real = 1.0) -> Array:
    a, y, low = _bell(x, mu * (1 - alpha))
    return mul_exp(0.5 * _ERF_1 * jnp.square((1 - alpha) * a), y, low)


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

    It is known by its derivative, $2 \alpha x / (1 + x^2)^2$ on the left, which is a
    surrogate of that of `relu`: `sugar(surrogate=nelu)`. The value is the integral of
    that from 0.

    Args:
        x: The input.
        alpha: $\alpha$.

    >>> nelu(jnp.array([-1.0, 0.0, 2.0]))
    Array([0.025, 0.   , 2.   ], dtype=float32)
    """
    share = _share(x)
    alpha, low = hi_lo(alpha, share.dtype)
    return where(x > 0, x, share * alpha + share * low)


@nelu.defderivative
def nelu_dx(x: Real, alpha: Real = 0.05) -> Array:
    small, large, total = _sides(x)
    slope = -2 * alpha * small / (large * total * total)
    return propagate_nan(x, where(x > 0, 1.0, slope))


@nelu.derivative.defderivative
def nelu_dx2(x: Real, alpha: Real = 0.05) -> Array:
    small, large, total = _sides(x)
    high, rest = two_prod(small, small)
    near = ((1 - high) - 2 * high) - 3 * rest  # 1 - 3 x²; the first three are exact
    bend = where(large > 1, jnp.square(1 / large) - 3, near)
    bend = bend / (large * total * total * total)
    return propagate_nan(x, where(x > 0, 0.0, 2 * alpha * bend))


@nelu.defpartial("alpha")
def nelu_dalpha(x: Real, alpha: Real = 0.05) -> Array:
    return propagate_nan(x, where(x > 0, 0.0, _share(x)))


def _bell(x: Real, c: Real) -> tuple[Array, Array, Array]:
    """Returns |x|, no further than where e^-(c x)² is 0, and -(c x)² in two parts."""
    a = lax.abs(x)
    a = where(lax.abs(c * a) > _REACH, _REACH / lax.abs(c), a)
    u, low = two_sum(*two_prod(c, a))
    square, rest = two_prod(u, u)
    return a, -square, -(rest + 2 * u * low)


def _share(x: Real) -> Array:
    """Returns x² / (1 + x²)."""
    small, large, _ = _sides(x)
    return small * small / (1 + jnp.square(small / large))


def _sides(x: Real) -> tuple[Array, Array, Array]:
    """Returns s = min(|x|, 1), l = max(|x|, 1) and l + s² / l.

    With them 1 + x² is l times the last, and does not overflow before it must.
    """
    a = lax.abs(x)
    small, large = jnp.minimum(a, 1), jnp.maximum(a, 1)
    return small, large, large + small * small / large
