"""Names that the oldest supported JAX has in another module."""

from importlib import import_module
from typing import Any

import jax

# In JAX 0.7 it is in `jax.experimental`, which newer versions dropped.
_module: Any = jax if hasattr(jax, "enable_x64") else import_module("jax.experimental")
enable_x64 = _module.enable_x64
"""Context manager that enables or disables 64-bit types."""
