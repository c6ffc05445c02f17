"""Names that differ between JAX versions, or that JAX has in `jax.extend` only."""

from importlib import import_module
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.extend.core.primitives import convert_element_type_p

# In JAX 0.7 it is in `jax.experimental`, which newer versions dropped.
_module: Any = jax if hasattr(jax, "enable_x64") else import_module("jax.experimental")
enable_x64 = _module.enable_x64
"""Context manager that enables or disables 64-bit types."""


def is_weakly_typed(value: Any) -> bool:
    """Return whether a value takes the dtype of its neighbors in an expression.

    Python scalars do, and arrays that were computed from Python scalars only.
    """
    return bool(getattr(jax.typeof(jnp.asarray(value)), "weak_type", False))


def as_weakly_typed(array: Array) -> Array:
    """Return the array with a weak type; `lax.convert_element_type` gives none."""
    return convert_element_type_p.bind(
        array, new_dtype=array.dtype, weak_type=True, sharding=None
    )
