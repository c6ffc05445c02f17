"""What the oldest supported JAX has under another name."""

from importlib import import_module
from typing import Any

import jax

# JAX 0.7 has it in `jax.experimental`, from where it has gone since.
_home: Any = jax if hasattr(jax, "enable_x64") else import_module("jax.experimental")
enable_x64 = _home.enable_x64
"""Switches 64-bit numbers on or off within a `with` statement."""
