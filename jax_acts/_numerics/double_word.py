"""Double-word arithmetic: a value as an unevaluated sum hi + lo of two floats.

XLA reassociates constants, `(x - a) - b`, and contracts a product and a sum to a fused
multiply-add. Products are therefore taken of split operands, where they are exact.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jax_acts._numerics.bitwise import shared_quotient
from jax_acts._numerics.ordinary import ordinary_form
from jax_acts._numerics.types import Real

Constant = dict[str, tuple[float, float]]
"""A double-word constant (hi, lo) by dtype; hi is a number of the dtype."""


def hi_lo(c: Real | Constant, dtype: Any) -> tuple[Any, Any]:
    """Return a constant in double-word form; an array has lo = 0."""
    if isinstance(c, dict):
        return c[jnp.dtype(dtype).name]
    if isinstance(c, float):
        hi = float(np.asarray(c, dtype))
        return hi, c - hi
    return c, 0.0


@ordinary_form(lambda x, dtype: _no_error(jnp.asarray(hi_lo(x, dtype)[0], dtype)))
def split(x: Real | Constant, dtype: Any) -> tuple[Array, Array]:
    """Return x = hi + lo with at most 12 bits each (27 and 26 in float64).

    A mask in place of the Dekker multiplication, which XLA would simplify. Products of
    two halves are exact.
    """
    bits = jnp.finfo(dtype).bits
    mask = {32: np.int32(-(2**12)), 64: np.int64(-(2**27))}[bits]
    if isinstance(x, dict | float):  # lo also holds the bits beyond the dtype
        leading, trailing = hi_lo(x, dtype)
        hi = (np.asarray(leading, dtype).view(mask.dtype) & mask).view(dtype)
        lo = (leading - float(hi)) + trailing
        return jnp.asarray(hi, dtype), jnp.asarray(lo, dtype)
    value = jnp.asarray(x, dtype)
    pattern = lax.bitcast_convert_type(value, mask.dtype)
    hi = lax.bitcast_convert_type(lax.bitwise_and(pattern, mask), dtype)
    return hi, lax.sub(value, hi)


@ordinary_form(lambda a, b: _no_error(a + b))
def two_sum(a: Array, b: Array) -> tuple[Array, Array]:
    """Return the rounded sum a + b and its rounding error, exactly (Knuth TwoSum).

    Neither operand may be a constant, since XLA reassociates constants.
    """
    s = a + b
    b_rounded = s - a
    return s, (a - (s - b_rounded)) + (b - b_rounded)


@ordinary_form(lambda a, b: _no_error(a + b))
def fast_two_sum(a: Array, b: Array) -> tuple[Array, Array]:
    """Return `two_sum(a, b)` for a = 0 or |a| >= |b| (Dekker FastTwoSum)."""
    s = a + b
    return s, b - (s - a)


def _no_error(value: Array) -> tuple[Array, Array]:
    return value, jnp.zeros_like(value)


@ordinary_form(lambda a, b: _no_error(hi_lo(a, jnp.result_type(b))[0] * b))
def two_prod(a: Real | Constant, b: Real) -> tuple[Array, Array]:
    """Return a b as hi + lo, where hi is an exact product of two halves.

    The relative error of hi + lo is below 2^-33 (float32) and 2^-76 (float64). It is
    used for e^(a b), whose relative error is the absolute error of a b.
    """
    b = jnp.asarray(b)
    if a is b:
        b0, b1 = split(b, b.dtype)
        return lax.mul(b0, b0), lax.mul(b1, lax.add(b, b0))
    a0, a1 = split(a, b.dtype)
    b0, b1 = split(b, b.dtype)
    return lax.mul(a0, b0), lax.add(lax.mul(a0, b1), lax.mul(a1, b))


@ordinary_form(lambda a, b: _no_error(a / b))
def two_div(a: Real, b: Real) -> tuple[Array, Array]:
    """Return a / b as hi + lo, where hi has half the bits.

    The relative error of hi + lo is below 2^-35 (float32) and 2^-78 (float64).
    """
    a = jnp.asarray(a)
    hi, _ = split(shared_quotient(a, b), a.dtype)
    b0, b1 = split(b, a.dtype)
    return hi, ((a - hi * b0) - hi * b1) / b
