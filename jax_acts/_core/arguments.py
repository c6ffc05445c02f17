"""The arguments of functions along an axis: checked, and in one form."""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

from jax_acts._core.function import Axis
from jax_acts._numerics.bitwise import promote_16bit
from jax_acts._numerics.types import Axes


def as_real(function: str, name: str, value: Any) -> Array:
    """Returns an argument as a floating array; integers become the default float.

    Raises:
        TypeError: It is complex, or no number.
    """
    array = jnp.asarray(value)
    if jnp.issubdtype(array.dtype, jnp.floating):
        return array
    if array.dtype == bool or jnp.issubdtype(array.dtype, jnp.integer):
        return array.astype(jnp.result_type(float))
    raise TypeError(f"{function} takes real numbers; {name} has dtype {array.dtype}")


def one_axis(function: str, x: Array, axis: Axis) -> int:
    """Returns the one axis, counted from 0.

    Raises:
        ValueError: It is several, or out of range.
    """
    if not isinstance(axis, int | np.integer):
        raise ValueError(f"{function} takes one axis, not {axis}")
    return all_axes(function, x, int(axis))[0]


def all_axes(function: str, x: Array, axis: Axis) -> Axes:
    """Returns the axes, counted from 0; None are all.

    A scalar has the axes 0 and -1, as a row of one number has.

    Raises:
        ValueError: One is out of range, or given twice.
    """
    if axis is None:
        return tuple(range(x.ndim))
    given = tuple(axis) if isinstance(axis, Sequence) else (axis,)
    for one in given:
        if not -max(x.ndim, 1) <= one < max(x.ndim, 1):
            valid = f"{-x.ndim} to {x.ndim - 1}" if x.ndim else "-1, 0 and None"
            raise ValueError(
                f"{function}: axis {one} is out of range for the shape {x.shape}; "
                f"valid is {valid}"
            )
    axes = tuple(one % x.ndim for one in given) if x.ndim else ()
    if len(set(axes)) < len(axes):
        raise ValueError(f"{function}: axis {axis} names an axis of {x.shape} twice")
    return axes


def broadcast_mask(function: str, x: Array, where: Any) -> Array | None:
    """Returns `where` in the shape of x.

    Raises:
        TypeError: It is not boolean.
        ValueError: It does not broadcast to the shape of x.
    """
    if where is None:
        return None
    where = jnp.asarray(where)
    if where.dtype != bool:
        raise TypeError(f"{function}: where is a boolean mask, not {where.dtype}")
    return _broadcast(function, "where", where, x.shape)


def per_row(function: str, name: str, value: Any, x: Array, axes: Axes) -> Array:
    """Returns an argument that is one number, or one for each row of x.

    Raises:
        ValueError: It varies along the axes.
    """
    array = as_real(function, name, value).astype(promote_16bit(x).dtype)
    rows = tuple(1 if i in axes else n for i, n in enumerate(x.shape))
    return _broadcast(function, name, array, rows) if array.ndim else array


def _broadcast(function: str, name: str, array: Array, shape: tuple[int, ...]) -> Array:
    try:
        return jnp.broadcast_to(array, shape)
    except ValueError:
        raise ValueError(
            f"{function}: {name} has shape {array.shape}, which does not broadcast "
            f"to {shape}"
        ) from None
