"""Exponential linear units: linear or quadratic for x > 0, exponential for x < 0."""

import math

import jax.numpy as jnp
from jax import Array, lax

from jax_acts._core.activation import activation
from jax_acts._numerics import coefficients as coeffs
from jax_acts._numerics.bitwise import (
    max_nan_free,
    min_nan_free,
    minimum,
    where,
)
from jax_acts._numerics.double_word import two_prod
from jax_acts._numerics.exp_log import (
    exp,
    expm1,
    expm1_minus,
    expm1_plus,
    exponent_quotient,
    mul_exp,
)
from jax_acts._numerics.ordinary import in_full_precision
from jax_acts._numerics.polynomial import polynomial
from jax_acts._numerics.types import Real

__all__ = [
    "celu",
    "elu",
    "elu_plus_one",
    "hexpo",
    "selu",
    "xielu",
]

INF = math.inf

SELU_ALPHA = 1.6732632423543772848170429916717
SELU_SCALE = 1.0507009873554804934193349852946


@activation(
    cite="clevert2016",
    range=(-1, INF),
    reference=lambda m, x, alpha=1: x if x > 0 else alpha * m.expm1(x),
)
def elu(x: Real, alpha: Real = 1.0) -> Array:
    r"""Exponential linear unit, $x$ if $x > 0$, else $\alpha (e^x - 1)$.

    Args:
        x: The input.
        alpha: $\alpha$.

    >>> elu(jnp.array([-1.0, 0.0, 2.0]))
    Array([-0.63212055,  0.        ,  2.        ], dtype=float32)
    """
    return where(x < 0, alpha * expm1(x), x)


@elu.defderivative
def elu_dx(x: Real, alpha: Real = 1.0) -> Array:
    return where(x > 0, 1.0, mul_exp(alpha, x))


@elu.defoutput()
def elu_dx_from_y(y: Array, alpha: Real = 1.0) -> Array:
    return where(y > 0, 1.0, y + alpha)


@elu.derivative.defderivative
def elu_dx2(x: Real, alpha: Real = 1.0) -> Array:
    return where(x > 0, 0.0, mul_exp(alpha, x))


@elu.defpartial("alpha")
def elu_dalpha(x: Real, alpha: Real = 1.0) -> Array:
    return expm1(minimum(x, 0))


@activation(
    cite="katharopoulos2020",
    range=(0, INF),
    reference=lambda m, x: 1 + x if x > 0 else m.exp(x),
)
def elu_plus_one(x: Real) -> Array:
    r"""Positive exponential linear unit, $1 + x$ if $x > 0$, else $e^x$.

    It is `elu` plus 1, the feature map of linear attention.

    >>> elu_plus_one(jnp.array([-1.0, 0.0, 2.0]))
    Array([0.36787945, 1.        , 3.        ], dtype=float32)
    """
    return where(x < 0, exp(x), 1 + x)


@elu_plus_one.defderivative
def elu_plus_one_dx(x: Real) -> Array:
    return where(x > 0, 1.0, exp(x))


@elu_plus_one.defoutput()
def elu_plus_one_dx_from_y(y: Array) -> Array:
    return where(y > 1, 1.0, y)


@elu_plus_one.derivative.defderivative
def elu_plus_one_dx2(x: Real) -> Array:
    return where(x > 0, 0.0, exp(x))


@activation(
    cite="barron2017",
    range=(-1, INF),
    reference=lambda m, x, alpha=1: x if x > 0 else alpha * m.expm1(x / alpha),
    bounds={"alpha": (1e-6, INF)},
    limits={"alpha": (0, INF)},
)
def celu(x: Real, alpha: Real = 1.0) -> Array:
    r"""Continuously differentiable ELU, $x$ if $x > 0$, else
    $\alpha (e^{x/\alpha} - 1)$.

    Args:
        x: The input.
        alpha: $\alpha \ne 0$; the derivative at $x = 0$ is 1 for every $\alpha$.

    >>> celu(jnp.array([-1.0, 0.0, 2.0]), 2.0)
    Array([-0.78693867,  0.        ,  2.        ], dtype=float32)
    """
    return where(x < 0, alpha * expm1(x / alpha), x)


@celu.defderivative
def celu_dx(x: Real, alpha: Real = 1.0) -> Array:
    return where(x > 0, 1.0, exp(*exponent_quotient(x, alpha)))


@celu.defoutput()
def celu_dx_from_y(y: Array, alpha: Real = 1.0) -> Array:
    return where(y > 0, 1.0, 1 + y / alpha)


@celu.derivative.defderivative
def celu_dx2(x: Real, alpha: Real = 1.0) -> Array:
    return where(x > 0, 0.0, exp(*exponent_quotient(x, alpha)) / alpha)


@celu.defpartial("alpha")
def celu_dalpha(x: Real, alpha: Real = 1.0) -> Array:
    # e^t - 1 - t e^t cancels near 0. The form for t near 0 cancels far from 0.
    t = minimum(x, 0) / alpha
    near, far = max_nan_free(-1.0, t), max_nan_free(-200.0, t)
    return where(
        t > -1, expm1_minus(near) - near * expm1(near), expm1(far) - far * exp(far)
    )


@activation(
    cite="klambauer2017",
    range=(-SELU_SCALE * SELU_ALPHA, INF),
    kinks={0: SELU_SCALE * SELU_ALPHA},
    reference=lambda m, x: (
        m.mpf("1.0507009873554804934193349852946")
        * (x if x > 0 else m.mpf("1.6732632423543772848170429916717") * m.expm1(x))
    ),
)
def selu(x: Real) -> Array:
    r"""Scaled ELU, $\lambda x$ if $x > 0$, else $\lambda \alpha (e^x - 1)$.

    $\lambda \approx 1.0507$ and $\alpha \approx 1.6733$ preserve mean 0 and variance 1
    of normal inputs. The derivative at 0 is $\lambda \alpha$.

    >>> selu(jnp.array([-1.0, 0.0, 2.0]))
    Array([-1.1113307,  0.       ,  2.101402 ], dtype=float32)
    """
    negative = (SELU_SCALE * SELU_ALPHA) * expm1(x)
    return where(x < 0, negative, SELU_SCALE * x)


@selu.defderivative
def selu_dx(x: Real) -> Array:
    negative = mul_exp(SELU_SCALE * SELU_ALPHA, x)
    return where(x > 0, SELU_SCALE, negative)


@selu.defoutput()
def selu_dx_from_y(y: Array) -> Array:
    return where(y > 0, SELU_SCALE, y + SELU_SCALE * SELU_ALPHA)


@selu.derivative.defderivative
def selu_dx2(x: Real) -> Array:
    negative = mul_exp(SELU_SCALE * SELU_ALPHA, x)
    return where(x > 0, 0.0, negative)


@activation(
    cite="huang2024",
    range=(-0.205751224096482129, INF),
    reference=lambda m, x, alpha_p=0.8, alpha_n=0.8, beta=0.5: (
        beta * x + (alpha_p * x * x if x > 0 else alpha_n * (m.expm1(x) - x))
    ),
)
def xielu(x: Real, alpha_p: Real = 0.8, alpha_n: Real = 0.8, beta: Real = 0.5) -> Array:
    r"""Expanded integral of ELU, $\alpha_p x^2 + \beta x$ if $x > 0$, else
    $\alpha_n (e^x - 1 - x) + \beta x$.

    Args:
        x: The input.
        alpha_p: $\alpha_p$, in the paper the softplus of a learned parameter.
        alpha_n: $\alpha_n$, in the paper $\beta$ plus the softplus of a learned
            parameter.
        beta: $\beta$.

    >>> xielu(jnp.array([-1.0, 0.0, 2.0]))
    Array([-0.20569646,  0.        ,  4.2       ], dtype=float32)
    """
    n = min_nan_free(0.0, jnp.asarray(x))
    clipped = max_nan_free(-0.5, n)
    expm1_minus_x = clipped * clipped * polynomial(clipped, coeffs.EXPM1_MINUS)
    near = beta * n + alpha_n * expm1_minus_x
    finite = jnp.maximum(n, -1e18)
    # Double-word product: the terms cancel near the negative zero.
    far = expm1_plus(finite, alpha_n, *two_prod(beta - alpha_n, finite))
    far = where(n < finite, (beta - alpha_n) * n, far)
    negative = where(x > -0.5, near, far)
    return where(x < 0, negative, x * (alpha_p * x + beta))


@xielu.defderivative
@in_full_precision
def xielu_dx(
    x: Real, alpha_p: Real = 0.8, alpha_n: Real = 0.8, beta: Real = 0.5
) -> Array:
    negative = expm1_plus(minimum(x, 0), alpha_n, beta)
    return where(x > 0, 2 * alpha_p * x + beta, negative)


@xielu.derivative.defderivative
def xielu_dx2(
    x: Real, alpha_p: Real = 0.8, alpha_n: Real = 0.8, beta: Real = 0.5
) -> Array:
    negative = mul_exp(alpha_n, x)
    return where(x > 0, 2 * alpha_p, negative)


@xielu.defpartial("alpha_p")
def xielu_dalpha_p(
    x: Real, alpha_p: Real = 0.8, alpha_n: Real = 0.8, beta: Real = 0.5
) -> Array:
    return jnp.square(jnp.maximum(x, 0))


@xielu.defpartial("alpha_n")
def xielu_dalpha_n(
    x: Real, alpha_p: Real = 0.8, alpha_n: Real = 0.8, beta: Real = 0.5
) -> Array:
    return expm1_minus(minimum(x, 0))


@xielu.defpartial("beta")
def xielu_dbeta(
    x: Real, alpha_p: Real = 0.8, alpha_n: Real = 0.8, beta: Real = 0.5
) -> Array:
    return jnp.asarray(x)


@activation(
    cite="kong2017",
    range=(-1, 1),
    reference=lambda m, x, a=1, b=1, c=1, d=1: (
        -a * m.expm1(-x / m.mpf(b)) if x > 0 else c * m.expm1(x / m.mpf(d))
    ),
    bounds={"b": (1e-6, INF), "d": (1e-6, INF)},
    limits={"b": (0, INF), "d": (0, INF)},
)
def hexpo(x: Real, a: Real = 1.0, b: Real = 1.0, c: Real = 1.0, d: Real = 1.0) -> Array:
    r"""Hexpo, $a (1 - e^{-x/b})$ if $x \ge 0$, else $c (e^{x/d} - 1)$.

    The limits are $a$ at $\infty$ and $-c$ at $-\infty$. The derivative is continuous
    at 0 if $a / b = c / d$.

    Args:
        x: The input.
        a: $a$.
        b: $b \ne 0$.
        c: $c$.
        d: $d \ne 0$.

    >>> hexpo(jnp.array([-1.0, 0.0, 2.0]))
    Array([-0.6321,  0.    ,  0.8647], dtype=float32)
    """
    y = -(lax.abs(x) / where(x < 0, d, b))  # as `shared_quotient`
    height = where(x < 0, c, -a)
    return where(x == 0, x, height * expm1(y))


@hexpo.defderivative
def hexpo_dx(
    x: Real, a: Real = 1.0, b: Real = 1.0, c: Real = 1.0, d: Real = 1.0
) -> Array:
    height, width = where(x < 0, c, a), where(x < 0, d, b)
    y, lo = exponent_quotient(-lax.abs(x), width)
    return mul_exp(height / width, y, lo)


@hexpo.derivative.defderivative
def hexpo_dx2(
    x: Real, a: Real = 1.0, b: Real = 1.0, c: Real = 1.0, d: Real = 1.0
) -> Array:
    height, width = where(x < 0, c, -a), where(x < 0, d, b)
    y, lo = exponent_quotient(-lax.abs(x), width)
    return mul_exp(height / (width * width), y, lo)
