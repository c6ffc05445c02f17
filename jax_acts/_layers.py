"""Options and computations that the linen and the nnx layers share.

The intermediates of a block have names, which a policy of `jax.checkpoint` selects:

    x --norm--> mlp_in --kernels--> mlp_gate, mlp_up --activation--> mlp_act --down--> y
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, get_args

import jax
from jax import Array
from jax.ad_checkpoint import checkpoint_name

from jax_acts._core.bound import Bound
from jax_acts._core.errors import check_choice, did_you_mean
from jax_acts._core.glu import Layout, Order, split_gate
from jax_acts._core.residuals import save_int8
from jax_acts._registry.lookup import get
from jax_acts.initializers import initializer

Residuals = Literal["named", "int8", "recompute", "all"]
Policy = Callable[..., Any]
"""A policy of `jax.checkpoint`."""
_PRODUCTS = ("mlp_gate", "mlp_up")
_SAVE_PRODUCTS = jax.checkpoint_policies.save_only_these_names(*_PRODUCTS)
_POLICIES: dict[str, Policy | None] = {
    "named": _SAVE_PRODUCTS,
    "int8": _SAVE_PRODUCTS,  # int8 and scale have the names
    "recompute": jax.checkpoint_policies.nothing_saveable,
    "all": None,
}


def layer_activation(
    layer: str, activation: Any, arguments: Mapping[str, Any], options: Iterable[str]
) -> Bound:
    """Return the activation of a layer.

    Args:
        layer: The class, for error messages.
        activation: Anything that `get` accepts. A layer is rejected, because nothing
            would own its parameters.
        arguments: Arguments of the activation.
        options: The names of the options of the layer, to suggest for a misspelled one.
    """
    types = () if isinstance(activation, type) else type(activation).__mro__
    if any(t.__module__.startswith("flax.") for t in types):
        raise TypeError(
            f"{layer}: expected the name, function or spec of an activation, got a "
            f"layer: {type(activation).__name__}"
        )
    try:
        return get(activation, **arguments)
    except TypeError as error:
        hints = "".join(did_you_mean(name, options) for name in arguments)
        raise TypeError(f"{layer}: {error}{hints}") from None


def match_kernel(init: Any, activation: Bound) -> Any:
    """Return the initializer; for "match", that of kernels after the activation."""
    if not isinstance(init, str):
        return init
    check_choice("kernel_init", "name", init, ("match",))
    return initializer(activation)


def draws(activation: Bound) -> bool:
    """Return whether an activation takes a PRNG key that it does not have.

    >>> draws(get("gumbel_softmax")), draws(get("softmax"))
    (True, False)
    """
    parameters = getattr(activation.function, "parameters", ())
    return "key" in parameters and activation.arguments.get("key") is None


def kernel_names(layer: Any, default: tuple[str, ...]) -> tuple[str, ...]:
    """Check the options of the kernels of a layer; return as many names as by default.

    Gate and up may share one name.
    """
    where = _path(layer)
    check_choice(where, "order", layer.order, get_args(Order))
    check_choice(where, "layout", layer.layout, get_args(Layout))
    names = layer.kernel_names or default
    names = (names,) if isinstance(names, str) else tuple(names)
    for name in names:
        if name == "activation" or (isinstance(name, str) and hasattr(layer, name)):
            raise ValueError(
                f"{where}: kernel_names: expected names that the layer does not use, "
                f"got {name!r}"
            )
    gated = "gate" in default
    counts = (len(default), len(default) - gated)
    are_strings = all(isinstance(n, str) for n in names)
    if not are_strings or len(names) not in counts or len({*names}) < len(names):
        packed = " or one name of both gate and up" if gated else ""
        raise ValueError(
            f"{where}: kernel_names: expected ({', '.join(default)}){packed}, got "
            f"{names!r}"
        )
    return names


def mlp_kernels(gated: bool) -> tuple[str, ...]:
    """Return the default kernel names of an MLP, the output last."""
    return ("gate", "up", "down") if gated else ("up", "down")


def checkpoint_policy(layer: Any) -> Policy | None:
    """Check the residuals of a layer and return their policy."""
    residuals = layer.residuals
    if callable(residuals):
        return residuals
    check_choice(_path(layer), "residuals", residuals, get_args(Residuals))
    return _POLICIES[residuals]


def name_input(x: Array) -> Array:
    """Return x, named as the input of the kernels."""
    return checkpoint_name(x, "mlp_in")


def split_products(layer: Any, products: list[Array], *, gated: bool) -> list[Array]:
    """Return gate and up, or up, from the products of the kernels."""
    if gated and len(products) == 1:
        axis = products[0].ndim - 1
        return [*split_gate(products[0], axis, layer.order, layer.layout)]
    return products


def name_products(products: list[Array]) -> list[Array]:
    """Return gate and up, or up, with their names."""
    names = _PRODUCTS[-len(products) :]
    return [*map(checkpoint_name, products, names)]


def activate(
    activation: Callable[..., Array], products: list[Array], **arguments: Any
) -> Array:
    """Apply an activation to up, or to gate and up."""
    x, *up = products
    if up:
        arguments["up"] = up[0]
    return checkpoint_name(activation(x, **arguments), "mlp_act")


def with_int8_residuals(
    layer: Any, y: Array, finish: Callable[..., Array], products: list[Array]
) -> Array:
    """Return y = finish(*products), differentiated at the products rounded to int8."""
    where = f"{_path(layer)}: residuals='int8'"
    return save_int8(where, y, finish, products, _PRODUCTS[-len(products) :])


def _path(layer: Any) -> str:
    """Return module and class of a layer, for error messages."""
    return f"{layer.__module__.rpartition('.')[2]}.{layer.__class__.__name__}"


def type_name(activation: Bound) -> str:
    """Return the name that tables of layers show for an activation."""
    has_arrays = any(hasattr(v, "shape") for v in activation.arguments.values())
    return f"{activation.name}(…)" if has_arrays else str(activation)
