"""An MLP of any depth, with a choice of initializer."""

from functools import partial
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import DTypeLike

from jax_acts.experiments.models.sow import PREACTIVATIONS, sow_preactivation
from jax_acts.initializers import ScaledOrthogonal, gain, initializer
from jax_acts.linen import Activation

Initializer = Literal["lecun", "glorot", "gain", "orthogonal"]
"""Name of a kernel initializer; see `kernel_initializer`."""


def kernel_initializer(name: Initializer, activation: Any) -> Any:
    """Return the initializer of a kernel that follows an activation.

    "lecun" is Flax's default, of variance 1 / fan_in; "glorot" has variance
    2 / (fan_in + fan_out); "gain" has gain² / fan_in, so that E[f(z)²] = 1 where z is
    standard normal; "orthogonal" is `ScaledOrthogonal` with the gain.
    """
    match name:
        case "lecun":
            return nn.initializers.lecun_normal()
        case "glorot":
            return nn.initializers.glorot_normal()
        case "gain":
            return initializer(activation)
        case "orthogonal":
            return ScaledOrthogonal(gain(activation))


class Hidden(nn.Module):
    """A dense layer with an activation."""

    activation: Any
    width: int
    kernel_init: Any
    bias: float | Array
    dtype: DTypeLike

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Return the activations `(n, width)`."""
        x = nn.Dense(
            self.width,
            kernel_init=self.kernel_init,
            bias_init=lambda _, shape, dtype: jnp.full(shape, self.bias, dtype),
            dtype=self.dtype,
            name="dense",
        )(x)
        x = sow_preactivation(self, "activation", x)
        return Activation(self.activation, name="activation")(x)


class MLP(nn.Module):
    """Hidden layers of equal width with an activation, and a linear head.

    The layers after the first are one `nn.scan`: fifty compile as fast as two.

    Attributes:
        activation: Anything that `jax_acts.get` takes.
        depth: The number of hidden layers; with none it is a linear model.
        width: The features of each hidden layer.
        outputs: The features of the head.
        initializer: Of the kernels. The first kernel follows no activation, so its
            initializer is that of the identity.
        bias: Initial value of the hidden biases.
        dtype: Computation dtype of the layers; parameters are float32.
    """

    activation: Any
    depth: int
    width: int
    outputs: int
    initializer: Initializer = "lecun"
    bias: float | Array = 0.0
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Return float32 outputs `(n, outputs)` of x `(n, …)`."""
        x = x.reshape(x.shape[0], -1).astype(self.dtype)
        after = kernel_initializer(self.initializer, "identity")
        hidden = lambda kernel_init, name: Hidden(
            self.activation, self.width, kernel_init, self.bias, self.dtype, name=name
        )
        if self.depth:
            x = hidden(after, "first")(x)
            after = kernel_initializer(self.initializer, self.activation)
        if self.depth > 1:
            layers = nn.scan(
                lambda layer, x, _: (layer(x), None),
                variable_axes={"params": 0, PREACTIVATIONS: 0},
                split_rngs={"params": True},
                length=self.depth - 1,
            )
            x, _ = layers(hidden(after, "layers"), x, None)
        head = nn.Dense(self.outputs, kernel_init=after, dtype=self.dtype, name="head")
        return head(x).astype(jnp.float32)


def split_layers(tree: Any) -> list[Any]:
    """Return the parameters of each layer of an `MLP`, first layer first.

    >>> import jax
    >>> model = MLP("prelu", depth=3, width=4, outputs=2)
    >>> params = jax.jit(model.init)(jax.random.key(0), jnp.ones((1, 5)))["params"]
    >>> [layer["kernel"].shape for layer in split_layers(params)]
    [(5, 4), (4, 4), (4, 4), (4, 2)]

    Args:
        tree: Parameters, or their gradient.
    """
    first = [tree["first"]["dense"]] if "first" in tree else []
    stack = tree["layers"]["dense"] if "layers" in tree else {"bias": ()}
    middle = [
        {name: values[n] for name, values in stack.items()}
        for n in range(len(stack["bias"]))
    ]
    return [*first, *middle, tree["head"]]


def collapse_layers(params: Any) -> tuple[Array, Array]:
    """Return the product of the layers of an `MLP` as one matrix and one bias.

    With the identity as activation the outputs of the MLP are x @ matrix + bias.
    """
    first, *others = split_layers(params)
    product = partial(jnp.matmul, precision=jax.lax.Precision.HIGHEST)
    matrix, bias = first["kernel"], first["bias"]
    for layer in others:
        matrix = product(matrix, layer["kernel"])
        bias = product(bias, layer["kernel"]) + layer["bias"]
    return matrix, bias
