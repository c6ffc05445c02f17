"""What there is to say of a function, as values of JSON."""

import inspect
import math
import re
from typing import Any

from jax_acts._activation import ActivationFunction
from jax_acts._bound import Bound, written
from jax_acts._curve import curve
from jax_acts._formula import formula, readable
from jax_acts._function import Function
from jax_acts.gain import gain
from jax_acts.registry import FUNCTIONS

Description = dict[str, Any]


def described(name: str) -> Description:
    """Returns what is known of a function: its formula, facts and arguments.

    >>> silu = described("silu")
    >>> silu["formula"], silu["arguments"]
    ('x σ(β x)', {'beta': 1.0})
    """
    function = FUNCTIONS[name]
    facts, elementwise = function.facts, isinstance(function, ActivationFunction)
    parameters = function.signature.parameters.values()
    return {
        "name": name,
        "family": family(function),
        "summary": prose(function).split("\n")[0],
        "formula": readable(formula(function)),
        "latex": formula(function),
        "range": [float(end) for end in facts.range] if elementwise else None,
        "domain": [float(end) for end in facts.domain] if elementwise else None,
        "kinks": {f"{x:g}": float(slope) for x, slope in facts.kinks.items()},
        "inputs": [p.name for p in parameters if p.default is p.empty],
        "arguments": {
            p.name: _default(p.default) for p in parameters if p.default is not p.empty
        },
        "cite": facts.cite.split(),
    }


def measured(bound: Bound) -> Description:
    """Returns what is computed of an activation: limits, value and slope at 0, gain.

    Of one that has no curve, it is the reason.

    >>> from jax_acts import get
    >>> measured(get("relu"))["limits"]
    [0.0, inf]
    """
    try:
        f, slope = curve(bound), curve(bound, 1)
    except ValueError as error:
        return {"curve": str(error)}
    low, zero, high = map(float, f([-math.inf, 0.0, math.inf]))
    try:
        scale = gain(bound)
    except (TypeError, ValueError):  # it is 0, or not defined for every number
        scale = math.nan
    at_0 = [zero, float(slope([0.0])[0])]
    return {"limits": [low, high], "at_0": at_0, "gain": scale}


def _default(value: Any) -> Any:
    """Returns the default of an argument; a function, or several, as a spec has it."""
    several = isinstance(value, tuple) and any(map(callable, value))
    return written(value) if several or callable(value) else value


def family(function: Function[...]) -> str:
    """Returns the name of the file that the function is in."""
    return function.__module__.rpartition(".")[2]


def prose(function: Function[...]) -> str:
    """Returns the docstring as plain text, without arguments and examples."""
    text = re.split(r"\n\s*(?:Args:|>>>)", inspect.getdoc(function) or "")[0]
    paragraphs = (" ".join(p.split()) for p in text.strip().split("\n\n"))
    return "\n\n".join(readable(paragraph) for paragraph in paragraphs)


def meanings(function: Function[...]) -> dict[str, str]:
    """Returns what the docstring says of each argument.

    >>> from jax_acts import leaky_relu
    >>> meanings(leaky_relu)
    {'x': 'The input.', 'negative_slope': 'α.'}
    """
    section = re.search(r"Args:\n((?: .*\n?)+)", inspect.getdoc(function) or "")
    if section is None:
        return {}
    lines = re.findall(r"^    (\w+): ((?:.*\n?)(?:     +.*\n?)*)", section[1], re.M)
    return {name: readable(" ".join(text.split())) for name, text in lines}
