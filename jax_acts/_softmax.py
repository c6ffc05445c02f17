"""Softmax and its logarithms with their derivatives, of arguments that are checked.

    x  --centred-->  z = (x - max x) / T  --softmax-->      p = e^z / Σ e^z
                                          --log_softmax-->  z - log Σ e^z
    max x  ------------------------------ --log_total-->    max x + log Σ e^z

All their derivatives are made of p, which is all that a backward pass keeps.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.custom_derivatives import SymbolicZero

from jax_acts._axis import Axes, widened
from jax_acts._math import (
    at_least,
    exp,
    expm1,
    log,
    log1p,
    quotient,
    sum_of_two,
    times_exp,
)
from jax_acts._sums import balanced, others, total

_LARGE = 2.0**60
_FAR = 1e3  # where e^-z is 0, and z need be no more than rounded


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def softmax(
    axes: Axes, x: Array, where: Array | None, temperature: Array | None
) -> Array:
    z, low = centred(axes, x, where, temperature)
    e = exp(at_least(-_FAR, z), low)
    # Small terms are added up before they meet the maximum, which would round them off.
    s = total(z == 0, axes) + total(jnp.where(z == 0, 0, e), axes)
    return (e / jnp.where(s == 0, 1, s)).astype(x.dtype)


def _softmax_jvp(axes: Axes, primals: Any, tangents: Any) -> tuple[Array, Array]:
    p = softmax(axes, *primals)
    _, where, temperature = primals
    t = _tangent(axes, primals, tangents)
    return p, _slope(axes, p, where, temperature, t)


softmax.defjvp(_softmax_jvp, symbolic_zeros=True)


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def log_softmax(
    axes: Axes, x: Array, where: Array | None, temperature: Array | None
) -> Array:
    z, low = centred(axes, x, where, temperature)
    size = jnp.maximum(_log_of_total(axes, z, low), 0)  # -inf where nothing counts
    return ((z - size) + low).astype(x.dtype)


def _log_softmax_jvp(axes: Axes, primals: Any, tangents: Any) -> tuple[Array, Array]:
    p = softmax(axes, *primals)
    _, where, temperature = primals
    t = _tangent(axes, primals, tangents)
    dy = _log_slope(axes, p, where, temperature, t)
    return log_softmax(axes, *primals), dy


log_softmax.defjvp(_log_softmax_jvp, symbolic_zeros=True)


def centred(
    axes: Axes, x: Array, where: Array | None, temperature: Array | None
) -> tuple[Array, Array]:
    """Returns (x - max x) / T in two parts, with -inf for what does not count.

    x - max x is rounded where the two are of different size, and what it lacks is a
    factor of the exponential.
    """
    x = _masked(x, where)
    m = jnp.max(x, axes, keepdims=True, initial=-jnp.inf)
    z, low = sum_of_two(x, -m)
    z = jnp.where(jnp.isinf(m), jnp.where(x == jnp.inf, 0, -jnp.inf), z)
    if temperature is not None:
        t = jnp.where(temperature >= 0, temperature, jnp.nan)
        whole = jnp.where((z == 0) | jnp.isinf(z), z, z / t)
        high, rest = quotient(z, t)
        near = (whole != 0) & (jnp.abs(whole) < _FAR)
        z, low = jnp.where(near, high, whole), jnp.where(near, rest + low / t, 0)
    return z, jnp.where((jnp.abs(z) < _FAR) & (z < 0), low, 0)


def _masked(x: Array, where: Array | None) -> Array:
    return widened(x) if where is None else jnp.where(where, widened(x), -jnp.inf)


def _log_of_total(axes: Axes, z: Array, low: Array) -> Array:
    """Returns log Σ e^z for max z = 0.

    Of a sum that is little more than 1 the excess counts, which is what lies below the
    maximum.
    """
    highest = z == 0
    ties = total(highest.astype(z.dtype), axes)
    # Enlarged, so that none is lost to the least number that the greatest comes near.
    terms = jnp.where(highest, 0, times_exp(_LARGE, at_least(-_FAR, z), low))
    below = total(terms, axes) / _LARGE
    s, lack = sum_of_two(ties, below)
    near = log1p(jnp.minimum(below, 1))
    far = log(s) + lack / jnp.maximum(s, 2)
    return jnp.where(s < 2, jnp.where(s == 0, -jnp.inf, near), far)


def _log_of_mean(axes: Axes, z: Array, low: Array, where: Array | None) -> Array:
    """Returns log mean e^z for max z = 0; near 0 the shortfall of the mean counts."""
    e = exp(at_least(-_FAR, z), low)
    counted = jnp.ones_like(z) if where is None else where.astype(z.dtype)
    n = total(counted, axes)
    n = jnp.maximum(n, 1)
    mean = total(e, axes) / n
    shortfall = total(jnp.where(counted == 0, 0, expm1(z) + low * e), axes) / n
    near = log1p(jnp.clip(shortfall, -0.5, 0))
    return jnp.where(shortfall > -0.5, near, log(mean))


@functools.partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def log_total(axes: Axes, mean: bool, x: Array, where: Array | None) -> Array:
    """Returns the logarithm of the sum or mean of e^x, the axes kept."""
    z, low = centred(axes, x, where, None)
    m = jnp.max(_masked(x, where), axes, keepdims=True, initial=-jnp.inf)
    part = _log_of_mean(axes, z, low, where) if mean else _log_of_total(axes, z, low)
    return jnp.where(jnp.isinf(m), m, m + part).astype(x.dtype)


@log_total.defjvp
def _(axes: Axes, mean: bool, primals: Any, tangents: Any) -> tuple[Array, Array]:
    x, where = primals
    p = softmax(axes, x, where, None)
    return log_total(axes, mean, x, where), _mean(axes, p, tangents[0])


def _tangent(axes: Axes, primals: Any, tangents: Any) -> Array:
    """Returns the tangent of x, with what that of the temperature adds to it."""
    dx, _, dt = tangents
    x = widened(primals[0])
    t = jnp.zeros_like(x) if type(dx) is SymbolicZero else widened(dx)
    if dt is not None and type(dt) is not SymbolicZero:
        z, low = centred(axes, *primals)
        t = t - jnp.where(jnp.isfinite(z), z + low, 0) * dt
    return t


@functools.partial(jax.checkpoint, prevent_cse=False, static_argnums=0)
def _slope(
    axes: Axes, p: Array, where: Array | None, temperature: Array | None, t: Array
) -> Array:
    """Returns p (t - Σ p t / Σ p) / T, the tangent of softmax.

    It is checkpointed, so that a backward pass keeps p and nothing that is made of it.
    """
    del where  # what it leaves out has p = 0
    scaled = lambda t: t if temperature is None else t / temperature
    return weighted(axes, widened(p), t, p.dtype, scaled).astype(p.dtype)


def weighted(
    axes: Axes,
    s: Array,
    t: Array,
    dtype: Any,
    scaled: Callable[[Array], Array] = lambda t: t,
) -> Array:
    """Returns s (t - Σ s t / Σ s); its transpose sums to 0 in the dtype given.

    Where the weight is 0, t may be anything.
    """
    t = scaled(balanced(t, dtype, axes))
    whole = _at_least_something(total(s, axes))
    v = jnp.where(s == 0, 0, t)
    v = v - total(s * v, axes) / whole
    v = jnp.where(s == 0, 0, s * v)
    # It has no mean already, but the transpose starts here, and takes the mean out of
    # what it is given before it multiplies by s.
    return jnp.where(s == 0, 0, v - s * (total(v, axes) / whole))


@functools.partial(jax.checkpoint, prevent_cse=False, static_argnums=0)
def _log_slope(
    axes: Axes, p: Array, where: Array | None, temperature: Array | None, t: Array
) -> Array:
    """Returns t - Σ p t / Σ p, over T, the tangent of log_softmax.

    Written t_i Σ' p - Σ' p t, where Σ' is the sum of the others, since 1 - p_i would
    cancel for a model that is sure.
    """
    t, p, dtype = balanced(t, p.dtype, axes), widened(p), p.dtype
    t = t if temperature is None else t / temperature
    counted = total(p, axes) != 0 if where is None else where & (total(p, axes) != 0)
    t = jnp.where(counted, t, 0)
    v = t * others(p, axes) - others(p * t, axes)
    return jnp.where(counted, v / _at_least_something(total(p, axes)), 0).astype(dtype)


@functools.partial(jax.checkpoint, prevent_cse=False, static_argnums=0)
def _mean(axes: Axes, p: Array, t: Array) -> Array:
    """Returns Σ p t, the tangent of logsumexp."""
    t = jnp.where(p == 0, 0, widened(t))  # which may be anything where nothing counts
    return jnp.sum(widened(p) * t, axes, keepdims=True).astype(p.dtype)


def _at_least_something(s: Array) -> Array:
    return jnp.where(s == 0, 1, s)
