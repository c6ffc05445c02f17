"""What the linen and the nnx layers share."""

from collections.abc import Iterable, Mapping
from typing import Any

from jax_acts._core.bound import Bound
from jax_acts._core.errors import did_you_mean
from jax_acts._registry.lookup import get


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


def mlp_kernel_names(
    layer: str, names: Iterable[str] | None, gated: bool
) -> tuple[str, ...]:
    """Return the kernel names of an MLP, checked: inputs first, output last."""
    if names is None:
        return ("gate", "up", "down") if gated else ("up", "down")
    valid = "(gate, up, down) or (gate and up, down)" if gated else "(up, down)"
    return _check_names(layer, names, valid, {2, 3} if gated else {2})


def gate_kernel_names(layer: str, names: str | Iterable[str]) -> tuple[str, ...]:
    """Return the kernel names of a gated layer, checked: two, or one for both."""
    names = (names,) if isinstance(names, str) else names
    return _check_names(layer, names, "(gate, up) or one name of both", {1, 2})


def _check_names(
    layer: str, names: Iterable[str], valid: str, counts: set[int]
) -> tuple[str, ...]:
    names = tuple(names)
    if not all(isinstance(n, str) for n in names) or (
        len(names) not in counts or len(set(names)) < len(names)
    ):
        raise ValueError(f"{layer}: kernel_names: expected {valid}, got {names!r}")
    return names


def type_name(activation: Bound) -> str:
    """Return the name that tables of layers show for an activation."""
    has_arrays = any(hasattr(v, "shape") for v in activation.arguments.values())
    return f"{activation.name}(…)" if has_arrays else str(activation)
