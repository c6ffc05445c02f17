"""NNX layers: `Activation`, and `Dense` which is a Linear with an activation."""

from typing import Any

import jax.numpy as jnp
from flax import nnx
from jax import Array
from jax.typing import DTypeLike

from jax_acts.registry import get


class Activation(nnx.Module):
    """An activation as a layer; it has a parameter for each argument that is `Learn`.

    >>> from jax_acts import Learn
    >>> silu = Activation("silu")
    >>> prelu = Activation("leaky_relu", negative_slope=Learn(0.25))
    >>> prelu.negative_slope[...]
    Array(0.25, dtype=float32)

    Args:
        activation: A function, or anything that `jax_acts.get` takes.
        features: The size of the last axis of x, for `Learn(…, per_feature=True)`.
        param_dtype: The dtype of the parameters.
        **arguments: Arguments of the function.
    """

    def __init__(
        self,
        activation: Any,
        *,
        features: int | None = None,
        param_dtype: DTypeLike = jnp.float32,
        **arguments: Any,
    ) -> None:
        self.bound = get(activation, **arguments)
        for name, learn in self.bound.learned.items():
            setattr(self, name, nnx.Param(learn.start(features, param_dtype)))

    def __call__(self, x: Array, **arguments: Any) -> Array:
        """Returns f(x), of the shape and dtype of `x`; `arguments` go to f as well."""
        learned = {name: getattr(self, name)[...] for name in self.bound.learned}
        return self.bound(x, **learned, **arguments)


class Dense(nnx.Linear):
    """A linear map and an activation, f(x W + b).

    It is Flax's own `Linear`, with all its options and the names of its parameters.

    >>> layer = Dense(3, 4, activation="gelu", rngs=nnx.Rngs(0))
    >>> layer(jnp.ones((2, 3))).shape
    (2, 4)

    Args:
        in_features: The size of the last axis of x.
        out_features: The number of output features.
        activation: A function, or anything that `jax_acts.get` takes.
        rngs: The stream `params` starts the kernel.
        **options: The options of `nnx.Linear`.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        activation: Any,
        rngs: nnx.Rngs,
        **options: Any,
    ) -> None:
        layer = Activation(
            activation,
            features=out_features,
            param_dtype=options.get("param_dtype", jnp.float32),
        )
        super().__init__(in_features, out_features, rngs=rngs, **options)
        self.activation = layer

    def __call__(self, inputs: Array, *args: Any, **kwargs: Any) -> Array:
        """Returns f(x W + b), of shape `(*batch, out_features)`."""
        return self.activation(super().__call__(inputs, *args, **kwargs))
