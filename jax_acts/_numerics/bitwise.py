"""Bitwise primitives: selection, sign, integers, powers of two.

They call `lax` directly, as all building blocks do: operators of an array and
`jnp.where` are wrapped in `jit`, which makes them 3 to 10 times slower to trace.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jax_acts._numerics.ordinary import is_bfloat16, ordinary_form
from jax_acts._numerics.types import Real


@ordinary_form(jnp.where)
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


@ordinary_form(lambda low, y: jnp.where(y < low, low, y))
def max_nan_free(low: float, y: Array) -> Array:
    """Return max(low, y), NaN where y is NaN.

    It is one select; `lax.max` takes three instructions to handle NaN in both operands.
    """
    bound = lax.full_like(y, low)
    return lax.select(lax.lt(y, bound), bound, y)


@ordinary_form(lambda high, y: jnp.where(y > high, high, y))
def min_nan_free(high: float, y: Array) -> Array:
    """Return min(high, y), NaN where y is NaN; see `max_nan_free`."""
    bound = lax.full_like(y, high)
    return lax.select(lax.gt(y, bound), bound, y)


@ordinary_form(
    lambda x, low, high: jnp.where(x < low, low, jnp.where(x > high, high, x))
)
def clip(x: Array, low: float, high: float) -> Array:
    """Return `jnp.clip(x, low, high)`."""
    low, high = map(x.dtype.type, (low, high))
    return lax.min(high, lax.max(low, x))


def _ordinary_minimum(a: Real, b: Real) -> Array:
    dtype = jnp.result_type(a, b)
    # -a of a number, as Pallas for Triton has no arithmetic of scalar constants.
    return -jnp.maximum(*(jnp.asarray(-v, dtype) for v in (a, b)))


@ordinary_form(_ordinary_minimum)
def minimum(a: Real, b: Real) -> Array:
    """Return `jnp.minimum`; Taylor mode fails for that of an array and a scalar."""
    return jnp.minimum(a, b)


def _ordinary_clip_to(x: Real, low: Real, high: Real) -> Array:
    x = jnp.asarray(x)
    low, high = jnp.asarray(low, x.dtype), jnp.asarray(high, x.dtype)
    return jnp.where(x < low, low, jnp.where(x > high, high, x))


@ordinary_form(_ordinary_clip_to)
def clip_to(x: Real, low: Real, high: Real) -> Array:
    """Return `jnp.clip`; Taylor mode fails for scalar bounds, as for `minimum`."""
    return jnp.clip(x, low, high)


@ordinary_form(lambda y, x: jnp.where(x < 0, -jnp.abs(y), jnp.abs(y)))
def copysign(y: Real, x: Real) -> Array:
    """Return `jnp.copysign`, which consists of bit patterns."""
    return jnp.copysign(y, x)


@ordinary_form(lambda y, x: jnp.where(x < 0, -y, y))
def mul_sign(y: Array, x: Real) -> Array:
    """Return y * copysign(1, x), in half the instructions of `jnp.copysign`."""
    x = jnp.asarray(x)
    one = np.ones((), x.dtype).view(f"int{jnp.finfo(x.dtype).bits}")
    mask = np.asarray(np.iinfo(one.dtype).min, one.dtype)
    sign = lax.bitwise_and(lax.bitcast_convert_type(x, one.dtype), mask)
    return y * lax.bitcast_convert_type(lax.bitwise_or(sign, one), x.dtype)


def odd(y: Array, x: Real) -> Array:
    """Return y for x >= 0 and -y for x < 0, for y a function of |x|.

    Unlike that of `mul_sign`, its derivative is right at -0, where `lax.abs` has the
    derivative 1.
    """
    return where(x < 0, -y, y)


@ordinary_form(lambda x: x < 0)
def sign_bit(x: Array) -> Array:
    """Return whether the sign bit is set: x < 0, also for -0.

    CPUs select by the sign bit without a comparison.
    """
    integer = np.dtype(f"int{jnp.finfo(x.dtype).bits}")
    return lax.lt(lax.bitcast_convert_type(x, integer), integer.type(0))


@ordinary_form(lambda y, x: y)
def copy_sign_of_zero(y: Array, x: Array) -> Array:
    """Return y with the sign of x, where y has that sign or is 0."""
    integer = np.dtype(f"int{jnp.finfo(x.dtype).bits}")
    mask = np.asarray(np.iinfo(integer).min, integer)
    sign = lax.bitwise_and(lax.bitcast_convert_type(x, integer), mask)
    bits = lax.bitwise_or(lax.bitcast_convert_type(y, integer), sign)
    return lax.bitcast_convert_type(bits, x.dtype)


@ordinary_form(lambda v: jnp.floor(v + 0.5).astype(f"int{jnp.finfo(v.dtype).bits}"))
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


def round_exponent(v: Array, offset: int | Array = 0) -> tuple[Array, Array]:
    """Return -k as a float and 2^(k + offset), where k is the integer nearest to v.

    The sum 1.5 2^23 + bias + offset + v ends in the bits of the biased exponent of the
    power; a product by 2^23 moves these into the exponent field. The power is 0 or ∞
    where that exponent encodes 0 or ∞, and undefined beyond.

    k is negative because XLA simplifies (v + c) - c to v, but does not simplify
    c - (v + c).
    """
    info = jnp.finfo(v.dtype)
    integer = np.dtype(f"int{info.bits}")
    magic = np.asarray(1.5 * 2.0**info.nmant + info.maxexp - 1, v.dtype) + offset
    magic = magic.astype(v.dtype)
    bits = lax.bitcast_convert_type(lax.add(v, magic), integer)
    # Triton emitters have no shift; LLVM makes this product a shift.
    power = lax.mul(bits, integer.type(1 << info.nmant))
    # Of the bits and not of the sum, since autodiff does not differentiate integers.
    minus_k = lax.sub(magic, lax.bitcast_convert_type(bits, v.dtype))
    return minus_k, lax.bitcast_convert_type(power, v.dtype)


@ordinary_form(lambda k, dtype: 2.0 ** k.astype(dtype))
def power_of_two(k: Array, dtype: Any) -> Array:
    """Return 2^k; 0 for the exponent one below that of the least normal number.

    The product is a shift, which the Triton emitter of XLA:GPU does not support.
    """
    info = jnp.finfo(dtype)
    bias, unit = map(k.dtype.type, (info.maxexp - 1, 1 << info.nmant))
    return lax.bitcast_convert_type(lax.mul(lax.add(k, bias), unit), dtype)


@ordinary_form(lambda v, k: v * 2.0 ** k.astype(v.dtype))
def ldexp(v: Real, k: Array) -> Array:
    """Return v 2^k, in two steps so that no intermediate result overflows."""
    half, dtype = k >> 1, jnp.asarray(v).dtype
    return v * power_of_two(half, dtype) * power_of_two(k - half, dtype)


def divide(a: Real, b: Array) -> Array:
    """Return a / b; for bfloat16 by 1 / b, which a value and its derivative share."""
    return a * (1 / b) if is_bfloat16() else a / b


def shared_quotient(a: Array, b: Real) -> Array:
    """Return a / b, for several uses.

    XLA:CPU stores a quotient of two arrays that has several users, and a second loop
    reads it. Here the negation has them.
    """
    return -(a / -b)


def promote_16bit(x: Array) -> Array:
    """Promote 16-bit floats to float32; return other dtypes unchanged."""
    return x if x.dtype.itemsize >= 4 else x.astype(jnp.float32)
