"""Flax NNX layers: `Activation`, `Dense`, `GatedDense` and `MLP`."""

import copyreg
import functools
import inspect
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import DTypeLike

from jax_acts import _layers as shared
from jax_acts._core.bound import Bound
from jax_acts._core.glu import Layout, Order
from jax_acts._layers import Policy, Residuals

try:
    from flax import nnx
except ImportError as error:
    raise ImportError("nnx: pip install 'jax-acts[flax]'") from error


class _Named(type(nnx.Module)):
    """Metaclass of `Activation`; its subclasses named by a spec pickle by that name."""


class Activation(nnx.Module, metaclass=_Named):
    """An activation as a layer, with a parameter for each argument that is a `Learn`.

    >>> from jax_acts import Learn
    >>> silu = Activation("silu")
    >>> prelu = Activation("leaky_relu", negative_slope=Learn(0.25))
    >>> prelu.negative_slope[...]
    Array(0.25, dtype=float32)

    Args:
        activation: A function, or anything that `jax_acts.get` accepts.
        features: The size of the last axis of x, for `Learn(…, per_feature=True)`.
        param_dtype: The dtype of the parameters.
        residuals: The policy of `ActivationFunction.with_residuals`; None is that of
            the activation.
        rngs: The streams of a random function, `gumbel_softmax` or `rrelu`; it uses the
            stream `activation`.
        **arguments: Arguments of the activation.

    Raises:
        ValueError: The name is unknown, an argument is learned per feature and
            `features` is missing, or the function does not have the policy.
        TypeError: An argument is unknown, or static and a `Learn`.
    """

    def __init__(
        self,
        activation: Any,
        *,
        features: int | None = None,
        param_dtype: DTypeLike = jnp.float32,
        residuals: str | None = None,
        rngs: nnx.Rngs | None = None,
        **arguments: Any,
    ) -> None:
        options = ("features", "param_dtype", "residuals", "rngs")
        bound = shared.layer_activation(
            "nnx.Activation", activation, arguments, options
        )
        if residuals is not None:
            bound = bound.with_residuals(residuals)
        # Arrays are variables, so that a checkpoint restores them into an abstract
        # model.
        arrays = {n: bound.arguments[n] for n in bound.children}
        static = {n: v for n, v in bound.arguments.items() if n not in arrays}
        self.bound = nnx.static(Bound(bound.function, **static))
        self.arrays = nnx.static(bound.children)
        for name, value in arrays.items():
            setattr(self, name, nnx.data(jax.tree.map(nnx.Variable, value)))
        for name, learn in bound.learned.items():
            value: Any = learn.initial_value(features, param_dtype)
            if learn.partition:
                init = lambda value=value: value
                value = nnx.with_partitioning(init, learn.partition)()
            setattr(self, name, nnx.Param(value))
        if shared.draws(bound) and rngs is not None:
            self.rngs = rngs.activation.fork()
        if type(self) is Activation:
            object.__setattr__(self, "__class__", _type_named(shared.type_name(bound)))

    def __call__(
        self,
        x: Array,
        *,
        up: Array | None = None,
        rngs: nnx.Rngs | None = None,
        **arguments: Any,
    ) -> Array:
        """Compute f(x, **arguments), with the shape and dtype of `x`.

        With `up`, compute f(x) * up; for a gated unit, the unit of both. `rngs` replace
        the streams of the layer.
        """
        arguments = _draw(self, arguments, rngs)
        parameters = {name: self._parameter(name, x) for name in self.bound.learned}
        for name in self.arrays:
            is_leaf = lambda v: isinstance(v, nnx.Variable)
            values = jax.tree.map(
                lambda v: v[...], getattr(self, name), is_leaf=is_leaf
            )
            parameters[name] = values
        if up is not None:
            return self.bound.gate(x, up, **parameters, **arguments)
        return self.bound(x, **parameters, **arguments)

    def _parameter(self, name: str, x: Array) -> Array:
        """Return a learned argument after checking its size against x."""
        value = getattr(self, name)[...]
        shape = jnp.shape(x)
        if self.bound.learned[name].per_feature and shape[-1:] != value.shape[-1:]:
            raise ValueError(
                f"{self.bound.name}: {name}: expected x with {value.shape[-1]} "
                f"features along the last axis, got the shape {shape}"
            )
        return value


@functools.cache
def _type_named(name: str) -> Any:
    """Return the subclass of `Activation` that `nnx.tabulate` shows by this name."""
    return _Named(name, (Activation,), {"__module__": __name__})


def _reduce_type(cls: type) -> str | tuple[Any, ...]:
    is_named = cls is not Activation and _type_named(cls.__name__) is cls
    return (_type_named, (cls.__name__,)) if is_named else cls.__qualname__


copyreg.pickle(_Named, _reduce_type)


class Dense(nnx.Linear):
    """Linear map and activation, f(x W + b).

    A `flax.nnx.Linear` with all its options and parameter names. The parameters of the
    activation are under `activation`.

    >>> layer = Dense(3, 4, activation="gelu", rngs=nnx.Rngs(0))
    >>> layer(jnp.ones((2, 3))).shape
    (2, 4)

    Args:
        in_features: The size of the last axis of x.
        out_features: The number of output features.
        activation: A function, or anything that `jax_acts.get` accepts.
        rngs: The stream `params` initializes the kernel.
        residuals: The policy of `ActivationFunction.with_residuals`; None is that of
            the activation.
        **options: Options of `nnx.Linear`, and arguments of the activation.
            `kernel_init="match"` is `jax_acts.initializers.initializer` of the
            activation, for inputs that are outputs of a layer with the same activation.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        activation: Any,
        rngs: nnx.Rngs,
        residuals: str | None = None,
        **options: Any,
    ) -> None:
        options, bound = _split_options("Dense", activation, options)
        super().__init__(in_features, out_features, rngs=rngs, **options)
        self.activation = Activation(
            bound,
            features=out_features,
            param_dtype=self.param_dtype,
            residuals=residuals,
            rngs=rngs,
        )

    def __call__(
        self, inputs: Array, out_sharding: Any = None, **arguments: Any
    ) -> Array:
        """Compute f(x W + b, **arguments), of shape `(*batch, out_features)`."""
        # Flax before 0.12.2 does not have the argument.
        options = {} if out_sharding is None else {"out_sharding": out_sharding}
        return self.activation(super().__call__(inputs, **options), **arguments)


class GatedDense(nnx.Module):
    """Two linear maps, one of which gates the other, f(x G + c) * (x W + b).

    The residuals are both products; the backward pass recomputes the activation.
    The intermediates have the names `mlp_in`, `mlp_gate`, `mlp_up` and `mlp_act`, which
    a policy of `jax.checkpoint` selects; see `MLP`.

    >>> layer = GatedDense(3, 4, activation="silu", rngs=nnx.Rngs(0))
    >>> layer(jnp.ones((2, 3))).shape, layer.gate.kernel.shape
    ((2, 4), (3, 4))

    Args:
        in_features: The size of the last axis of x.
        out_features: The number of output features.
        activation: Anything that `jax_acts.get` accepts: a function, which is applied
            to the gate, or a gated unit such as `swiglu_oai`, which takes both.
        rngs: The stream `params` initializes the kernels.
        kernel_names: The names of the kernels, as in `linen.GatedDense`.
        order: Which of the two comes first in a single kernel.
        layout: Whether gate and up are halves of a single kernel or alternate.
        **options: Options of `nnx.Linear`, for each map, and arguments of the
            activation. `kernel_init="match"` is as in `Dense`.

    Raises:
        ValueError: The number of names is not 1 or 2, or order or layout is unknown.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        activation: Any,
        rngs: nnx.Rngs,
        kernel_names: str | tuple[str, ...] = ("gate", "up"),
        order: Order = "gate_first",
        layout: Layout = "split",
        **options: Any,
    ) -> None:
        self.kernel_names, self.order, self.layout = kernel_names, order, layout
        self.kernel_names = shared.kernel_names(self, ("gate", "up"))
        options, bound = _split_options("GatedDense", activation, options)
        features = (3 - len(self.kernel_names)) * out_features
        for name in self.kernel_names:
            linear = nnx.Linear(in_features, features, rngs=rngs, **options)
            setattr(self, name, linear)
        dtype = getattr(self, self.kernel_names[0]).param_dtype
        self.activation = Activation(
            bound, features=out_features, param_dtype=dtype, rngs=rngs
        )

    def __call__(self, x: Array, **arguments: Any) -> Array:
        """Compute the gated values, of shape `(*batch, out_features)`."""
        x = shared.name_input(x)
        products = [getattr(self, name)(x) for name in self.kernel_names]
        products = shared.split_products(self, products, gated=True)
        return shared.activate(
            self.activation, shared.name_products(products), **arguments
        )


class MLP(nnx.Module):
    """Two linear maps with an activation between them, f(norm(x) W + b) V + c.

    `residuals` selects what the backward pass saves; see `linen.MLP`.

    >>> block = MLP(3, 8, activation="gelu", rngs=nnx.Rngs(0))
    >>> block(jnp.ones((2, 3))).shape
    (2, 3)

    Args:
        in_features: The size of the last axis of x.
        hidden: The size between the maps.
        activation: A function, or anything that `jax_acts.get` accepts.
        rngs: The stream `params` initializes the kernels.
        out_features: The size of the output; `in_features` if None.
        gated: Whether the activation of a gate is multiplied by `up`, as in SwiGLU:
            (f(x G) * x W) V. It may be a gated unit.
        kernel_names: The names of the kernels, as in `linen.MLP`.
        order: Which of gate and up comes first in a single kernel.
        layout: Whether they are halves of a single kernel or alternate, as in gpt-oss.
        residuals: "named", "int8", "recompute", "all" or a policy of `jax.checkpoint`.
        norm: A function or a layer that is applied to x before the maps, and recomputed
            in the backward pass. None is the identity.
        **options: Options of `nnx.Linear`, for each map, and arguments of the
            activation. With `kernel_init="match"` the output kernel has the
            initializer of the activation, and the others have the default.
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
        kernel_names: tuple[str, ...] = (),
        order: Order = "gate_first",
        layout: Layout = "split",
        residuals: Residuals | Policy = "named",
        norm: Callable[[Array], Array] | None = None,
        **options: Any,
    ) -> None:
        self.gated, self.residuals, self.norm = gated, residuals, norm
        shared.checkpoint_policy(self)
        self.kernel_names, self.order, self.layout = kernel_names, order, layout
        self.kernel_names = shared.kernel_names(self, shared.mlp_kernels(gated))
        options, bound = _split_options("MLP", activation, options)
        *inputs, output = self.kernel_names
        features = 2 * hidden if gated and len(inputs) == 1 else hidden
        after = {}  # options of the map after the activation
        if isinstance(options.get("kernel_init"), str):
            init = shared.match_kernel(options.pop("kernel_init"), bound)
            after = {"kernel_init": init}
        linear = functools.partial(nnx.Linear, rngs=rngs, **options)
        for name in reversed(inputs):  # up before gate
            setattr(self, name, linear(in_features, features))
        setattr(self, output, linear(hidden, out_features or in_features, **after))
        dtype = getattr(self, output).param_dtype
        self.activation = Activation(
            bound, features=hidden, param_dtype=dtype, rngs=rngs
        )

    def __call__(
        self, x: Array, *, rngs: nnx.Rngs | None = None, **arguments: Any
    ) -> Array:
        """Compute the block, of shape `(*batch, out_features)`."""
        arguments = _draw(self.activation, arguments, rngs)

        def block(mlp: MLP, x: Array) -> Array:
            h = shared.name_input(x if mlp.norm is None else mlp.norm(x))
            *inputs, output = mlp.kernel_names
            products = [getattr(mlp, name)(h) for name in inputs]
            products = shared.split_products(mlp, products, gated=mlp.gated)
            if mlp.residuals != "int8":
                products = shared.name_products(products)
            layers = mlp.activation, getattr(mlp, output)

            def finish(layers: Any, products: list[Array]) -> Array:
                f, down = layers
                return down(shared.activate(f, products, **arguments))

            y = finish(layers, products)
            if mlp.residuals != "int8":
                return y
            definition, state = nnx.split(layers)
            pure = lambda *p: finish(nnx.merge(definition, state), [*p])
            return shared.with_int8_residuals(mlp, y, pure, products)

        policy = shared.checkpoint_policy(self)
        return (block if policy is None else nnx.remat(block, policy=policy))(self, x)


_LINEAR_OPTIONS = frozenset(inspect.signature(nnx.Linear.__init__).parameters)


def _split_options(
    layer: str, activation: Any, options: dict[str, Any]
) -> tuple[dict[str, Any], Bound]:
    """Return the options of `nnx.Linear`, and the activation with the other options."""
    linear = {n: v for n, v in options.items() if n in _LINEAR_OPTIONS}
    arguments = {n: v for n, v in options.items() if n not in linear}
    where = f"nnx.{layer}"
    bound = shared.layer_activation(where, activation, arguments, _LINEAR_OPTIONS)
    if "kernel_init" in linear and layer != "MLP":
        linear["kernel_init"] = shared.match_kernel(linear["kernel_init"], bound)
    return linear, bound


def _draw(
    layer: Activation, arguments: dict[str, Any], rngs: nnx.Rngs | None
) -> dict[str, Any]:
    """Return the arguments, with a key if the activation needs one.

    It is no method: `nnx.tabulate` would give it a row.
    """
    stream = getattr(layer, "rngs", None) if rngs is None else rngs.activation
    if "key" in arguments or stream is None or not shared.draws(layer.bound):
        return arguments
    return {"key": stream()} | arguments
