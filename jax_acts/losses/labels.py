"""Labels of a loss: class indices, or probabilities of the shape of the logits."""

from typing import Any

import jax.numpy as jnp
from jax import Array

from jax_acts._core.arguments import as_real
from jax_acts._numerics.bitwise import promote_16bit


def as_labels(name: str, x: Array, labels: Any, axis: int) -> Array:
    """Return integer labels without the axis, or probabilities in float32 or wider.

    Raises:
        ValueError: The labels have neither the shape of x nor that without the axis.
    """
    labels = jnp.asarray(labels)
    indices = (*x.shape[:axis], *x.shape[axis + 1 :])
    integer = jnp.issubdtype(labels.dtype, jnp.integer)
    if labels.shape != (indices if integer else x.shape):
        raise ValueError(
            f"{name}: labels: expected class indices of shape {indices} or "
            f"probabilities of shape {x.shape}, got {labels.dtype} {labels.shape}"
        )
    if integer:
        return labels
    return as_real(name, "labels", labels).astype(promote_16bit(x).dtype)
