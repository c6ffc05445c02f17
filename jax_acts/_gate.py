"""Gated units: which numbers are the gates and which the values, and what is kept.

    x --split--> gate, value --rule, in float32 or wider--> y, rounded once

A backward pass keeps what the unit is given, and computes the rest again.
"""

from collections.abc import Callable
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
from jax import Array, lax

from jax_acts._axis import one_axis, per_row, real
from jax_acts._function import Axis, one_of

Order = Literal["value_first", "gate_first"]
Layout = Literal["split", "interleaved"]


def gated(
    name: str,
    rule: Callable[..., Array],
    x: Any,
    value: Any,
    axis: Axis,
    order: Order,
    layout: Layout,
    **numbers: Any,
) -> Array:
    """Returns `rule(gate, value, **numbers)`.

    Args:
        name: Who complains.
        rule: What is computed, of arrays in float32 or wider.
        x: Gates and values, or gates alone.
        value: The values, if x is gates alone.
        axis: The axis along which both lie in x.
        order: Which of the two comes first in x.
        layout: Whether each is one half of the axis, or they alternate.
        **numbers: Each one number, or of a shape that broadcasts to that of the gates.
    """
    x = real(name, "x", x)
    one_of(name, "order", order, get_args(Order))
    one_of(name, "layout", layout, get_args(Layout))
    if value is None:
        i = _even_axis(name, x, axis)
        arrays, two = (x,), lambda x: _parts(x, i, order, layout)
    else:
        arrays, two = (x, real(name, "value", value)), lambda gate, value: (gate, value)
        _same_shape(name, *arrays)
    dtype = jnp.result_type(*arrays)
    wide = jnp.promote_types(dtype, jnp.float32)

    def rounded(arrays: tuple[Array, ...], numbers: dict[str, Any]) -> Array:
        gate, value = (a.astype(wide) for a in two(*arrays))
        each = {n: per_row(name, n, v, gate, ()) for n, v in numbers.items()}
        return rule(gate, value, **each).astype(dtype)

    return jax.checkpoint(rounded, prevent_cse=False)(arrays, numbers)


def _parts(x: Array, axis: int, order: Order, layout: Layout) -> tuple[Array, Array]:
    """Returns the gates and the values of x, which are half as many each."""
    n = x.shape[axis] // 2
    if layout == "split":
        at = lambda i: lax.slice_in_dim(x, i * n, (i + 1) * n, axis=axis)
    else:
        pairs = x.reshape(*x.shape[:axis], n, 2, *x.shape[axis + 1 :])
        at = lambda i: lax.index_in_dim(pairs, i, axis + 1, keepdims=False)
    return (at(0), at(1)) if order == "gate_first" else (at(1), at(0))


def _same_shape(name: str, gate: Array, value: Array) -> None:
    if gate.shape != value.shape:
        raise ValueError(
            f"{name} takes a gate for each value; the gates have the shape "
            f"{gate.shape}, the values {value.shape}"
        )


def _even_axis(name: str, x: Array, axis: Axis) -> int:
    if not x.ndim:
        raise ValueError(f"{name} needs an axis to halve, or a value; x is a scalar")
    i = one_axis(name, x, axis)
    if x.shape[i] % 2:
        raise ValueError(
            f"{name} halves axis {axis}, but its size {x.shape[i]} is odd (x has the "
            f"shape {x.shape})"
        )
    return i
