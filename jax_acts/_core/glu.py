"""Gated units: split the input into gate and value, apply the rule, choose residuals.

    x --split_gate--> gate, value --rule, in float32 or wider--> y, rounded once

The residuals are the inputs; the backward pass recomputes the rest.
"""

from collections.abc import Callable
from types import MappingProxyType
from typing import Any, Literal, get_args

import jax.numpy as jnp
from jax import Array, lax

from jax_acts._core.arguments import (
    as_real,
    broadcast_parameter,
    canonical_axis,
    compute_dtype,
)
from jax_acts._core.errors import check_choice
from jax_acts._core.function import Function
from jax_acts._core.residuals import save_operands
from jax_acts._core.sharding import broadcast
from jax_acts._core.spec import Axis
from jax_acts._numerics.ordinary import rounded_to_bfloat16

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
    operands: Any = MappingProxyType({}),
    **parameters: Any,
) -> Array:
    """Compute `rule(gate, value, **operands, **parameters)`.

    Args:
        name: The function, for error messages.
        rule: A function of arrays in float32 or wider.
        x: Gate and value along `axis`, or the gate if `value` is given.
        value: The value, or None.
        axis: The axis of x that holds both.
        order: Which of the two comes first along the axis.
        layout: Whether gate and value are halves of the axis or alternate.
        operands: A dict of pytrees of arrays; they are not cast.
        **parameters: Scalars, or arrays that broadcast to the shape of the gate.
    """
    x = as_real(name, "x", x)
    check_choice(name, "order", order, get_args(Order))
    check_choice(name, "layout", layout, get_args(Layout))
    if value is None:
        i = _even_axis(name, x, axis)
        arrays, split = (x,), lambda x: split_gate(x, i, order, layout)
    else:
        arrays = (x, as_real(name, "value", value))
        split = lambda gate, value: (gate, value)
        if x.shape != arrays[1].shape:
            raise ValueError(
                f"{name}: expected gate and value of one shape, got {x.shape} and "
                f"{arrays[1].shape}"
            )
    dtype = jnp.result_type(*arrays)
    wide = compute_dtype(dtype)

    learned = {n: p for n, p in parameters.items() if isinstance(p, Array)}

    def evaluate(
        arrays: tuple[Array, ...], learned: dict[str, Array], operands: dict[str, Any]
    ) -> Array:
        gate, value = (a.astype(wide) for a in split(*arrays))
        cast = {
            n: broadcast_parameter(name, n, p, gate, ()) for n, p in learned.items()
        }
        per_feature = {n: a for n, a in cast.items() if a.ndim}
        cast |= broadcast({"gate": gate, "value": value, **per_feature}, gate.shape)
        gate, value = cast.pop("gate"), cast.pop("value")
        with rounded_to_bfloat16(dtype == jnp.bfloat16):
            y = rule(gate, value, **{**parameters, **operands, **cast})
        return y.astype(dtype)

    trees = (arrays, learned, dict(operands))
    return save_operands(evaluate, trees, symbolic_zeros=bool(learned or operands))


def is_gated_unit(function: Callable[..., Any]) -> bool:
    """Return whether the function takes a gate and a value."""
    return isinstance(function, Function) and {"value", "order"} <= {
        *function.parameters
    }


def split_gate(
    x: Array, axis: int, order: Order, layout: Layout
) -> tuple[Array, Array]:
    """Return gate and value, each half of the axis."""
    n = x.shape[axis] // 2
    # The transpose of `split` is a concatenation; that of two slices is the sum of two
    # zero-padded arrays.
    if layout == "split":
        first, second = lax.split(x, (n, n), axis)
    else:
        pairs = x.reshape(*x.shape[:axis], n, 2, *x.shape[axis + 1 :])
        halves = lax.split(pairs, (1, 1), axis + 1)
        first, second = (lax.squeeze(a, [axis + 1]) for a in halves)
    return (first, second) if order == "gate_first" else (second, first)


def _even_axis(name: str, x: Array, axis: Axis) -> int:
    if not x.ndim:
        raise ValueError(
            f"{name}: expected an array with an axis, or value=; got a scalar"
        )
    i = canonical_axis(name, x, axis)
    if x.shape[i] % 2:
        raise ValueError(
            f"{name}: expected an even size along axis {axis}, got the shape {x.shape}"
        )
    return i
