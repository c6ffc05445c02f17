"""Residual policies: which array the backward pass of an activation saves.

    policy        residual                derivative in the backward pass
    derivative    f'(x), dtype of x       the residual
    input         x                       recomputed from x
    output        f(x)                    recomputed from f(x)
    int8          f'(x) as int8           residual * scale

A residual that another operation saves anyway is shared and costs no memory.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Literal, NoReturn

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.ad_checkpoint import checkpoint_name
from jax.custom_derivatives import SymbolicZero
from jax.extend.core import ClosedJaxpr, jaxpr_as_fun

from jax_acts._core.arguments import compute_dtype
from jax_acts._numerics.ordinary import building_blocks, is_ordinary

Policy = Literal["derivative", "input", "output", "int8"]

_INT8_MAX = 127


def mul_tangent(derivative: Array, tangent: Array) -> Array:
    """Compute derivative * tangent in the wider dtype; return the derivative's dtype.

    The parameters of a 16-bit network, and so their tangents, are often float32.
    """
    if derivative.dtype == tangent.dtype and derivative.dtype.itemsize > 1:
        return derivative * tangent
    return _mul_wide(derivative, tangent)


def mul_from_input(
    derivative: Callable[[dict[str, Array]], Array],
    operands: dict[str, Array],
    tangent: Array,
    *,
    remat: bool,
    in_kernel: bool,
) -> Array:
    """Compute derivative(operands) * tangent.

    With `remat` the residuals are the operands, and the backward pass recomputes the
    derivative; without, the residual is the derivative. Pallas for TPU lowers no
    `jax.checkpoint`: without `remat` there is none if the product is `in_kernel`.
    """

    def product(operands: dict[str, Array], tangent: Array) -> Array:
        return mul_tangent(derivative(operands), tangent)

    if remat:
        return jax.checkpoint(product)(operands, tangent)
    separate = {n: _block_cse(a) if a.ndim else a for n, a in operands.items()}
    residual = derivative(separate)
    if residual.dtype.itemsize == 2 and not in_kernel:
        # The checkpoint saves 16 bits.
        return jax.checkpoint(_mul_wide, prevent_cse=False)(residual, tangent)
    return mul_tangent(residual, tangent)


def _mul_wide(derivative: Array, tangent: Array) -> Array:
    """Compute `mul_tangent` in float32; the results are equal.

    XLA:TPU then fuses value and gradient of a function, and not if the product is in
    bfloat16.
    """
    wide = compute_dtype(derivative.dtype, tangent.dtype)
    return (derivative.astype(wide) * tangent.astype(wide)).astype(derivative.dtype)


def _block_cse(x: Array) -> Array:
    """Return a 16-bit x such that XLA shares no expression of it with those of x.

    XLA:GPU otherwise saves a float32 intermediate result that value and derivative
    share, such as an exponential, in place of the 16-bit derivative. It does not
    simplify b | (b & 1) of the bits b; the code generator does, and so a kernel of both
    computes the exponential once.
    """
    return _or_low_bit(x) if x.dtype.itemsize == 2 else x


@jax.custom_jvp
def _or_low_bit(x: Array) -> Array:
    bits = lax.bitcast_convert_type(x, jnp.uint16)
    low_bit = lax.bitwise_and(bits, lax.full_like(bits, 1))
    return lax.bitcast_convert_type(lax.bitwise_or(bits, low_bit), x.dtype)


@_or_low_bit.defjvp
def _or_low_bit_jvp(primals: tuple[Array], tangents: tuple[Array]) -> Any:
    return _or_low_bit(*primals), tangents[0]


def mul_from_output(
    rule: Callable[..., Array],
    y: Array,
    parameters: dict[str, Array],
    static: Mapping[str, Any],
    tangent: Array,
    *,
    exact: bool,
) -> Array:
    """Compute rule(y, **parameters, **static) * tangent; the residual is y.

    `exact` rules are computed in the dtype of 16-bit outputs.
    """

    def product(y: Array, parameters: dict[str, Array], tangent: Array) -> Array:
        wide = y.dtype if exact and y.dtype.itemsize == 2 else compute_dtype(y.dtype)
        cast = {n: a.astype(wide) for n, a in parameters.items()}
        with building_blocks("accurate"):
            derivative = rule(y.astype(wide), **cast, **static)
        return mul_tangent(derivative.astype(y.dtype), tangent)

    # CSE is harmless: the forward pass computes nothing from y that could be saved.
    return jax.checkpoint(product, prevent_cse=False)(y, parameters, tangent)


def save_operands(
    rule: Callable[..., Array], operands: Sequence[Any], *, symbolic_zeros: bool
) -> Array:
    """Compute rule(*operands); the residuals are the operands.

    It is `jax.checkpoint`, but a call that is not differentiated has no `remat`
    equation, which Pallas for TPU, Taylor mode and exporters do not support.

    Args:
        rule: A function that autodiff differentiates.
        operands: Pytrees of arrays.
        symbolic_zeros: Whether some operands may be constants. Their derivatives then
            are not computed; Pallas for TPU has no rule for it.
    """
    if is_ordinary():
        return rule(*operands)
    leaves, structure = jax.tree.flatten(tuple(operands))

    def evaluate(*leaves: Array) -> Array:
        return rule(*jax.tree.unflatten(structure, leaves))

    def jvp(primals: Any, tangents: Any) -> tuple[Array, Array]:
        active = [i for i, t in enumerate(tangents) if type(t) is not SymbolicZero]

        def of_active(constants: list[Array], *values: Array) -> Array:
            arguments = [*constants]
            for i, value in zip(active, values, strict=True):
                arguments[i] = value
            return evaluate(*arguments)

        of_active = jax.checkpoint(of_active, prevent_cse=False)
        f = lambda *values: of_active([*primals], *values)
        select = lambda operands: [operands[i] for i in active]
        return jax.jvp(f, select(primals), select(tangents))

    f = jax.custom_jvp(evaluate)
    f.defjvp(jvp, symbolic_zeros=symbolic_zeros)
    return f(*leaves)


def mul_from_int8(name: str, derivative: Array, tangent: Array) -> Array:
    """Compute derivative * tangent from the derivative rounded to int8.

    The scale is max |derivative| / 127 over the array, so the absolute error of the
    derivative is at most max |derivative| / 254.
    """
    where = f"{name}.with_residuals('int8')"
    code, scale = _quantize(where, None, derivative)
    wide = compute_dtype(derivative.dtype)

    def product(code: Array, scale: Array, tangent: Array) -> Array:
        return (code.astype(wide) * scale * tangent.astype(wide)).astype(tangent.dtype)

    return jax.checkpoint(product)(code, scale, tangent)


def save_int8(
    where: str,
    y: Array,
    f: Callable[..., Array],
    operands: Sequence[Array],
    names: Sequence[str],
) -> Array:
    """Return y = f(*operands), with the derivative of f at operands rounded to int8.

    The value is exact. The residuals are the operands as int8, with a float32 scale of
    each row, max |operand| / 127, and the constants of f.

    Args:
        where: The caller, for error messages.
        y: The value.
        f: A function without side effects. It may close over arrays, and has
            derivatives in them.
        operands: Arrays with at least one axis; the last one is quantized at a time.
        names: A name of each operand, for policies of `jax.checkpoint`.
    """
    closed = jax.make_jaxpr(f)(*operands)
    is_inexact = [jnp.issubdtype(c.dtype, jnp.inexact) for c in closed.consts]
    constants = list(itertools.compress(closed.consts, is_inexact))
    others = [
        c for c, inexact in zip(closed.consts, is_inexact, strict=True) if not inexact
    ]

    @jax.custom_jvp
    def value(y: Array, operands: Any, constants: Any, others: Any) -> Array:
        return y

    @value.defjvp
    def value_jvp(primals: Any, tangents: Any) -> tuple[Array, Array]:
        y, operands, constants, others = primals
        codes = [
            checkpoint_name(_quantize(where, -1, operand), name)
            for operand, name in zip(operands, names, strict=True)
        ]

        def tangent(codes: Any, constants: Any, others: Any, tangents: Any) -> Array:
            rounded = [
                (code * scale).astype(operand.dtype)
                for operand, (code, scale) in zip(operands, codes, strict=True)
            ]

            def evaluate(operands: Any, constants: Any) -> Array:
                floats, rest = iter(constants), iter(others)
                consts = [next(floats if inexact else rest) for inexact in is_inexact]
                return jaxpr_as_fun(ClosedJaxpr(closed.jaxpr, consts))(*operands)[0]

            return jax.jvp(evaluate, (rounded, constants), tangents)[1]

        return y, jax.checkpoint(tangent)(
            codes, constants, others, tuple(tangents[1:3])
        )

    return value(lax.stop_gradient(y), [*operands], constants, others)


@partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def _quantize(where: str, axis: int | None, x: Array) -> tuple[Array, Array]:
    """Return x / scale as int8, and the scale along an axis or of x; 0 stays 0."""
    x = x.astype(compute_dtype(x.dtype))
    scale = jnp.max(jnp.abs(x), axis, keepdims=axis is not None, initial=0) / _INT8_MAX
    code = jnp.where(scale > 0, x / jnp.where(scale > 0, scale, 1), 0)
    return jnp.round(code).astype(jnp.int8), scale


@_quantize.defjvp
def _quantize_jvp(
    where: str, axis: int | None, primals: Any, tangents: Any
) -> NoReturn:
    raise TypeError(
        f"{where}: expected first derivatives only, got a second derivative; the other "
        "residuals have all orders"
    )
