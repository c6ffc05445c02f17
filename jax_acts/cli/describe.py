"""Descriptions of functions as JSON values."""

import inspect
import math
import re
from typing import Any

from jax_acts._core.activation import ActivationFunction
from jax_acts._core.bound import Bound, format_argument
from jax_acts._core.curves import curve
from jax_acts._core.function import Function
from jax_acts._core.latex import formula, to_unicode
from jax_acts._registry.lookup import FUNCTIONS
from jax_acts.initializers import gain

Description = dict[str, Any]


def describe(name: str) -> Description:
    """Return the formula, metadata and arguments of a function.

    >>> silu = describe("silu")
    >>> silu["formula"], silu["arguments"]
    ('x σ(β x)', {'beta': 1.0})
    """
    function = FUNCTIONS[name]
    spec, elementwise = function.spec, isinstance(function, ActivationFunction)
    parameters = function.signature.parameters.values()
    return {
        "name": name,
        "family": function.__module__.rpartition(".")[2],
        "summary": prose(function).split("\n")[0],
        "formula": to_unicode(formula(function)),
        "latex": formula(function),
        "range": [float(end) for end in spec.range] if elementwise else None,
        "domain": [float(end) for end in spec.domain] if elementwise else None,
        "kinks": {f"{x:g}": float(dy) for x, dy in spec.kinks.items()},
        "inputs": [p.name for p in parameters if p.default is p.empty],
        "arguments": {
            p.name: _default(p.default) for p in parameters if p.default is not p.empty
        },
        "cite": spec.cite.split(),
    }


def measure(bound: Bound) -> Description:
    """Compute limits, value and derivative at 0, and gain of an activation.

    If it is not elementwise, return the reason.

    >>> from jax_acts import get
    >>> measure(get("relu"))["limits"]
    [0.0, inf]
    """
    try:
        f, derivative = curve(bound), curve(bound, 1)
    except ValueError as error:
        return {"curve": str(error)}
    low, zero, high = map(float, f([-math.inf, 0.0, math.inf]))
    try:
        scale = gain(bound)
    except (TypeError, ValueError):  # the second moment is 0 or not finite
        scale = math.nan
    at_0 = [zero, float(derivative([0.0])[0])]
    return {"limits": [low, high], "at_0": at_0, "gain": scale}


def _default(value: Any) -> Any:
    """Return the default of an argument; functions as in a spec."""
    has_functions = isinstance(value, tuple) and any(map(callable, value))
    return format_argument(value) if has_functions or callable(value) else value


def prose(function: Function[...]) -> str:
    """Return the docstring as text, without arguments and examples."""
    text = re.split(r"\n\s*(?:Args:|>>>)", inspect.getdoc(function) or "")[0]
    paragraphs = (" ".join(p.split()) for p in text.strip().split("\n\n"))
    return "\n\n".join(to_unicode(paragraph) for paragraph in paragraphs)


def argument_descriptions(function: Function[...]) -> dict[str, str]:
    """Return the section "Args" of the docstring.

    >>> from jax_acts import leaky_relu
    >>> argument_descriptions(leaky_relu)
    {'x': 'The input.', 'negative_slope': 'α.'}
    """
    section = re.search(r"Args:\n((?: .*\n?)+)", inspect.getdoc(function) or "")
    if section is None:
        return {}
    items = re.findall(r"^    (\w+): ((?:.*\n?)(?:     +.*\n?)*)", section[1], re.M)
    return {name: to_unicode(" ".join(text.split())) for name, text in items}
