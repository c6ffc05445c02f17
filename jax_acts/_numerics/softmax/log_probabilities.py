"""Logarithm of softmax.

The terms of the sum below 1 are added apart from the maxima: log(1 + rest) is 2e-9 for
[0, -20], and so is the derivative of the first entry.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from jax_acts._numerics.bitwise import promote_16bit
from jax_acts._numerics.kept import keep_rule
from jax_acts._numerics.ordinary import (
    by_platform,
    custom_jvp,
    is_ordinary,
    ordinary_form,
)
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
from jax_acts._numerics.types import Axes

_EXCLUDED = -1.0
"""Residual of log_softmax at an entry that is masked, or along an empty vector."""


def log_softmax(
    axes: Axes, dtype: Any, x: Array, lo: Array | None, where: Array | None
) -> Array:
    """Return log(softmax(x + lo)) in `dtype`, -inf where the mask is false."""
    return _log_softmax(axes, dtype, False, x, lo, where)


@custom_jvp((0, 1, 2))
def _log_softmax(
    axes: Axes,
    dtype: Any,
    has_jvp: bool,
    x: Array,
    lo: Array | None,
    where: Array | None,
) -> Array:
    terms = _terms(axes, dtype, apply_mask(x, where), lo, has_jvp)
    y = terms.shifted - _log_total(terms)
    return (y if lo is None else y + lo).astype(dtype)


@_log_softmax.defjvp
def log_softmax_jvp(
    axes: Axes, dtype: Any, has_jvp: bool, primals: Any, tangents: Any
) -> tuple[Array, Array]:
    x, lo, where = primals
    probability = keep_rule(reduced_softmax, axes, dtype)
    q = probability(fusible(axes, apply_mask(x, where)), lo, where)
    y = keep_rule(_log_softmax, axes, dtype, True)(*primals)
    return y, log_softmax_tangent(axes, where is not None, q, tangents[0]).astype(dtype)


@custom_jvp((0, 1))
def reduced_softmax(
    axes: Axes, dtype: Any, x: Array, lo: Array | None, where: Array | None
) -> Array:
    """Return softmax p, as p - 1 where p > 1/2, and `_EXCLUDED` off the mask.

    p - 1 is computed as minus the sum of the other entries, and is below 0.
    """
    terms = _terms(axes, dtype, apply_mask(x, where), lo, True)
    inverse = 1 / (jnp.maximum(terms.ties, 1) + terms.rest)
    info = jnp.finfo(dtype)
    least = info.tiny if info.nexp == 8 else info.smallest_subnormal
    above = (terms.ties == 1) & (terms.rest < 1)
    top = jnp.where(above, -jnp.maximum(terms.rest * inverse, float(least)), inverse)
    excluded = jnp.where(terms.ties == 0, _EXCLUDED, 0)
    q = jnp.where(terms.e == SCALE, top, terms.e * (inverse / SCALE) + excluded)
    return (q if where is None else jnp.where(where, q, _EXCLUDED)).astype(dtype)


@reduced_softmax.defjvp
def reduced_softmax_jvp(
    axes: Axes, dtype: Any, primals: Any, tangents: Any
) -> tuple[Array, Array]:
    q = keep_rule(reduced_softmax, axes, dtype)(*primals)
    wide = promote_16bit(q)
    p = jnp.where(wide < 0, 1 + wide, wide)
    t = log_softmax_tangent(axes, primals[2] is not None, q, tangents[0])
    return q, (p * t).astype(dtype)


@functools.partial(jax.checkpoint, prevent_cse=False, static_argnums=(0, 1))
def log_softmax_tangent(axes: Axes, masked: bool, q: Array, t: Array) -> Array:
    """Return t - Σ p t for `reduced_softmax` q, and 0 where it is excluded.

    Where p is near 1, t - p t cancels: it is t - t_top - Σ q t, in this order, which
    the transpose reverses. The checkpoint makes q the only residual.
    """
    wide = fusible(axes, promote_16bit(q))
    t = jnp.where(wide == _EXCLUDED, 0, promote_16bit(t))
    mean = sum_keepdims(wide * t, axes)
    t_top = sum_keepdims(jnp.where(wide < 0, t, 0), axes)
    v = (t - t_top) - mean
    # Along an empty vector t and v are 0.
    return jnp.where(wide == _EXCLUDED, 0, v) if masked else v


class _Terms(NamedTuple):
    """The terms of Σ e^(x + lo - m), with entries of the shape of x and sums."""

    shifted: Array
    """x - m; 0 at infinite maxima."""
    e: Array
    """e^(x + lo - m) 2^60."""
    ties: Array
    """The multiplicity of the maximum m, 0 along an empty vector."""
    rest: Array
    """The sum of the terms below 1, which are lost one by one if added to 1."""


def _terms(axes: Axes, dtype: Any, x: Array, lo: Array | None, has_jvp: bool) -> _Terms:
    """Return the terms of a sum. x - m is rounded: e is within |x - m| / 2 + 2 ulp.

    The results are rounded to `dtype`.

    XLA:CPU stores e if the program has a derivative: then a second sum of e is cheaper
    than one of the ties. XLA computes e in every sum if the program has none, and on
    other platforms storing e costs more than that.
    """
    if is_ordinary():
        return _ordinary_terms(axes, x, lo)
    reduction = functools.partial(_terms_by_reduction, axes, dtype, lo, has_jvp)
    if has_jvp or not is_short(axes, x):
        return reduction(x)
    entries = functools.partial(_terms_by_entry, axes[0], dtype, lo)
    return by_platform(x, reduction, cpu=entries)


def _terms_by_reduction(
    axes: Axes, dtype: Any, lo: Array | None, has_jvp: bool, x: Array
) -> _Terms:
    zeros = jnp.zeros_like(x)
    shifted, finite = differences(x, max_keepdims(x, axes))
    in_kernels = has_jvp and not is_fusible(axes, x)
    e = exponentials_for_sums(finite, lo, dtype, in_kernels=in_kernels)

    def count(e: Array) -> tuple[Array, Array]:
        is_top = finite >= zeros
        rest = sum_keepdims(lax.select(is_top, zeros, e), axes)
        return rest, sum_keepdims(is_top.astype(x.dtype), axes)

    def subtract(e: Array) -> tuple[Array, Array]:
        rest = sum_keepdims(lax.select(e >= lax.full_like(e, SCALE), zeros, e), axes)
        ties = (sum_keepdims(e, axes) - rest) / SCALE + 0.5
        return rest, ties.astype(jnp.int32).astype(x.dtype)

    rest, ties = by_platform(e, count, cpu=subtract) if has_jvp else count(e)
    return _Terms(shifted, e, ties, rest / SCALE)


def _terms_by_entry(axis: int, dtype: Any, lo: Array | None, x: Array) -> _Terms:
    """Return the terms of a short vector, whose sums add slices of the array.

    XLA:CPU then computes several vectors at once. It repeats a sum in every loop that
    uses it, so that this pays only where no derivative is computed.
    """
    size = x.shape[axis]
    entries = jnp.split(x, size, axis)
    lows = [None] * size if lo is None else jnp.split(lo, size, axis)
    m = functools.reduce(lax.max, entries)
    rest = ties = jnp.zeros_like(m)
    for entry, low in zip(entries, lows, strict=True):
        _, finite = differences(entry, m)
        is_top, e = finite >= 0, shifted_exponentials(finite, low, dtype)
        rest, ties = rest + jnp.where(is_top, 0, e), ties + is_top.astype(x.dtype)
    # XLA would compute m again for each entry of x, and not that of a reduction.
    shifted, finite = differences(x, max_keepdims(x, (axis,)))
    e = shifted_exponentials(finite, lo, dtype)
    return _Terms(shifted, e, ties, rest / SCALE)


def _ordinary_terms(axes: Axes, x: Array, lo: Array | None) -> _Terms:
    """Return the terms by ordinary primitives.

    `rest` includes e - 1 of the maxima: 0, but not its derivative.
    """
    z = subtract_maximum(x, max_keepdims(x, axes), lo)
    e, ties = jnp.exp(z), (z >= 0).astype(x.dtype)
    return _Terms(z, e * SCALE, *(sum_keepdims(v, axes) for v in (ties, e - ties)))


@ordinary_form(lambda terms: jnp.log(jnp.maximum(terms.ties, 1) + terms.rest))
def _log_total(terms: _Terms) -> Array:
    """Return log(ties + rest), as log1p near 1; log 1 along an empty vector.

    A logarithm and a quotient come last: XLA computes them once per vector, and not
    once per entry.
    """
    u = jnp.maximum(terms.ties - 1, 0) + terms.rest
    w = jnp.maximum(1 + u, 1)  # XLA folds (1 + u) - 1
    return jnp.log(w) + (u - (w - 1)) / w
