"""Softmax."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from jax_acts._numerics.bitwise import promote_16bit
from jax_acts._numerics.kept import keep_rule
from jax_acts._numerics.ordinary import custom_jvp, is_ordinary
from jax_acts._numerics.reduction import max_keepdims, sum_keepdims
from jax_acts._numerics.softmax.exponential import (
    apply_mask,
    differences,
    exponentials,
    shifted_exponentials,
)
from jax_acts._numerics.softmax.fusion import fusible
from jax_acts._numerics.types import Axes


@custom_jvp((0, 1))
def softmax(
    axes: Axes, dtype: Any, x: Array, lo: Array | None, where: Array | None
) -> Array:
    """Return e^(x + lo) / Σ e^(x + lo) over the axes, rounded once to `dtype`.

    It is 0 where the mask is false.
    """
    z = apply_mask(x, where)
    m = max_keepdims(z, axes)
    if dtype == jnp.bfloat16 and not is_ordinary():
        # The rounding of z - m does not matter.
        e = shifted_exponentials(differences(z, m)[1], lo, dtype)
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
    wide, t = fusible(axes, promote_16bit(p)), promote_16bit(t)
    t = jnp.where(wide == 0, 0, t)
    v = wide * (t - sum_keepdims(wide * t, axes))
    return jnp.where(wide == 0, 0, v).astype(p.dtype)
