"""Functions in pieces whose heights or slopes are learned: hinges and splines."""

from typing import Literal, get_args

import jax
import jax.numpy as jnp
from jax import Array

from jax_acts._core.errors import check_choice
from jax_acts._core.function import function
from jax_acts._core.pointwise import (
    CoefficientList,
    clip_inclusive,
    extend_linearly,
    pointwise,
)
from jax_acts._core.spec import Coefficients
from jax_acts._numerics.types import Real
from jax_acts.functional.logistic import silu
from jax_acts.functional.polynomial import ends

Outside = Literal["linear", "constant", "zero"]


@function(cite="agostinelli2014")
def apl(
    x: Array,
    slopes: Coefficients = (0.0, 0.0),
    hinges: Coefficients = (-1.0, 1.0),
) -> Array:
    r"""Adaptive piecewise linear unit, $\max(x, 0) + \sum_i a_i \max(b_i - x, 0)$.

    By default it is `relu`, with two hinges that have no weight yet. Where it has no
    derivative, that from above is taken, but 0 of $\max(x, 0)$ at 0.

    Args:
        x: The input.
        slopes: $a_1, a_2, \dots$, of shape `(k,)` or `(k, features)`.
        hinges: $b_1, b_2, \dots$, as many.

    Raises:
        ValueError: There are more of one than of the other, or a row is a single
            number, or does not broadcast against x.

    >>> apl(jnp.array([-2.0, 0.5, 3.0]), (0.2,), (0.0,))
    Array([0.4, 0.5, 3. ], dtype=float32)
    """

    def rule(x: Array, slopes: CoefficientList, hinges: CoefficientList) -> Array:
        if len(slopes) != len(hinges):
            raise ValueError(
                f"apl has a slope for each hinge; there are {len(slopes)} slopes and "
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
    outside: Outside = "linear",
) -> Array:
    r"""Spline on a uniform grid, $\sum_i c_i B_i(x) + w\,x\,\sigma(x)$.

    $n$ coefficients of degree $d$ make $n - d$ intervals. By default it is $x$.

    Args:
        x: The input.
        coefficients: $c_0, c_1, \dots$, of shape `(k,)` or `(k, features)`.
        base: $w$, the weight of `silu`; Kolmogorov-Arnold networks start it at 1.
        grid: The two ends of the grid.
        degree: $d$, the degree of the pieces: 1 of straight lines, 3 of cubics.
        outside: "linear" continues with the tangents of the ends and "constant" with
            their values; "zero" lets the spline fade within $d$ intervals, as those
            networks do.

    Raises:
        ValueError: The grid is empty, there is no such continuation, there are fewer
            than $d + 1$ coefficients, or they do not broadcast against x.

    >>> b_spline(jnp.array([-6.0, 3.0, jnp.inf]))
    Array([-6.,  3., inf], dtype=float32)
    >>> b_spline(jnp.array([0.0, 0.5, 9.0]), (0, 1, 0), grid=(-1, 1), degree=1)
    Array([ 1. ,  0.5, -8. ], dtype=float32)
    """
    check_choice("b_spline", "outside", outside, get_args(Outside))
    low, high = ends("b_spline", "grid", grid)
    if isinstance(degree, bool) or not isinstance(degree, int) or degree < 0:
        raise ValueError(f"b_spline: degree is a whole number from 0, not {degree!r}")

    def rule(x: Array, row: CoefficientList, base: Array) -> Array:
        count = len(row) - degree
        if count < 1:
            raise ValueError(
                f"b_spline of degree {degree} has at least {degree + 1} coefficients, "
                f"not {len(row)}"
            )
        z = (x - low) * (count / (high - low))
        match outside:
            case "linear":
                y = extend_linearly(
                    lambda z: _spline(row, z, degree), z, 0.0, float(count)
                )
            case "constant":
                y = _spline(row, clip_inclusive(z, 0.0, float(count)), degree)
            case "zero":
                none = [jnp.zeros_like(row[0])] * degree
                wide = clip_inclusive(z + degree, 0.0, float(count + 2 * degree))
                y = _spline([*none, *row, *none], wide, degree)
        return y + base * silu(x)

    return pointwise("b_spline", rule, x, {"coefficients": coefficients}, base=base)


def _spline(row: CoefficientList, z: Array, degree: int) -> Array:
    """Returns the spline at z, from 0 to the number of intervals.

    The coefficients that reach an interval are picked by comparison, since the gradient
    of a gather is a scatter.
    """
    piece = jnp.clip(jnp.floor(jax.lax.stop_gradient(z)), 0, len(row) - degree - 1)
    y = jnp.zeros_like(z)
    for r, weight in enumerate(_weights(z - piece, degree)):
        picked = jnp.zeros_like(z)
        for i, c in enumerate(row[r : len(row) - degree + r]):
            picked = jnp.where(piece == i, c, picked)
        y = y + weight * picked
    return y


def _weights(s: Array, degree: int) -> list[Array]:
    """Returns the B-splines that are not 0 in an interval, at s from 0 to 1 in it.

    On a uniform grid the recursion of Cox and de Boor divides by whole numbers only.
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
