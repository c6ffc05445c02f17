"""Softmax and its logarithms with their derivatives, of arguments that are checked.

    x  --logits-->  x, m = max x  --powers-->  e = e^(x - m)

    softmax is e / Σ e, log_softmax x - m - log Σ e, and log_total m + log Σ e

All their derivatives are made of softmax, which is all that a backward pass keeps.
"""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.custom_derivatives import SymbolicZero

from jax_acts._numerics import coefficients as table
from jax_acts._numerics.bitwise import power_of_two, promote_16bit, round_to_int
from jax_acts._numerics.compensated_sum import sum_keepdims, zero_sum_gradient
from jax_acts._numerics.double_word import two_div, two_sum
from jax_acts._numerics.exp_log import expm1, log, log1p, polynomial
from jax_acts._numerics.types import Axes, Real

_SPARE = 60
"""The powers are multiplied by 2 to this: many small ones make a sum that is not."""
_LN2 = (355 / 512, -2.121944400546905827679e-4)
"""log 2 in two parts; the multiples of the first are exact up to 2^12."""
_FAR = 1e3  # where e^-z is 0, and z need be no more than rounded


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def softmax(
    axes: Axes, x: Array, where: Array | None, temperature: Array | None
) -> Array:
    wide, m, low = logits(axes, x, where, temperature)
    e = exponentials(wide, m, low)
    ties, below = _maxima_and_rest(axes, wide, m, e)
    s = 2.0**_SPARE * (ties + below)
    return (e * (1 / jnp.where(s == 0, 1, s))).astype(x.dtype)


def _softmax_jvp(axes: Axes, primals: Any, tangents: Any) -> tuple[Array, Array]:
    p = softmax(axes, *primals)
    t = _tangent(axes, primals, tangents)
    return p, _softmax_derivative(axes, p, primals[2], t)


softmax.defjvp(_softmax_jvp, symbolic_zeros=True)


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def log_softmax(
    axes: Axes, x: Array, where: Array | None, temperature: Array | None
) -> Array:
    wide, m, low = logits(axes, x, where, temperature)
    size = jnp.maximum(
        _log_of_total(axes, wide, m, low), 0
    )  # -inf where nothing counts
    high, rest = two_sum(m, size)
    # The maximum is -size itself; of an infinite one there is no other way to it.
    rest = jnp.where(jnp.isinf(high), 0, rest)
    y = jnp.where(wide == m, jnp.where(m == -jnp.inf, m, -size), (wide - high) - rest)
    return (y + low).astype(x.dtype)


def _log_softmax_jvp(axes: Axes, primals: Any, tangents: Any) -> tuple[Array, Array]:
    p = softmax(axes, *primals)
    _, where, temperature = primals
    t = _tangent(axes, primals, tangents)
    dy = _log_softmax_derivative(axes, p, where, temperature, t)
    return log_softmax(axes, *primals), dy


log_softmax.defjvp(_log_softmax_jvp, symbolic_zeros=True)


def logits(
    axes: Axes, x: Array, where: Array | None, temperature: Array | None
) -> tuple[Array, Array, Real]:
    """Returns x or, with a temperature, (x - max x) / T; the maximum; and what x lacks.

    What does not count is -inf.
    """
    if temperature is None:
        x = _masked(x, where)
        return x, _maximum(axes, x), 0.0
    z, low = center(axes, x, where, temperature)
    return z, _maximum(axes, z), low


def center(
    axes: Axes, x: Array, where: Array | None, temperature: Array | None
) -> tuple[Array, Array]:
    """Returns (x - max x) / T in two parts, with -inf for what does not count.

    x - max x is rounded where the two are of different size, and what it lacks is a
    factor of the exponential.
    """
    x = _masked(x, where)
    m = _maximum(axes, x)
    z, low = two_sum(x, -m)
    z = jnp.where(jnp.isinf(m), jnp.where(x == jnp.inf, 0, -jnp.inf), z)
    if temperature is not None:
        t = jnp.where(temperature >= 0, temperature, jnp.nan)
        whole = jnp.where((z == 0) | jnp.isinf(z), z, z / t)
        high, rest = two_div(z, t)
        near = (whole != 0) & (jnp.abs(whole) < _FAR)
        z, low = jnp.where(near, high, whole), jnp.where(near, rest + low / t, 0)
    return z, jnp.where((jnp.abs(z) < _FAR) & (z < 0), low, 0)


def exponentials(x: Array, m: Array, low: Real) -> Array:
    """Returns e^(x + low - m) 2^60 for the maximum m of a row of x, to 2 ulp.

    x - m would be rounded, to a place that its exponential makes a large one of. Here
    x - k log 2 is exact, for the whole number k that brings it near m - l log 2, and so
    is the difference of the two, to a place that 1 has. Where m is so large that it is
    not, x - m is exact for every x that counts.
    """
    ln2, ln2_low = _LN2
    large = jnp.abs(m) >= 2048
    shift, near = jnp.where(large, m, 0), jnp.where(large, 0, m)
    l = jnp.round(near / math.log(2))
    rest = (near - l * ln2) - l * ln2_low

    y = x - shift
    lowest = int(jnp.finfo(x.dtype).maxexp) - 1 + _SPARE  # the power of two is 0
    least = near - lowest * math.log(2)
    y = jnp.where(y < least, least, y)
    exponent = round_to_int((y - near) * (1 / math.log(2)))
    k = exponent.astype(x.dtype) + l
    r = (y - k * ln2) - (rest + k * ln2_low) + low
    q = r + r * r * polynomial(r, table.EXP)
    power = power_of_two(exponent + _SPARE, x.dtype)
    # Infinite maxima share the whole; what equals -inf does not count.
    greatest = jnp.where(m == -jnp.inf, 0, 2.0**_SPARE)
    return jnp.where(x == m, greatest, power + power * q)


def _masked(x: Array, where: Array | None) -> Array:
    return (
        promote_16bit(x)
        if where is None
        else jnp.where(where, promote_16bit(x), -jnp.inf)
    )


def _maximum(axes: Axes, x: Array) -> Array:
    return jnp.max(x, axes, keepdims=True, initial=-jnp.inf)


def _log_of_total(axes: Axes, x: Array, m: Array, low: Real) -> Array:
    """Returns log Σ e^(x - m).

    Of a sum that is little more than 1 the excess counts, which is what lies below the
    maximum.
    """
    ties, below = _maxima_and_rest(axes, x, m, exponentials(x, m, low))
    s, lack = two_sum(ties, below)
    near = log1p(jnp.minimum(below, 1))
    far = log(s) + lack / jnp.maximum(s, 2)
    return jnp.where(s < 2, jnp.where(s == 0, -jnp.inf, near), far)


def _maxima_and_rest(axes: Axes, x: Array, m: Array, e: Array) -> tuple[Array, Array]:
    """Returns how often the maximum is there, and the sum of the other powers.

    They are added up before they meet the maximum, which would round them off.
    """
    below = sum_keepdims(jnp.where(x == m, 0, e), axes)
    ties = jnp.round((sum_keepdims(e, axes) - below) * 2.0**-_SPARE)
    return ties, below * 2.0**-_SPARE


def _log_of_mean(axes: Axes, x: Array, m: Array, where: Array | None) -> Array:
    """Returns log mean e^(x - m); near 0 the shortfall of the mean counts."""
    e = exponentials(x, m, 0.0) / 2.0**_SPARE
    counted = jnp.ones_like(x) if where is None else where.astype(x.dtype)
    n = jnp.maximum(sum_keepdims(counted, axes), 1)
    mean = sum_keepdims(e, axes) / n
    z, low = center(axes, x, where, None)
    shortfall = sum_keepdims(jnp.where(counted == 0, 0, expm1(z) + low * e), axes) / n
    near = log1p(jnp.clip(shortfall, -0.5, 0))
    return jnp.where(shortfall > -0.5, near, log(mean))


@functools.partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def log_sum(axes: Axes, mean: bool, x: Array, where: Array | None) -> Array:
    """Returns the logarithm of the sum or mean of e^x, the axes kept."""
    wide, m, low = logits(axes, x, where, None)
    if mean:
        part = _log_of_mean(axes, wide, m, where)
    else:
        part = _log_of_total(axes, wide, m, low)
    return jnp.where(jnp.isinf(m), m, m + part).astype(x.dtype)


@log_sum.defjvp
def log_sum_jvp(
    axes: Axes, mean: bool, primals: Any, tangents: Any
) -> tuple[Array, Array]:
    x, where = primals
    p = softmax(axes, x, where, None)
    return log_sum(axes, mean, x, where), _mean(axes, p, tangents[0])


def _tangent(axes: Axes, primals: Any, tangents: Any) -> Array:
    """Returns the tangent of x, with what that of the temperature adds to it."""
    dx, _, dt = tangents
    x = promote_16bit(primals[0])
    t = jnp.zeros_like(x) if type(dx) is SymbolicZero else promote_16bit(dx)
    if dt is not None and type(dt) is not SymbolicZero:
        z, low = center(axes, *primals)
        t = t - jnp.where(jnp.isfinite(z), z + low, 0) * dt
    return t


@functools.partial(jax.checkpoint, prevent_cse=False, static_argnums=0)
def _softmax_derivative(
    axes: Axes, p: Array, temperature: Array | None, t: Array
) -> Array:
    """Returns p (t - Σ p t / Σ p) / T, the tangent of softmax.

    It is checkpointed, so that a backward pass keeps p and nothing that is made of it.
    """
    s = promote_16bit(p) if temperature is None else promote_16bit(p) / temperature
    return weighted_jvp(axes, s, t, p.dtype).astype(p.dtype)


def weighted_jvp(axes: Axes, s: Array, t: Array, dtype: Any) -> Array:
    """Returns s (t - Σ s t / Σ s); its transpose sums to 0 in the dtype given.

    Where the weight is 0, t may be anything.
    """
    t = jnp.where(s == 0, 0, zero_sum_gradient(t, dtype, axes))
    whole = _at_least_something(sum_keepdims(s, axes))
    v = s * (t - sum_keepdims(s * t, axes) / whole)
    # It has no mean already, but the transpose starts here, and takes the mean out of
    # what it is given before it multiplies by s.
    v = v - s * (sum_keepdims(v, axes) / whole)
    return jnp.where(s == 0, 0, v)


@functools.partial(jax.checkpoint, prevent_cse=False, static_argnums=0)
def _log_softmax_derivative(
    axes: Axes, p: Array, where: Array | None, temperature: Array | None, t: Array
) -> Array:
    """Returns t - Σ p t / Σ p, over T, the tangent of log_softmax.

    Of a model that is sure one p is nearly 1, and 1 - p would cancel: the tangents are
    counted from that of its entry.
    """
    t, p, dtype = zero_sum_gradient(t, p.dtype, axes), promote_16bit(p), p.dtype
    t = t if temperature is None else t / temperature
    whole = sum_keepdims(p, axes)
    counted = whole != 0 if where is None else where & (whole != 0)
    sure = p > 0.5
    t = jnp.where(counted, t, 0)
    t = jnp.where(sure | ~counted, 0, t - sum_keepdims(jnp.where(sure, t, 0), axes))
    v = t - sum_keepdims(p * t, axes) / _at_least_something(whole)
    return jnp.where(counted, v, 0).astype(dtype)


@functools.partial(jax.checkpoint, prevent_cse=False, static_argnums=0)
def _mean(axes: Axes, p: Array, t: Array) -> Array:
    """Returns Σ p t, the tangent of logsumexp."""
    t = jnp.where(
        p == 0, 0, promote_16bit(t)
    )  # which may be anything where nothing counts
    return jnp.sum(promote_16bit(p) * t, axes, keepdims=True).astype(p.dtype)


def _at_least_something(s: Array) -> Array:
    return jnp.where(s == 0, 1, s)
