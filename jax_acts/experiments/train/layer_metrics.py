"""What is measured of an `MLP` layer by layer: gradients, dead units, sizes."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from jax_acts.experiments.models import BEFORE, MLP, PREACTIVATIONS
from jax_acts.experiments.models.mlp import by_layer
from jax_acts.experiments.train.metrics import alive, log10_norm
from jax_acts.linen import Activation


class Hidden(NamedTuple):
    """The state of the hidden layers, each of shape `(depth,)`."""

    dead: Array
    """The share of the units that are dead: see `jax_acts.experiments.train.metrics.alive`."""
    rms: Array
    """The root mean square of what goes into the activations."""


def hidden(model: MLP, params: Any, x: Array) -> Hidden:
    """Returns the state of the hidden layers of a model on inputs x."""
    layer = Activation(model.activation)
    apply: Any = model.apply  # whose type depends on `mutable`
    _, variables = apply({"params": params}, x, mutable=[PREACTIVATIONS])
    seen = variables.get(PREACTIVATIONS, {})

    def state(params: Any, z: Array) -> tuple[Array, Array]:
        dead = ~alive(layer, params, z)
        rms = jnp.sqrt(jnp.square(z.astype(jnp.float32)).mean())
        return dead.mean(), rms

    states = []
    for name, over_layers in (("first", False), ("layers", True)):
        if name in seen:
            (z,) = seen[name][f"{BEFORE}activation"]
            learned = params[name].get("activation", {})
            found = (jax.vmap(state) if over_layers else state)(learned, z)
            states.append(jax.tree.map(jnp.atleast_1d, found))
    return Hidden(*(jnp.concatenate(part) for part in zip(*states, strict=True)))


def log10_norms(gradient: Any) -> Array:
    """Returns log10 of the norm of the gradient of each kernel, the first one first."""
    return jnp.stack([log10_norm(layer["kernel"]) for layer in by_layer(gradient)])
