"""Linen layers: `Activation`, and `Dense` which is a Dense with an activation."""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jax import Array
from jax.typing import DTypeLike

from jax_acts.registry import get


class Activation(nn.Module):
    """An activation as a layer; it has a parameter for each argument that is `Learn`.

    >>> from jax_acts import Learn, get
    >>> silu = Activation("silu")
    >>> prelu = Activation(get("leaky_relu", negative_slope=Learn(0.25)))
    >>> prelu.init(jax.random.key(0), jnp.ones(3))["params"]
    {'negative_slope': Array(0.25, dtype=float32)}

    Attributes:
        activation: A function, or anything that `jax_acts.get` takes.
        param_dtype: The dtype of the parameters.
    """

    activation: Any
    param_dtype: DTypeLike = jnp.float32

    def __post_init__(self) -> None:
        get(self.activation)  # which refuses bad names and arguments
        super().__post_init__()

    @nn.compact
    def __call__(self, x: Array, **arguments: Any) -> Array:
        """Returns f(x), of the shape and dtype of `x`; `arguments` go to f as well."""
        bound = get(self.activation)
        learned = {
            name: self.param(
                name, lambda _, learn: learn.start(x.shape[-1], self.param_dtype), learn
            )
            for name, learn in bound.learned.items()
        }
        return bound(x, **learned, **arguments)


class Dense(nn.Dense):
    """A linear map and an activation, f(x W + b).

    It is Flax's own `Dense`, with all its attributes and the names of its parameters.

    >>> layer = Dense(4, activation="gelu")
    >>> variables = layer.init(jax.random.key(0), jnp.ones((2, 3)))
    >>> jax.tree.map(jnp.shape, variables["params"])
    {'bias': (4,), 'kernel': (3, 4)}

    Attributes:
        features: The number of output features.
        activation: A function, or anything that `jax_acts.get` takes.
    """

    activation: Any = "identity"

    def __post_init__(self) -> None:
        get(self.activation)
        super().__post_init__()

    @nn.compact
    def __call__(self, inputs: Array) -> Array:
        """Returns f(x W + b), of shape `(*batch, features)`."""
        y = super().__call__(inputs)
        return Activation(self.activation, self.param_dtype, name="activation")(y)
