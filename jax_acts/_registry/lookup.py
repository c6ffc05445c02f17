"""Lookup by name. The registry is the namespace of `jax_acts.functional`.

    name in a dialect  --DIALECTS-->  name in the catalog  --FUNCTIONS-->  function

A name without a dialect is looked up in the catalog first. A dotted name has the
dialect of its prefix, or several, which must agree.
"""

import difflib
import functools
import importlib
import inspect
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from jax import Array

from jax_acts import functional
from jax_acts._core import identity
from jax_acts._core.bound import Bound
from jax_acts._core.errors import did_you_mean
from jax_acts._core.function import Function
from jax_acts._core.spec import InnerFunction, InnerFunctions
from jax_acts._registry.dialects import DIALECTS, IGNORED, OWN
from jax_acts._registry.dialects.keras import keras_spec
from jax_acts._registry.dialects.prefixes import PREFIXES, has_prefix, libraries
from jax_acts._registry.dialects.table import Entry, Meaning
from jax_acts._registry.entries import (
    bind_arguments,
    default_meaning,
    format_meaning,
    variants,
)
from jax_acts._registry.parser import Spec, decode, parse_spec
from jax_acts._registry.policies import POLICIES, apply_policies, policies
from jax_acts._registry.units import gated_unit

FUNCTIONS: Mapping[str, Function[...]] = MappingProxyType(
    {k: v for k, v in vars(functional).items() if isinstance(v, Function)}
)
"""Every function by each of its names in `jax_acts.functional`."""

DEFAULT_DIALECT = "jax_acts"

identity.DIALECTS.update((DEFAULT_DIALECT, *DIALECTS))

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
    spec: Describable = None,
    dialect: str | None = None,
    *,
    allow_imports: bool = False,
    **arguments: Any,
) -> Bound:
    """Return the activation that a spec describes.

    A spec is a name, optionally with a dialect and arguments; a dict with the key
    "name" and arguments; a pair of a name and such a dict; the `class_name` and
    `config` of a Keras layer; a pair such as ("silu", "linear"), which is a gated unit,
    or a tuple of one name; a function; a `Bound`; or None, which is the identity.

    Without a dialect, a name of `jax.nn` means what `jax.nn` means; another name must
    have the same meaning in all dialects that have it. The prefix of a dotted name
    states its dialect: `torch.nn.GELU`. Where a prefix stands for several libraries, as
    `nn` does, they must agree on the name. Case and punctuation are ignored, unless a
    library distinguishes names by them.

    The arguments `residuals`, `kinks` and `implementation` stand for `with_residuals`,
    `with_kinks` and `with_implementation`.

    >>> get("leaky_relu(negative_slope=0.2)")
    Bound('leaky_relu(negative_slope=0.2)')
    >>> get("torch:hardshrink", lambd=0.3)
    Bound('hard_shrink(threshold=0.3)')
    >>> get({"name": "leaky_relu", "negative_slope": {"learn": 0.25}})
    Bound('leaky_relu(negative_slope=Learn(0.25))')
    >>> get("affine(rate=2.0, of=tanh)") == get("affine", rate=2.0, of="tanh")
    True
    >>> get("relu(kinks=((0.0, 0.5),), residuals='input')").to_dict()
    {'name': 'relu', 'residuals': 'input', 'kinks': [[0.0, 0.5]]}

    Args:
        spec: The activation.
        dialect: The library that the name belongs to, unless the name states one.
        allow_imports: Whether a name such as "my_pkg.acts:gelu" imports its module.
            Imports run code: allow them for trusted specs only.
        **arguments: Further arguments, by their names in that dialect.

    Raises:
        ValueError: The text is malformed, or the name or its prefix is unknown or
            ambiguous.
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
        case [str() as name]:
            return get(name, dialect, allow_imports=allow_imports, **arguments)
        case [str() as first, str() as second]:
            pair = [
                get(n, dialect, allow_imports=allow_imports) for n in (first, second)
            ]
            return get(gated_unit(*pair), **arguments)
        case Bound():
            return apply_policies(spec.function, {**spec.arguments, **arguments})
        case _ if callable(spec) and not isinstance(spec, type):
            return apply_policies(spec, arguments)
        case _:
            raise TypeError(
                f"get: expected a name, a function or a dict with a name, got {spec!r}"
            )
    named = {n: decode(v) for n, v in {**parsed.named, **arguments}.items()}
    parsed = Spec(parsed.name, parsed.dialect, parsed.positional, named)
    return _resolve(parsed, dialect, allow_imports)


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
    return list(_aliases().get(name, ()))


@functools.cache
def _aliases() -> dict[str, list[Alias]]:
    """Return the names of every function that the tables have."""
    result: dict[str, list[Alias]] = {}
    for dialect in (DEFAULT_DIALECT, *DIALECTS):
        for spelling, entry in _table(dialect).items():
            for call, meaning in variants(entry):
                alias = Alias(dialect, spelling + call, _format_spec(meaning))
                function = FUNCTIONS[meaning[0]].__name__
                result.setdefault(function, []).append(alias)
    return result


def _from_dict(spec: Mapping[str, Any]) -> Spec:
    """Parse a dict; its name may be the text of a spec."""
    if "class_name" in spec:
        spec = keras_spec(spec)
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


def _resolve(
    spec: Spec, default: str | None = None, allow_imports: bool = False
) -> Bound:
    """Look up a spec in its dialect, or in the one that its prefix stands for."""
    if spec.dialect is not None and spec.dialect not in PREFIXES:
        return _import(spec, allow_imports)
    dialects = _dialects(spec, default)
    if len(dialects) == 1:
        return _lookup(spec, dialects[0], allow_imports)
    results, errors = {}, []
    for dialect in dialects:
        try:
            results[dialect] = _lookup(spec, dialect, allow_imports)
        except (ValueError, TypeError) as error:
            errors.append(error)
    if not results:
        raise errors[0]
    first, *others = results.values()
    if any(other != first for other in others):
        raise ValueError(_ambiguous(spec.name, {d: str(b) for d, b in results.items()}))
    return first


def _dialects(spec: Spec, default: str | None) -> tuple[str, ...]:
    """Return the dialects that a name may belong to, by what it states.

    Raises:
        ValueError: The prefix of the name belongs to no library, or to another one.
    """
    prefix = spec.name.rpartition(".")[0]
    if not prefix:
        return (spec.dialect or default or DEFAULT_DIALECT,)
    for dialect in (spec.dialect, default):
        if dialect is not None and has_prefix(dialect, prefix):
            return (dialect,)
    owners = libraries(prefix)
    if spec.dialect is None and owners:
        return owners
    where = f"{spec.dialect}: " if spec.dialect else ""
    valid = sorted(PREFIXES[spec.dialect]) if spec.dialect else [*PREFIXES]
    raise ValueError(
        f"{where}{spec.name}: expected a prefix of {', '.join(valid)}, got "
        f"{prefix!r}{did_you_mean(prefix, valid)}"
    )


def _lookup(spec: Spec, dialect: str, allow_imports: bool) -> Bound:
    """Look up a spec in a dialect."""
    ignored = IGNORED.get(dialect, ())
    named = {n: v for n, v in spec.named.items() if n not in ignored}
    given = {n: named.pop(n) for n in POLICIES if n in named}
    spec = Spec(spec.name, dialect, spec.positional, named)
    entry = _find(spec.name, dialect)
    if entry is None and dialect != DEFAULT_DIALECT:
        raise ValueError(_unknown_name(spec.name, dialect))
    if entry is None or isinstance(entry, str):
        name, preset = (entry, {}) if entry else _unique_meaning(spec.name)
        bound = _bind(FUNCTIONS[name], preset, spec, allow_imports)
    else:
        _reject_specs(spec.name, [*spec.positional, *spec.named.values()])
        name, arguments = entry(**bind_arguments(entry, spec))
        bound = Bound(FUNCTIONS[name], **arguments)
    return apply_policies(bound.function, bound.arguments | given)


def _import(spec: Spec, allow_imports: bool) -> Bound:
    """Import the function of a spec such as "my_pkg.acts:gelu"."""
    where = f"{spec.dialect}:{spec.name}"
    if not allow_imports:
        if "." in str(spec.dialect) or spec.dialect == "__main__":
            raise ValueError(
                f"{where}: a module needs allow_imports=True, which runs its code"
            )
        valid = (DEFAULT_DIALECT, *DIALECTS)
        raise ValueError(
            f"dialect: expected {', '.join(valid)}, got {spec.dialect!r}"
            f"{did_you_mean(str(spec.dialect), valid)}; a module needs "
            "allow_imports=True"
        )
    try:
        value: Any = importlib.import_module(str(spec.dialect))
        for part in spec.name.split("."):
            value = getattr(value, part)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"{where}: expected a function to import: {error}") from None
    if not callable(value) or isinstance(value, type):
        raise ValueError(f"{where}: expected a function, got {value!r}")
    function: Callable[..., Any] = value
    if isinstance(function, Function):
        named = dict(spec.named)
        given = {n: named.pop(n) for n in policies(function) if n in named}
        spec = Spec(spec.name, spec.dialect, spec.positional, named)
        bound = _bind(function, {}, spec, allow_imports)
        return apply_policies(function, bound.arguments | given)
    call = inspect.signature(function).bind_partial(
        None, *spec.positional, **spec.named
    )
    return Bound(function, **dict([*call.arguments.items()][1:]))


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
    first = next(iter(meanings.values()))
    specs = {d: _format_spec(m) for d, m in meanings.items()}
    if len(set(specs.values())) > 1:
        raise ValueError(_ambiguous(name, specs))
    return first[0], {n: v for n, v in first[1].items() if v is not ...}


def _ambiguous(name: str, specs: Mapping[str, str]) -> str:
    """Return the error message for a name that dialects give different meanings."""
    dialects: dict[str, list[str]] = {}
    for dialect, spec in specs.items():
        dialects.setdefault(spec, []).append(dialect)
    choices = " and ".join(f"{s} in {', '.join(d)}" for s, d in dialects.items())
    first = next(iter(specs))
    return (
        f"{name!r} is {choices}: expected a dialect, as in "
        f"'{first}:{name.rpartition('.')[2]}'"
    )


def _bind(
    function: Function[...],
    preset: Mapping[str, Any],
    spec: Spec,
    allow_imports: bool,
) -> Bound:
    """Return a function with the arguments of a spec."""
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
    values = {
        n: _resolve_inner(function, n, v, allow_imports) for n, v in arguments.items()
    }
    try:
        return Bound(function, **values)
    except TypeError as error:
        unknown = [n for n in spec.named if n not in valid]
        hint = _dialect_hint(unknown, function.__name__)
        raise TypeError(f"{error}{hint}") from None


def _resolve_inner(
    function: Function[...], argument: str, value: Any, allow_imports: bool
) -> Any:
    """Return an argument; where a function is expected, look it up."""
    parameter = function.signature.parameters.get(argument)
    annotation = parameter.annotation if parameter else None

    def resolve(value: Any) -> Bound:
        if isinstance(value, Spec):
            return _resolve(value, allow_imports=allow_imports)
        return get(value, allow_imports=allow_imports)

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
