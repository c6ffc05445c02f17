"""Gated units: which numbers are the gates and which the values, and what is kept.

    x --split--> gate, value --rule, in float32 or wider--> y, rounded once

A backward pass keeps what the unit is given, and computes the rest again.
"""

from collections.abc import Callable
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
from jax import Array, lax

from jax_acts._core.arguments import as_real, one_axis, per_row
from jax_acts._core.function import Axis, Function, check_choice

Order = Literal["value_first", "gate_first"]
Layout = Literal["split", "interleaved"]


def apply_gate(
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
    x = as_real(name, "x", x)
    check_form(name, order, layout)
    if value is None:
        i = _even_axis(name, x, axis)
        arrays, two = (x,), lambda x: split_gate(x, i, order, layout)
    else:
        arrays, two = (
            (x, as_real(name, "value", value)),
            lambda gate, value: (gate, value),
        )
        _same_shape(name, *arrays)
    dtype = jnp.result_type(*arrays)
    wide = jnp.promote_types(dtype, jnp.float32)

    def rounded(arrays: tuple[Array, ...], numbers: dict[str, Any]) -> Array:
        gate, value = (a.astype(wide) for a in two(*arrays))
        each = {n: per_row(name, n, v, gate, ()) for n, v in numbers.items()}
        return rule(gate, value, **each).astype(dtype)

    return jax.checkpoint(rounded, prevent_cse=False)(arrays, numbers)


def takes_values(function: Callable[..., Any]) -> bool:
    """Returns whether it is a gated unit, which takes gates and values."""
    return isinstance(function, Function) and {"value", "order"} <= {
        *function.parameters
    }


def split_gate(
    x: Array, axis: int, order: Order, layout: Layout
) -> tuple[Array, Array]:
    """Returns the gates and the values of x, which are half as many each."""
    n = x.shape[axis] // 2
    # What `split` has cut a backward pass joins; of slices it would add up two arrays
    # that are half 0, and compute both halves for each.
    if layout == "split":
        first, second = lax.split(x, (n, n), axis)
    else:
        pairs = x.reshape(*x.shape[:axis], n, 2, *x.shape[axis + 1 :])
        two = lax.split(pairs, (1, 1), axis + 1)
        first, second = (lax.squeeze(a, [axis + 1]) for a in two)
    return (first, second) if order == "gate_first" else (second, first)


def check_names(name: str, names: Any, order: Any, layout: Any) -> None:
    """Complains unless there are names for one map or two, and the form is one."""
    check_form(name, order, layout)
    several = isinstance(names, tuple | list) and all(isinstance(n, str) for n in names)
    if not isinstance(names, str) and not (
        several and len({*names}) == len(names) == 2
    ):
        raise ValueError(
            f"{name}: names is the name of one map, or two names, that of the gates "
            f"first; not {names!r}"
        )


def check_form(name: str, order: Any, layout: Any) -> None:
    """Complains about an order or a layout that there is not."""
    check_choice(name, "order", order, get_args(Order))
    check_choice(name, "layout", layout, get_args(Layout))


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
