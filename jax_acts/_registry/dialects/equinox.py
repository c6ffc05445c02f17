"""`equinox.nn`, Equinox 0.13; its other activations are those of `jax.nn`."""

from jax_acts._core.arguments import Learn
from jax_acts._registry.dialects.table import Table, to

EQUINOX: Table = {
    "PReLU": lambda init_alpha=0.25: to("leaky_relu", negative_slope=Learn(init_alpha)),
}
