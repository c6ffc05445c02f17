"""Policies in specs beside the arguments: `residuals`, `kinks`, `implementation`."""

from collections.abc import Callable, Mapping
from typing import Any

from jax import Array

from jax_acts._core.activation import ActivationFunction
from jax_acts._core.bound import Bound
from jax_acts._core.kinks import with_kinks

POLICIES = ("kinks", "residuals", "implementation")


def policies(function: Callable[..., Array]) -> tuple[str, ...]:
    """Return the names of the policies; an argument of the same name goes before."""
    if not isinstance(function, ActivationFunction):
        return ()
    return tuple(n for n in POLICIES if n not in function.parameters)


def apply_policies(
    function: Callable[..., Array], arguments: Mapping[str, Any]
) -> Bound:
    """Bind the arguments of a function after applying the policies among them."""
    named = dict(arguments)
    given = {n: named.pop(n) for n in policies(function) if n in named}
    if not isinstance(function, ActivationFunction) or not given:
        return Bound(function, **named)
    if "kinks" in given:
        function = with_kinks(function, _kinks(given["kinks"]))
    if "residuals" in given:
        function = function.with_residuals(given["residuals"])
    if "implementation" in given:
        function = function.with_implementation(given["implementation"])
    return Bound(function, **named)


def _kinks(value: Any) -> dict[float, float]:
    """Return a map from kinks to derivatives, given as such or as pairs."""
    pairs = value.items() if isinstance(value, Mapping) else value
    try:
        return {float(x): float(dy) for x, dy in pairs}
    except (TypeError, ValueError):
        raise TypeError(
            f"kinks: expected pairs of numbers such as ((0.0, 0.5),), got {value!r}"
        ) from None
