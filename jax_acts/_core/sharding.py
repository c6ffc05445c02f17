"""Broadcast operands on meshes with explicit axes.

An operation on arrays of explicit sharding needs equal shardings, so that a parameter
per feature, of shape (features,) and sharding ("model",), gets those of x.
"""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.sharding import AxisType, NamedSharding, PartitionSpec


def broadcast(arrays: Mapping[str, Array], shape: tuple[int, ...]) -> dict[str, Array]:
    """Broadcast arrays to a shape, with one sharding where mesh axes are explicit.

    The gradient of an array sums its cotangents where they are and communicates the
    sums.
    """
    sharding = _common_sharding(arrays, shape)
    if sharding is None:
        return {n: jnp.broadcast_to(a, shape) for n, a in arrays.items()}
    return {n: _broadcast(a, shape, sharding) for n, a in arrays.items()}


def _broadcast(a: Array, shape: tuple[int, ...], sharding: NamedSharding) -> Array:
    """Reshard and then broadcast: JAX 0.7 reshards only so in the transpose."""
    offset = len(shape) - a.ndim
    axes = zip(a.shape, shape[offset:], sharding.spec[offset:], strict=True)
    spec = PartitionSpec(*(axis if n == full else None for n, full, axis in axes))
    if jax.typeof(a).sharding.spec != spec:
        a = jax.sharding.reshard(a, NamedSharding(sharding.mesh, spec))
    if a.shape == shape:
        return a
    dimensions = tuple(range(offset, len(shape)))
    return lax.broadcast_in_dim(a, shape, dimensions, out_sharding=sharding)


def _common_sharding(
    arrays: Mapping[str, Array], shape: tuple[int, ...]
) -> NamedSharding | None:
    """Return the sharding of the result of an elementwise operation.

    None if no axis is sharded explicitly, or if the arrays disagree, which JAX reports.
    """
    mesh = jax.sharding.get_abstract_mesh()
    if AxisType.Explicit not in mesh.axis_types:
        return None
    axes: list[object] = [None] * len(shape)
    for a in arrays.values():
        spec = tuple(jax.typeof(a).sharding.spec)
        spec = spec + (None,) * (a.ndim - len(spec))
        for i, axis in enumerate(spec, len(shape) - a.ndim):
            if axis is not None and axes[i] not in (None, axis):
                return None
            axes[i] = axis if axes[i] is None else axes[i]
    return NamedSharding(mesh, PartitionSpec(*axes)) if any(axes) else None
