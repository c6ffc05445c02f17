"""Linen layers: `Activation`, and `Dense` which is a Dense with an activation."""

import dataclasses
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jax import Array
from jax.typing import DTypeLike

from jax_acts._core.arguments import Learn
from jax_acts._core.bound import Bound
from jax_acts._core.glu import Layout, Order, check_names, split_gate
from jax_acts._registry.lookup import get


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
        residuals: What the backward pass keeps, as of `ActivationFunction.keeping`.

    Raises:
        ValueError: The name is unknown; the message has the nearest. Or the function
            has no such choice to residuals.
        TypeError: An argument is unknown, or static and to be learned.
    """

    activation: Any
    param_dtype: DTypeLike = jnp.float32
    residuals: str = "derivative"

    def __post_init__(self) -> None:
        bound = _bound(self.activation)
        bound.with_residuals(self.residuals)  # which refuses what cannot be kept
        object.__setattr__(self, "activation", bound)
        super().__post_init__()

    @nn.compact
    def __call__(
        self, x: Array, *, times: Array | None = None, **arguments: Any
    ) -> Array:
        """Returns f(x, **arguments), of the shape and dtype of `x`.

        With `times`, x are gates and these are their values, as of `Bound.gate`.
        """
        shape = jnp.shape(x)

        def start(_: Array, learn: Learn) -> Array:
            return learn.start(shape[-1] if shape else None, self.param_dtype)

        learned = {
            name: self.param(name, start, learn)
            for name, learn in self.activation.learned.items()
        }
        if times is not None:
            return self.activation.gate(x, times, **learned, **arguments)
        return self.activation.with_residuals(self.residuals)(x, **learned, **arguments)


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
        residuals: What the backward pass of the activation keeps, as of `Activation`.
    """

    activation: Any = dataclasses.field(kw_only=True)
    residuals: str = dataclasses.field(default="derivative", kw_only=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "activation", _bound(self.activation))
        super().__post_init__()

    @nn.compact
    def __call__(self, inputs: Array, **arguments: Any) -> Array:
        """Returns f(x W + b, **arguments), of shape `(*batch, features)`."""
        y = super().__call__(inputs)
        activation = Activation(
            self.activation, self.param_dtype, self.residuals, name="activation"
        )
        return activation(y, **arguments)


class GatedDense(nn.Module):
    """Two linear maps, of which one gates the other, f(x G + c) * (x W + b).

    The backward pass keeps both products, and computes the activation again.

    >>> import jax
    >>> layer = GatedDense(4, activation="silu", use_bias=False)
    >>> variables = layer.init(jax.random.key(0), jnp.ones((2, 3)))
    >>> jax.tree.map(jnp.shape, variables["params"])
    {'gate': {'kernel': (3, 4)}, 'up': {'kernel': (3, 4)}}

    Attributes:
        features: The number of output features.
        activation: Anything that `jax_acts.get` takes: a function, which is applied to
            the gates, or a gated unit such as `swiglu_oai`, which is given both.
        names: What the maps are called, that of the gates first: ("gate_proj",
            "up_proj") in Llama, ("wi_0", "wi_1") in T5. One name is one kernel with
            twice the features: "gate_up_proj" in Phi-3.
        order: Which of the two comes first in one kernel; in Phi-3 the gates.
        layout: Whether each is one half of it, or they alternate, as in gpt-oss.
        use_bias: Whether the maps add a bias.
        dtype: The dtype of the computation.
        param_dtype: The dtype of the parameters.
        kernel_init: The initialiser of the kernels.
        bias_init: The initialiser of the biases.

    Raises:
        ValueError: The names are not one or two, or order or layout is no such word.
    """

    features: int
    activation: Any = dataclasses.field(kw_only=True)
    names: str | tuple[str, str] = ("gate", "up")
    order: Order = "gate_first"
    layout: Layout = "split"
    use_bias: bool = True
    dtype: DTypeLike | None = None
    param_dtype: DTypeLike = jnp.float32
    kernel_init: nn.initializers.Initializer = nn.initializers.lecun_normal()
    bias_init: nn.initializers.Initializer = nn.initializers.zeros

    def __post_init__(self) -> None:
        check_names("GatedDense", self.names, self.order, self.layout)
        object.__setattr__(self, "activation", _bound(self.activation))
        super().__post_init__()

    @nn.compact
    def __call__(self, x: Array, **arguments: Any) -> Array:
        """Returns the gated values, of shape `(*batch, features)`."""

        def dense(name: str, features: int) -> Array:
            return nn.Dense(
                features,
                self.use_bias,
                self.dtype,
                self.param_dtype,
                kernel_init=self.kernel_init,
                bias_init=self.bias_init,
                name=name,
            )(x)

        if isinstance(self.names, str):
            both = dense(self.names, 2 * self.features)
            gate, up = split_gate(both, both.ndim - 1, self.order, self.layout)
        else:
            gate, up = (dense(name, self.features) for name in self.names)
        activation = Activation(self.activation, self.param_dtype, name="activation")
        return activation(gate, times=up, **arguments)


class MLP(nn.Module):
    """Two linear maps with an activation between them, f(x W + b) V + c.

    The backward pass keeps x W + b and computes the activation again: one array of the
    hidden size where autodiff keeps two or more. The numbers are the same.

    >>> import jax
    >>> block = MLP(hidden=8, activation="gelu")
    >>> variables = block.init(jax.random.key(0), jnp.ones((2, 3)))
    >>> jax.tree.map(jnp.shape, variables["params"]["down"]["kernel"])
    (8, 3)

    Attributes:
        hidden: The size between the maps.
        activation: A function, or anything that `jax_acts.get` takes.
        features: The size of the result; that of x, if left out.
        gated: Whether the activation is of a map of its own, `gate`, and is multiplied
            by `up`, as in SwiGLU: (f(x G) * x W) V. It may be a gated unit, too.
        use_bias: Whether the maps add a bias.
        dtype: The dtype of the computation.
        param_dtype: The dtype of the parameters.
        remat: Whether the activation is computed again.
    """

    hidden: int
    activation: Any
    features: int | None = None
    gated: bool = False
    use_bias: bool = True
    dtype: DTypeLike | None = None
    param_dtype: DTypeLike = jnp.float32
    remat: bool = True

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Returns the block of x, of shape `(*batch, features)`."""
        options = {
            "use_bias": self.use_bias,
            "dtype": self.dtype,
            "param_dtype": self.param_dtype,
        }

        def finish(mlp: nn.Module, up: Array, gate: Array | None) -> Array:
            activation = Activation(
                self.activation, self.param_dtype, name="activation"
            )
            h = activation(up) if gate is None else activation(gate, times=up)
            return nn.Dense(self.features or x.shape[-1], name="down", **options)(h)

        up = nn.Dense(self.hidden, name="up", **options)(x)
        gate = nn.Dense(self.hidden, name="gate", **options)(x) if self.gated else None
        finish = nn.remat(finish) if self.remat else finish
        return finish(self, up, gate)


def _bound(activation: Any) -> Bound:
    """Returns what `get` does; a layer, whose parameters would be lost, is refused."""
    if isinstance(activation, nn.Module):
        raise TypeError(
            "an activation is a name, a function or a spec, not a layer such as "
            f"{type(activation).__name__}: give what that was made of"
        )
    return get(activation)
