"""Flax linen layers: `Activation`, `Dense`, `GatedDense` and `MLP`."""

import dataclasses
import functools
import inspect
import types
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
from jax import Array
from jax.typing import DTypeLike

from jax_acts import _layers as shared
from jax_acts._core.arguments import Learn
from jax_acts._core.glu import Layout, Order
from jax_acts._layers import Policy, Residuals

try:
    import flax.linen as nn
except ImportError as error:
    raise ImportError("linen: pip install 'jax-acts[flax]'") from error


class _TakesArguments:
    """Base of the layers: keyword arguments that are no field go to the activation.

    linen generates `__init__` from the fields of each subclass; this extends it. With
    `init=False`, type checkers take the signature from here.
    """

    if TYPE_CHECKING:

        def __init__(self, *args: Any, **options: Any) -> None: ...

    def __init_subclass__(cls, *, init: bool = True, **options: Any) -> None:
        super().__init_subclass__(**options)
        generated = cls.__init__
        signature = inspect.signature(generated)
        fields = [n for n in signature.parameters if n not in ("self", "parent")]

        @functools.wraps(generated)
        def initialize(self: Any, *args: Any, **kwargs: Any) -> None:
            names = kwargs.keys() - signature.parameters.keys()
            arguments = {n: kwargs.pop(n) for n in [*kwargs] if n in names}
            values = signature.bind(self, *args, **kwargs).arguments
            layer = f"linen.{self.__class__.__name__}"
            values["activation"] = shared.layer_activation(
                layer, values["activation"], arguments, fields
            )
            generated(**values)

        cls.__init__ = initialize


class Activation(_TakesArguments, nn.Module, init=False):
    """An activation as a layer, with a parameter for each argument that is a `Learn`.

    >>> import jax
    >>> from jax_acts import Learn
    >>> silu = Activation("silu")
    >>> prelu = Activation("leaky_relu", negative_slope=Learn(0.25))
    >>> prelu.init(jax.random.key(0), jnp.ones(3))["params"]
    {'negative_slope': Array(0.25, dtype=float32)}

    Attributes:
        activation: A function, or anything that `jax_acts.get` accepts. Keyword
            arguments that are no field are arguments of it. The attribute is a `Bound`.
        param_dtype: The dtype of the parameters.
        residuals: The policy of `ActivationFunction.with_residuals`; None is that of
            the activation.
        rng_collection: The stream of the keys of a random function: `gumbel_softmax`
            and, in training, `rrelu`.

    Raises:
        ValueError: The name is unknown, or the function does not have the policy.
        TypeError: An argument is unknown, or static and a `Learn`.
    """

    activation: Any
    param_dtype: DTypeLike = jnp.float32
    residuals: str | None = None
    rng_collection: str = "activation"

    def __post_init__(self) -> None:
        if self.residuals is not None:
            self.activation = self.activation.with_residuals(self.residuals)
        super().__post_init__()
        if type(self) is Activation:
            object.__setattr__(
                self, "__class__", _type_named(shared.type_name(self.activation))
            )

    def __reduce_ex__(self, protocol: Any) -> Any:
        _, _, *state = super().__reduce_ex__(protocol)
        return _empty_activation, (shared.type_name(self.activation),), *state

    def draw(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Return the arguments, with a key if the activation needs one."""
        fixed = "key" in arguments or not shared.draws(self.activation)
        if fixed or not self.has_rng(self.rng_collection):
            return arguments
        return {"key": self.make_rng(self.rng_collection)} | arguments

    @nn.compact
    def __call__(self, x: Array, *, up: Array | None = None, **arguments: Any) -> Array:
        """Compute f(x, **arguments), with the shape and dtype of `x`.

        With `up`, compute f(x) * up; for a gated unit, the unit of both.
        """
        shape = jnp.shape(x)

        def init(_: Array, learn: Learn) -> Array:
            return learn.initial_value(shape[-1] if shape else None, self.param_dtype)

        parameters = {}
        for name, learn in self.activation.learned.items():
            partition = learn.partition
            boxed = nn.with_partitioning(init, partition) if partition else init
            parameters[name] = self.param(name, boxed, learn)
        arguments = self.draw(arguments)
        if up is not None:
            return self.activation.gate(x, up, **parameters, **arguments)
        return self.activation(x, **parameters, **arguments)


class Dense(_TakesArguments, nn.Dense, init=False):
    """Linear map and activation, f(x W + b).

    A `flax.linen.Dense` with all its attributes and parameter names. The parameters of
    the activation are under `activation`.

    >>> import jax
    >>> layer = Dense(4, activation="prelu")
    >>> variables = layer.init(jax.random.key(0), jnp.ones((2, 3)))
    >>> jax.tree.map(jnp.shape, variables["params"])
    {'activation': {'negative_slope': ()}, 'bias': (4,), 'kernel': (3, 4)}

    Attributes:
        features: The number of output features.
        activation: A function, or anything that `jax_acts.get` accepts. Keyword
            arguments that are no field are arguments of it. The attribute is a `Bound`.
        residuals: The policy of `ActivationFunction.with_residuals`; None is that of
            the activation.
        kernel_init: The initializer of the kernel; "match" is
            `jax_acts.initializers.initializer` of the activation, for inputs that are
            outputs of a layer with the same activation.
    """

    activation: Any = dataclasses.field(kw_only=True)
    residuals: str | None = dataclasses.field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        self.kernel_init = shared.match_kernel(self.kernel_init, self.activation)
        super().__post_init__()

    @nn.compact
    def __call__(self, inputs: Array, **arguments: Any) -> Array:
        """Compute f(x W + b, **arguments), of shape `(*batch, features)`."""
        y = super().__call__(inputs)
        activation = Activation(
            self.activation, self.param_dtype, self.residuals, name="activation"
        )
        return activation(y, **arguments)


class GatedDense(_TakesArguments, nn.Module, init=False):
    """Two linear maps, one of which gates the other, f(x G + c) * (x W + b).

    The residuals are both products; the backward pass recomputes the activation.
    The intermediates have the names `mlp_in`, `mlp_gate`, `mlp_up` and `mlp_act`, which
    a policy of `jax.checkpoint` selects; see `MLP`.

    >>> import jax
    >>> layer = GatedDense(4, activation="silu", use_bias=False)
    >>> variables = layer.init(jax.random.key(0), jnp.ones((2, 3)))
    >>> jax.tree.map(jnp.shape, variables["params"])
    {'gate': {'kernel': (3, 4)}, 'up': {'kernel': (3, 4)}}

    Attributes:
        features: The number of output features.
        activation: Anything that `jax_acts.get` accepts: a function, which is applied
            to the gate, or a gated unit such as `swiglu_oai`, which takes both. Keyword
            arguments that are no field are arguments of it.
        kernel_names: The names of gate and up kernel: ("gate_proj", "up_proj") in
            Llama, ("wi_0", "wi_1") in T5. A single name is one kernel with twice the
            features: "gate_up_proj" in Phi-3.
        order: Which of the two comes first in a single kernel; in Phi-3 the gate.
        layout: Whether gate and up are halves of a single kernel or alternate, as in
            gpt-oss.
        use_bias: Whether the maps add a bias.
        dtype: The dtype of the computation.
        param_dtype: The dtype of the parameters.
        kernel_init: The initializer of the kernels; "match" is that of the activation,
            for inputs that are outputs of a layer with the same activation.
        bias_init: The initializer of the biases.

    Raises:
        ValueError: The number of names is not 1 or 2, or order or layout is unknown.
    """

    features: int
    activation: Any = dataclasses.field(kw_only=True)
    kernel_names: str | tuple[str, ...] = ("gate", "up")
    order: Order = "gate_first"
    layout: Layout = "split"
    use_bias: bool = True
    dtype: DTypeLike | None = None
    param_dtype: DTypeLike = jnp.float32
    kernel_init: nn.initializers.Initializer = nn.initializers.lecun_normal()
    bias_init: nn.initializers.Initializer = nn.initializers.zeros

    def __post_init__(self) -> None:
        self.kernel_names = shared.kernel_names(self, ("gate", "up"))
        self.kernel_init = shared.match_kernel(self.kernel_init, self.activation)
        super().__post_init__()

    @nn.compact
    def __call__(self, x: Array, **arguments: Any) -> Array:
        """Compute the gated values, of shape `(*batch, features)`."""
        factor = 3 - len(self.kernel_names)
        products = [
            nn.Dense(
                factor * self.features,
                self.use_bias,
                self.dtype,
                self.param_dtype,
                kernel_init=self.kernel_init,
                bias_init=self.bias_init,
                name=name,
            )(shared.name_input(x))
            for name in self.kernel_names
        ]
        products = shared.split_products(self, products, gated=True)
        activation = Activation(self.activation, self.param_dtype, name="activation")
        return shared.activate(activation, shared.name_products(products), **arguments)


class MLP(_TakesArguments, nn.Module, init=False):
    """Two linear maps with an activation between them, f(norm(x) W + b) V + c.

    The intermediates have names, of `jax.ad_checkpoint.checkpoint_name`:

    - `mlp_in`: norm(x)
    - `mlp_gate`, `mlp_up`: norm(x) G and norm(x) W + b; the second if not gated
    - `mlp_act`: the input of the last map

    `residuals` selects what the backward pass saves besides x and the parameters:

    - "named": `mlp_gate` and `mlp_up`. The norm and the activation are recomputed, no
      matrix product is. Gradients are exact.
    - "int8": the same in int8, with a float32 scale of each row. The value is exact;
      the gradient is that at rounded products. First derivatives only. If the hidden
      features are sharded, the scale is a maximum over devices.
    - "recompute": nothing. The products are recomputed. Gradients are exact.
    - "all": what autodiff saves, without `jax.checkpoint`. A policy around the block
      then selects from the names.
    - A policy of `jax.checkpoint`, which may offload names to the memory of the host:
      `jax.checkpoint_policies.save_and_offload_only_these_names(…)`.

    Memory is saved in scanned layers; in unrolled ones XLA for CPU undoes it.

    >>> import jax
    >>> block = MLP(hidden=8, activation="gelu")
    >>> variables = block.init(jax.random.key(0), jnp.ones((2, 3)))
    >>> jax.tree.map(jnp.shape, variables["params"]["down"]["kernel"])
    (8, 3)

    Attributes:
        hidden: The size between the maps.
        activation: A function, or anything that `jax_acts.get` accepts. Keyword
            arguments that are no field are arguments of it.
        features: The size of the output; that of x if None.
        gated: Whether the activation of a gate is multiplied by `up`, as in SwiGLU:
            (f(x G) * x W) V. It may be a gated unit.
        kernel_names: The names of the kernels: ("up", "down"), if gated ("gate", "up",
            "down") by default and ("gate_proj", "up_proj", "down_proj") in Llama. Two
            names of a gated block are one kernel for gate and up, and down:
            ("gate_up_proj", "down_proj") in Phi-3.
        order: Which of gate and up comes first in a single kernel.
        layout: Whether they are halves of a single kernel or alternate, as in gpt-oss.
        use_bias: Whether the maps add a bias.
        dtype: The dtype of the computation.
        param_dtype: The dtype of the parameters.
        residuals: What the backward pass saves, see above.
        norm: A function or a module that is applied to x before the maps, and
            recomputed in the backward pass. None is the identity.
        kernel_init: The initializer of the kernels; with "match" the output kernel has
            that of the activation, and the others have the default.
    """

    hidden: int
    activation: Any
    features: int | None = None
    gated: bool = False
    kernel_names: tuple[str, ...] = ()
    order: Order = "gate_first"
    layout: Layout = "split"
    use_bias: bool = True
    dtype: DTypeLike | None = None
    param_dtype: DTypeLike = jnp.float32
    residuals: Residuals | Policy = "named"
    norm: Callable[[Array], Array] | None = None
    kernel_init: Any = nn.initializers.lecun_normal()

    def __post_init__(self) -> None:
        self.kernel_names = shared.kernel_names(self, shared.mlp_kernels(self.gated))
        shared.checkpoint_policy(self)
        super().__post_init__()

    @nn.compact
    def __call__(self, x: Array, **arguments: Any) -> Array:
        """Compute the block, of shape `(*batch, features)`."""
        dense = partial(
            nn.Dense,
            use_bias=self.use_bias,
            dtype=self.dtype,
            param_dtype=self.param_dtype,
        )
        last = shared.match_kernel(self.kernel_init, self.activation)
        default = nn.initializers.lecun_normal()
        first = default if self.kernel_init == "match" else self.kernel_init
        *inputs, output = self.kernel_names
        factor = 2 if self.gated and len(inputs) == 1 else 1

        def block(mlp: MLP, x: Array) -> Array:
            h = shared.name_input(x if mlp.norm is None else mlp.norm(x))
            products = [
                dense(factor * self.hidden, kernel_init=first, name=name)(h)
                for name in inputs
            ]
            products = shared.split_products(self, products, gated=self.gated)
            if self.residuals != "int8":
                products = shared.name_products(products)
            f = Activation(self.activation, self.param_dtype, name="activation")
            down = dense(self.features or x.shape[-1], kernel_init=last, name=output)
            drawn = f.draw(arguments)

            def finish(f: Any, down: Any, products: list[Array]) -> Array:
                return down(shared.activate(f, products, **drawn))

            y = finish(f, down, products)
            if self.residuals != "int8":
                return y
            applied = [partial(m.apply, v) for m, v in (f.unbind(), down.unbind())]
            pure = lambda *p: finish(applied[0], applied[1], [*p])
            return shared.with_int8_residuals(self, y, pure, products)

        policy = shared.checkpoint_policy(self)
        return (block if policy is None else nn.remat(block, policy=policy))(self, x)


# Instances report `Activation` as their `__class__`.
_IsActivation = type("_IsActivation", (), {"__class__": property(lambda _: Activation)})


@functools.cache
def _type_named(name: str) -> Any:
    """Return the subclass of `Activation` that `nn.tabulate` shows by this name.

    Tables show `type(module)`; linen derives the names of parameters from
    `module.__class__`, which stays `Activation`.
    """
    fill = lambda namespace: namespace.update(__module__=__name__)
    return types.new_class(name, (_IsActivation, Activation), exec_body=fill)


def _empty_activation(name: str) -> Activation:
    return object.__new__(_type_named(name))
