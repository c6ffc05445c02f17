"""Logarithm of a sum or mean of exponentials."""

import functools
import itertools
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax

from jax_acts._numerics.bitwise import promote_16bit
from jax_acts._numerics.exp_log import expm1, log, log1p
from jax_acts._numerics.kept import keep_rule
from jax_acts._numerics.ordinary import by_platform, custom_jvp, is_ordinary
from jax_acts._numerics.reduction import max_keepdims, sum_keepdims
from jax_acts._numerics.softmax.exponential import (
    SCALE,
    apply_mask,
    differences,
    exponentials_for_sums,
    shifted_exponentials,
    subtract_maximum,
)
from jax_acts._numerics.softmax.fusion import fusible, is_fusible, is_short
from jax_acts._numerics.softmax.probabilities import softmax_tangent
from jax_acts._numerics.softmax.temperature import center
from jax_acts._numerics.types import Axes


def log_sum(axes: Axes, mean: bool, x: Array, where: Array | None) -> Array:
    """Return log Σ e^x, or the logarithm of the mean, with keepdims."""
    return _log_sum(axes, mean, False, x, where)


@custom_jvp((0, 1, 2))
def _log_sum(
    axes: Axes, mean: bool, has_jvp: bool, x: Array, where: Array | None
) -> Array:
    z = apply_mask(x, where)
    m = lax.stop_gradient(max_keepdims(z, axes))
    total = lambda: _total(axes, x.dtype, z, has_jvp)
    log_ratio = _log_mean(axes, z, where) if mean else jnp.log(total())
    # XLA:CPU may drop a NaN in m, not in the sum. Two uses of m: it fuses no maximum.
    infinite = jnp.isinf(m) & ~jnp.isnan(log_ratio)
    return jnp.where(infinite, m, m + log_ratio).astype(x.dtype)


@_log_sum.defjvp
def log_sum_jvp(
    axes: Axes, mean: bool, has_jvp: bool, primals: Any, tangents: Any
) -> tuple[Array, Array]:
    """Return the value and Σ p t."""
    x, where = primals
    z = fusible(axes, apply_mask(x, where))
    p = keep_rule(_quotient, axes, x.dtype)(z, where)
    y = keep_rule(_log_sum, axes, mean, True)(*primals)
    return y, _weighted_sum(axes, fusible(axes, p), tangents[0])


def _total(axes: Axes, dtype: Any, x: Array, has_jvp: bool) -> Array:
    """Return Σ e^(x - m), which is at least 1, and 1 along an empty vector."""
    if is_ordinary():
        e = jnp.exp(subtract_maximum(x, max_keepdims(x, axes)))
        total = sum_keepdims(e, axes)
        return jnp.where(total == 0, 1, total)
    reduction = lambda x: sum_keepdims(_exponentials(axes, dtype, x, has_jvp), axes)
    if has_jvp or not is_short(axes, x):
        total = reduction(x)
    else:
        total = by_platform(x, reduction, cpu=lambda x: _sum_entries(axes[0], dtype, x))
    return jnp.maximum(total / SCALE, 1)


def _exponentials(axes: Axes, dtype: Any, x: Array, has_jvp: bool) -> Array:
    _, z = differences(x, max_keepdims(x, axes))
    in_kernels = has_jvp and not is_fusible(axes, x)
    return exponentials_for_sums(z, None, dtype, in_kernels=in_kernels)


def _sum_entries(axis: int, dtype: Any, x: Array) -> Array:
    """Return the sum of a short vector; XLA:CPU computes several vectors at once."""
    entries = jnp.split(x, x.shape[axis], axis)
    m = functools.reduce(lax.max, entries)
    terms = [
        shifted_exponentials(differences(entry, m)[1], None, dtype) for entry in entries
    ]
    while len(terms) > 1:  # in pairs: fewer terms are rounded with the largest
        pairs = itertools.zip_longest(terms[::2], terms[1::2])
        terms = [a if b is None else a + b for a, b in pairs]
    return terms[0]


@functools.partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def _quotient(axes: Axes, dtype: Any, x: Array, where: Array | None) -> Array:
    """Return softmax by the sum of `log_sum`, which a program computes once."""
    z = apply_mask(x, where)
    e, total = _exponentials(axes, dtype, z, True), _total(axes, dtype, z, True)
    return (e * (1 / (total * SCALE))).astype(dtype)


@_quotient.defjvp
def _quotient_jvp(
    axes: Axes, dtype: Any, primals: Any, tangents: Any
) -> tuple[Array, Array]:
    p = keep_rule(_quotient, axes, dtype)(*primals)
    return p, softmax_tangent(axes, p, tangents[0])


@functools.partial(jax.checkpoint, prevent_cse=False, static_argnums=0)
def _weighted_sum(axes: Axes, p: Array, t: Array) -> Array:
    """Return Σ p t, the tangent of log_sum; t is ignored where p = 0."""
    t = jnp.where(p == 0, 0, promote_16bit(t))
    return sum_keepdims(promote_16bit(p) * t, axes).astype(p.dtype)


def _log_mean(axes: Axes, x: Array, where: Array | None) -> Array:
    """Return log mean e^(x - m); for a mean near 1 as log1p(mean - 1)."""
    mask = jnp.ones_like(x) if where is None else where.astype(x.dtype)
    n = jnp.maximum(sum_keepdims(mask, axes), 1)
    if is_ordinary():
        return jnp.log(_total(axes, x.dtype, x, True)) - jnp.log(n)
    z, lo = center(axes, x, None)
    e = shifted_exponentials(z, lo, z.dtype) / SCALE
    mean = sum_keepdims(e, axes) / n
    mean_m1 = sum_keepdims(jnp.where(mask == 0, 0, expm1(z) + lo * e), axes) / n
    near = log1p(jnp.clip(mean_m1, -0.5, 0))
    return jnp.where(mean_m1 > -0.5, near, log(mean))
