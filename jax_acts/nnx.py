"""NNX layers: `Activation`, and `Dense` which is a Linear with an activation."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array
from jax.typing import DTypeLike

from jax_acts._core.glu import Layout, Order, check_names, split_gate
from jax_acts._registry.lookup import get


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
        residuals: What the backward pass keeps, as of `ActivationFunction.keeping`.
        **arguments: Arguments of the function.

    Raises:
        ValueError: The name is unknown; the message has the nearest. Or an argument is
            learned per feature and `features` is not given, or the function has no
            such choice to residuals.
        TypeError: An argument is unknown, or static and to be learned.
    """

    def __init__(
        self,
        activation: Any,
        *,
        features: int | None = None,
        param_dtype: DTypeLike = jnp.float32,
        residuals: str = "derivative",
        **arguments: Any,
    ) -> None:
        if isinstance(activation, nnx.Module):
            raise TypeError(
                "an activation is a name, a function or a spec, not a layer such as "
                f"{type(activation).__name__}: give what that was made of"
            )
        bound = get(activation, **arguments).with_residuals(residuals)
        self.bound = nnx.data(bound) if jax.tree.leaves(bound) else nnx.static(bound)
        for name, learn in bound.learned.items():
            setattr(self, name, nnx.Param(learn.start(features, param_dtype)))

    def __call__(
        self, x: Array, *, times: Array | None = None, **arguments: Any
    ) -> Array:
        """Returns f(x, **arguments), of the shape and dtype of `x`.

        With `times`, x are gates and these are their values, as of `Bound.gate`.
        """
        learned = {name: self._parameter(name, x) for name in self.bound.learned}
        if times is not None:
            return self.bound.gate(x, times, **learned, **arguments)
        return self.bound(x, **learned, **arguments)

    def _parameter(self, name: str, x: Array) -> Array:
        """Returns a learned argument, which has the size of the last axis of x."""
        value = getattr(self, name)[...]
        shape = jnp.shape(x)
        if self.bound.learned[name].per_feature and shape[-1:] != value.shape[-1:]:
            raise ValueError(
                f"{name} of {self.bound.name} is learned for each of {value.shape[-1]} "
                f"features; the last axis of x, of shape {shape}, is not of that size"
            )
        return value


class Dense(nnx.Linear):
    """A linear map and an activation, f(x W + b).

    It is Flax's own `Linear`, with all its options and the names of its parameters.
    What the activation learns lies beside them, under `activation`.

    >>> layer = Dense(3, 4, activation="gelu", rngs=nnx.Rngs(0))
    >>> layer(jnp.ones((2, 3))).shape
    (2, 4)

    Args:
        in_features: The size of the last axis of x.
        out_features: The number of output features.
        activation: A function, or anything that `jax_acts.get` takes.
        rngs: The stream `params` starts the kernel.
        residuals: What the backward pass of the activation keeps, as of `Activation`.
        **options: The options of `nnx.Linear`.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        activation: Any,
        rngs: nnx.Rngs,
        residuals: str = "derivative",
        **options: Any,
    ) -> None:
        super().__init__(in_features, out_features, rngs=rngs, **options)
        self.activation = Activation(
            activation,
            features=out_features,
            param_dtype=self.param_dtype,
            residuals=residuals,
        )

    def __call__(
        self, inputs: Array, out_sharding: Any = None, **arguments: Any
    ) -> Array:
        """Returns f(x W + b, **arguments), of shape `(*batch, out_features)`."""
        # Before 0.12.2 Flax has no such argument.
        given = {} if out_sharding is None else {"out_sharding": out_sharding}
        return self.activation(super().__call__(inputs, **given), **arguments)


class GatedDense(nnx.Module):
    """Two linear maps, of which one gates the other, f(x G + c) * (x W + b).

    The backward pass keeps both products, and computes the activation again.

    >>> layer = GatedDense(3, 4, activation="silu", rngs=nnx.Rngs(0))
    >>> layer(jnp.ones((2, 3))).shape, layer.gate.kernel.shape
    ((2, 4), (3, 4))

    Args:
        in_features: The size of the last axis of x.
        out_features: The number of output features.
        activation: Anything that `jax_acts.get` takes: a function, which is applied to
            the gates, or a gated unit such as `swiglu_oai`, which is given both.
        rngs: The stream `params` starts the kernels.
        names: What the maps are called, as of `linen.GatedDense`.
        order: Which of the two comes first in one kernel; in Phi-3 the gates.
        layout: Whether each is one half of it, or they alternate, as in gpt-oss.
        **options: The options of `nnx.Linear`, for each map.

    Raises:
        ValueError: The names are not one or two, or order or layout is no such word.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        activation: Any,
        rngs: nnx.Rngs,
        names: str | tuple[str, str] = ("gate", "up"),
        order: Order = "gate_first",
        layout: Layout = "split",
        **options: Any,
    ) -> None:
        check_names("GatedDense", names, order, layout)
        self.names = names
        self.order: Order = order
        self.layout: Layout = layout
        linear = functools.partial(nnx.Linear, in_features, rngs=rngs, **options)
        if isinstance(names, str):
            maps = {names: linear(2 * out_features)}
        else:
            maps = {name: linear(out_features) for name in names}
        for name, each in maps.items():
            setattr(self, name, each)
        dtype = next(iter(maps.values())).param_dtype
        self.activation = Activation(
            activation, features=out_features, param_dtype=dtype
        )

    def __call__(self, x: Array, **arguments: Any) -> Array:
        """Returns the gated values, of shape `(*batch, out_features)`."""
        if isinstance(self.names, str):
            both = getattr(self, self.names)(x)
            gate, up = split_gate(both, both.ndim - 1, self.order, self.layout)
        else:
            gate, up = (getattr(self, name)(x) for name in self.names)
        return self.activation(gate, times=up, **arguments)


class MLP(nnx.Module):
    """Two linear maps with an activation between them, f(x W + b) V + c.

    The backward pass keeps x W + b and computes the activation again: one array of the
    hidden size where autodiff keeps two or more. The numbers are the same.

    >>> block = MLP(3, 8, activation="gelu", rngs=nnx.Rngs(0))
    >>> block(jnp.ones((2, 3))).shape
    (2, 3)

    Args:
        in_features: The size of the last axis of x.
        hidden: The size between the maps.
        activation: A function, or anything that `jax_acts.get` takes.
        rngs: The stream `params` starts the kernels.
        out_features: The size of the result; `in_features`, if left out.
        gated: Whether the activation is of a map of its own, `gate`, and is multiplied
            by `up`, as in SwiGLU: (f(x G) * x W) V. It may be a gated unit, too.
        remat: Whether the activation is computed again.
        **options: The options of `nnx.Linear`, for each map.
    """

    def __init__(
        self,
        in_features: int,
        hidden: int,
        *,
        activation: Any,
        rngs: nnx.Rngs,
        out_features: int | None = None,
        gated: bool = False,
        remat: bool = True,
        **options: Any,
    ) -> None:
        self.up = nnx.Linear(in_features, hidden, rngs=rngs, **options)
        self.gate = (
            nnx.Linear(in_features, hidden, rngs=rngs, **options) if gated else None
        )
        self.activation = Activation(
            activation, features=hidden, param_dtype=self.up.param_dtype
        )
        features = out_features or in_features
        self.down = nnx.Linear(hidden, features, rngs=rngs, **options)
        self.remat = remat

    def __call__(self, x: Array) -> Array:
        """Returns the block of x, of shape `(*batch, out_features)`."""
        gate = None if self.gate is None else self.gate(x)
        finish = nnx.remat(_finish) if self.remat else _finish
        return finish(self, self.up(x), gate)


def _finish(mlp: MLP, up: Array, gate: Array | None) -> Array:
    """Returns the block from the products of its first maps on."""
    activation = mlp.activation
    return mlp.down(activation(up) if gate is None else activation(gate, times=up))
