"""Functions of one number with rows of coefficients: checked, widened, and lean.

    x, rows --rule, in float32 or wider, of finite numbers--> y, rounded once

A row has its coefficients along the first axis, shape `(k,)`; each may be an array that
broadcasts against x, as in `(k, features)`. A backward pass keeps x and the rows, and
computes the rest again.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from jax_acts._core.arguments import as_real
from jax_acts._core.function import Coefficients

Row = Sequence[Array]
"""Coefficients, the lowest first."""


def pointwise(
    name: str,
    rule: Callable[..., Array],
    x: Any,
    rows: Mapping[str, Coefficients],
    **numbers: Any,
) -> Array:
    """Returns `rule(x, *rows, *numbers)`, in the dtype of x.

    An infinite x gives the limit, and the derivatives of a large number, 1e30.

    Args:
        name: Who complains.
        rule: What is computed, of finite arrays in float32 or wider and of lists of
            such.
        x: The input.
        rows: The rows of coefficients, by the names of the arguments.
        **numbers: Arguments that are one number, or broadcast against x.

    Raises:
        TypeError: An argument is complex, or no number.
        ValueError: A row is a single number, is empty, or does not broadcast.
    """
    x = as_real(name, "x", x)
    lists = [_list(name, argument, row) for argument, row in rows.items()]
    singles = [as_real(name, argument, number) for argument, number in numbers.items()]
    for argument, coefficients in zip(rows, lists, strict=True):
        _refuse_other_shapes(name, argument, x, coefficients)
    for argument, single in zip(numbers, singles, strict=True):
        _refuse_other_shapes(name, argument, x, [single])
    wide = jnp.promote_types(x.dtype, jnp.float32)

    def rounded(x: Array, lists: list[list[Array]], singles: list[Array]) -> Array:
        cast = lambda a: a.astype(wide)
        z = cast(x)
        y = rule(finite(z), *jax.tree.map(cast, lists), *map(cast, singles))
        beyond = jnp.isinf(z) & (jnp.abs(y) > math.sqrt(jnp.finfo(wide).max))
        end = jnp.where(beyond, jnp.copysign(jnp.inf, y), 0)
        return (y + jax.lax.stop_gradient(end)).astype(x.dtype)

    return jax.checkpoint(rounded, prevent_cse=False)(x, lists, singles)


@jax.custom_jvp
def finite(x: Array) -> Array:
    """Returns x, or where it is infinite a large number; the derivative is 1 or NaN."""
    large = 2.0 ** (int(jnp.finfo(x.dtype).maxexp) - 28)
    return jnp.where(jnp.isinf(x), jnp.sign(x) * large, x)


@finite.defjvp
def finite_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    (x,), (t,) = primals, tangents
    return finite(x), t * jnp.where(jnp.isnan(x), x, 1)


def sign(v: Array) -> Array:
    """Returns -1 where v < 0 and else 1, also at 0: what learns |v| leaves 0 then."""
    return jnp.where(v < 0, -1.0, 1.0).astype(v.dtype)


def horner(row: Row, x: Array) -> Array:
    """Returns the polynomial of x."""
    *rest, y = row
    for c in reversed(rest):
        y = y * x + c
    return y


def continued(f: Callable[[Array], Array], x: Array, low: float, high: float) -> Array:
    """Returns f(x) from low to high, and its tangents beyond."""
    near = within(x, low, high)
    y, beyond = jax.jvp(f, (near,), (finite(x) - near,))
    return y + beyond


def within(x: Array, low: float, high: float) -> Array:
    """Returns x clipped, with the derivative 1 at the bounds themselves."""
    return jnp.where(x < low, low, jnp.where(x > high, high, x))


def _list(name: str, argument: str, row: Any) -> list[Array]:
    """Returns the coefficients one by one."""
    if isinstance(row, tuple | list):
        coefficients = [as_real(name, argument, c) for c in row]
    else:
        array = as_real(name, argument, row)
        if not array.ndim:
            raise ValueError(
                f"{name}: {argument} is a row of coefficients, of shape (k,) or "
                f"(k, features), not one number"
            )
        coefficients = [array[i] for i in range(len(array))]
    if not coefficients:
        raise ValueError(f"{name}: {argument} has no coefficients; it needs at least 1")
    return coefficients


def _refuse_other_shapes(
    name: str, argument: str, x: Array, coefficients: list[Array]
) -> None:
    for c in coefficients:
        try:
            shape = jnp.broadcast_shapes(x.shape, c.shape)
        except ValueError:
            shape = None
        if shape != x.shape:
            raise ValueError(
                f"{name}: each number of {argument} has the shape {c.shape}, which "
                f"does not broadcast to x of shape {x.shape}; valid are () and, for "
                f"one of each feature, {x.shape[-1:]}"
            )
