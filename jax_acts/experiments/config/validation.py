"""What pydantic finds wrong with a config, in the words of its keys and of TOML."""

import re
import types
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from jax_acts.experiments.config.errors import Problem, hint

Path = Sequence[str | int]
"""Keys and places in lists, from the outside in."""

_SAID = {
    "too_short": "should have {min_length} or more entries",
    "too_long": "should have {max_length} or fewer entries",
    "tuple_type": "should be a list",
    "model_attributes_type": "should be a table of keys",
    "model_type": "should be a table of keys",
    "string_pattern_mismatch": "should be of letters, digits and _.- alone",
}
"""Pydantic's words for Python's types, in the words of TOML."""


def explained(
    error: ValidationError, schema: type[BaseModel], raw: Mapping[str, Any]
) -> list[Problem]:
    """Returns a problem for each fault, with the nearest valid name if there is one."""
    faults = error.errors(include_url=False)
    spoiled = {fault["loc"][:-1] for fault in faults}
    return [
        _explained(fault, schema, raw)
        for fault in faults
        # A list is not too short where an entry of it is wrong and is not counted.
        if not (fault["type"] == "too_short" and fault["loc"] in spoiled)
    ]


def _explained(
    fault: ErrorDetails, schema: type[BaseModel], raw: Mapping[str, Any]
) -> Problem:
    path, tags = _path(fault["loc"], raw)
    key = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in path)[1:]
    value, context = fault["input"], fault.get("ctx", {})
    match fault["type"]:
        case "extra_forbidden":
            known = _keys(schema, path[:-1], tags)
            near = hint(str(path[-1]), known) or hint(key, _all_keys(schema))
            said = f"unknown key '{key}'{near} (keys here: {', '.join(known)})"
        case "missing":
            said = f"the key '{key}' is missing"
        case "union_tag_invalid":
            key = f"{key}.{_quoted(context['discriminator'])[0]}"
            said = _choice(key, context["tag"], _quoted(context["expected_tags"]))
        case "literal_error":
            said = _choice(key, value, _quoted(context["expected"]))
        case "value_error":
            said = f"{key}: {context['error']}"
        case kind if kind in _SAID:
            said = f"{key} = {_short(value)}: {_SAID[kind].format(**context)}"
        case _:
            said = f"{key} = {_short(value)}: {fault['msg'].removeprefix('Input ')}"
    return Problem(key, said)


def _quoted(text: str) -> list[str]:
    """Returns the names that stand in quotation marks.

    >>> _quoted("'constant' or 'cosine'")
    ['constant', 'cosine']
    """
    return re.findall(r"'([^']*)'", text)


def _choice(key: str, value: Any, choices: Sequence[str]) -> str:
    return (
        f"{key} = {_short(value)}: no such choice{hint(str(value), choices)} "
        f"(choices: {', '.join(choices)})"
    )


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _path(location: Path, raw: Any) -> tuple[list[str | int], list[str | int]]:
    """Returns pydantic's location without the tags of unions, and these tags."""
    path, tags = [], []
    for n, part in enumerate(location):
        match raw, part:
            case Mapping(), str() if part in raw:
                raw = raw[part]
            case list(), int():
                raw = raw[part]
            case _ if n < len(location) - 1:
                tags.append(part)
                continue
        path.append(part)
    return path, tags


def _keys(schema: type[BaseModel], path: Path, tags: Path) -> list[str]:
    """Returns the keys that the table at `path` may have."""
    models = [schema]
    for part in path:
        fields = [m.model_fields[part] for m in models if part in m.model_fields]
        models = [model for f in fields for model in _models(f.annotation)]
        tagged = [m for m in models if set(tags) & _literals(m)]
        models = tagged or models
    return list(dict.fromkeys(k for m in models for k in m.model_fields))


def _all_keys(schema: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Yields the dotted keys of a schema and of the tables in it."""
    for name, field in schema.model_fields.items():
        yield f"{prefix}{name}"
        for model in _models(field.annotation):
            yield from _all_keys(model, f"{prefix}{name}.")


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) is not None or isinstance(annotation, types.UnionType):
        for inner in get_args(annotation):
            yield from _models(inner)


def _literals(model: type[BaseModel]) -> set[Any]:
    """Returns the values of the fields that have only one value: the tags."""
    annotations = [f.annotation for f in model.model_fields.values()]
    return {
        value for a in annotations if get_origin(a) is Literal for value in get_args(a)
    }
