"""Functions that make a distribution of a row of logits, and their logarithms."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

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
from jax_acts._numerics.types import Axes, Real
from jax_acts.functional.sparse import hardmax


@function(cite="bridle1990")
def softmax(
    x: Array,
    axis: Axis = -1,
    where: Array | None = None,
    temperature: Real = 1.0,
) -> Array:
    r"""Softmax, $e^{x_i / T} / \sum_j e^{x_j / T}$.

    A row of which nothing counts, or that is all $-\infty$, gives 0 and has the
    derivative 0. Entries of $+\infty$ share the whole evenly. A row with a NaN is NaN.
    The gradients of a row sum to 0, to the last place of the greatest.

    Args:
        x: The logits.
        axis: The axis, the axes or, by None, all axes along which the values sum to 1.
        where: A mask of the entries that count, broadcast to x; the others give 0.
        temperature: $T$, at least 0: one number, or one for each row. The logits are
            divided by it after their maximum is subtracted. At 0 the maxima share the
            whole.

    Returns:
        An array of the shape and dtype of x. 16-bit rows are computed in float32.

    Raises:
        TypeError: x is complex, or `where` not boolean.
        ValueError: An axis is out of range, or a shape does not broadcast.

    >>> softmax(jnp.array([0.0, -jnp.inf, 1.0]))
    Array([0.26894143, 0.        , 0.7310586 ], dtype=float32)
    """
    axes, operands = _operands("softmax", x, axis, where, temperature)
    return _softmax.softmax(axes, *operands)


@function()
def softmin(
    x: Array,
    axis: Axis = -1,
    where: Array | None = None,
    temperature: Real = 1.0,
) -> Array:
    r"""Softmin, $e^{-x_i / T} / \sum_j e^{-x_j / T}$, the `softmax` of $-x$.

    >>> softmin(jnp.array([0.0, 1.0]))
    Array([0.7310586 , 0.26894143], dtype=float32)
    """
    axes, (x, *rest) = _operands("softmin", x, axis, where, temperature)
    return _softmax.softmax(axes, -x, *rest)


@function(cite="bridle1990")
def log_softmax(
    x: Array,
    axis: Axis = -1,
    where: Array | None = None,
    temperature: Real = 1.0,
) -> Array:
    r"""Logarithm of softmax, $x_i / T - \log \sum_j e^{x_j / T}$.

    The greatest entry is right to the last places too, however near to 0. What does not
    count is $-\infty$, with the derivative 0; so is a row that is all $-\infty$.

    Args:
        x: The logits.
        axis: As of `softmax`.
        where: As of `softmax`; the other entries give $-\infty$.
        temperature: As of `softmax`.

    >>> log_softmax(jnp.array([0.0, -20.0, -30.0]))
    Array([-2.0612472e-09, -2.0000000e+01, -3.0000000e+01], dtype=float32)
    """
    axes, operands = _operands("log_softmax", x, axis, where, temperature)
    return _softmax.log_softmax(axes, *operands)


@function(cite="jang2016 maddison2016")
def gumbel_softmax(
    x: Array,
    key: Array,
    tau: Real = 1.0,
    hard: bool = False,
    axis: Axis = -1,
) -> Array:
    r"""Gumbel-softmax, the `softmax` of $(x_i + g_i) / \tau$ with Gumbel noise $g_i$.

    The greatest $x_i + g_i$ is a draw from the distribution `softmax(x)`.

    Args:
        x: The logits.
        key: A key of `jax.random`.
        tau: $\tau$, the temperature: as it falls to 0, the values tend to the draw.
        hard: Whether the values are the draw itself, 1 at one place, still with the
            derivative of the soft ones ("straight-through").
        axis: As of `softmax`.

    >>> gumbel_softmax(jnp.array([0.0, 9.0, 0.0]), jax.random.key(0), hard=True)
    Array([0., 1., 0.], dtype=float32)
    """
    x = as_real("gumbel_softmax", "x", x)
    noisy = promote_16bit(x) + jax.random.gumbel(key, x.shape, promote_16bit(x).dtype)
    axes, operands = _operands("gumbel_softmax", noisy, axis, None, tau, "tau")
    soft = _softmax.softmax(axes, *operands)
    if hard:
        draw = jnp.where(soft == 0, 0, hardmax.without_custom_jvp(noisy, axis))
        soft = jax.lax.stop_gradient(draw) + (soft - jax.lax.stop_gradient(soft))
    return soft.astype(x.dtype)


@function(cite="elhage2022")
def solu(x: Array, axis: Axis = -1) -> Array:
    r"""Softmax linear unit, $x_i \,\mathrm{softmax}(x)_i$.

    In the paper a layer normalisation follows it.

    Args:
        x: The input.
        axis: As of `softmax`.

    >>> solu(jnp.array([0.0, 1.0, 4.0]))
    Array([0.        , 0.04661262, 3.7449582 ], dtype=float32)
    """
    x = as_real("solu", "x", x)
    axes = canonical_axes("solu", x, axis)
    p = _softmax.softmax(axes, promote_16bit(x), None, None)
    # An entry of -inf gives the limit of x e^x.
    return jnp.where(p == 0, 0, promote_16bit(x) * p).astype(x.dtype)


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

    Where nothing counts, or all is $-\infty$, it is $-\infty$ with the derivative 0.

    Args:
        a: The exponents.
        axis: The axis, the axes or, by None, all axes to sum over.
        b: Factors, broadcast to a; 1 if not given.
        keepdims: Whether the axes stay, with size 1.
        return_sign: Whether the sign of the sum is returned as well, and the logarithm
            of its absolute value; otherwise that is NaN where the sum is negative.
        where: A mask of the entries that count, broadcast to a.

    Returns:
        An array of the dtype of a, or a pair of it and the sign.

    >>> logsumexp(jnp.array([0.0, -20.0]))
    Array(2.0611537e-09, dtype=float32)
    """
    a = as_real("logsumexp", "a", a)
    axes = canonical_axes("logsumexp", a, axis)
    where = broadcast_mask("logsumexp", a, where)
    if b is None:
        y = _softmax.log_sum(axes, False, a, where)
        sign = (y > -jnp.inf).astype(y.dtype) if return_sign else None
    else:
        y, sign = _log_weighted(axes, a, as_real("logsumexp", "b", b), where)
        y = y if return_sign else jnp.where(sign < 0, jnp.nan, y)
    y = y if keepdims else jnp.squeeze(y, axes)
    if sign is None or not return_sign:
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
        axis: As of `logsumexp`.
        where: A mask of the $n$ entries that count, broadcast to x.
        keepdims: As of `logsumexp`.

    >>> logmeanexp(jnp.array([3.0, 3.0, 3.0]))
    Array(3., dtype=float32)
    """
    x = as_real("logmeanexp", "x", x)
    axes = canonical_axes("logmeanexp", x, axis)
    y = _softmax.log_sum(axes, True, x, broadcast_mask("logmeanexp", x, where))
    return y if keepdims else jnp.squeeze(y, axes)


@function()
def standardize(
    x: Array,
    axis: Axis = -1,
    mean: Array | None = None,
    variance: Array | None = None,
    epsilon: Real = 1e-5,
    where: Array | None = None,
    *,
    algorithm: str = "stable",
) -> Array:
    r"""Standardisation, $(x - \mu) / \sqrt{\sigma^2 + \epsilon}$.

    Args:
        x: The input.
        axis: The axis or axes, or by None all, of which $\mu$ and $\sigma^2$ are taken.
        mean: $\mu$, if known.
        variance: $\sigma^2$, if known.
        epsilon: $\epsilon$.
        where: A mask of the entries that $\mu$ and $\sigma^2$ are taken of.
        algorithm: "stable" takes the mean of $(x - \mu)^2$ for the variance, "fast"
            that of $x^2$ minus $\mu^2$, which cancel. `jax.nn` has "fast" as default.

    >>> standardize(jnp.array([10001.0, 10002.0, 10003.0]))
    Array([-1.2247356,  0.       ,  1.2247356], dtype=float32)
    """
    if algorithm not in ("stable", "fast"):
        raise ValueError(f'algorithm is "stable" or "fast", not {algorithm!r}')
    x = as_real("standardize", "x", x)
    axes = canonical_axes("standardize", x, axis)
    counted, wide = broadcast_mask("standardize", x, where), promote_16bit(x)
    average = functools.partial(jnp.mean, axis=axes, keepdims=True, where=counted)
    mu = average(wide) if mean is None else as_real("standardize", "mean", mean)
    centred = wide - promote_16bit(mu)
    if variance is not None:
        sigma2 = promote_16bit(as_real("standardize", "variance", variance))
    elif algorithm == "stable":
        sigma2 = average(jnp.square(centred))
    else:
        sigma2 = jnp.maximum(average(jnp.square(wide)) - jnp.square(mu), 0)
    return (centred * jax.lax.rsqrt(sigma2 + epsilon)).astype(x.dtype)


def _operands(
    function: str,
    x: Any,
    axis: Axis,
    where: Any,
    temperature: Any,
    name: str = "temperature",
) -> tuple[Axes, tuple[Array, Array | None, Array | None]]:
    """Returns the axes, x, `where` and the temperature, which is None where it is 1."""
    x = as_real(function, "x", x)
    axes = canonical_axes(function, x, axis)
    where = broadcast_mask(function, x, where)
    if isinstance(temperature, float) and temperature == 1:
        return axes, (x, where, None)
    return axes, (x, where, broadcast_parameter(function, name, temperature, x, axes))


def _log_weighted(
    axes: Axes, a: Array, b: Array, where: Array | None
) -> tuple[Array, Array]:
    """Returns log |Σ b e^a| and the sign of the sum, the axes kept."""
    b = jnp.broadcast_to(b.astype(promote_16bit(a).dtype), a.shape)
    counted = b != 0 if where is None else (b != 0) & where
    p = _softmax.softmax(axes, promote_16bit(a), counted, None)
    factor = jnp.sum(jnp.where(counted, b * p, 0), axes, keepdims=True)
    size = jnp.where(factor == 0, 1, jnp.abs(factor))
    y = _softmax.log_sum(axes, False, promote_16bit(a), counted) + jnp.log(size)
    y = jnp.where(factor == 0, -jnp.inf, y)
    return y.astype(a.dtype), jnp.sign(factor).astype(a.dtype)
