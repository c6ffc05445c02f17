"""Lookup by name. The registry is the namespace of `jax_acts.functional`.

    name in a library  --dialects-->  name in the catalogue  --FUNCTIONS-->  function

A name that does not say which library it is from, is looked up in the catalogue first.
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
from jax_acts._registry import entries as _entries
from jax_acts._registry.dialects import DIALECTS, IGNORED, OWN, ROOTS, Entry, Meaning
from jax_acts._registry.parser import Spec, decode, parse_spec

FUNCTIONS: Mapping[str, Function[...]] = MappingProxyType(
    {k: v for k, v in vars(functional).items() if isinstance(v, Function)}
)
"""Every function by every name it has in `jax_acts.functional`."""

HERE = "jax_acts"
"""The dialect of a name that does not say whose it is."""

Describable = (
    str | Bound | Callable[..., Array] | Mapping[str, Any] | Sequence[Any] | None
)
"""What `get` takes."""


class Alias(NamedTuple):
    """One spelling of a function."""

    dialect: str
    call: str
    """The name, with the arguments that it has in that dialect."""
    meaning: str
    """The spec that it stands for, with `…` for an argument that must be given."""


def get(
    spec: Describable = None, dialect: str | None = None, **arguments: Any
) -> Bound:
    """Returns the activation that a spec describes.

    A spec is a name, perhaps with arguments and with the library whose name it is; a
    dict with the key "name" and the arguments; a pair of a name and such a dict; a
    function; a `Bound`; or None or "", which are the identity.

    Without a dialect a name means what `jax.nn` means by it, where that has the name,
    and else its only meaning. Case and punctuation do not count, and of a dotted name
    only the last part does, except where a library tells names apart by them.

    >>> get("leaky_relu(negative_slope=0.2)")
    Bound('leaky_relu(negative_slope=0.2)')
    >>> get("torch:hardshrink", lambd=0.3)
    Bound('hard_shrink(threshold=0.3)')
    >>> get({"name": "leaky_relu", "negative_slope": {"learn": 0.25}})
    Bound('leaky_relu(negative_slope=Learn(0.25))')
    >>> get("affine(rate=2.0, of=tanh)") == get("affine", rate=2.0, of="tanh")
    True

    Args:
        spec: What to look up.
        dialect: Whose name it is, unless the name says so itself.
        **arguments: Further arguments, by the names they have in that dialect.

    Raises:
        ValueError: The text is malformed, or the name unknown or ambiguous.
        TypeError: An argument is unknown, missing or of the wrong kind.
    """
    if dialect is not None:
        _table(dialect)  # which refuses an unknown dialect
    match spec:
        case None | "":
            said = Spec("identity", HERE)
        case str():
            said = parse_spec(spec)
        case Mapping():
            said = _from_dict(spec)
        case [str() as name, Mapping() as named]:
            said = _from_dict({**named, "name": name})
        case Bound():
            return Bound(spec.function, **{**spec.arguments, **arguments})
        case _ if callable(spec) and not isinstance(spec, type):
            return Bound(spec, **arguments)
        case _:
            raise TypeError(
                "an activation is a name, a function or a dict with a name, "
                f"not {spec!r}"
            )
    named = {n: decode(v) for n, v in {**said.named, **arguments}.items()}
    root = ROOTS.get(said.name.split(".")[0]) if "." in said.name else None
    dialect = said.dialect or root or dialect or HERE
    ignored = IGNORED.get(dialect, frozenset())
    named = {n: v for n, v in named.items() if n not in ignored}
    return _resolve(Spec(said.name, dialect, said.positional, named))


def names() -> tuple[str, ...]:
    """Returns the name of every function of the catalogue.

    >>> "silu" in names(), "swish" in names()
    (True, False)
    """
    return tuple(dict.fromkeys(f.__name__ for f in FUNCTIONS.values()))


def aliases(name: str) -> list[Alias]:
    """Returns all spellings of a function, those of jax_acts first.

    >>> aliases("hard_shrink")[-1]
    Alias(dialect='mlx', call='HardShrink(lambd=0.5)', meaning='hard_shrink')
    """
    return [
        Alias(dialect, spelling + call, _meant(meaning))
        for dialect in (HERE, *DIALECTS)
        for spelling, entry in _table(dialect).items()
        for call, meaning in _entries.variants(entry)
        if FUNCTIONS[meaning[0]].__name__ == name
    ]


def _from_dict(spec: Mapping[str, Any]) -> Spec:
    """Returns what a dict says; its name may be a spec in text."""
    named = dict(spec)
    name, dialect = named.pop("name", None), named.pop("dialect", None)
    if not isinstance(name, str):
        raise ValueError(
            f"{dict(spec)!r} does not say which activation: it needs the key 'name', "
            "as in {'name': 'elu', 'alpha': 0.5}"
        )
    said = parse_spec(name) if name else Spec("identity", HERE)
    named = {**said.named, **named}
    return Spec(said.name, said.dialect or dialect, said.positional, named)


def _resolve(spec: Spec) -> Bound:
    """Returns what a spec means in its dialect."""
    dialect = spec.dialect or HERE
    entry = _find(spec.name, dialect)
    if entry is None and dialect != HERE:
        raise ValueError(_unknown(spec.name, dialect))
    if entry is None:
        return _bind(*_only_meaning(spec.name), spec)
    if isinstance(entry, str):
        return _bind(entry, {}, spec)
    _refuse_functions(spec.name, [*spec.positional, *spec.named.values()])
    name, arguments = entry(**_entries.arguments(entry, spec))
    return Bound(FUNCTIONS[name], **arguments)


@functools.cache
def _table(dialect: str) -> Mapping[str, Entry]:
    """Returns every spelling of a dialect, with its entry."""
    if dialect != HERE and dialect not in DIALECTS:
        raise ValueError(
            f"no dialect {dialect!r}{did_you_mean(dialect, list(DIALECTS))}; "
            f"there are {', '.join((HERE, *DIALECTS))}"
        )
    table = OWN if dialect == HERE else DIALECTS[dialect]
    spellings = {s: entry for key, entry in table.items() for s in key.split()}
    if dialect != HERE:
        return spellings
    catalogue = {n: f.__name__ for n, f in FUNCTIONS.items()}
    return {n: n for n in names()} | catalogue | spellings


def _find(name: str, dialect: str) -> Entry | None:
    """Returns the entry of a name: by its spelling, or else regardless of it."""
    table = _table(dialect)
    parts = name.split(".")
    for start in range(len(parts)):
        if (spelling := ".".join(parts[start:])) in table:
            return table[spelling]
    similar = {s: e for s, e in table.items() if _plain(s) == _plain(parts[-1])}
    meanings = [_entries.meaning(entry) for entry in similar.values()]
    if any(meaning != meanings[0] for meaning in meanings):
        choices = " or ".join(
            f"{s!r}, which is {_entries.written(_entries.meaning(e))}"
            for s, e in similar.items()
        )
        raise ValueError(f"{name!r} of {dialect} may be {choices}: spell it as they do")
    return next(iter(similar.values()), None)


def _only_meaning(name: str) -> Meaning:
    """Returns the meaning of a name on which all libraries that have it agree.

    Raises:
        ValueError: None has it, or they do not agree.
    """
    entries = {dialect: _find(name, dialect) for dialect in DIALECTS}
    found = {d: _entries.meaning(e) for d, e in entries.items() if e is not None}
    if not found:
        raise ValueError(_unknown(name, HERE))
    first, *others = found.values()
    if any(meaning != first for meaning in others):
        choices = " and ".join(
            f"{_entries.written(m)} in {d}" for d, m in found.items()
        )
        raise ValueError(
            f"{name!r} is {choices}: say whose, as in '{next(iter(found))}:{name}'"
        )
    return first[0], {n: v for n, v in first[1].items() if v is not ...}


def _bind(name: str, preset: Mapping[str, Any], spec: Spec) -> Bound:
    """Returns a function of the catalogue, with the arguments of a spec."""
    function = FUNCTIONS[name]
    x, *known = function.parameters
    named = {n: v for n, v in spec.named.items() if n in known}
    try:
        given = function.signature.bind_partial(None, *spec.positional, **named)
    except TypeError as error:
        raise TypeError(f"{spec.name}: {error}; after {x} it has {known}") from None
    placed = {n: v for n, v in given.arguments.items() if n != x}
    values = {
        n: _part(function, n, v) for n, v in {**preset, **placed, **spec.named}.items()
    }
    try:
        return Bound(function, **values)
    except TypeError as error:
        unknown = [n for n in spec.named if n not in known]
        raise TypeError(f"{error}{_whose(unknown, function.__name__)}") from None


def _part(function: Function[...], argument: str, value: Any) -> Any:
    """Returns an argument, where a function is wanted what `get` makes of it."""
    parameter = function.signature.parameters.get(argument)
    kind = parameter.annotation if parameter else None
    if kind == InnerFunction:
        return _resolve(value) if isinstance(value, Spec) else get(value)
    if kind == InnerFunctions and isinstance(value, tuple):
        return tuple(_resolve(v) if isinstance(v, Spec) else get(v) for v in value)
    _refuse_functions(
        function.__name__, value if isinstance(value, tuple) else (value,)
    )
    return value


def _refuse_functions(name: str, values: Iterable[Any]) -> None:
    """Raises where a function stands, but something else is wanted."""
    for value in values:
        if isinstance(value, Spec):
            raise ValueError(
                f"{value.name!r} is no value of an argument of {name}; texts are "
                "in quotes"
            )


def _whose(arguments: list[str], name: str) -> str:
    """Returns which library calls an argument of a function so, if any does."""
    for alias in aliases(name):
        spelling, _, signature = alias.call.partition("(")
        for argument in arguments:
            if argument in re.split(r"\W+", signature):
                return f"; there is '{alias.dialect}:{spelling}({argument}=…)'"
    return ""


def _unknown(name: str, dialect: str) -> str:
    """Returns the complaint about a name that a dialect does not have."""
    if dialect != HERE and _find(name, HERE) is not None:
        return f"{dialect} has no {name!r}; jax_acts has, without '{dialect}:'"
    whose = (dialect,) if dialect != HERE else (HERE, *DIALECTS)
    known = {_plain(s): s for d in reversed(whose) for s in reversed(list(_table(d)))}
    typed = _plain(name.split(".")[-1])
    near = difflib.get_close_matches(typed, known, 3)
    near.sort(key=lambda n: sorted(n) != sorted(typed))  # letters swapped come first
    choices = " or ".join(repr(known[n]) for n in near)
    nobody = f"{dialect} has no" if dialect != HERE else "there is no activation"
    return f"{nobody} {name!r}{f'; did you mean {choices}?' if near else ''}"


def _meant(meaning: Meaning) -> str:
    """Returns a meaning as a spec, without the arguments that are at their defaults."""
    name, arguments = meaning
    if ... in arguments.values():
        return _entries.format_meaning(meaning)
    return str(Bound(FUNCTIONS[name], **arguments))


def _plain(name: str) -> str:
    """Returns a name without what does not count.

    >>> _plain("Hard-Swish") == _plain("hardswish")
    True
    """
    return re.sub(r"[\W_]", "", name).lower()
