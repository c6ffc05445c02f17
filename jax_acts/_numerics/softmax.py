"""Softmax, log_softmax and log-sum-exp with custom JVP rules, on checked arguments.

    m = max x    e = e^(x - m)    s = Σ e

    softmax = e / s        log_softmax = x - m - log s        log_sum = m + log s

The residual of the backward pass is the softmax p in the dtype of x, for log_softmax
with p - 1 in place of a p above 1/2.

XLA:GPU compiles the value and the derivative of each to one kernel if few operations
lie between a reduction and the next: `tests/benchmarks/test_platforms_compiled.py`
counts them.
"""

import functools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.sharding import AxisType

from jax_acts._numerics import coefficients as table
from jax_acts._numerics.bitwise import (
    power_of_two,
    promote_16bit,
    round_to_int,
)
from jax_acts._numerics.double_word import two_prod, two_sum
from jax_acts._numerics.exp_log import expm1, log, log1p
from jax_acts._numerics.kept import keep_rule
from jax_acts._numerics.ordinary import (
    by_platform,
    custom_jvp,
    is_ordinary,
    ordinary_form,
    rounded_to_bfloat16,
)
from jax_acts._numerics.polynomial import polynomial
from jax_acts._numerics.reduction import max_keepdims, min_keepdims, sum_keepdims
from jax_acts._numerics.types import Axes

EXPONENT_HEADROOM = 60
"""Exponentials are multiplied by 2^60, so that many that underflow sum correctly."""
_SCALE = 2.0**EXPONENT_HEADROOM
_LOG2_E = 1 / math.log(2)
_LN2 = (355 / 512, -2.121944400546905827679e-4)
"""ln 2 as hi + lo; k hi is exact for |k| <= 2^12 (Cody–Waite)."""
_FUSIBLE_SIZE = 2**14
"""Longest vector for which XLA:GPU fuses reductions."""
_SHORT = 16
"""Longest vector that XLA:CPU reduces faster by slices, without derivatives."""
_EXCLUDED = -1.0
"""Residual of log_softmax at an entry that is masked, or along an empty vector."""


@custom_jvp((0, 1))
def softmax(
    axes: Axes, dtype: Any, x: Array, lo: Array | None, where: Array | None
) -> Array:
    """Return e^(x + lo) / Σ e^(x + lo) over the axes, rounded once to `dtype`.

    It is 0 where the mask is false.
    """
    z = _apply_mask(x, where)
    m = max_keepdims(z, axes)
    if dtype == jnp.bfloat16 and not is_ordinary():
        # The rounding of z - m does not matter.
        e = _shifted_exponentials(_shift(z, m)[1], lo, dtype)
    else:
        e = exponentials(z, m, lo)
    # s is 0 or at least 2^59. A select in place of the maximum prevents the fusion.
    return (e * (1 / jnp.maximum(sum_keepdims(e, axes), 1))).astype(dtype)


@softmax.defjvp
def softmax_jvp(
    axes: Axes, dtype: Any, primals: Any, tangents: Any
) -> tuple[Array, Array]:
    p = keep_rule(softmax, axes, dtype)(*primals)
    return p, softmax_tangent(axes, p, tangents[0])


@functools.partial(jax.checkpoint, prevent_cse=False, static_argnums=0)
def softmax_tangent(axes: Axes, p: Array, t: Array) -> Array:
    """Return p (t - Σ p t), and 0 where p = 0, also for t = NaN or inf.

    The checkpoint makes p the only residual.
    """
    wide, t = _fusible(axes, promote_16bit(p)), promote_16bit(t)
    t = jnp.where(wide == 0, 0, t)
    v = wide * (t - sum_keepdims(wide * t, axes))
    return jnp.where(wide == 0, 0, v).astype(p.dtype)


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
    terms = _terms(axes, dtype, _apply_mask(x, where), lo, has_jvp)
    y = terms.shifted - _log_total(terms)
    return (y if lo is None else y + lo).astype(dtype)


@_log_softmax.defjvp
def log_softmax_jvp(
    axes: Axes, dtype: Any, has_jvp: bool, primals: Any, tangents: Any
) -> tuple[Array, Array]:
    x, lo, where = primals
    probability = keep_rule(reduced_softmax, axes, dtype)
    q = probability(_fusible(axes, _apply_mask(x, where)), lo, where)
    y = keep_rule(_log_softmax, axes, dtype, True)(*primals)
    return y, log_softmax_tangent(axes, where is not None, q, tangents[0]).astype(dtype)


@custom_jvp((0, 1))
def reduced_softmax(
    axes: Axes, dtype: Any, x: Array, lo: Array | None, where: Array | None
) -> Array:
    """Return softmax p, as p - 1 where p > 1/2, and `_EXCLUDED` off the mask.

    p - 1 is computed as minus the sum of the other entries, and is below 0.
    """
    terms = _terms(axes, dtype, _apply_mask(x, where), lo, True)
    inverse = 1 / (jnp.maximum(terms.ties, 1) + terms.rest)
    info = jnp.finfo(dtype)
    least = info.tiny if info.nexp == 8 else info.smallest_subnormal
    above = (terms.ties == 1) & (terms.rest < 1)
    top = jnp.where(above, -jnp.maximum(terms.rest * inverse, float(least)), inverse)
    excluded = jnp.where(terms.ties == 0, _EXCLUDED, 0)
    q = jnp.where(terms.e == _SCALE, top, terms.e * (inverse / _SCALE) + excluded)
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
    wide = _fusible(axes, promote_16bit(q))
    t = jnp.where(wide == _EXCLUDED, 0, promote_16bit(t))
    mean = sum_keepdims(wide * t, axes)
    t_top = sum_keepdims(jnp.where(wide < 0, t, 0), axes)
    v = (t - t_top) - mean
    # Along an empty vector t and v are 0.
    return jnp.where(wide == _EXCLUDED, 0, v) if masked else v


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _fusible(axes: Axes, p: Array) -> Array:
    """Return p; on CUDA as max(p, min p).

    XLA:GPU computes the reductions along a vector and their consumers in one kernel if
    an operation combines an array with a reduction of the same array, and the vector
    is short. Value and gradient do not share their sums then, which would need kernels
    of their own.
    """
    if not _is_fusible(axes, p):
        return p
    cuda = lambda p: jnp.maximum(p, min_keepdims(p, axes))
    return lax.platform_dependent(p, cuda=cuda, default=lambda p: p)


def _is_fusible(axes: Axes, x: Array) -> bool:
    sizes = [x.shape[axis] for axis in axes]
    return all(isinstance(n, int) for n in sizes) and math.prod(sizes) <= _FUSIBLE_SIZE


@_fusible.defjvp
def _fusible_jvp(axes: Axes, primals: Any, tangents: Any) -> tuple[Array, Array]:
    return _fusible(axes, *primals), tangents[0]


def log_sum(axes: Axes, mean: bool, x: Array, where: Array | None) -> Array:
    """Return log Σ e^x, or the logarithm of the mean, with keepdims."""
    return _log_sum(axes, mean, False, x, where)


@custom_jvp((0, 1, 2))
def _log_sum(
    axes: Axes, mean: bool, has_jvp: bool, x: Array, where: Array | None
) -> Array:
    z = _apply_mask(x, where)
    m = lax.stop_gradient(max_keepdims(z, axes))
    total = lambda: _log_total(_terms(axes, x.dtype, z, None, has_jvp))
    log_ratio = _log_mean(axes, z, where) if mean else total()
    return jnp.where(jnp.isinf(m), m, m + log_ratio).astype(x.dtype)


@_log_sum.defjvp
def log_sum_jvp(
    axes: Axes, mean: bool, has_jvp: bool, primals: Any, tangents: Any
) -> tuple[Array, Array]:
    """Return the value and Σ p t."""
    x, where = primals
    z = _fusible(axes, _apply_mask(x, where))
    p = keep_rule(_softmax_of_terms, axes, x.dtype)(z, where)
    y = keep_rule(_log_sum, axes, mean, True)(*primals)
    return y, _weighted_sum(axes, _fusible(axes, p), tangents[0])


@functools.partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def _softmax_of_terms(axes: Axes, dtype: Any, x: Array, where: Array | None) -> Array:
    """Return softmax from the terms of `log_sum`, which a program computes once."""
    terms = _terms(axes, dtype, _apply_mask(x, where), None, True)
    inverse = 1 / (jnp.maximum(terms.ties, 1) + terms.rest)
    return (terms.e * (inverse / _SCALE)).astype(dtype)


@_softmax_of_terms.defjvp
def _softmax_of_terms_jvp(
    axes: Axes, dtype: Any, primals: Any, tangents: Any
) -> tuple[Array, Array]:
    p = keep_rule(_softmax_of_terms, axes, dtype)(*primals)
    return p, softmax_tangent(axes, p, tangents[0])


@functools.partial(jax.checkpoint, prevent_cse=False, static_argnums=0)
def _weighted_sum(axes: Axes, p: Array, t: Array) -> Array:
    """Return Σ p t, the tangent of log_sum; t is ignored where p = 0."""
    t = jnp.where(p == 0, 0, promote_16bit(t))
    return sum_keepdims(promote_16bit(p) * t, axes).astype(p.dtype)


def divide(
    axes: Axes, x: Array, where: Array | None, temperature: Array
) -> tuple[Array, Array]:
    """Return (x - max x) / T as hi + lo, for `softmax` and `log_softmax`.

    At T = 0 it is 0 at the maxima and -inf elsewhere; for T < 0 it is NaN. lo is a
    constant to autodiff.
    """
    centered, centered_lo = center(axes, x, where)
    t = jnp.where(temperature >= 0, temperature, jnp.nan)
    finite = (centered > -jnp.inf) & ((centered != 0) | (t > 0))
    safe = jnp.where(finite, centered, 1)
    z = safe / t
    hi, lo = map(lax.stop_gradient, two_prod(z, t))
    remainder = ((lax.stop_gradient(safe) - hi) - lo) + centered_lo
    # The low word matters where e^z does not underflow.
    near = finite & (z > -1e3) & (t < jnp.inf)
    low = jnp.where(near, lax.stop_gradient(remainder / t), 0)
    return jnp.where(finite, z, centered), low


@custom_jvp((0,))
def center(axes: Axes, x: Array, where: Array | None) -> tuple[Array, Array]:
    """Return x - max x as hi + lo, -inf off the mask; 0 at infinite maxima."""
    x = _apply_mask(x, where)
    m = max_keepdims(x, axes)
    if is_ordinary():
        return _subtract_maximum(x, m), jnp.zeros_like(x)
    z, lo = two_sum(x, -m)
    z = jnp.where(jnp.isinf(m), jnp.where(x == jnp.inf, 0, -jnp.inf), z)
    return z, jnp.where((z > -1e3) & (z < 0), lo, 0)


@center.defjvp
def center_jvp(axes: Axes, primals: Any, tangents: Any) -> Any:
    """Return the tangent of x: a common shift does not change the functions."""
    z, lo = center(axes, *primals)
    return (z, lo), (promote_16bit(tangents[0]), jnp.zeros_like(lo))


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
    if has_jvp or not _is_short(axes, x):
        return reduction(x)
    entries = functools.partial(_terms_by_entry, axes[0], dtype, lo)
    return by_platform(x, reduction, cpu=entries)


def _is_short(axes: Axes, x: Array) -> bool:
    """Return whether slices pay, on a mesh without explicit axes."""
    if AxisType.Explicit in jax.sharding.get_abstract_mesh().axis_types:
        return False
    sizes = [x.shape[axis] for axis in axes]
    return len(sizes) == 1 and isinstance(sizes[0], int) and 0 < sizes[0] <= _SHORT


def _terms_by_reduction(
    axes: Axes, dtype: Any, lo: Array | None, has_jvp: bool, x: Array
) -> _Terms:
    zeros = jnp.zeros_like(x)
    shifted, finite = _shift(x, max_keepdims(x, axes))
    # XLA:GPU would store a special function that two kernels need.
    in_kernels = has_jvp and not _is_fusible(axes, x)
    e = (_by_argument_reduction if in_kernels else _shifted_exponentials)(
        finite, lo, dtype
    )

    def count(e: Array) -> tuple[Array, Array]:
        is_top = finite >= zeros
        rest = sum_keepdims(lax.select(is_top, zeros, e), axes)
        return rest, sum_keepdims(is_top.astype(x.dtype), axes)

    def subtract(e: Array) -> tuple[Array, Array]:
        rest = sum_keepdims(lax.select(e >= lax.full_like(e, _SCALE), zeros, e), axes)
        ties = (sum_keepdims(e, axes) - rest) / _SCALE + 0.5
        return rest, ties.astype(jnp.int32).astype(x.dtype)

    rest, ties = by_platform(e, count, cpu=subtract) if has_jvp else count(e)
    return _Terms(shifted, e, ties, rest / _SCALE)


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
        _, finite = _shift(entry, m)
        is_top, e = finite >= 0, _shifted_exponentials(finite, low, dtype)
        rest, ties = rest + jnp.where(is_top, 0, e), ties + is_top.astype(x.dtype)
    # XLA would compute m again for each entry of x, and not that of a reduction.
    shifted, finite = _shift(x, max_keepdims(x, (axis,)))
    e = _shifted_exponentials(finite, lo, dtype)
    return _Terms(shifted, e, ties, rest / _SCALE)


def _shift(x: Array, m: Array) -> tuple[Array, Array]:
    """Return x - m <= 0 twice, with 0 for inf - inf.

    XLA would store the result of one select that two loops share.
    """
    infinity, zeros = lax.full_like(x, jnp.inf), jnp.zeros_like(x)
    z = x - jnp.maximum(m, float(jnp.finfo(x.dtype).min))
    return lax.select(x < infinity, z, zeros), lax.select(x == infinity, zeros, z)


def _ordinary_terms(axes: Axes, x: Array, lo: Array | None) -> _Terms:
    """Return the terms by ordinary primitives.

    `rest` includes e - 1 of the maxima: 0, but not its derivative.
    """
    z = _subtract_maximum(x, max_keepdims(x, axes), lo)
    e, ties = jnp.exp(z), (z >= 0).astype(x.dtype)
    return _Terms(z, e * _SCALE, *(sum_keepdims(v, axes) for v in (ties, e - ties)))


def _subtract_maximum(x: Array, m: Array, lo: Array | None = None) -> Array:
    """Return x + lo - m for constant m; 0 or -inf at infinite maxima."""
    m = lax.stop_gradient(m)
    # x may be a scalar; Triton selects no scalars that are infinite.
    x = x + jnp.zeros_like(m)
    z = jnp.where(jnp.isinf(m), jnp.where(x == jnp.inf, 0.0, -jnp.inf), x - m)
    return z if lo is None else z + lo


@ordinary_form(lambda terms: jnp.log(jnp.maximum(terms.ties, 1) + terms.rest))
def _log_total(terms: _Terms) -> Array:
    """Return log(ties + rest), as log1p near 1; log 1 along an empty vector.

    A logarithm and a quotient come last: XLA computes them once per vector, and not
    once per entry.
    """
    u = jnp.maximum(terms.ties - 1, 0) + terms.rest
    w = jnp.maximum(1 + u, 1)  # XLA folds (1 + u) - 1
    return jnp.log(w) + (u - (w - 1)) / w


@ordinary_form(lambda x, m, lo: jnp.exp(_subtract_maximum(x, m, lo)) * _SCALE)
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


def _shifted_exponentials(z: Array, lo: Array | None, dtype: Any) -> Array:
    """Return e^(z + lo) 2^60 for z <= 0, exactly 2^60 at 0, to be rounded to dtype."""
    reduced = functools.partial(_by_argument_reduction, lo=lo, dtype=dtype)
    if lo is not None or dtype != jnp.bfloat16:
        return reduced(z)
    return by_platform(z, reduced, cuda=_by_special_function)


def _by_special_function(z: Array) -> Array:
    """Return `_shifted_exponentials` within 2^-17: libdevice has fewer instructions."""
    e = lax.exp(z + EXPONENT_HEADROOM * math.log(2))
    return lax.select(z >= 0, lax.full_like(e, _SCALE), e)


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


def _apply_mask(x: Array, where: Array | None) -> Array:
    x = promote_16bit(x)
    return x if where is None else jnp.where(where, x, -jnp.inf)


def _log_mean(axes: Axes, x: Array, where: Array | None) -> Array:
    """Return log mean e^(x - m); for a mean near 1 as log1p(mean - 1)."""
    mask = jnp.ones_like(x) if where is None else where.astype(x.dtype)
    n = jnp.maximum(sum_keepdims(mask, axes), 1)
    if is_ordinary():
        return _log_total(_terms(axes, x.dtype, x, None, True)) - jnp.log(n)
    z, lo = center(axes, x, None)
    e = _shifted_exponentials(z, lo, z.dtype) / _SCALE
    mean = sum_keepdims(e, axes) / n
    mean_m1 = sum_keepdims(jnp.where(mask == 0, 0, expm1(z) + lo * e), axes) / n
    near = log1p(jnp.clip(mean_m1, -0.5, 0))
    return jnp.where(mean_m1 > -0.5, near, log(mean))
