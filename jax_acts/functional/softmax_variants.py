"""Softmax, its logarithms and variants along an axis."""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import DTypeLike

from jax_acts._core.arguments import (
    as_real,
    broadcast_mask,
    broadcast_parameter,
    canonical_axes,
)
from jax_acts._core.function import function
from jax_acts._core.spec import Axis
from jax_acts._numerics import softmax as _softmax
from jax_acts._numerics.bitwise import promote_16bit
from jax_acts._numerics.kept import keep_rule
from jax_acts._numerics.ordinary import custom_jvp
from jax_acts._numerics.reduction import max_keepdims, sum_keepdims
from jax_acts._numerics.types import Axes, Real
from jax_acts.functional.sparse import hardmax

__all__ = [
    "gumbel_softmax",
    "log_softmax",
    "logmeanexp",
    "logsumexp",
    "softmax",
    "softmax1",
    "softmax_sink",
    "softmin",
    "solu",
    "ssmax",
]


@function(cite="bridle1990", bounds={"temperature": (1e-3, math.inf)})
def softmax(
    x: Array,
    axis: Axis = -1,
    where: Array | None = None,
    temperature: Real = 1.0,
) -> Array:
    r"""Softmax, $e^{x_i / T} / \sum_j e^{x_j / T}$.

    Along an axis, fully masked or all $-\infty$ entries give 0 with derivative 0; $k$
    entries of $+\infty$ give $1/k$ each; a NaN makes every entry NaN. The value
    is within 5 ulp in float32, and within 60 where many terms are half an ulp of the
    largest: the sum, as that of `jax.nn`, loses them one by one.

    Args:
        x: The logits.
        axis: The axis or axes along which the result sums to 1; None for all.
        where: A boolean mask, broadcast to x. Masked entries are excluded and give 0.
        temperature: $T \ge 0$, a scalar or an array that broadcasts to x with size 1
            along `axis`. Logits are divided by it after the maximum is subtracted. At
            $T = 0$ the $k$ maxima give $1/k$ each.

    Returns:
        An array of the shape and dtype of x. 16-bit inputs are computed in float32 and
        rounded once.

    Raises:
        TypeError: x is complex, or `where` is not boolean.
        ValueError: An axis is out of range, or a shape does not broadcast.

    >>> softmax(jnp.array([0.0, -jnp.inf, 1.0]))
    Array([0.26894143, 0.        , 0.7310586 ], dtype=float32)
    """
    return _softmax.softmax(*_operands("softmax", x, axis, where, temperature))


@function(bounds={"temperature": (1e-3, math.inf)})
def softmin(
    x: Array,
    axis: Axis = -1,
    where: Array | None = None,
    temperature: Real = 1.0,
) -> Array:
    r"""Softmin, $e^{-x_i / T} / \sum_j e^{-x_j / T}$.

    The arguments are those of `softmax`.

    >>> softmin(jnp.array([0.0, 1.0]))
    Array([0.7310586 , 0.26894143], dtype=float32)
    """
    x = -as_real("softmin", "x", x)
    return _softmax.softmax(*_operands("softmin", x, axis, where, temperature))


@function(cite="bridle1990", bounds={"temperature": (1e-3, math.inf)})
def log_softmax(
    x: Array,
    axis: Axis = -1,
    where: Array | None = None,
    temperature: Real = 1.0,
) -> Array:
    r"""Logarithm of softmax, $x_i / T - \log \sum_j e^{x_j / T}$.

    The relative error of the largest entry is bounded also near 0. Masked entries, and
    entries that are all $-\infty$ along the axis, give $-\infty$ with derivative 0.

    Args:
        x: The logits.
        axis: See `softmax`.
        where: See `softmax`; masked entries give $-\infty$.
        temperature: See `softmax`.

    >>> log_softmax(jnp.array([0.0, -20.0, -30.0]))
    Array([-2.06125e-09, -2.00000e+01, -3.00000e+01], dtype=float32)
    """
    return _softmax.log_softmax(*_operands("log_softmax", x, axis, where, temperature))


@function(cite="jang2016 maddison2016", bounds={"tau": (1e-3, math.inf)})
def gumbel_softmax(
    x: Array,
    key: Array,
    tau: Real = 1.0,
    hard: bool = False,
    axis: Axis = -1,
) -> Array:
    r"""Gumbel-softmax, the `softmax` of $(x_i + g_i) / \tau$ with Gumbel noise $g_i$.

    $\arg\max_i (x_i + g_i)$ is a sample from the categorical distribution `softmax(x)`.

    Args:
        x: The logits.
        key: A PRNG key.
        tau: $\tau$, the temperature; the result approaches a one-hot sample as
            $\tau \to 0$.
        hard: If true, return the one-hot sample, with the derivative of the soft result
            (straight-through estimator).
        axis: See `softmax`.

    >>> gumbel_softmax(jnp.array([0.0, 9.0, 0.0]), jax.random.key(0), hard=True)
    Array([0., 1., 0.], dtype=float32)
    """
    x = as_real("gumbel_softmax", "x", x)
    noisy = promote_16bit(x) + jax.random.gumbel(key, x.shape, promote_16bit(x).dtype)
    soft = _softmax.softmax(*_operands("gumbel_softmax", noisy, axis, None, tau, "tau"))
    if hard:
        sample = jnp.where(soft == 0, 0, hardmax.without_custom_jvp(noisy, axis))
        soft = jax.lax.stop_gradient(sample) + (soft - jax.lax.stop_gradient(soft))
    return soft.astype(x.dtype)


@function(cite="elhage2022")
def solu(x: Array, axis: Axis = -1) -> Array:
    r"""Softmax linear unit, $x_i \,\mathrm{softmax}(x)_i$.

    The paper applies a layer normalization to the result.

    Args:
        x: The input.
        axis: See `softmax`.

    >>> solu(jnp.array([0.0, 1.0, 4.0]))
    Array([0.        , 0.04661262, 3.7449582 ], dtype=float32)
    """
    x = as_real("solu", "x", x)
    axes = canonical_axes("solu", x, axis)
    p = _softmax.softmax(axes, promote_16bit(x).dtype, x, None, None)
    # x e^x -> 0 for x -> -inf, where the product is NaN.
    return jnp.where(p == 0, 0, promote_16bit(x) * p).astype(x.dtype)


@function()
def softmax_sink(
    x: Array, sink: Real = 0.0, axis: Axis = -1, where: Array | None = None
) -> Array:
    r"""Softmax with an attention sink, $e^{x_i} / (e^s + \sum_j e^{x_j})$.

    The sink is an additional logit whose probability is not returned, so the result
    sums to less than 1. $s = 0$ is the softmax of Miller (2023), `softmax1`. Masked,
    infinite and NaN entries behave as in `softmax`.

    Args:
        x: The logits.
        sink: $s$, a scalar or an array that broadcasts to x with size 1 along `axis`;
            $-\infty$ gives `softmax`.
        axis: The axis or axes; None for all.
        where: See `softmax`.

    Raises:
        TypeError: See `softmax`.
        ValueError: See `softmax`.

    >>> softmax_sink(jnp.array([0.0, 0.0]))
    Array([0.33333334, 0.33333334], dtype=float32)
    """
    x = as_real("softmax_sink", "x", x)
    axes = canonical_axes("softmax_sink", x, axis)
    s = broadcast_parameter("softmax_sink", "sink", sink, x, axes)
    return _softmax_and_sink(axes, x, broadcast_mask("softmax_sink", x, where), s)[0]


softmax1 = softmax_sink


@function(cite="nakanishi2025")
def ssmax(
    x: Array, scale: Real = 1.0, axis: Axis = -1, where: Array | None = None
) -> Array:
    r"""Scalable softmax, the `softmax` of $s \log(n)\, x_i$ for $n$ entries.

    The distribution does not flatten as $n$ grows. Entries of $-\infty$ give 0.

    Args:
        x: The logits.
        scale: $s$, learnable; a scalar or an array that broadcasts to x with size 1
            along `axis`.
        axis: See `softmax`.
        where: See `softmax`; $n$ is the number of unmasked entries.

    Raises:
        TypeError: See `softmax`.
        ValueError: See `softmax`.

    >>> ssmax(jnp.array([0.0, 1.0]))
    Array([0.33333334, 0.6666667 ], dtype=float32)
    """
    x = as_real("ssmax", "x", x)
    axes = canonical_axes("ssmax", x, axis)
    s = broadcast_parameter("ssmax", "scale", scale, x, axes)
    where = (
        jnp.ones(x.shape, bool) if where is None else broadcast_mask("ssmax", x, where)
    )
    n = sum_keepdims(jnp.asarray(where).astype(promote_16bit(x).dtype), axes)
    factor = s * jnp.log(jnp.maximum(n, 1))
    valid = jnp.asarray(where) & (x != -jnp.inf)
    # inf * 0 is NaN for n = 1 or s = 0: apply the sign of the factor instead.
    infinite = x == jnp.inf
    z = jnp.where(valid & ~infinite, promote_16bit(x), 0) * factor
    z = jnp.where(infinite & (factor < 0), -jnp.inf, z)
    z = jnp.where(infinite & (factor > 0), jnp.inf, z)
    return _softmax.softmax(axes, x.dtype, z, None, valid)


@function()
def logsumexp(
    a: Array,
    axis: Axis = None,
    b: Array | None = None,
    keepdims: bool = False,
    return_sign: bool = False,
    where: Array | None = None,
) -> Any:
    r"""Logarithm of a sum of exponentials, $\log \sum_i b_i e^{a_i}$.

    $-\infty$ with derivative 0 if all entries are masked or $-\infty$. Without weights
    the error is that of one sum, in ulp of the largest of 1, $|y|$ and $|\max_i a_i|$:
    2 ulp for random entries, up to 30 where many terms are half an ulp of the largest.

    Args:
        a: The exponents.
        axis: The axis or axes to reduce; None for all.
        b: Weights, broadcast to a; default 1.
        keepdims: If true, reduced axes remain with size 1.
        return_sign: If true, return the logarithm of the absolute value and the sign.
            If false, the result is NaN where the sum is negative.
        where: A boolean mask, broadcast to a. Masked entries are excluded.

    Returns:
        An array of the dtype of a, or a pair (logarithm, sign).

    >>> logsumexp(jnp.array([0.0, 1.0, -jnp.inf]))
    Array(1.31326, dtype=float32)
    """
    a = as_real("logsumexp", "a", a)
    axes = canonical_axes("logsumexp", a, axis)
    where = broadcast_mask("logsumexp", a, where)
    if b is None:
        y = _softmax.log_sum(axes, False, a, where)
        sign = jnp.where(jnp.isnan(y), y, (y > -jnp.inf).astype(y.dtype))
    else:
        y, sign = _log_weighted_sum(axes, a, as_real("logsumexp", "b", b), where)
        y = y if return_sign else jnp.where(sign < 0, jnp.nan, y)
    y = y if keepdims else jnp.squeeze(y, axes)
    if not return_sign:
        return y
    return y, sign if keepdims else jnp.squeeze(sign, axes)


@function()
def logmeanexp(
    x: Array,
    axis: Axis = None,
    where: Array | None = None,
    keepdims: bool = False,
) -> Array:
    r"""Logarithm of a mean of exponentials, $\log \frac 1 n \sum_i e^{x_i}$.

    Args:
        x: The exponents.
        axis: See `logsumexp`.
        where: See `logsumexp`; $n$ is the number of unmasked entries.
        keepdims: See `logsumexp`.

    >>> logmeanexp(jnp.array([3.0, 3.0, 3.0]))
    Array(3., dtype=float32)
    """
    x = as_real("logmeanexp", "x", x)
    axes = canonical_axes("logmeanexp", x, axis)
    y = _softmax.log_sum(axes, True, x, broadcast_mask("logmeanexp", x, where))
    return y if keepdims else jnp.squeeze(y, axes)


def _operands(
    function: str,
    x: Any,
    axis: Axis,
    where: Any,
    temperature: Any,
    name: str = "temperature",
) -> tuple[Axes, DTypeLike, Array, Array | None, Array | None]:
    """Return axes, the dtype of x, x / temperature as hi + lo, and the mask."""
    x = as_real(function, "x", x)
    axes = canonical_axes(function, x, axis)
    where = broadcast_mask(function, x, where)
    if isinstance(temperature, float) and temperature == 1:
        return axes, x.dtype, x, None, where
    t = broadcast_parameter(function, name, temperature, x, axes)
    return axes, x.dtype, *_softmax.divide(axes, x, where, t), where


def _log_weighted_sum(
    axes: Axes, a: Array, b: Array, where: Array | None
) -> tuple[Array, Array]:
    """Return log |Σ b e^a| = log Σ e^a + log |Σ b p|, and the sign."""
    b = jnp.broadcast_to(b.astype(promote_16bit(a).dtype), a.shape)
    valid = b != 0 if where is None else (b != 0) & where
    p = _softmax.softmax(axes, promote_16bit(a).dtype, a, None, valid)
    mean = jnp.sum(jnp.where(valid, b * p, 0), axes, keepdims=True)
    magnitude = jnp.where(mean == 0, 1, jnp.abs(mean))
    y = _softmax.log_sum(axes, False, promote_16bit(a), valid) + jnp.log(magnitude)
    y = jnp.where(mean == 0, -jnp.inf, y)
    return y.astype(a.dtype), jnp.sign(mean).astype(a.dtype)


@custom_jvp((0,))
def _softmax_and_sink(
    axes: Axes, x: Array, where: Array | None, sink: Array
) -> tuple[Array, Array]:
    """Return the probabilities of the entries and of the sink."""
    wide = promote_16bit(x)
    wide = wide if where is None else jnp.where(where, wide, -jnp.inf)
    m = jnp.maximum(max_keepdims(wide, axes), sink)
    e, e_sink = (_softmax.exponentials(a, m, None) for a in (wide, sink))
    inverse = 1 / jnp.maximum(sum_keepdims(e, axes) + e_sink, 1)
    return (e * inverse).astype(x.dtype), e_sink * inverse


@_softmax_and_sink.defjvp
def _softmax_and_sink_jvp(axes: Axes, primals: Any, tangents: Any) -> Any:
    y, y_sink = keep_rule(_softmax_and_sink, axes)(*primals)
    dx, _, ds = tangents
    return (y, y_sink), _softmax_and_sink_tangents(axes, y, y_sink, dx, ds)


@functools.partial(jax.checkpoint, prevent_cse=False, static_argnums=0)
def _softmax_and_sink_tangents(
    axes: Axes, y: Array, y_sink: Array, dx: Array, ds: Array
) -> tuple[Array, Array]:
    """Return the tangents y (t - c) for c = Σ y t over entries and sink.

    Checkpointed: the residuals are y and y_sink.
    """
    p = promote_16bit(y)
    t = jnp.where(p == 0, 0, promote_16bit(dx))
    ds = jnp.where(y_sink == 0, 0, ds)
    c = sum_keepdims(p * t, axes) + y_sink * ds
    return jnp.where(p == 0, 0, p * (t - c)).astype(y.dtype), y_sink * (ds - c)
