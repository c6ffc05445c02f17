"""Steps that arithmetic has no operator for: choices, signs, digits, powers of two.

They are written in `lax`, as all other blocks are made of them: an operator of an
array, or `jnp.where`, is a function with a `jit` of its own, and takes 3 to 10 times as
long to trace.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jax_acts._numerics.types import Real


def where(condition: Array | bool, a: Real, b: Real) -> Array:
    """Returns `jnp.where`, in `lax` if a or b has the shape of the condition."""
    like = a if isinstance(a, Array) and a.shape == jnp.shape(condition) else b
    if not isinstance(like, Array) or like.shape != jnp.shape(condition):
        return jnp.where(condition, a, b)
    a, b = (lax.full_like(like, v) if isinstance(v, int | float) else v for v in (a, b))
    if a.shape != b.shape or a.dtype != b.dtype:
        return jnp.where(condition, a, b)
    return lax.select(condition, a, b)


def propagate_nan(x: Real, value: Real) -> Array:
    """Returns the value, but NaN where x is: a choice by comparison forgets it.

    It is not x itself: what a step of training makes of an x that is chosen from, XLA
    may make twice.
    """
    x = jnp.asarray(x)
    return where(lax.eq(x, x), value, lax.full_like(x, jnp.nan))


def max_nan_free(low: float, y: Array) -> Array:
    """Returns the greater of two, in one step: `maximum`, which minds NaN, takes three.

    It is NaN where y is.
    """
    least = lax.full_like(y, low)
    return lax.select(lax.lt(y, least), least, y)


def min_nan_free(high: float, y: Array) -> Array:
    """Returns the smaller of two, as `max_nan_free` does."""
    most = lax.full_like(y, high)
    return lax.select(lax.gt(y, most), most, y)


def clip(x: Array, low: float, high: float) -> Array:
    """Returns `jnp.clip`, in `lax`."""
    low, high = map(x.dtype.type, (low, high))
    return lax.min(high, lax.max(low, x))


def mul_sign(y: Array, x: Real) -> Array:
    """Returns y, or -y where x has a minus; `copysign` takes twice the steps."""
    x = jnp.asarray(x)
    one = np.ones((), x.dtype).view(f"int{jnp.finfo(x.dtype).bits}")
    minus = np.asarray(np.iinfo(one.dtype).min, one.dtype)
    sign = lax.bitwise_and(lax.bitcast_convert_type(x, one.dtype), minus)
    return y * lax.bitcast_convert_type(lax.bitwise_or(sign, one), x.dtype)


def round_to_bits(x: Array, bits: dict[str, int]) -> Array:
    """Returns x in so many binary digits by dtype: products of such are exact."""
    info = jnp.finfo(x.dtype)
    dropped = info.nmant + 1 - bits[x.dtype.name]
    whole = lax.bitcast_convert_type(x, np.dtype(f"int{info.bits}"))
    half, mask = (whole.dtype.type(n) for n in (1 << (dropped - 1), -(1 << dropped)))
    rounded = lax.bitwise_and(lax.add(whole, half), mask)
    return lax.bitcast_convert_type(rounded, x.dtype)


def round_to_int(v: Array) -> Array:
    """Returns the nearest integer to v, of up to 2^21, or garbage.

    Added to 1.5 2^23 it stands in the last bits of the sum: two steps, where rounding
    and a conversion that saturates take ten.
    """
    info = jnp.finfo(v.dtype)
    magic = np.asarray(1.5 * 2.0**info.nmant, v.dtype)
    whole = np.dtype(f"int{info.bits}")
    bits = lax.bitcast_convert_type(lax.add(v, magic), whole)
    return lax.sub(bits, magic.view(whole))


def power_of_two(k: Array, dtype: Any) -> Array:
    """Returns 2^k; 0 for the exponent below the least of a normal number."""
    info = jnp.finfo(dtype)
    bias, place = map(k.dtype.type, (info.maxexp - 1, info.nmant))
    return lax.bitcast_convert_type(lax.shift_left(lax.add(k, bias), place), dtype)


def ldexp(v: Real, k: Array) -> Array:
    """Returns v 2^k, in two steps so that only the result may be out of range."""
    half, dtype = k >> 1, jnp.asarray(v).dtype
    return v * power_of_two(half, dtype) * power_of_two(k - half, dtype)


def promote_16bit(x: Array) -> Array:
    """Promote 16-bit floats to float32; return other dtypes unchanged."""
    return x if x.dtype.itemsize >= 4 else x.astype(jnp.float32)
