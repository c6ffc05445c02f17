"""Functions along an axis with sparse output."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jax_acts._core.arguments import (
    as_real,
    broadcast_mask,
    broadcast_parameter,
    canonical_axes,
    canonical_axis,
)
from jax_acts._core.function import function
from jax_acts._core.spec import Axis
from jax_acts._numerics import entmax as _entmax
from jax_acts._numerics.reduction import first_true, max_keepdims
from jax_acts._numerics.softmax import softmax
from jax_acts._numerics.types import Real
from jax_acts.functional.rectified import relu

__all__ = [
    "crelu",
    "entmax",
    "entmax15",
    "hardmax",
    "maxout",
    "sparsemax",
]


@function()
def hardmax(x: Array, axis: Axis = -1, *, straight_through: bool = False) -> Array:
    r"""Hardmax, 1 at the first maximum and 0 elsewhere.

    The derivative is 0. A NaN makes every entry along the axis NaN.

    Args:
        x: The input.
        axis: The axis or axes along which one entry is 1; None for all.
        straight_through: If true, use the derivatives of `softmax` (straight-through
            estimator).

    >>> hardmax(jnp.array([1.0, 3.0, 3.0]))
    Array([0., 1., 0.], dtype=float32)
    """
    x = as_real("hardmax", "x", x)
    axes = canonical_axes("hardmax", x, axis)
    m = max_keepdims(jax.lax.stop_gradient(x), axes)
    y = jnp.where(jnp.isnan(m), m, first_true(x == m, axes).astype(x.dtype))
    if straight_through:
        soft = softmax(axes, x.dtype, x, None, None)
        y = y + (soft - jax.lax.stop_gradient(soft))
    return y


@function(cite="martins2016")
def sparsemax(x: Array, axis: Axis = -1, where: Array | None = None) -> Array:
    r"""Sparsemax, $\max(x_i - \tau, 0)$ with $\tau$ such that the result sums to 1.

    The Euclidean projection of x onto the probability simplex. Entries more than 1
    below the maximum give 0. Masked, infinite and NaN entries behave as in `entmax15`.

    Args:
        x: The logits.
        axis: See `entmax15`.
        where: See `entmax15`.

    Raises:
        TypeError: See `entmax15`.
        ValueError: See `entmax15`.

    >>> sparsemax(jnp.array([0.0, 1.0, 1.5]))
    Array([0.  , 0.25, 0.75], dtype=float32)
    """
    x = as_real("sparsemax", "x", x)
    axes = (canonical_axis("sparsemax", x, axis),) if x.ndim else ()
    return _entmax.sparsemax(axes, x, broadcast_mask("sparsemax", x, where))


@function(cite="peters2019")
def entmax15(x: Array, axis: Axis = -1, where: Array | None = None) -> Array:
    r"""1.5-entmax, $\max(x_i / 2 - \tau, 0)^2$ with $\tau$ such that the result sums
    to 1.

    `entmax` with $\alpha = 1.5$. Entries more than 2 below the maximum give 0. Along
    the axis, fully masked or all $-\infty$ entries give 0 with derivative 0; $k$
    entries of $+\infty$ give $1/k$ each; a NaN makes every entry NaN.

    Args:
        x: The logits.
        axis: The axis along which the result sums to 1.
        where: A boolean mask, broadcast to x. Masked entries are excluded and give 0.

    Returns:
        An array of the shape and dtype of x. 16-bit inputs are computed in float32 and
        rounded once.

    Raises:
        TypeError: x is complex, or `where` is not boolean.
        ValueError: `axis` is not a single axis, or out of range, or `where` does not
            broadcast.

    >>> entmax15(jnp.array([-1.0, 1.0, 1.0]))
    Array([0. , 0.5, 0.5], dtype=float32)
    """
    x = as_real("entmax15", "x", x)
    axes = (canonical_axis("entmax15", x, axis),) if x.ndim else ()
    return _entmax.entmax15(axes, x, broadcast_mask("entmax15", x, where))


def _check_alpha(alpha: Any = 1.5, **_: Any) -> None:
    """Raise for a scalar below 1. Array elements below 1 give NaN instead."""
    if isinstance(alpha, int | float | np.number) and not alpha >= 1:
        raise ValueError(f"entmax: alpha: expected a value >= 1, got {alpha}")


@function(
    cite="peters2019 correia2019", check=_check_alpha, bounds={"alpha": (1.0, 10.0)}
)
def entmax(
    x: Array, alpha: Real = 1.5, axis: Axis = -1, where: Array | None = None
) -> Array:
    r"""Entmax, $\max((\alpha - 1) x_i - \tau, 0)^{1 / (\alpha - 1)}$ with $\tau$ such
    that the result sums to 1.

    $\alpha = 1$ is `softmax`, $\alpha = 2$ is `sparsemax`; sparsity increases with
    $\alpha$. The derivative in $\alpha$ is exact, also at 1. Masked, infinite and NaN
    entries behave as in `entmax15`.

    Args:
        x: The logits.
        alpha: $\alpha \ge 1$, finite, learnable; a scalar or an array that broadcasts
            to x with size 1 along `axis`.
        axis: The axis or axes along which the result sums to 1; None for all.
        where: See `entmax15`.

    Raises:
        TypeError: See `entmax15`.
        ValueError: alpha is a scalar below 1, an axis is out of range, or a shape does
            not broadcast.

    >>> entmax(jnp.array([0.0, 1.0, 1.0]), alpha=2.0)
    Array([0. , 0.5, 0.5], dtype=float32)
    >>> dalpha = jax.grad(lambda alpha: entmax(jnp.array([0.0, 1.0]), alpha)[1])
    >>> print(f"{dalpha(1.0):.4f}")
    0.1599
    """
    x = as_real("entmax", "x", x)
    axes = canonical_axes("entmax", x, axis)
    where = broadcast_mask("entmax", x, where)
    if isinstance(alpha, float):
        return _entmax.entmax_of_constant(axes, alpha, x, where)
    a = broadcast_parameter("entmax", "alpha", alpha, x, axes)
    return _entmax.entmax(axes, x, where, a)


@function(cite="shang2016")
def crelu(x: Array, axis: Axis = -1) -> Array:
    r"""Concatenated ReLU, $[\max(x, 0), \max(-x, 0)]$ along an axis.

    The derivative at 0 is 0.

    Args:
        x: The input.
        axis: The axis of concatenation; its size doubles.

    Raises:
        ValueError: `axis` is not a single axis, or out of range, or x is a scalar.

    >>> crelu(jnp.array([1.0, -2.0]))
    Array([1., 0., 0., 2.], dtype=float32)
    """
    x = as_real("crelu", "x", x)
    if not x.ndim:
        raise ValueError("crelu: expected an array with at least 1 axis, got a scalar")
    return lax.concatenate([relu(x), relu(-x)], canonical_axis("crelu", x, axis))


@function(cite="goodfellow2013")
def maxout(x: Array, axis: Axis = -1, *, pieces: int = 2) -> Array:
    r"""Maxout, $\max_j x_{i + j n}$ over $k$ pieces of $n$ features.

    The axis is split into $k$ pieces, and the result is their elementwise maximum. Tied
    maxima divide the derivative evenly.

    Args:
        x: The input.
        axis: The feature axis.
        pieces: $k$.

    Returns:
        An array of the dtype of x; the size of the axis is divided by $k$.

    Raises:
        ValueError: The size of the axis is not a multiple of `pieces`.

    >>> maxout(jnp.array([1.0, 2.0, 3.0, 0.0]))
    Array([3., 2.], dtype=float32)
    """
    x = as_real("maxout", "x", x)
    if not x.ndim:
        raise ValueError("maxout: expected an array with at least 1 axis, got a scalar")
    i = canonical_axis("maxout", x, axis)
    if pieces < 1 or x.shape[i] % pieces:
        raise ValueError(
            f"maxout: expected axis {axis} to have a multiple of {pieces} entries, got "
            f"{x.shape[i]}"
        )
    shape = (*x.shape[:i], pieces, x.shape[i] // pieces, *x.shape[i + 1 :])
    return jnp.max(x.reshape(shape), i)
