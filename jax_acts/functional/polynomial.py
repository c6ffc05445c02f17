"""Polynomials, and quotients of them, whose coefficients are learned."""

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
from jax_acts._numerics.bitwise import ldexp, where
from jax_acts.functional.hyperbolic import tanh

Form = Literal["A", "B", "C"]
Beyond = Literal["linear", "constant", "squash"]
_THIRD = 1 / 3


@function(cite="zhuo2024")
def polyrelu(
    x: Array, coefficients: Coefficients = (0.0, _THIRD, _THIRD, _THIRD)
) -> Array:
    r"""Polynomial of a rectifier, $\sum_i a_i \max(x, 0)^i$.

    Its derivative at 0 is 0.

    Args:
        x: The input.
        coefficients: $a_0, a_1, \dots$, of shape `(k,)` or `(k, features)`. The paper
            learns four, from the default.

    Raises:
        ValueError: They are a single number, or do not broadcast against x.

    >>> polyrelu(jnp.array([-1.0, 2.0]))
    Array([0.      , 4.666667], dtype=float32)
    """
    rule = lambda x, row: horner(row, where(x <= 0, 0, x))
    return pointwise("polyrelu", rule, x, {"coefficients": coefficients})


@function(cite="molina2019")
def rational(
    x: Array,
    numerator: Coefficients = (0.0, 1.0),
    denominator: Coefficients = (0.0,),
    *,
    form: Form = "A",
) -> Array:
    r"""Rational function, $P(x) / Q(x)$ with $P(x) = \sum_i a_i x^i$ and a safe $Q$.

    Form A has $Q(x) = 1 + \sum_{i \ge 1} |b_i x^i|$, B has
    $1 + |\sum_{i \ge 1} b_i x^i|$ and C has $0.1 + |\sum_{i \ge 0} b_i x^i|$. None has
    a pole. Neither $P$ nor $Q$ need be finite for the quotient to be right. By default
    it is $x$; `jax_acts.fitting` gives coefficients that come near to another activation.

    Where $|v|$ has no derivative, that of $v$ is taken. In A, $v$ is x and each $b_i$:
    the derivative at 0 is $a_1 - a_0 |b_1|$, that from above, and a $b_i$ of 0 learns.
    In B and C, $v$ is the sum, which for B is 0 at 0.

    Args:
        x: The input.
        numerator: $a_0, a_1, \dots$, of shape `(k,)` or `(k, features)`. The paper
            learns six.
        denominator: $b_1, b_2, \dots$, and for C $b_0, b_1, \dots$, of such a shape.
            The paper learns four.
        form: "A", "B" or "C", as the library of the paper calls them.

    Raises:
        ValueError: There is no such form, or a row is a single number, or does not
            broadcast against x.

    >>> rational(jnp.array([-0.5, 0.0, 1e30]), (0.0, 1.0), (0.5,))
    Array([-0.4,  0. ,  2. ], dtype=float32)
    """
    check_choice("rational", "form", form, get_args(Form))

    def rule(x: Array, above: CoefficientList, below: CoefficientList) -> Array:
        return _quotient(x, above, below, form)

    rows = {"numerator": numerator, "denominator": denominator}
    return pointwise("rational", rule, x, rows)


@function(cite="sidharth2024")
def chebyshev(
    x: Array,
    coefficients: Coefficients = (0.0, 4.0),
    *,
    interval: tuple[float, float] = (-4.0, 4.0),
    outside: Beyond = "linear",
) -> Array:
    r"""Chebyshev series, $\sum_i c_i T_i(z)$ of x mapped to $z$ in $[-1, 1]$.

    By default it is $x$.

    Args:
        x: The input.
        coefficients: $c_0, c_1, \dots$, of shape `(k,)` or `(k, features)`.
        interval: What is mapped to $[-1, 1]$, by a line.
        outside: "linear" continues with the tangents of the ends and "constant" with
            their values; "squash" maps all numbers into $[-1, 1]$, by a tanh of that
            line, as Chebyshev KANs do with the interval $(-1, 1)$.

    Raises:
        ValueError: The interval is empty, there is no such continuation, or the
            coefficients are a single number, or do not broadcast against x.

    >>> chebyshev(jnp.array([0.0, 0.5, 1.0]), (1.0, 0.0, 2.0), interval=(-1.0, 1.0))
    Array([-1.,  0.,  3.], dtype=float32)
    """
    check_choice("chebyshev", "outside", outside, get_args(Beyond))
    low, high = ends("chebyshev", "interval", interval)
    middle, scale = (low + high) / 2, 2 / (high - low)

    def rule(x: Array, row: CoefficientList) -> Array:
        z = (x - middle) * scale
        match outside:
            case "linear":
                return extend_linearly(lambda z: _clenshaw(row, z), z, -1.0, 1.0)
            case "constant":
                return _clenshaw(row, clip_inclusive(z, -1.0, 1.0))
            case "squash":
                return _clenshaw(row, tanh(z))

    return pointwise("chebyshev", rule, x, {"coefficients": coefficients})


def ends(name: str, argument: str, given: tuple[float, float]) -> tuple[float, float]:
    """Returns the two ends of an interval.

    Raises:
        ValueError: They are not two finite numbers, the lower first.
    """
    match given:
        case [int() | float() as low, int() | float() as high]:
            if 0 < high - low < float("inf"):
                return float(low), float(high)
        case _:
            pass
    raise ValueError(
        f"{name}: {argument} is two finite numbers, the lower first, such as "
        f"(-4.0, 4.0), not {given!r}"
    )


def _clenshaw(row: CoefficientList, z: Array) -> Array:
    """Returns the sum of c_i T_i(z), by T_{i+1} = 2 z T_i - T_{i-1}."""
    first, *rest = row
    after, y = jnp.zeros_like(z), jnp.zeros_like(z)
    for c in reversed(rest):
        after, y = y, c + 2 * z * y - after
    return first + z * y - after


# ------------------------------------------------------- quotients that do not overflow
# Beyond 1, polynomials are evaluated in w = 1/x: P(x) = x^m (a_m + a_(m-1) w + …).
# Where the first coefficients are 0 even that vanishes, so that each polynomial is
# scaled by its greatest term. The exponents are whole numbers, constants to autodiff.


def _quotient(
    x: Array, above: CoefficientList, below: CoefficientList, form: Form
) -> Array:
    """Returns P(x) / Q(x)."""
    m = len(above) - 1
    size = x * nonzero_sign(x)
    far = size > 1
    e = where(far, _exponent(size), 0)
    u = where(far, ldexp(size, -e), 1)  # |x| is u 2^e, 1 <= u < 2
    v = where(far, 1 / u, size)  # and w is v 2^-e
    w = v * nonzero_sign(x)
    top, k = _scaled(above, w, e, far)
    if form == "A":
        row = [jnp.ones_like(x), *(b * nonzero_sign(b) for b in below)]
        n = len(row) - 1
        bottom, low = _scaled(row, v, e, far)
    else:
        least, row = (0.1, below) if form == "C" else (1.0, [jnp.zeros_like(x), *below])
        n = len(row) - 1
        total, place = _scaled(row, w, e, far)
        low = jnp.maximum(place, -n * e)
        bottom = _times_power_of_two(total * nonzero_sign(total), place - low)
        constant = where(far, least * lax.integer_pow(v, n), least)
        bottom = bottom + _times_power_of_two(constant, -n * e - low)
    ratio = top / bottom * lax.integer_pow(u, m - n)
    if m % 2:
        ratio = where(far, ratio * nonzero_sign(x), ratio)
    return _times_power_of_two(ratio, k - low + (m - n) * e)


def _scaled(
    row: CoefficientList, v: Array, e: Array, far: Array
) -> tuple[Array, Array]:
    """Returns s and k: s 2^k is the polynomial of v where e is 0, and far out in
    w = v 2^-e the one with the coefficients reversed.
    """
    ordered = [where(far, b, a) for a, b in zip(row, reversed(row), strict=True)]
    places = [_exponent(c) - i * e for i, c in enumerate(ordered)]
    k = places[0]
    for place in places[1:]:
        k = jnp.maximum(k, place)
    terms = [_times_power_of_two(c, -i * e - k) for i, c in enumerate(ordered)]
    return horner(terms, v), k


def _exponent(v: Array) -> Array:
    """Returns k with 2^k <= |v| < 2^(k + 1), and for 0 one far below all others."""
    info = jnp.finfo(v.dtype)
    bits = lax.bitcast_convert_type(lax.abs(v), jnp.dtype(f"int{info.bits}"))
    k = (bits >> info.nmant) - (info.maxexp - 1)
    return jax.lax.stop_gradient(where(v == 0, -(2**20), k))


def _times_power_of_two(v: Array, k: Array) -> Array:
    """Returns v 2^k for any k."""
    most = 2 * (jnp.finfo(v.dtype).maxexp - 2)
    return ldexp(v, jnp.clip(k, -most, most))
