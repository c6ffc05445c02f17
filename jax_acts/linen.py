"""Linen layers: `Activation`, and `Dense` which is a Dense with an activation."""

import dataclasses
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jax import Array
from jax.typing import DTypeLike

from jax_acts._bound import Bound, Learn
from jax_acts.registry import get


class Activation(nn.Module):
    """An activation as a layer; it has a parameter for each argument that is `Learn`.

    >>> import jax
    >>> from jax_acts import Learn, get
    >>> silu = Activation("silu")
    >>> prelu = Activation(get("leaky_relu", negative_slope=Learn(0.25)))
    >>> prelu.init(jax.random.key(0), jnp.ones(3))["params"]
    {'negative_slope': Array(0.25, dtype=float32)}

    Attributes:
        activation: A function, or anything that `jax_acts.get` takes; the layer holds
            the `Bound` that this is.
        param_dtype: The dtype of the parameters.

    Raises:
        ValueError: The name is unknown; the message has the nearest.
        TypeError: An argument is unknown, or static and to be learned.
    """

    activation: Any
    param_dtype: DTypeLike = jnp.float32

    def __post_init__(self) -> None:
        object.__setattr__(self, "activation", _bound(self.activation))
        super().__post_init__()

    @nn.compact
    def __call__(self, x: Array, **arguments: Any) -> Array:
        """Returns f(x, **arguments), of the shape and dtype of `x`."""
        shape = jnp.shape(x)

        def start(_: Array, learn: Learn) -> Array:
            return learn.start(shape[-1] if shape else None, self.param_dtype)

        learned = {
            name: self.param(name, start, learn)
            for name, learn in self.activation.learned.items()
        }
        return self.activation(x, **learned, **arguments)


class Dense(nn.Dense):
    """A linear map and an activation, f(x W + b).

    It is Flax's own `Dense`, with all its attributes and the names of its parameters.
    What the activation learns lies beside them, under `activation`.

    >>> import jax
    >>> layer = Dense(4, activation="prelu")
    >>> variables = layer.init(jax.random.key(0), jnp.ones((2, 3)))
    >>> jax.tree.map(jnp.shape, variables["params"])
    {'activation': {'negative_slope': ()}, 'bias': (4,), 'kernel': (3, 4)}

    Attributes:
        features: The number of output features.
        activation: A function, or anything that `jax_acts.get` takes; the layer holds
            the `Bound` that this is.
    """

    activation: Any = dataclasses.field(kw_only=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "activation", _bound(self.activation))
        super().__post_init__()

    @nn.compact
    def __call__(self, inputs: Array, **arguments: Any) -> Array:
        """Returns f(x W + b, **arguments), of shape `(*batch, features)`."""
        y = super().__call__(inputs)
        activation = Activation(self.activation, self.param_dtype, name="activation")
        return activation(y, **arguments)


def _bound(activation: Any) -> Bound:
    """Returns what `get` does; a layer, whose parameters would be lost, is refused."""
    if isinstance(activation, nn.Module):
        raise TypeError(
            "an activation is a name, a function or a spec, not a layer such as "
            f"{type(activation).__name__}: give what that was made of"
        )
    return get(activation)
