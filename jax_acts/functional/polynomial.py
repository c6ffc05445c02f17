"""Polynomials, rational functions and splines with learned coefficients.

Coefficients are tuples, or arrays of shape `(k,)` or `(k, features)`.
"""

import math
from typing import Literal, get_args

import jax
import jax.numpy as jnp
from jax import Array, lax

from jax_acts._core.errors import check_choice
from jax_acts._core.function import function
from jax_acts._core.pointwise import (
    CoefficientList,
    clip_inclusive,
    extend_linearly,
    horner,
    nonzero_sign,
    pointwise,
)
from jax_acts._core.spec import Coefficients
from jax_acts._numerics.bitwise import (
    clip_to,
    ldexp,
    where,
)
from jax_acts._numerics.ordinary import is_ordinary
from jax_acts._numerics.types import Real
from jax_acts.functional.hyperbolic import tanh
from jax_acts.functional.logistic import silu

__all__ = [
    "apl",
    "b_spline",
    "chebyshev",
    "polyrelu",
    "rational",
]

Form = Literal["A", "B", "C"]
ChebyshevExtrapolation = Literal["linear", "constant", "squash"]
SplineExtrapolation = Literal["linear", "constant", "zero"]
_THIRD = 1 / 3


@function(cite="zhuo2024")
def polyrelu(
    x: Array, coefficients: Coefficients = (0.0, _THIRD, _THIRD, _THIRD)
) -> Array:
    r"""Polynomial ReLU, $\sum_i a_i \max(x, 0)^i$.

    The derivative at 0 is 0.

    Args:
        x: The input.
        coefficients: $a_0, a_1, \dots$, shape `(k,)` or `(k, features)`. The paper
            learns four, initialized to the default.

    Raises:
        ValueError: `coefficients` is a scalar, or does not broadcast against x.

    >>> polyrelu(jnp.array([-1.0, 2.0]))
    Array([0.      , 4.666667], dtype=float32)
    """
    rule = lambda x, c: horner(c, where(x <= 0, 0, x))
    return pointwise("polyrelu", rule, x, {"coefficients": coefficients})


@function(cite="molina2019")
def rational(
    x: Array,
    numerator: Coefficients = (0.0, 1.0),
    denominator: Coefficients = (0.0,),
    *,
    form: Form = "A",
) -> Array:
    r"""Rational function, $P(x) / Q(x)$ with $P(x) = \sum_i a_i x^i$ and $Q > 0$.

    Form A: $Q(x) = 1 + \sum_{i \ge 1} |b_i x^i|$.
    Form B: $Q(x) = 1 + |\sum_{i \ge 1} b_i x^i|$.
    Form C: $Q(x) = 0.1 + |\sum_{i \ge 0} b_i x^i|$.

    The quotient stays accurate where $P$ or $Q$ overflows. The default is the identity;
    `jax_acts.fitting` computes coefficients that approximate another activation.

    At a zero of $v$, the derivative of $|v|$ is that of $v$. In form A, $v$ is x or
    $b_i$: the derivative at x = 0 is the right derivative, $a_1 - a_0 |b_1|$, and a
    $b_i$ of 0 has a nonzero gradient. In forms B and C, $v$ is the sum.

    Args:
        x: The input.
        numerator: $a_0, a_1, \dots$, shape `(k,)` or `(k, features)`; six in the paper.
        denominator: $b_1, b_2, \dots$ (form C: $b_0, b_1, \dots$), shape `(k,)` or
            `(k, features)`; four in the paper.
        form: "A", "B" or "C", as in the library of the paper.

    Raises:
        ValueError: `form` is unknown, or coefficients are a scalar or do not broadcast
            against x.

    >>> rational(jnp.array([-0.5, 0.0, 1e30]), (0.0, 1.0), (0.5,))
    Array([-0.4,  0. ,  2. ], dtype=float32)
    """
    check_choice("rational", "form", form, get_args(Form))

    def rule(
        x: Array, numerator: CoefficientList, denominator: CoefficientList
    ) -> Array:
        return _quotient(x, numerator, denominator, form)

    coefficients = {"numerator": numerator, "denominator": denominator}
    return pointwise("rational", rule, x, coefficients)


@function(cite="sidharth2024")
def chebyshev(
    x: Array,
    coefficients: Coefficients = (0.0, 4.0),
    *,
    interval: tuple[float, float] = (-4.0, 4.0),
    outside: ChebyshevExtrapolation = "linear",
) -> Array:
    r"""Chebyshev series, $\sum_i c_i T_i(z)$ of x mapped to $z$ in $[-1, 1]$.

    The default is the identity.

    Args:
        x: The input.
        coefficients: $c_0, c_1, \dots$, shape `(k,)` or `(k, features)`.
        interval: The interval mapped linearly to $[-1, 1]$.
        outside: Extrapolation. "linear" uses the tangents at the ends, "constant" the
            values at the ends. "squash" applies tanh to $z$, as Chebyshev KANs do with
            the interval $(-1, 1)$.

    Raises:
        ValueError: `interval` is empty, `outside` is unknown, or `coefficients` is a
            scalar or does not broadcast against x.

    >>> chebyshev(jnp.array([0.0, 0.5, 1.0]), (1.0, 0.0, 2.0), interval=(-1.0, 1.0))
    Array([-1.,  0.,  3.], dtype=float32)
    """
    check_choice("chebyshev", "outside", outside, get_args(ChebyshevExtrapolation))
    low, high = _check_interval("chebyshev", "interval", interval)
    center, scale = (low + high) / 2, 2 / (high - low)

    def rule(x: Array, c: CoefficientList) -> Array:
        z = (x - center) * scale
        match outside:
            case "linear":
                return extend_linearly(lambda z: _clenshaw(c, z), z, -1.0, 1.0)
            case "constant":
                return _clenshaw(c, clip_inclusive(z, -1.0, 1.0))
            case "squash":
                return _clenshaw(c, tanh(z))

    return pointwise("chebyshev", rule, x, {"coefficients": coefficients})


@function(cite="agostinelli2014")
def apl(
    x: Array,
    slopes: Coefficients = (0.0, 0.0),
    hinges: Coefficients = (-1.0, 1.0),
) -> Array:
    r"""Adaptive piecewise linear unit, $\max(x, 0) + \sum_i a_i \max(b_i - x, 0)$.

    The default is `relu` with two hinges of slope 0. At a hinge the derivative is the
    right derivative; the derivative of $\max(x, 0)$ at 0 is 0.

    Args:
        x: The input.
        slopes: $a_1, a_2, \dots$, shape `(k,)` or `(k, features)`.
        hinges: $b_1, b_2, \dots$, shape `(k,)` or `(k, features)`, the same k.

    Raises:
        ValueError: The number of slopes differs from the number of hinges, or either is
            a scalar or does not broadcast against x.

    >>> apl(jnp.array([-2.0, 0.5, 3.0]), (0.2,), (0.0,))
    Array([0.4, 0.5, 3. ], dtype=float32)
    """

    def rule(x: Array, slopes: CoefficientList, hinges: CoefficientList) -> Array:
        if len(slopes) != len(hinges):
            raise ValueError(
                f"apl: expected as many slopes as hinges, got {len(slopes)} slopes and "
                f"{len(hinges)} hinges"
            )
        y = jnp.where(x <= 0, 0, x)
        for a, b in zip(slopes, hinges, strict=True):
            y = y + a * jnp.where(x >= b, 0, b - x)
        return y

    return pointwise("apl", rule, x, {"slopes": slopes, "hinges": hinges})


@function(cite="bohra2020 liu2024")
def b_spline(
    x: Array,
    coefficients: Coefficients = (-5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5),
    base: Real = 0.0,
    *,
    grid: tuple[float, float] = (-4.0, 4.0),
    degree: int = 3,
    outside: SplineExtrapolation = "linear",
) -> Array:
    r"""B-spline on a uniform grid, $\sum_i c_i B_i(x) + w\,x\,\sigma(x)$.

    $k$ coefficients of degree $d$ define $k - d$ intervals. The default is the
    identity.

    Args:
        x: The input.
        coefficients: $c_0, c_1, \dots$, shape `(k,)` or `(k, features)`.
        base: $w$, the weight of `silu`; Kolmogorov-Arnold networks initialize it to 1.
        grid: The ends of the grid.
        degree: $d$, the degree of the pieces: 1 is piecewise linear, 3 cubic.
        outside: Extrapolation. "linear" uses the tangents at the ends, "constant" the
            values at the ends. "zero" decays to 0 within $d$ intervals, as in
            Kolmogorov-Arnold networks.

    Raises:
        ValueError: `grid` is empty, `outside` is unknown, there are fewer than $d + 1$
            coefficients, or they do not broadcast against x.

    >>> b_spline(jnp.array([-6.0, 3.0, jnp.inf]))
    Array([-6.,  3., inf], dtype=float32)
    >>> b_spline(jnp.array([0.0, 0.5, 9.0]), (0, 1, 0), grid=(-1, 1), degree=1)
    Array([ 1. ,  0.5, -8. ], dtype=float32)
    """
    check_choice("b_spline", "outside", outside, get_args(SplineExtrapolation))
    low, high = _check_interval("b_spline", "grid", grid)
    if isinstance(degree, bool) or not isinstance(degree, int) or degree < 0:
        raise ValueError(f"b_spline: degree: expected an integer >= 0, got {degree!r}")

    def rule(x: Array, c: CoefficientList, base: Array) -> Array:
        intervals = len(c) - degree
        if intervals < 1:
            raise ValueError(
                f"b_spline: coefficients: expected at least {degree + 1} for degree "
                f"{degree}, got {len(c)}"
            )
        z = (x - low) * (intervals / (high - low))
        match outside:
            case "linear":
                spline = lambda z: _evaluate_spline(c, z, degree)
                y = extend_linearly(spline, z, 0.0, float(intervals))
            case "constant":
                y = _evaluate_spline(
                    c, clip_inclusive(z, 0.0, float(intervals)), degree
                )
            case "zero":
                padding = [jnp.zeros_like(c[0])] * degree
                padded_z = clip_inclusive(
                    z + degree, 0.0, float(intervals + 2 * degree)
                )
                y = _evaluate_spline([*padding, *c, *padding], padded_z, degree)
        return y + base * silu(x)

    return pointwise("b_spline", rule, x, {"coefficients": coefficients}, base=base)


def _check_interval(
    name: str, argument: str, interval: tuple[float, float]
) -> tuple[float, float]:
    """Return the ends of a nonempty finite interval as floats."""
    match interval:
        case [int() | float() as low, int() | float() as high]:
            if 0 < high - low < float("inf"):
                return float(low), float(high)
        case _:
            pass
    raise ValueError(
        f"{name}: {argument}: expected (low, high), finite with low < high, got "
        f"{interval!r}"
    )


def _clenshaw(coefficients: CoefficientList, z: Array) -> Array:
    """Return Σ c_i T_i(z) by Clenshaw recurrence."""
    first, *rest = coefficients
    b2, b1 = jnp.zeros_like(z), jnp.zeros_like(z)
    for c in reversed(rest):
        b2, b1 = b1, c + 2 * z * b1 - b2
    return first + z * b1 - b2


def _evaluate_spline(coefficients: CoefficientList, z: Array, degree: int) -> Array:
    """Return the spline at z in [0, number of intervals].

    Coefficients are selected by comparison: the gradient of a gather is a scatter.
    """
    intervals = len(coefficients) - degree
    interval = clip_to(jnp.floor(jax.lax.stop_gradient(z)), 0, intervals - 1)
    y = jnp.zeros_like(z)
    for r, weight in enumerate(_basis_functions(z - interval, degree)):
        selected = jnp.zeros_like(z)
        for i, c in enumerate(coefficients[r : intervals + r]):
            selected = jnp.where(interval == i, c, selected)
        y = y + weight * selected
    return y


def _basis_functions(s: Array, degree: int) -> list[Array]:
    """Return the nonzero B-splines at s in [0, 1] of one interval.

    Cox-de Boor recursion: on a uniform grid the divisors are integers.
    """
    weights = [jnp.ones_like(s)]
    for d in range(1, degree + 1):
        right = [(s + (d - 1 - r)) * w / d for r, w in enumerate(weights)]
        left = [((r + 1) - s) * w / d for r, w in enumerate(weights)]
        weights = [
            left[0],
            *(a + b for a, b in zip(left[1:], right, strict=False)),
            right[-1],
        ]
    return weights


# Overflow-free quotient: for |x| > 1 both polynomials are evaluated in w = 1/x,
# P(x) = x^m (a_m + a_(m-1) w + ...), and each is scaled by a power of two so that its
# largest term is O(1). The exponents are integers, hence constants to autodiff.


def _quotient(
    x: Array, numerator: CoefficientList, denominator: CoefficientList, form: Form
) -> Array:
    """Return P(x) / Q(x)."""
    m = len(numerator) - 1
    magnitude = x * nonzero_sign(x)
    far = magnitude > 1
    e = where(far, _exponent(magnitude), 0)
    u = where(far, ldexp(magnitude, -e), 1)  # |x| = u 2^e, 1 <= u < 2
    v = where(far, 1 / u, magnitude)  # 1 / |x| = v 2^-e
    w = v * nonzero_sign(x)
    p, p_exponent = _scaled_polynomial(numerator, w, e, far)
    if form == "A":
        b = [jnp.ones_like(x), *(b * nonzero_sign(b) for b in denominator)]
        n = len(b) - 1
        q, q_exponent = _scaled_polynomial(b, v, e, far)
    else:
        constant = 0.1 if form == "C" else 1.0
        b = denominator if form == "C" else [jnp.zeros_like(x), *denominator]
        n = len(b) - 1
        total, total_exponent = _scaled_polynomial(b, w, e, far)
        q_exponent = jnp.maximum(total_exponent, -n * e)
        q = _mul_power_of_two(total * nonzero_sign(total), total_exponent - q_exponent)
        constant = where(far, constant * lax.integer_pow(v, n), constant)
        q = q + _mul_power_of_two(constant, -n * e - q_exponent)
    ratio = p / q * lax.integer_pow(u, m - n)
    if m % 2:
        ratio = where(far, ratio * nonzero_sign(x), ratio)
    return _mul_power_of_two(ratio, p_exponent - q_exponent + (m - n) * e)


def _scaled_polynomial(
    coefficients: CoefficientList, v: Array, e: Array, far: Array
) -> tuple[Array, Array]:
    """Return (s, k): s 2^k is the polynomial of v, or where `far` is true the
    polynomial of v 2^-e with reversed coefficients.
    """
    pairs = zip(coefficients, reversed(coefficients), strict=True)
    ordered = [where(far, b, a) for a, b in pairs]
    exponents = [_exponent(c) - i * e for i, c in enumerate(ordered)]
    k = exponents[0]
    for exponent in exponents[1:]:
        k = jnp.maximum(k, exponent)
    terms = [_mul_power_of_two(c, -i * e - k) for i, c in enumerate(ordered)]
    return horner(terms, v), k


def _exponent(v: Array) -> Array:
    """Return k with 2^k <= |v| < 2^(k + 1); -2^20 for v = 0."""
    info = jnp.finfo(v.dtype)
    if is_ordinary():
        magnitude = jax.lax.stop_gradient(where(v == 0, jnp.ones_like(v), lax.abs(v)))
        k = jnp.floor(lax.log(magnitude) * (1 / math.log(2)))
        return where(v == 0, -(2.0**20), k)
    bits = lax.bitcast_convert_type(lax.abs(v), jnp.dtype(f"int{info.bits}"))
    k = (bits >> info.nmant) - (info.maxexp - 1)
    return jax.lax.stop_gradient(where(v == 0, -(2**20), k))


def _mul_power_of_two(v: Array, k: Array) -> Array:
    """Return v 2^k for any integer k."""
    max_exponent = 2 * (jnp.finfo(v.dtype).maxexp - 2)
    return ldexp(v, clip_to(k, -max_exponent, max_exponent))
