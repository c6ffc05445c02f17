"""Functions built on the exponential: e^x itself, and the exponential linear units."""

import math

import jax.numpy as jnp
from jax import Array, lax

from jax_acts._core.activation import activation
from jax_acts._numerics import coefficients as table
from jax_acts._numerics.bitwise import max_nan_free, min_nan_free, where
from jax_acts._numerics.double_word import two_prod
from jax_acts._numerics.exp_log import (
    exp,
    exp_and_expm1,
    exp_full_range,
    expm1,
    expm1_minus,
    expm1_plus,
    exponent_quotient,
    log_of_reduced,
    log_reduce,
    mul_exp,
)
from jax_acts._numerics.polynomial import polynomial
from jax_acts._numerics.types import Real

INF = math.inf

SELU_ALPHA = 1.6732632423543772848170429916717
SELU_SCALE = 1.0507009873554804934193349852946


@activation(range=(0, INF), reference=lambda m, x: m.exp(x))
def exponential(x: Real) -> Array:
    r"""Exponential, $e^x$.

    >>> exponential(jnp.array([-1.0, 0.0, 1.0]))
    Array([0.36787945, 1.        , 2.7182817 ], dtype=float32)
    """
    return exp_full_range(x)


@exponential.defderivative
def exponential_dx(x: Real) -> Array:
    return exponential(x)


@exponential.defoutput()
def exponential_dx_from_y(y: Array) -> Array:
    return y


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
    return expm1(jnp.minimum(x, 0))


@activation(
    cite="katharopoulos2020",
    range=(0, INF),
    reference=lambda m, x: 1 + x if x > 0 else m.exp(x),
)
def elu_plus_one(x: Real) -> Array:
    r"""Positive exponential linear unit, $1 + x$ if $x > 0$, else $e^x$.

    It is `elu` plus 1, which linear attention takes of its queries and keys.

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
)
def celu(x: Real, alpha: Real = 1.0) -> Array:
    r"""Continuously differentiable ELU, $x$ if $x > 0$, else
    $\alpha (e^{x/\alpha} - 1)$.

    Args:
        x: The input.
        alpha: $\alpha$, not 0; the derivative in x is 1 at 0 for each $\alpha$.

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
    t = jnp.minimum(x, 0) / alpha  # e^t - 1 - t e^t cancels near 0
    return expm1_minus(t) - t * expm1(t)


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

    With $\lambda \approx 1.0507$ and $\alpha \approx 1.6733$ it keeps mean 0 and
    variance 1. Its derivative at 0 is $\lambda \alpha$.

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
    r"""Expanded integral of ELU: $\beta x$ and a quadratic or an exponential part.

    $\alpha_p x^2 + \beta x$ if $x > 0$, else $\alpha_n (e^x - 1 - x) + \beta x$.

    Args:
        x: The input.
        alpha_p: $\alpha_p$; the paper learns it as a softplus.
        alpha_n: $\alpha_n$; the paper learns it as $\beta$ plus a softplus.
        beta: $\beta$.

    >>> xielu(jnp.array([-1.0, 0.0, 2.0]))
    Array([-0.20569646,  0.        ,  4.2       ], dtype=float32)
    """
    low = min_nan_free(0.0, jnp.asarray(x))
    little = max_nan_free(-0.5, low)
    bend = little * little * polynomial(little, table.EXPM1_MINUS)  # e^x - 1 - x
    near = beta * low + alpha_n * bend
    finite = jnp.maximum(low, -1e18)
    far = expm1_plus(
        finite, alpha_n, *two_prod(beta - alpha_n, finite)
    )  # it has a zero
    far = where(low < finite, (beta - alpha_n) * low, far)
    negative = where(x > -0.5, near, far)
    return where(x < 0, negative, x * (alpha_p * x + beta))


@xielu.defderivative
def xielu_dx(
    x: Real, alpha_p: Real = 0.8, alpha_n: Real = 0.8, beta: Real = 0.5
) -> Array:
    negative = expm1_plus(jnp.minimum(x, 0), alpha_n, beta)
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
    return expm1_minus(jnp.minimum(x, 0))


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
)
def hexpo(x: Real, a: Real = 1.0, b: Real = 1.0, c: Real = 1.0, d: Real = 1.0) -> Array:
    r"""Hexpo, $a (1 - e^{-x/b})$ if $x \ge 0$, else $c (e^{x/d} - 1)$.

    Args:
        x: The input.
        a: $a$, the limit at $\infty$.
        b: $b$, not 0; where $a / b$ is $c / d$, there is no kink at 0.
        c: $c$; at $-\infty$ the limit is $-c$.
        d: $d$, not 0.

    >>> hexpo(jnp.array([-1.0, 0.0, 2.0]))
    Array([-0.6321,  0.    ,  0.8647], dtype=float32)
    """
    y = -lax.abs(x)
    side = where(x < 0, c, -a)
    return where(x == 0, x, side * expm1(y / where(x < 0, d, b)))


@hexpo.defderivative
def hexpo_dx(
    x: Real, a: Real = 1.0, b: Real = 1.0, c: Real = 1.0, d: Real = 1.0
) -> Array:
    height, width = where(x < 0, c, a), where(x < 0, d, b)
    y, low = exponent_quotient(-lax.abs(x), width)
    return mul_exp(height / width, y, low)


@hexpo.derivative.defderivative
def hexpo_dx2(
    x: Real, a: Real = 1.0, b: Real = 1.0, c: Real = 1.0, d: Real = 1.0
) -> Array:
    height, width = where(x < 0, c, -a), where(x < 0, d, b)
    y, low = exponent_quotient(-lax.abs(x), width)
    return mul_exp(height / (width * width), y, low)


@activation(
    cite="maechler2012",
    range=(-INF, 0),
    domain=(0, INF),
    reference=lambda m, x: m.log(-m.expm1(-x)),
)
def log1mexp(x: Real) -> Array:
    r"""Logarithm of a complement, $\log(1 - e^{-x})$ for $x > 0$, NaN for $x < 0$.

    >>> log1mexp(jnp.array([1e-3, 1.0, 20.0]))
    Array([-6.90826e+00, -4.58675e-01, -2.06115e-09], dtype=float32)
    """
    e, m = exp_and_expm1(-jnp.maximum(x, 0))
    f, k = log_reduce(-m)
    far = x > math.log(2)
    value = log_of_reduced(where(far, -e, f), where(far, 0.0, k))
    return where(x > 0, value, where(x == 0, -jnp.inf, jnp.nan))


@log1mexp.defderivative
def log1mexp_dx(x: Real) -> Array:
    e, m = exp_and_expm1(-jnp.maximum(x, 0))
    return where(x < 0, jnp.nan, e / lax.abs(m))  # -expm1(0) is -0


@log1mexp.derivative.defderivative
def log1mexp_dx2(x: Real) -> Array:
    e, m = exp_and_expm1(-jnp.maximum(x, 0))
    complement = lax.abs(m)
    return where(x < 0, jnp.nan, -(e / complement) * (1 / complement))
