"""Logits minus their maximum, divided by a temperature."""

from typing import Any

import jax.numpy as jnp
from jax import Array, lax

from jax_acts._numerics.bitwise import promote_16bit, propagate_nan
from jax_acts._numerics.double_word import two_prod, two_sum
from jax_acts._numerics.ordinary import custom_jvp, is_ordinary
from jax_acts._numerics.reduction import max_keepdims
from jax_acts._numerics.softmax.exponential import apply_mask, subtract_maximum
from jax_acts._numerics.types import Axes


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
    x = apply_mask(x, where)
    m = max_keepdims(x, axes)
    if is_ordinary():
        return subtract_maximum(x, m), jnp.zeros_like(x)
    z, lo = two_sum(x, -m)
    # XLA:CPU may drop a NaN in m.
    at_infinity = propagate_nan(x, jnp.where(x == jnp.inf, 0, -jnp.inf))
    z = jnp.where(jnp.isinf(m), at_infinity, z)
    return z, jnp.where((z > -1e3) & (z < 0), lo, 0)


@center.defjvp
def center_jvp(axes: Axes, primals: Any, tangents: Any) -> Any:
    """Return the tangent of x: a common shift does not change the functions."""
    z, lo = center(axes, *primals)
    return (z, lo), (promote_16bit(tangents[0]), jnp.zeros_like(lo))
