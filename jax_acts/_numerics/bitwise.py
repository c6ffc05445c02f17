"""Bitwise primitives: selection, sign, rounding to bits, powers of two.

They call `lax` directly, as all building blocks do: operators of an array and
`jnp.where` are wrapped in `jit`, which makes them 3 to 10 times slower to trace.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jax_acts._numerics.types import Real


def where(condition: Array | bool, a: Real, b: Real) -> Array:
    """Return `jnp.where`, as `lax.select` if a or b has the shape of the condition."""
    like = a if isinstance(a, Array) and a.shape == jnp.shape(condition) else b
    if not isinstance(like, Array) or like.shape != jnp.shape(condition):
        return jnp.where(condition, a, b)
    a, b = (lax.full_like(like, v) if isinstance(v, int | float) else v for v in (a, b))
    if a.shape != b.shape or a.dtype != b.dtype:
        return jnp.where(condition, a, b)
    return lax.select(condition, a, b)


def propagate_nan(x: Real, value: Real) -> Array:
    """Return NaN where x is NaN, else the value.

    A selection by comparison drops NaN. The result is the constant NaN and not x:
    a second use of x lets XLA recompute x in a training step.
    """
    x = jnp.asarray(x)
    return where(lax.eq(x, x), value, lax.full_like(x, jnp.nan))


def max_nan_free(low: float, y: Array) -> Array:
    """Return max(low, y), NaN where y is NaN.

    It is one select; `lax.max` takes three instructions to handle NaN in both operands.
    """
    bound = lax.full_like(y, low)
    return lax.select(lax.lt(y, bound), bound, y)


def min_nan_free(high: float, y: Array) -> Array:
    """Return min(high, y), NaN where y is NaN; see `max_nan_free`."""
    bound = lax.full_like(y, high)
    return lax.select(lax.gt(y, bound), bound, y)


def clip(x: Array, low: float, high: float) -> Array:
    """Return `jnp.clip(x, low, high)`."""
    low, high = map(x.dtype.type, (low, high))
    return lax.min(high, lax.max(low, x))


def mul_sign(y: Array, x: Real) -> Array:
    """Return y * copysign(1, x), in half the instructions of `jnp.copysign`."""
    x = jnp.asarray(x)
    one = np.ones((), x.dtype).view(f"int{jnp.finfo(x.dtype).bits}")
    sign_bit = np.asarray(np.iinfo(one.dtype).min, one.dtype)
    sign = lax.bitwise_and(lax.bitcast_convert_type(x, one.dtype), sign_bit)
    return y * lax.bitcast_convert_type(lax.bitwise_or(sign, one), x.dtype)


def round_to_bits(x: Array, bits: dict[str, int]) -> Array:
    """Round x to a significand of `bits[dtype]` bits, so that products are exact."""
    info = jnp.finfo(x.dtype)
    dropped = info.nmant + 1 - bits[x.dtype.name]
    pattern = lax.bitcast_convert_type(x, np.dtype(f"int{info.bits}"))
    half, mask = (pattern.dtype.type(n) for n in (1 << (dropped - 1), -(1 << dropped)))
    rounded = lax.bitwise_and(lax.add(pattern, half), mask)
    return lax.bitcast_convert_type(rounded, x.dtype)


def round_to_int(v: Array) -> Array:
    """Return the integer nearest to v for |v| <= 2^21; undefined beyond.

    The sum 1.5 2^23 + v holds the integer in its last bits: two instructions, where
    rounding and the saturating conversion take ten.
    """
    info = jnp.finfo(v.dtype)
    magic = np.asarray(1.5 * 2.0**info.nmant, v.dtype)
    integer = np.dtype(f"int{info.bits}")
    bits = lax.bitcast_convert_type(lax.add(v, magic), integer)
    return lax.sub(bits, magic.view(integer))


def power_of_two(k: Array, dtype: Any) -> Array:
    """Return 2^k; 0 for the exponent one below that of the least normal number.

    The product is a shift, which the Triton emitter of XLA:GPU does not support.
    """
    info = jnp.finfo(dtype)
    bias, unit = map(k.dtype.type, (info.maxexp - 1, 1 << info.nmant))
    return lax.bitcast_convert_type(lax.mul(lax.add(k, bias), unit), dtype)


def ldexp(v: Real, k: Array) -> Array:
    """Return v 2^k, in two steps so that no intermediate result overflows."""
    half, dtype = k >> 1, jnp.asarray(v).dtype
    return v * power_of_two(half, dtype) * power_of_two(k - half, dtype)


def promote_16bit(x: Array) -> Array:
    """Promote 16-bit floats to float32; return other dtypes unchanged."""
    return x if x.dtype.itemsize >= 4 else x.astype(jnp.float32)
