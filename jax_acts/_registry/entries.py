"""The entries of the tables of dialects: what each means, and with which arguments."""

import inspect
from collections.abc import Callable
from typing import Any, Literal, get_args, get_origin

from jax_acts._core.errors import did_you_mean
from jax_acts._registry.dialects import Entry, Meaning
from jax_acts._registry.parser import Spec


def meaning(entry: Entry) -> Meaning:
    """Returns what an entry means by default, with `...` for what it must be given."""
    if isinstance(entry, str):
        return entry, {}
    parameters = inspect.signature(entry).parameters.values()
    return entry(**{p.name: ... for p in parameters if p.default is p.empty})


def variants(entry: Entry) -> list[tuple[str, Meaning]]:
    """Returns the ways to call an entry, as text, with the meaning of each.

    >>> from jax_acts._registry.dialects import ONNX
    >>> variants(ONNX["HardSigmoid"])
    [('(alpha=0.2, beta=0.5)', ('hard_sigmoid', {'slope': 0.2, 'offset': 0.5}))]
    >>> [name for _, (name, _) in variants(ONNX["Gelu"])]
    ['gelu_exact', 'gelu_tanh']
    """
    if isinstance(entry, str):
        return [("", meaning(entry))]
    parameters = inspect.signature(entry).parameters.values()
    chosen = [(p.name, value) for p in parameters for value in _choices(p)]
    if chosen:
        return [(f"({name}={v!r})", entry(**{name: v})) for name, v in chosen]
    inside = ", ".join(
        p.name if p.default is p.empty else f"{p.name}={p.default!r}"
        for p in parameters
    )
    return [(f"({inside})" if inside else "", meaning(entry))]


def arguments(entry: Callable[..., Meaning], spec: Spec) -> dict[str, Any]:
    """Returns the arguments of a spec, by the names that its library has for them.

    Raises:
        TypeError: One is unknown or missing.
        ValueError: One is not among the few that it may be.
    """
    signature = inspect.signature(entry)
    called = f"{spec.dialect}:{spec.name}"
    try:
        given = signature.bind(*spec.positional, **spec.named).arguments
    except TypeError as error:
        unknown = [n for n in spec.named if n not in signature.parameters]
        near = "".join(did_you_mean(n, list(signature.parameters)) for n in unknown)
        raise TypeError(f"{called}{variants(entry)[0][0]}: {error}{near}") from None
    for name, value in given.items():
        choices = _choices(signature.parameters[name])
        if choices and value not in choices:
            raise ValueError(f"{name} of {called} is one of {choices}, not {value!r}")
    return given


def format_meaning(meaning: Meaning) -> str:
    """Returns a meaning as the text of a spec, with `…` for what it must be given.

    >>> written(("softmax", {"axis": ...}))
    'softmax(axis=…)'
    """
    name, values = meaning
    inside = ", ".join(f"{n}={'…' if v is ... else repr(v)}" for n, v in values.items())
    return f"{name}({inside})" if inside else name


def _choices(parameter: inspect.Parameter) -> tuple[Any, ...]:
    """Returns the values that an argument may have, where they are few."""
    if parameter.annotation is bool:
        return True, False
    literal = get_origin(parameter.annotation) is Literal
    return get_args(parameter.annotation) if literal else ()
