"""Elementwise functions with coefficients: polynomials, rational functions, splines.

    x, coefficients --rule, in float32 or wider, of finite x--> y, rounded once

Coefficients lie along the first axis, shape `(k,)`; each may be an array that
broadcasts against x, as in `(k, features)`. The residuals are x and the coefficients;
the backward pass recomputes the rest.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from jax_acts._core.arguments import as_real, compute_dtype
from jax_acts._core.residuals import save_operands
from jax_acts._core.spec import Coefficients
from jax_acts._numerics.bitwise import copysign
from jax_acts._numerics.ordinary import is_ordinary

CoefficientList = Sequence[Array]
"""Coefficients in order of degree, the constant term first."""


def pointwise(
    name: str,
    rule: Callable[..., Array],
    x: Any,
    coefficients: Mapping[str, Coefficients],
    **parameters: Any,
) -> Array:
    """Compute `rule(x, *coefficients, *parameters)`, in the dtype of x.

    An infinite x gives the limit, and the derivatives of the finite x that `finite`
    substitutes.

    Args:
        name: The function, for error messages.
        rule: A function of a finite array in float32 or wider, of lists of such arrays
            and of such arrays.
        x: The input.
        coefficients: The coefficients by argument name.
        **parameters: Arguments that broadcast against x.

    Raises:
        TypeError: An argument is complex, or not a number.
        ValueError: Coefficients are a scalar, are empty, or do not broadcast.
    """
    x = as_real(name, "x", x)
    lists = [_unstack(name, argument, c) for argument, c in coefficients.items()]
    scalars = [as_real(name, argument, p) for argument, p in parameters.items()]
    arrays = [*lists, *([scalar] for scalar in scalars)]
    for argument, values in zip([*coefficients, *parameters], arrays, strict=True):
        _check_shapes(name, argument, x, values)
    wide = compute_dtype(x.dtype)

    def evaluate(x: Array, lists: list[list[Any]], scalars: list[Any]) -> Array:
        z = x.astype(wide)
        # Pallas for Triton has no arithmetic of scalar constants.
        cast = lambda a: (
            a.astype(wide) if isinstance(a, Array) else jax.lax.full_like(z, a)
        )
        y = rule(
            finite(z),
            *jax.tree.map(cast, lists),
            *map(cast, scalars),
        )
        diverges = jnp.isinf(z) & (jnp.abs(y) > math.sqrt(jnp.finfo(wide).max))
        limit = jnp.where(diverges, copysign(jnp.inf, y), 0)
        return (y + jax.lax.stop_gradient(limit)).astype(x.dtype)

    if all(
        isinstance(a, int | float) for a in jax.tree.leaves([coefficients, parameters])
    ):
        constants = ([[*c] for c in coefficients.values()], [*parameters.values()])
        return save_operands(
            lambda x: evaluate(x, *constants), (x,), symbolic_zeros=False
        )
    return save_operands(evaluate, (x, lists, scalars), symbolic_zeros=True)


def finite(x: Array) -> Array:
    """Replace ±inf by ±2^(maxexp - 28), 1e30 in float32; the derivative is 1 or NaN."""
    return x if is_ordinary() else _finite(x)


@jax.custom_jvp
def _finite(x: Array) -> Array:
    large = 2.0 ** (int(jnp.finfo(x.dtype).maxexp) - 28)
    return jnp.where(x == jnp.inf, large, jnp.where(x == -jnp.inf, -large, x))


@_finite.defjvp
def _finite_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    (x,), (t,) = primals, tangents
    return _finite(x), t * jnp.where(jnp.isnan(x), x, 1)


def nonzero_sign(v: Array) -> Array:
    """Return -1 where v < 0, else 1, so that the gradient of |v| at 0 is not 0."""
    return jnp.where(v < 0, -1.0, 1.0).astype(v.dtype)


def horner(coefficients: CoefficientList, x: Array) -> Array:
    """Evaluate a polynomial by Horner's rule."""
    *rest, y = coefficients
    for c in reversed(rest):
        y = y * x + c
    return y


def extend_linearly(
    f: Callable[[Array], Array], x: Array, low: float, high: float
) -> Array:
    """Evaluate f on [low, high] and its tangents at the ends outside."""
    clipped = clip_inclusive(x, low, high)
    y, beyond = jax.jvp(f, (clipped,), (finite(x) - clipped,))
    return y + beyond


def clip_inclusive(x: Array, low: float, high: float) -> Array:
    """Clip x to [low, high], with derivative 1 at both ends."""
    return jnp.where(x < low, low, jnp.where(x > high, high, x))


def _unstack(name: str, argument: str, coefficients: Any) -> list[Array]:
    """Return the coefficients as a list of arrays."""
    where = f"{name}: {argument}: expected"
    if isinstance(coefficients, tuple | list):
        arrays = [as_real(name, argument, c) for c in coefficients]
    else:
        array = as_real(name, argument, coefficients)
        if not array.ndim:
            raise ValueError(
                f"{where} coefficients of shape (k,) or (k, features), got a scalar"
            )
        arrays = [array[i] for i in range(len(array))]
    if not arrays:
        raise ValueError(f"{where} at least 1 coefficient, got none")
    return arrays


def _check_shapes(name: str, argument: str, x: Array, arrays: list[Array]) -> None:
    for array in arrays:
        sizes = zip(reversed(array.shape), reversed(x.shape), strict=False)
        if array.ndim > x.ndim or any(n not in (1, size) for n, size in sizes):
            raise ValueError(
                f"{name}: {argument}: expected elements that broadcast to x of shape "
                f"{x.shape}, such as () or, per feature, {x.shape[-1:]}; "
                f"got {array.shape}"
            )
