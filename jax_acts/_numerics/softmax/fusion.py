"""Sizes of vectors that XLA fuses, or computes faster entry by entry."""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.sharding import AxisType

from jax_acts._numerics.reduction import min_keepdims
from jax_acts._numerics.types import Axes

_FUSIBLE_SIZE = 2**14
"""Longest vector for which XLA:GPU fuses reductions."""
_SHORT = 16
"""Longest vector that XLA:CPU reduces faster by slices, without derivatives."""


def is_fusible(axes: Axes, x: Array) -> bool:
    """Return whether XLA:GPU fuses reductions over the axes."""
    sizes = [x.shape[axis] for axis in axes]
    return all(isinstance(n, int) for n in sizes) and math.prod(sizes) <= _FUSIBLE_SIZE


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def fusible(axes: Axes, p: Array) -> Array:
    """Return p; on CUDA as max(p, min p).

    XLA:GPU computes the reductions along a vector and their consumers in one kernel if
    an operation combines an array with a reduction of the same array, and the vector
    is short. Value and gradient do not share their sums then, which would need kernels
    of their own.
    """
    if not is_fusible(axes, p):
        return p
    cuda = lambda p: jnp.maximum(p, min_keepdims(p, axes))
    return lax.platform_dependent(p, cuda=cuda, default=lambda p: p)


@fusible.defjvp
def _fusible_jvp(axes: Axes, primals: Any, tangents: Any) -> tuple[Array, Array]:
    return fusible(axes, *primals), tangents[0]


def is_short(axes: Axes, x: Array) -> bool:
    """Return whether slices pay, on a mesh without explicit axes."""
    if AxisType.Explicit in jax.sharding.get_abstract_mesh().axis_types:
        return False
    sizes = [x.shape[axis] for axis in axes]
    return len(sizes) == 1 and isinstance(sizes[0], int) and 0 < sizes[0] <= _SHORT
