"""Pre-activations that a network sows, so that metrics can read them."""

import flax.linen as nn
from jax import Array

PREACTIVATIONS = "preactivations"
"""The collection of the inputs of activations."""
BEFORE = "before_"
"""The input of the layer `name` has the name `before_name` in the collection."""


def sow_preactivation(module: nn.Module, name: str, x: Array) -> Array:
    """Sow x, the input of the layer `name` of the module, and return it."""
    module.sow(PREACTIVATIONS, f"{BEFORE}{name}", x)
    return x
