"""Config errors: one line per fault, with the key, its value and what is expected."""

import difflib
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from jax_acts._core.errors import did_you_mean


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


@contextmanager
def value_errors_at(key: str, value: object) -> Iterator[None]:
    """Turn an exception about the value of a key into a ConfigError.

    A FileNotFoundError becomes a MissingDataError.
    """
    try:
        yield
    except _DATA_ERRORS as error:
        kind = MissingDataError if isinstance(error, FileNotFoundError) else ConfigError
        message = str(error) or type(error).__name__
        raise kind(ConfigIssue(key, f"{key} = {value!r}: {message}")) from None


_DATA_ERRORS = (
    *(ArithmeticError, EOFError, MemoryError, NotImplementedError, OSError),
    *(RecursionError, ValueError, zlib.error),
)
"""Errors of invalid values and damaged files; others are faults of the program."""
MAX_ISSUES = 20
"""Faults of a config that are reported; of the others their number is."""


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


T = TypeVar("T", bound=BaseModel)


def validate(
    schema: type[T], raw: Mapping[str, Any], directory: Path | None = None
) -> T:
    """Return the config; relative paths are resolved against the directory.

    Raises:
        ConfigError: There are faults; it has one issue for each, with the nearest valid
            name if there is one.
    """
    try:
        return schema.model_validate(raw, context={"directory": directory})
    except ValidationError as error:
        faults = error.errors(include_url=False)
    total = len(faults)
    parents = {fault["loc"][:-1] for fault in faults}
    issues = [
        _issue(fault, schema)
        for fault in faults[:MAX_ISSUES]
        # A list with an invalid entry is reported as too short as well.
        if not (fault["type"] == "too_short" and fault["loc"] in parents)
    ]
    if total > MAX_ISSUES:
        issues.append(ConfigIssue("", f"config: {total - MAX_ISSUES:,} more errors"))
    raise ConfigError(*issues)


def _issue(fault: ErrorDetails, schema: type[BaseModel]) -> ConfigIssue:
    key, table = _resolve(schema, fault["loc"])
    value, context = fault["input"], fault.get("ctx", {})
    match fault["type"]:
        case "extra_forbidden":
            keys = list(dict.fromkeys(name for m in table for name in m.model_fields))
            near = _nearest_key(key, keys, schema)
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
        case kind:
            expected = fault["msg"].removeprefix("Input should be ")
            if kind in _EXPECTED:
                expected = _EXPECTED[kind].format(**context)
            message = f"{_assign(key, value)}: expected {expected}"
    return ConfigIssue(key, message)


def _resolve(
    schema: type[BaseModel], location: Sequence[str | int]
) -> tuple[str, list[type[BaseModel]]]:
    """Return the dotted key of pydantic's location, and the schemas of its table."""
    key, table, schemas = "", [schema], [schema]
    for part in location:
        is_tagged = len(schemas) > 1 and isinstance(part, str)
        tagged = [m for m in schemas if is_tagged and part in _defaults(m)]
        if tagged:  # the location names the member of a union
            schemas = tagged
            continue
        table = schemas
        if isinstance(part, int):
            key += f"[{part}]"
        else:
            key += f".{part}"
            fields = [m.model_fields[part] for m in schemas if part in m.model_fields]
            schemas = [m for field in fields for m in _models(field.annotation)]
    return key.removeprefix("."), table


def _defaults(schema: type[BaseModel]) -> list[Any]:
    return [field.default for field in schema.model_fields.values()]


def _nearest_key(key: str, keys: Sequence[str], schema: type[BaseModel]) -> str:
    """Return the nearest key of the table, else of the whole config."""
    table, _, name = key.rpartition(".")
    if near := did_you_mean(name, keys):
        return near
    dotted = sorted(_all_keys(schema), key=lambda k: k.rpartition(".")[0] != table)
    by_name = {k.rpartition(".")[2]: k for k in reversed(dotted)}
    close = difflib.get_close_matches(_SYNONYMS.get(name, name), by_name, 1)
    return f"; did you mean {by_name[close[0]]!r}?" if close else ""


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
    if isinstance(value, Mapping) or not key:
        return key or "config"
    text = repr(value)
    return f"{key} = {text if len(text) <= 60 else f'{text[:57]}...'}"


def _all_keys(schema: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Yield the dotted keys of a schema and of its tables."""
    for name, field in schema.model_fields.items():
        yield f"{prefix}{name}"
        for model in _models(field.annotation):
            yield from _all_keys(model, f"{prefix}{name}.")


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)
