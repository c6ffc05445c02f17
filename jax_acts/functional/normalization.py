"""Rows divided by their size, and rectified in both directions."""

import jax
import jax.numpy as jnp
from jax import Array, lax

from jax_acts._core.arguments import (
    as_real,
    broadcast_mask,
    canonical_axes,
    canonical_axis,
)
from jax_acts._core.function import function
from jax_acts._core.pointwise import CoefficientList, pointwise
from jax_acts._core.spec import Axis, Coefficients
from jax_acts._numerics.bitwise import promote_16bit
from jax_acts._numerics.compensated_sum import sum_keepdims
from jax_acts._numerics.types import Axes, Real
from jax_acts.functional.rectified import relu


@function()
def l1_normalize(x: Array, axis: Axis = -1, where: Array | None = None) -> Array:
    r"""L1 normalisation, $x_i / \sum_j |x_j|$.

    It neither overflows nor underflows, whatever the size of a row. A row of zeros, or
    of which nothing counts, gives 0 and has the derivative 0. Infinite entries share
    the whole. A row with a NaN is NaN.

    Args:
        x: The input.
        axis: The axis, the axes or, by None, all axes of a row.
        where: A mask of the entries that count, broadcast to x; the others give 0.

    Raises:
        TypeError: x is complex, or `where` not boolean.
        ValueError: An axis is out of range, or `where` does not broadcast.

    >>> l1_normalize(jnp.array([1.0, -3.0]))
    Array([ 0.25, -0.75], dtype=float32)
    """
    x, axes, u, _ = _to_unit_size("l1_normalize", x, axis, where)
    size = sum_keepdims(jnp.where(u < 0, -u, u), axes)
    # The reciprocal of a row is shared: XLA makes this of a quotient, or does not.
    return (u * (1 / jnp.where(size == 0, 1, size))).astype(x.dtype)


@function()
def l2_normalize(x: Array, axis: Axis = -1, where: Array | None = None) -> Array:
    r"""L2 normalisation, $x_i / \sqrt{\sum_j x_j^2}$.

    It is as safe as `l1_normalize`, and treats the same rows in the same way.

    Args:
        x: The input.
        axis: As of `l1_normalize`.
        where: As of `l1_normalize`.

    >>> l2_normalize(jnp.array([0.0, -4e30]))
    Array([ 0., -1.], dtype=float32)
    """
    x, axes, u, _ = _to_unit_size("l2_normalize", x, axis, where)
    squares = sum_keepdims(jnp.square(u), axes)
    return (u * (1 / jnp.sqrt(jnp.where(squares == 0, 1, squares)))).astype(x.dtype)


@function(cite="zhuo2024")
def polynorm(
    x: Array,
    weights: Coefficients = (1 / 3, 1 / 3, 1 / 3),
    bias: Real = 0.0,
    axis: Axis = -1,
    epsilon: Real = 1e-6,
) -> Array:
    r"""Polynomial of normalised powers, $\sum_i w_i\,N(x^i) + b$.

    $N(z) = z / \sqrt{m + \epsilon}$, where $m$ is the mean of $z^2$ over a row. No
    power overflows. An infinite entry counts as 1e30.

    Args:
        x: The input.
        weights: $w_1, w_2, \dots$, of shape `(k,)` or `(k, features)`. The paper learns
            three, from the default; checkpoints have that of the highest power first.
        bias: $b$.
        axis: The axis, the axes or, by None, all axes of a row.
        epsilon: $\epsilon$.

    Raises:
        TypeError: x is complex.
        ValueError: An axis is out of range, or the weights are a single number, or do
            not broadcast against x.

    >>> polynorm(jnp.array([1.0, -1.0]))
    Array([ 0.9999996 , -0.33333316], dtype=float32)
    """

    def rule(z: Array, weights: CoefficientList, bias: Array, epsilon: Array) -> Array:
        _, axes, u, power = _to_unit_size("polynorm", z, axis, None)
        # Rows that are small already are not made larger: epsilon would overflow.
        u, power = (jnp.where(power > 1, a, b) for a, b in ((z, u), (1, power)))
        y, powers, least = bias, jnp.ones_like(u), epsilon
        for w in weights:
            powers, least = powers * u, least * jnp.square(power)
            mean = jnp.mean(jnp.square(powers), axes, keepdims=True)
            y = y + w * (powers * jax.lax.rsqrt(mean + least))
        return y

    rows = {"weights": weights}
    return pointwise("polynorm", rule, x, rows, bias=bias, epsilon=epsilon)


@function(cite="shang2016")
def crelu(x: Array, axis: Axis = -1) -> Array:
    r"""Concatenated ReLU, $[\max(x, 0), \max(-x, 0)]$ along an axis.

    Its derivative at 0 is 0.

    Args:
        x: The input.
        axis: The axis, which becomes twice as long.

    Raises:
        ValueError: It is several axes, or out of range, or x is a scalar.

    >>> crelu(jnp.array([1.0, -2.0]))
    Array([1., 0., 0., 2.], dtype=float32)
    """
    x = as_real("crelu", "x", x)
    if not x.ndim:
        raise ValueError("crelu needs an axis of features; x is a scalar")
    i = canonical_axis("crelu", x, axis)
    return lax.concatenate([relu(x), relu(-x)], i)


def _to_unit_size(
    function: str, x: Array, axis: Axis, where: Array | None
) -> tuple[Array, Axes, Array, Array]:
    """Returns x, the axes, x over the power of two below its greatest, and 1 over that.

    What is divided by is a constant to autodiff: that cancels in what follows.
    """
    x = as_real(function, "x", x)
    axes, where = canonical_axes(function, x, axis), broadcast_mask(function, x, where)
    wide = promote_16bit(x) if where is None else jnp.where(where, promote_16bit(x), 0)
    size = jnp.abs(lax.stop_gradient(wide))
    m = jnp.max(size, axes, keepdims=True, initial=0)
    info = jnp.finfo(wide.dtype)
    integer = jnp.dtype(f"int{info.bits}")
    one, top = 1 << info.nmant, 2 * (info.maxexp - 1)  # in the place of the exponent
    exponent = lax.bitcast_convert_type(m, integer) & -one
    # The reciprocal, within the normal numbers. It is multiplied by: of two divisions
    # that follow each other XLA may make one, in some programs and not in others.
    power = lax.bitcast_convert_type(
        jnp.clip(top * one - exponent, one, (top - 1) * one), wide.dtype
    )
    power = jnp.where(jnp.isfinite(m), power, 1)
    infinite = jnp.where(jnp.isinf(wide), jnp.sign(lax.stop_gradient(wide)), 0)
    return x, axes, jnp.where(jnp.isinf(m), infinite, wide * power), power
