"""Numbers in two parts, for what one rounding would spoil.

XLA adds up constants that follow each other, `(x - a) - b`, and contracts a product and
a sum; so products are of halves, which are exact.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jax_acts._numerics import coefficients as table
from jax_acts._numerics.types import Real


def hi_lo(c: Real | table.Constant, dtype: Any) -> tuple[Any, Any]:
    """Returns a constant as a number of the dtype and the rest, 0 of an array."""
    if isinstance(c, dict):
        return c[jnp.dtype(dtype).name]
    if isinstance(c, float):
        high = float(np.asarray(c, dtype))
        return high, c - high
    return c, 0.0


def split(x: Real | table.Constant, dtype: Any) -> tuple[Array, Array]:
    """Returns x in two parts, each of half the digits: products of such are exact."""
    bits = jnp.finfo(dtype).bits
    mask = {32: np.int32(-(2**12)), 64: np.int64(-(2**27))}[bits]
    if isinstance(x, dict | float):  # which has digits that the dtype has no place for
        high, rest = hi_lo(x, dtype)
        first = (np.asarray(high, dtype).view(mask.dtype) & mask).view(dtype)
        rest = (high - float(first)) + rest
        return jnp.asarray(first, dtype), jnp.asarray(rest, dtype)
    value = jnp.asarray(x, dtype)
    whole = lax.bitcast_convert_type(value, mask.dtype)
    first = lax.bitcast_convert_type(lax.bitwise_and(whole, mask), dtype)
    return first, lax.sub(value, first)


def two_sum(a: Array, b: Array) -> tuple[Array, Array]:
    """Returns a + b in two parts: the rounded sum and its rounding error.

    Neither may be a constant, since XLA adds up constants.
    """
    s = a + b
    b_part = s - a
    return s, (a - (s - b_part)) + (b - b_part)


def fast_two_sum(a: Array, b: Array) -> tuple[Array, Array]:
    """Returns `two_sum`, in half the steps, where a is 0 or not below b in size."""
    s = a + b
    return s, b - (s - a)


def two_prod(a: Real | table.Constant, b: Real) -> tuple[Array, Array]:
    """Returns a b in two parts, of which the first is exact in half the digits.

    Where e^(a b) is wanted, the rounding of a b would be multiplied by a b.
    """
    b = jnp.asarray(b)
    if a is b:
        b0, b1 = split(b, b.dtype)
        return lax.mul(b0, b0), lax.mul(b1, lax.add(b, b0))
    a0, a1 = split(a, b.dtype)
    b0, b1 = split(b, b.dtype)
    return lax.mul(a0, b0), lax.add(lax.mul(a0, b1), lax.mul(a1, b))


def two_div(a: Real, b: Real) -> tuple[Array, Array]:
    """Returns a / b in two parts, as `two_prod` does."""
    a = jnp.asarray(a)
    high, _ = split(a / b, a.dtype)
    b0, b1 = split(b, a.dtype)
    return high, ((a - high * b0) - high * b1) / b
