"""What a network lets be seen: what goes into each of its activations."""

import flax.linen as nn
from jax import Array

BEFORE = "before_"
"""A model sows what goes into its layer `name` as `before_name`, in this collection:"""
PREACTIVATIONS = "preactivations"


def watched(module: nn.Module, name: str, x: Array) -> Array:
    """Returns x, which the layer `name` of the module takes, and sows it."""
    module.sow(PREACTIVATIONS, f"{BEFORE}{name}", x)
    return x
