"""Config errors: one line per fault, with the key, its value and what is expected."""

import difflib
import re
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails


class ConfigIssue(NamedTuple):
    """A fault of a config: its dotted key, and the message without the file name."""

    key: str
    message: str


class ConfigError(Exception):
    """An invalid config, with every fault in it."""

    def __init__(self, *issues: ConfigIssue) -> None:
        super().__init__(*issues)  # pickle restores from these
        self.issues = issues

    def __str__(self) -> str:
        return "; ".join(issue.message for issue in self.issues)


class MissingDataError(ConfigError):
    """The data are not on this machine; the message says how to get them."""


class RunError(Exception):
    """A run cannot start or resume, for a reason outside its config."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return "; did you mean 'relu'?", or "" where no known name is near.

    Case and a prefix before the last dot do not count as a difference.

    >>> did_you_mean("rellu", ["relu", "tanh"])
    "; did you mean 'relu'?"
    >>> did_you_mean("x_train", ["X_train", "y_train"])
    "; did you mean 'X_train'?"
    """
    names = {k.lower(): k for k in reversed([*known])}
    near = difflib.get_close_matches(name.lower(), list(names), 1)
    return f"; did you mean {names[near[0]]!r}?" if near else ""


_EXPECTED = {
    "bool_type": "true or false",
    "dict_type": "a table of keys",
    "finite_number": "a finite number",
    "float_type": "a number",
    "greater_than": "a number > {gt:g}",
    "greater_than_equal": "a number >= {ge:g}",
    "int_from_float": "an integer",
    "int_type": "an integer",
    "less_than": "a number < {lt:g}",
    "less_than_equal": "a number <= {le:g}",
    "model_attributes_type": "a table of keys",
    "model_type": "a table of keys",
    "path_type": "a path",
    "string_pattern_mismatch": "letters, digits, '_', '.' and '-' only",
    "string_too_long": "at most {max_length} characters",
    "string_type": "a string",
    "too_long": "{max_length} entries or fewer",
    "too_short": "{min_length} or more entries",
    "tuple_type": "a list",
}
"""Expectation for each type of pydantic error, in the words of TOML.

Pydantic (like pydantic-settings, typer and Hydra) renders a paragraph per fault in the
words of Python types, without the nearest key or the dotted key of another section.
"""

_SYNONYMS = {
    "lr": "learning_rate",
    "learning_rate": "learning_rate",
    "wd": "weight_decay",
    "bs": "batch_size",
    "label": "label_column",
    "target": "label_column",
    "file": "path",
    "folder": "path",
    "set": "name",
    "dataset": "name",
}
"""Other words for keys, which no spelling distance finds."""


def config_errors(
    error: ValidationError, schema: type[BaseModel], raw: Mapping[str, Any]
) -> list[ConfigIssue]:
    """Return an issue for each fault, with the nearest valid name if there is one."""
    faults = error.errors(include_url=False)
    parents = {fault["loc"][:-1] for fault in faults}
    return [
        _issue(fault, schema, raw)
        for fault in faults
        # A list with an invalid entry is reported as too short as well.
        if not (fault["type"] == "too_short" and fault["loc"] in parents)
    ]


def _issue(
    fault: ErrorDetails, schema: type[BaseModel], raw: Mapping[str, Any]
) -> ConfigIssue:
    path, tags = _path(fault["loc"], raw)
    key = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in path)[1:]
    value, context = fault["input"], fault.get("ctx", {})
    match fault["type"]:
        case "extra_forbidden":
            keys = _keys(schema, path[:-1], tags)
            near = _nearest_key(str(path[-1]), key, keys, schema)
            message = f"{key}: expected one of {', '.join(keys)}{near}"
        case "missing":
            message = f"{key}: expected a value, got none"
        case "union_tag_invalid":
            key = f"{key}.{_quoted(context['discriminator'])[0]}"
            message = _choice(key, context["tag"], _quoted(context["expected_tags"]))
        case "literal_error" if _quoted(context["expected"]):
            message = _choice(key, value, _quoted(context["expected"]))
        case "value_error":
            message = f"{_assign(key, value)}: {context['error']}"
        case kind if kind in _EXPECTED:
            expected = _EXPECTED[kind].format(**context)
            message = f"{_assign(key, value)}: expected {expected}"
        case _:
            expected = fault["msg"].removeprefix("Input should be ")
            message = f"{_assign(key, value)}: expected {expected}"
    return ConfigIssue(key, message)


def _nearest_key(
    name: str, key: str, keys: Sequence[str], schema: type[BaseModel]
) -> str:
    """Return the nearest key of the table, else of the whole config."""
    if near := did_you_mean(name, keys):
        return near
    known = [*_all_keys(schema)]
    by_last = {k.rpartition(".")[2]: k for k in reversed(known)}
    last = _SYNONYMS.get(name, name)
    if last in by_last:
        same_table = [k for k in known if k == f"{key.rpartition('.')[0]}.{last}"]
        return f"; did you mean {(same_table or [by_last[last]])[0]!r}?"
    return did_you_mean(name, by_last) and _qualify(
        did_you_mean(name, by_last), by_last
    )


def _qualify(hint: str, by_last: Mapping[str, str]) -> str:
    name = _quoted(hint)[0]
    return hint.replace(repr(name), repr(by_last[name]))


def _quoted(text: str) -> list[str]:
    """Return the names in quotation marks.

    >>> _quoted("'constant' or 'cosine'")
    ['constant', 'cosine']
    """
    return re.findall(r"'([^']*)'", text)


def _choice(key: str, value: Any, choices: Sequence[str]) -> str:
    near = did_you_mean(str(value), choices)
    return f"{_assign(key, value)}: expected {' or '.join(choices)}{near}"


def _assign(key: str, value: Any) -> str:
    text = repr(value)
    if isinstance(value, Mapping) or not key:
        return key or "config"
    return f"{key} = {text if len(text) <= 60 else f'{text[:57]}...'}"


def _path(
    location: Sequence[str | int], raw: Any
) -> tuple[list[str | int], list[str | int]]:
    """Return pydantic's location without the tags of unions, and these tags."""
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


def _keys(
    schema: type[BaseModel], path: Sequence[str | int], tags: Sequence[str | int]
) -> list[str]:
    """Return the valid keys of the table at `path`."""
    models = [schema]
    for part in path:
        fields = [m.model_fields[part] for m in models if part in m.model_fields]
        models = [model for f in fields for model in _models(f.annotation)]
        tagged = [m for m in models if set(tags) & _literals(m)]
        models = tagged or models
    return list(dict.fromkeys(k for m in models for k in m.model_fields))


def _all_keys(schema: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Yield the dotted keys of a schema and of its tables."""
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
    """Return the values of the fields of a single value: the tags of a union."""
    annotations = [f.annotation for f in model.model_fields.values()]
    return {
        value for a in annotations if get_origin(a) is Literal for value in get_args(a)
    }
