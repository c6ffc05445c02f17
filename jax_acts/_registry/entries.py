"""Entries of dialect tables: their meanings, signatures and variants."""

import inspect
from collections.abc import Callable
from typing import Any

from jax_acts._core.arguments import literal_values
from jax_acts._core.errors import check_choice, did_you_mean
from jax_acts._registry.dialects.table import Entry, Meaning
from jax_acts._registry.parser import Spec


def default_meaning(entry: Entry) -> Meaning:
    """Return the meaning with default arguments; `...` stands for a required one."""
    if isinstance(entry, str):
        return entry, {}
    parameters = inspect.signature(entry).parameters.values()
    return entry(**{p.name: ... for p in parameters if p.default is p.empty})


def variants(entry: Entry) -> list[tuple[str, Meaning]]:
    """Return the signatures of an entry as strings, each with its meaning.

    >>> from jax_acts._registry.dialects import ONNX
    >>> variants(ONNX["HardSigmoid"])
    [('(alpha=0.2, beta=0.5)', ('hard_sigmoid', {'slope': 0.2, 'offset': 0.5}))]
    >>> [name for _, (name, _) in variants(ONNX["Gelu"])]
    ['gelu_exact', 'gelu_tanh']
    """
    if isinstance(entry, str):
        return [("", default_meaning(entry))]
    parameters = inspect.signature(entry).parameters.values()
    choices = [(p.name, value) for p in parameters for value in _choices(p)]
    if choices:
        return [(f"({name}={v!r})", entry(**{name: v})) for name, v in choices]
    inside = ", ".join(
        p.name if p.default is p.empty else f"{p.name}={p.default!r}"
        for p in parameters
    )
    return [(f"({inside})" if inside else "", default_meaning(entry))]


def bind_arguments(entry: Callable[..., Meaning], spec: Spec) -> dict[str, Any]:
    """Return the arguments of a spec by the names of its dialect.

    Raises:
        TypeError: An argument is unknown or missing.
        ValueError: A value is not one of the few valid ones.
    """
    signature = inspect.signature(entry)
    where = f"{spec.dialect}:{spec.name}"
    try:
        arguments = signature.bind(*spec.positional, **spec.named).arguments
    except TypeError as error:
        unknown = [n for n in spec.named if n not in signature.parameters]
        near = "".join(did_you_mean(n, signature.parameters) for n in unknown)
        raise TypeError(f"{where}{variants(entry)[0][0]}: {error}{near}") from None
    for name, value in arguments.items():
        if choices := _choices(signature.parameters[name]):
            check_choice(where, name, value, choices)
    return arguments


def format_meaning(meaning: Meaning) -> str:
    """Return a meaning as a spec, with `…` for a required argument.

    >>> format_meaning(("softmax", {"axis": ...}))
    'softmax(axis=…)'
    """
    name, values = meaning
    inside = ", ".join(f"{n}={'…' if v is ... else repr(v)}" for n, v in values.items())
    return f"{name}({inside})" if inside else name


def _choices(parameter: inspect.Parameter) -> tuple[Any, ...]:
    """Return the valid values of a parameter that is `bool` or `Literal`."""
    annotation = parameter.annotation
    return (True, False) if annotation is bool else literal_values(annotation)
