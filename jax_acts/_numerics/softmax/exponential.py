"""Exponentials e^(x - m) of the entries of a vector with maximum m."""

import functools
import math
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jax_acts._numerics import coefficients as table
from jax_acts._numerics.bitwise import (
    power_of_two,
    promote_16bit,
    propagate_nan,
    round_to_int,
)
from jax_acts._numerics.ordinary import (
    by_platform,
    ordinary_form,
    rounded_to_bfloat16,
)
from jax_acts._numerics.polynomial import polynomial

EXPONENT_HEADROOM = 60
"""Exponentials are multiplied by 2^60, so that many that underflow sum correctly."""
SCALE = 2.0**EXPONENT_HEADROOM
_LOG2_E = 1 / math.log(2)
_LN2 = (355 / 512, -2.121944400546905827679e-4)
"""ln 2 as hi + lo; k hi is exact for |k| <= 2^12 (Cody–Waite)."""


def apply_mask(x: Array, where: Array | None) -> Array:
    """Return x in at least float32, -inf off the mask."""
    x = promote_16bit(x)
    return x if where is None else jnp.where(where, x, -jnp.inf)


def differences(x: Array, m: Array) -> tuple[Array, Array]:
    """Return x - m <= 0 twice, with 0 for inf - inf.

    XLA would store the result of one select that two loops share.
    """
    infinity, zeros = lax.full_like(x, jnp.inf), jnp.zeros_like(x)
    z = x - jnp.maximum(m, float(jnp.finfo(x.dtype).min))
    return lax.select(x < infinity, z, zeros), lax.select(x == infinity, zeros, z)


def subtract_maximum(x: Array, m: Array, lo: Array | None = None) -> Array:
    """Return x + lo - m for constant m; 0 or -inf at infinite maxima."""
    m = lax.stop_gradient(m)
    # x may be a scalar; Triton selects no scalars that are infinite.
    x = x + jnp.zeros_like(m)
    # XLA:CPU may drop a NaN in m.
    at_infinity = propagate_nan(x, jnp.where(x == jnp.inf, 0.0, -jnp.inf))
    z = jnp.where(jnp.isinf(m), at_infinity, x - m)
    return z if lo is None else z + lo


@ordinary_form(lambda x, m, lo: jnp.exp(subtract_maximum(x, m, lo)) * SCALE)
def exponentials(x: Array, m: Array, lo: Array | None) -> Array:
    """Return e^(x + lo) 2^(60 - l) for x <= m, within 1.0 ulp (float32).

    l is an integer near m / ln 2. x is reduced by Cody–Waite and not by m: the rounding
    error of x - m would become a relative error of the result. For |m| >= 2048 the
    reduction is not exact, but then x - m is, wherever e^(x - m) is not 0.
    """
    largest = float(jnp.finfo(x.dtype).max)
    small = jnp.abs(m) < 2048
    shift = jnp.where(small, 0, jnp.clip(m, -largest, largest))
    m = jnp.where(small, m, 0)
    y = jnp.where(x > largest, largest, x) - shift  # infinite maxima are equal
    k = round_to_int(y * _LOG2_E)
    real, (ln2_hi, ln2_lo) = k.astype(x.dtype), _LN2
    e = _exp_reduced((y - real * ln2_hi) - real * ln2_lo, lo)
    l = round_to_int(m * _LOG2_E)
    e = e * power_of_two(k + (EXPONENT_HEADROOM - l), x.dtype)
    # XLA:CPU sums the result of a select faster than that of a product.
    return lax.select(y < m - _underflow(x.dtype), jnp.zeros_like(y), e)


def shifted_exponentials(z: Array, lo: Array | None, dtype: Any) -> Array:
    """Return e^(z + lo) 2^60 for z <= 0, exactly 2^60 at 0, to be rounded to dtype."""
    reduced = functools.partial(_by_argument_reduction, lo=lo, dtype=dtype)
    if lo is not None or dtype != jnp.bfloat16:
        return reduced(z)
    return by_platform(z, reduced, cuda=_by_special_function)


def exponentials_for_sums(
    z: Array, lo: Array | None, dtype: Any, *, in_kernels: bool
) -> Array:
    """Return `shifted_exponentials`, as XLA:GPU should compute it in several kernels.

    It would store a special function that two kernels need.
    """
    return (_by_argument_reduction if in_kernels else shifted_exponentials)(
        z, lo, dtype
    )


def _by_special_function(z: Array) -> Array:
    """Return `shifted_exponentials` within 2^-17: libdevice has fewer instructions."""
    e = lax.exp(z + EXPONENT_HEADROOM * math.log(2))
    return lax.select(z >= 0, lax.full_like(e, SCALE), e)


def _by_argument_reduction(z: Array, lo: Array | None, dtype: Any) -> Array:
    info = jnp.finfo(z.dtype)
    # Bias and headroom are part of the constant that rounds to an integer.
    magic = np.asarray(
        1.5 * 2.0**info.nmant + (info.maxexp - 1 + EXPONENT_HEADROOM), z.dtype
    )
    integer = np.dtype(f"int{info.bits}")
    bits = lax.bitcast_convert_type(z * _LOG2_E + magic, integer)
    # XLA:GPU fuses this conversion with the sums, but not the form of `round_exponent`.
    k = (bits - magic.view(integer)).astype(z.dtype)
    scale = lax.bitcast_convert_type(bits * integer.type(1 << info.nmant), z.dtype)
    with rounded_to_bfloat16(dtype == jnp.bfloat16):
        e = _exp_reduced(z - k * math.log(2), lo) * scale
    return lax.select(z < -_underflow(z.dtype), jnp.zeros_like(z), e)


def _exp_reduced(r: Array, lo: Array | None) -> Array:
    """Return e^(r + lo) for |r| <= 0.36 and a small lo."""
    r = r if lo is None else r + lo
    return (polynomial(r, table.EXP) * r + 1) * r + 1


def _underflow(dtype: Any) -> float:
    """Return the y for which e^-y 2^60 is the least normal number."""
    return (int(jnp.finfo(dtype).maxexp) - 2 + EXPONENT_HEADROOM) * math.log(2)
