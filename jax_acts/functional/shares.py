"""Shares of a row that other functions than the exponential make."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array, lax

from jax_acts._core.arguments import as_real, broadcast_mask, canonical_axes
from jax_acts._core.function import function
from jax_acts._core.spec import Axis
from jax_acts._numerics.bitwise import promote_16bit
from jax_acts._numerics.compensated_sum import sum_keepdims


@function(cite="debrebisson2015")
def taylor_softmax(x: Array, axis: Axis = -1, where: Array | None = None) -> Array:
    r"""Taylor softmax, $t(x_i) / \sum_j t(x_j)$ with $t(x) = 1 + x + x^2 / 2$.

    It does not overflow. Entries of $\pm\infty$ share the whole evenly; a row of which
    nothing counts gives 0 and has the derivative 0; a row with a NaN is NaN.

    Args:
        x: The logits.
        axis: The axis, the axes or, by None, all axes along which the values sum to 1.
        where: A mask of the entries that count, broadcast to x; the others give 0.

    Returns:
        An array of the shape and dtype of x. 16-bit rows are computed in float32.

    Raises:
        TypeError: x is complex, or `where` not boolean.
        ValueError: An axis is out of range, or `where` does not broadcast.

    >>> taylor_softmax(jnp.array([0.0, 2.0]))
    Array([0.16666667, 0.8333333 ], dtype=float32)
    """

    def rule(z: Array, greatest: Array) -> tuple[Array, Array, Array]:
        # Over the square of the greatest, of which the shares know nothing; beyond
        # 2^100 its inverse would be subnormal.
        inverse = 1 / jnp.clip(greatest, 1, 2.0**100)
        infinite = jnp.where(jnp.isinf(lax.stop_gradient(z)), 1.0, 0.0)
        u = jnp.where(jnp.isinf(greatest), infinite, z * inverse)
        t = jnp.square(u + inverse) + jnp.square(inverse)  # 2 t: nothing cancels
        return t, t, jnp.zeros_like(greatest)

    return _shared("taylor_softmax", rule, x, axis, where, jnp.abs)


@function(cite="zuhri2025")
def softpick(
    x: Array, axis: Axis = -1, where: Array | None = None, epsilon: float = 1e-6
) -> Array:
    r"""Softpick, $\max(e^{x_i} - 1, 0) / (\sum_j |e^{x_j} - 1| + \epsilon)$.

    Its values sum to less than 1, and are 0 where the logit is not positive. It does
    not overflow. Entries of $+\infty$ share the whole evenly; those of $-\infty$ count
    in the sum, as the formula has it: what is masked goes into `where`.

    Args:
        x: The logits.
        axis: As of `taylor_softmax`.
        where: As of `taylor_softmax`.
        epsilon: $\epsilon$.

    Raises:
        TypeError: As of `taylor_softmax`.
        ValueError: As of `taylor_softmax`.

    >>> softpick(jnp.array([-1.0, 0.0, 1.0]))
    Array([0.        , 0.        , 0.73105836], dtype=float32)
    """

    def rule(z: Array, greatest: Array) -> tuple[Array, Array, Array]:
        # Over the power of the greatest, of which the shares know nothing.
        top = jnp.maximum(greatest, 0)
        unit = jnp.exp(-top)
        infinite = jnp.where(lax.stop_gradient(z) == jnp.inf, 1.0, 0.0)
        z = jnp.where(infinite == 1, 0, z)
        far = jnp.exp(jnp.where(z > 1, z - top, 0.0)) - unit
        t = jnp.where(z > 1, far, unit * jnp.expm1(jnp.minimum(z, 1.0)))
        t = jnp.where(jnp.isinf(top), infinite, t)
        return jnp.maximum(t, 0), jnp.abs(t), epsilon * unit

    return _shared("softpick", rule, x, axis, where, lambda z: z)


Parts = tuple[Array, Array, Array]
"""What is shared, the size of it, and what is added to the sum of sizes."""


def _shared(
    name: str,
    rule: Callable[[Array, Array], Parts],
    x: Array,
    axis: Axis,
    where: Array | None,
    size: Callable[[Array], Array],
) -> Array:
    """Returns the parts of a row over the sum of their sizes; backward keeps x alone.

    The greatest size of a row, which the rule is given, is a constant to autodiff.
    """
    x = as_real(name, "x", x)
    axes, where = canonical_axes(name, x, axis), broadcast_mask(name, x, where)

    def rounded(x: Array) -> Array:
        z = promote_16bit(x) if where is None else jnp.where(where, promote_16bit(x), 0)
        of_row = size(z) if where is None else jnp.where(where, size(z), -jnp.inf)
        greatest = jnp.max(of_row, axes, keepdims=True, initial=-jnp.inf)
        part, weight, least = rule(z, lax.stop_gradient(greatest))
        if where is not None:
            part, weight = (jnp.where(where, a, 0) for a in (part, weight))
        s = sum_keepdims(weight, axes) + least
        # The reciprocal of a row is shared: XLA makes this of a quotient, or does not.
        return (part * (1 / jnp.where(s == 0, 1, s))).astype(x.dtype)

    return jax.checkpoint(rounded, prevent_cse=False)(x)
