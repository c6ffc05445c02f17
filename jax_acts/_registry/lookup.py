"""Lookup by name. The registry is the namespace of `jax_acts.functional`.

    name in a dialect  --DIALECTS-->  name in the catalog  --FUNCTIONS-->  function

A name without a dialect is looked up in the catalog first.
"""

import difflib
import functools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from jax import Array

from jax_acts import functional
from jax_acts._core.bound import Bound
from jax_acts._core.errors import did_you_mean
from jax_acts._core.function import Function
from jax_acts._core.spec import InnerFunction, InnerFunctions
from jax_acts._registry.dialects import DIALECTS, IGNORED, OWN, ROOTS
from jax_acts._registry.dialects.table import Entry, Meaning
from jax_acts._registry.entries import (
    bind_arguments,
    default_meaning,
    format_meaning,
    variants,
)
from jax_acts._registry.parser import Spec, decode, parse_spec

FUNCTIONS: Mapping[str, Function[...]] = MappingProxyType(
    {k: v for k, v in vars(functional).items() if isinstance(v, Function)}
)
"""Every function by each of its names in `jax_acts.functional`."""

DEFAULT_DIALECT = "jax_acts"

Describable = (
    str | Bound | Callable[..., Array] | Mapping[str, Any] | Sequence[Any] | None
)
"""The types that `get` accepts."""


class Alias(NamedTuple):
    """A name of a function in a dialect."""

    dialect: str
    call: str
    """The name with its arguments in that dialect."""
    meaning: str
    """The spec that it stands for, with `…` for a required argument."""


def get(
    spec: Describable = None, dialect: str | None = None, **arguments: Any
) -> Bound:
    """Return the activation that a spec describes.

    A spec is a name, optionally with a dialect and arguments; a dict with the key
    "name" and arguments; a pair of a name and such a dict; a function; a `Bound`; or
    None, which is the identity.

    Without a dialect, a name of `jax.nn` means what `jax.nn` means; another name must
    have the same meaning in all dialects that have it. Case and punctuation are
    ignored, and of a dotted name all but the last part, unless a library distinguishes
    names by them.

    >>> get("leaky_relu(negative_slope=0.2)")
    Bound('leaky_relu(negative_slope=0.2)')
    >>> get("torch:hardshrink", lambd=0.3)
    Bound('hard_shrink(threshold=0.3)')
    >>> get({"name": "leaky_relu", "negative_slope": {"learn": 0.25}})
    Bound('leaky_relu(negative_slope=Learn(0.25))')
    >>> get("affine(rate=2.0, of=tanh)") == get("affine", rate=2.0, of="tanh")
    True

    Args:
        spec: The activation.
        dialect: The library that the name belongs to, unless the name states one.
        **arguments: Further arguments, by their names in that dialect.

    Raises:
        ValueError: The text is malformed, or the name is unknown or ambiguous.
        TypeError: An argument is unknown, missing or of the wrong type.
    """
    if dialect is not None:
        _table(dialect)  # raises for an unknown dialect
    match spec:
        case None:
            parsed = Spec("identity", DEFAULT_DIALECT)
        case str():
            parsed = parse_spec(spec)
        case Mapping():
            parsed = _from_dict(spec)
        case [str() as name, Mapping() as named]:
            parsed = _from_dict({**named, "name": name})
        case Bound():
            return Bound(spec.function, **{**spec.arguments, **arguments})
        case _ if callable(spec) and not isinstance(spec, type):
            return Bound(spec, **arguments)
        case _:
            raise TypeError(
                f"get: expected a name, a function or a dict with a name, got {spec!r}"
            )
    named = {n: decode(v) for n, v in {**parsed.named, **arguments}.items()}
    root = ROOTS.get(parsed.name.split(".")[0]) if "." in parsed.name else None
    dialect = parsed.dialect or root or dialect or DEFAULT_DIALECT
    named = {n: v for n, v in named.items() if n not in IGNORED.get(dialect, ())}
    return _resolve(Spec(parsed.name, dialect, parsed.positional, named))


def names() -> tuple[str, ...]:
    """Return the name of every function of the catalog.

    >>> "silu" in names(), "swish" in names()
    (True, False)
    """
    return tuple(dict.fromkeys(f.__name__ for f in FUNCTIONS.values()))


def aliases(name: str) -> list[Alias]:
    """Return all names of a function, those of jax_acts first.

    >>> aliases("hard_shrink")[-1]
    Alias(dialect='mlx', call='HardShrink(lambd=0.5)', meaning='hard_shrink')
    """
    return [
        Alias(dialect, spelling + call, _format_spec(meaning))
        for dialect in (DEFAULT_DIALECT, *DIALECTS)
        for spelling, entry in _table(dialect).items()
        for call, meaning in variants(entry)
        if FUNCTIONS[meaning[0]].__name__ == name
    ]


def _from_dict(spec: Mapping[str, Any]) -> Spec:
    """Parse a dict; its name may be the text of a spec."""
    named = dict(spec)
    name, dialect = named.pop("name", None), named.pop("dialect", None)
    if not isinstance(name, str):
        raise ValueError(
            "get: expected a dict with the key 'name' such as "
            f"{{'name': 'elu', 'alpha': 0.5}}, got {dict(spec)!r}"
        )
    parsed = parse_spec(name)
    named = {**parsed.named, **named}
    return Spec(parsed.name, parsed.dialect or dialect, parsed.positional, named)


def _resolve(spec: Spec) -> Bound:
    """Look up a spec in its dialect."""
    dialect = spec.dialect or DEFAULT_DIALECT
    entry = _find(spec.name, dialect)
    if entry is None and dialect != DEFAULT_DIALECT:
        raise ValueError(_unknown_name(spec.name, dialect))
    if entry is None:
        return _bind(*_unique_meaning(spec.name), spec)
    if isinstance(entry, str):
        return _bind(entry, {}, spec)
    _reject_specs(spec.name, [*spec.positional, *spec.named.values()])
    name, arguments = entry(**bind_arguments(entry, spec))
    return Bound(FUNCTIONS[name], **arguments)


@functools.cache
def _table(dialect: str) -> Mapping[str, Entry]:
    """Return a map from every spelling in a dialect to its entry."""
    if dialect != DEFAULT_DIALECT and dialect not in DIALECTS:
        raise ValueError(
            f"dialect: expected {', '.join((DEFAULT_DIALECT, *DIALECTS))}, got "
            f"{dialect!r}{did_you_mean(dialect, DIALECTS)}"
        )
    table = OWN if dialect == DEFAULT_DIALECT else DIALECTS[dialect]
    spellings = {s: entry for key, entry in table.items() for s in key.split()}
    if dialect != DEFAULT_DIALECT:
        return spellings
    catalog = {n: f.__name__ for n, f in FUNCTIONS.items()}
    return {n: n for n in names()} | catalog | spellings


def _find(name: str, dialect: str) -> Entry | None:
    """Return the entry of a name by its spelling, else by its normalized form."""
    table = _table(dialect)
    parts = name.split(".")
    for start in range(len(parts)):
        if (spelling := ".".join(parts[start:])) in table:
            return table[spelling]
    similar = {s: e for s, e in table.items() if _normalize(s) == _normalize(parts[-1])}
    meanings = [default_meaning(entry) for entry in similar.values()]
    if any(meaning != meanings[0] for meaning in meanings):
        choices = " or ".join(
            f"{s!r}, which is {format_meaning(default_meaning(e))}"
            for s, e in similar.items()
        )
        raise ValueError(f"{dialect}: expected {choices}, got {name!r}")
    return next(iter(similar.values()), None)


def _unique_meaning(name: str) -> Meaning:
    """Return the meaning of a name that is the same in all dialects that have it.

    Raises:
        ValueError: No dialect has the name, or the meanings differ.
    """
    entries = {dialect: _find(name, dialect) for dialect in DIALECTS}
    meanings = {d: default_meaning(e) for d, e in entries.items() if e is not None}
    if not meanings:
        raise ValueError(_unknown_name(name, DEFAULT_DIALECT))
    first, *others = meanings.values()
    if any(meaning != first for meaning in others):
        choices = " and ".join(
            f"{format_meaning(m)} in {d}" for d, m in meanings.items()
        )
        raise ValueError(
            f"{name!r} is {choices}: expected a dialect, as in "
            f"'{next(iter(meanings))}:{name}'"
        )
    return first[0], {n: v for n, v in first[1].items() if v is not ...}


def _bind(name: str, preset: Mapping[str, Any], spec: Spec) -> Bound:
    """Return a function of the catalog with the arguments of a spec."""
    function = FUNCTIONS[name]
    x, *valid = function.parameters
    named = {n: v for n, v in spec.named.items() if n in valid}
    try:
        call = function.signature.bind_partial(None, *spec.positional, **named)
    except TypeError as error:
        raise TypeError(
            f"{spec.name}: {error}; expected arguments after {x}: {', '.join(valid)}"
        ) from None
    positional = {n: v for n, v in call.arguments.items() if n != x}
    arguments = {**preset, **positional, **spec.named}
    values = {n: _resolve_inner(function, n, v) for n, v in arguments.items()}
    try:
        return Bound(function, **values)
    except TypeError as error:
        unknown = [n for n in spec.named if n not in valid]
        hint = _dialect_hint(unknown, function.__name__)
        raise TypeError(f"{error}{hint}") from None


def _resolve_inner(function: Function[...], argument: str, value: Any) -> Any:
    """Return an argument; where a function is expected, look it up."""
    parameter = function.signature.parameters.get(argument)
    annotation = parameter.annotation if parameter else None
    resolve = lambda v: _resolve(v) if isinstance(v, Spec) else get(v)
    if annotation == InnerFunction:
        return resolve(value)
    if annotation == InnerFunctions and isinstance(value, tuple):
        return tuple(map(resolve, value))
    _reject_specs(function.__name__, value if isinstance(value, tuple) else (value,))
    return value


def _reject_specs(name: str, values: Iterable[Any]) -> None:
    """Raise if a function stands where another value is expected."""
    for value in values:
        if isinstance(value, Spec):
            raise ValueError(
                f"{name}: expected a value, or a string in quotes, got {value.name!r}"
            )


def _dialect_hint(arguments: list[str], name: str) -> str:
    """Return an alias of the function that has one of the arguments, if any does."""
    for alias in aliases(name):
        spelling, _, signature = alias.call.partition("(")
        for argument in arguments:
            if argument in re.split(r"\W+", signature):
                return f"; did you mean '{alias.dialect}:{spelling}({argument}=…)'?"
    return ""


def _unknown_name(name: str, dialect: str) -> str:
    """Return the error message for a name that a dialect does not have."""
    if dialect != DEFAULT_DIALECT and _find(name, DEFAULT_DIALECT) is not None:
        return (
            f"{dialect}: unknown activation {name!r}; did you mean 'jax_acts:{name}'?"
        )
    default = dialect == DEFAULT_DIALECT
    dialects = (DEFAULT_DIALECT, *DIALECTS) if default else (dialect,)
    valid = {
        _normalize(s): s for d in reversed(dialects) for s in reversed([*_table(d)])
    }
    typed = _normalize(name.split(".")[-1])
    close = difflib.get_close_matches(typed, valid, 3)
    close.sort(key=lambda n: sorted(n) != sorted(typed))  # swapped letters first
    choices = " or ".join(repr(valid[n]) for n in close)
    hint = f"; did you mean {choices}?" if close else ""
    return f"{'' if default else f'{dialect}: '}unknown activation {name!r}{hint}"


def _format_spec(meaning: Meaning) -> str:
    """Return a meaning as a spec without the arguments that are at their defaults."""
    name, arguments = meaning
    if ... in arguments.values():
        return format_meaning(meaning)
    return str(Bound(FUNCTIONS[name], **arguments))


def _normalize(name: str) -> str:
    """Return a name without punctuation and in lower case.

    >>> _normalize("Hard-Swish") == _normalize("hardswish")
    True
    """
    return re.sub(r"[\W_]", "", name).lower()
