"""Specs of activations as text: a name and its arguments, parsed, never evaluated.

    torch:hardshrink(0.3, inplace=True)
    |     |          |    '-- named arguments
    |     |          '------- positional arguments, without the input
    |     '------------------ a name, perhaps with dots
    '------------------------ a dialect: the library that the name belongs to

    my_pkg.acts:gelu
    '----------------- or the module of a function, for callers that allow imports

Specs may come from untrusted configs: every other form is rejected.
"""

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jax_acts._core.arguments import Learn

MAX_LENGTH = 500  # characters; the longest useful spec has about a hundred
MAX_DEPTH = 8  # of nested functions

_FORM = re.compile(
    r"(?:(\w+(?:\.\w+)*)\s*:)?\s*([\w.-](?:[\w. -]*[\w.-])?)\s*(\(.*\))?", re.A | re.S
)
# A colon stands between words, as in the import path of an inner function.
_INSIDE = re.compile(r"(?:[\w\s.,=+\-()\[\]'\"]|(?<=\w):(?=\w))*", re.A)
_NUMERAL = re.compile(r"(?<![\w.])\.?\d(?:[eE][+-]|[\w.])*", re.A)
_NUMBER = re.compile(r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.A)


_LEARN_OPTIONS = ("per_feature", "bounds", "sharding")


@dataclass(frozen=True)
class Spec:
    """A parsed spec, not yet looked up."""

    name: str
    dialect: str | None = None
    positional: tuple[Any, ...] = ()
    named: Mapping[str, Any] = field(default_factory=dict)


def parse_spec(text: str) -> Spec:
    """Parse the text of a spec.

    A value is a number (`inf` and `nan` included), True, False, None, a string in
    quotes, `Learn(…)` of a number or a tuple, a spec without a dialect, a tuple of
    these, or a tuple of pairs.

    >>> parse_spec("torch:elu(0.5)")
    Spec(name='elu', dialect='torch', positional=(0.5,), named={})
    >>> parse_spec("affine(of=silu)").named["of"]
    Spec(name='silu', dialect=None, positional=(), named={})

    Raises:
        ValueError: The text is too long or malformed.
    """
    if len(text) > MAX_LENGTH:
        raise ValueError(
            f"{_shorten(text)}: expected at most {MAX_LENGTH} characters, "
            f"got {len(text)}"
        )
    text = text.strip()
    form = _FORM.fullmatch(text)
    if form is None:
        raise _error(text, "expected a name, or a name and arguments in parentheses")
    dialect, name, inside = form.groups()
    positional, named = _arguments(text, inside) if inside else ((), {})
    return Spec(name, dialect, positional, named)


def decode(value: Any) -> Any:
    """Convert a value of JSON, TOML or YAML to an argument.

    A dict with a name is the spec of an inner function and stays unchanged.

    >>> decode({"learn": 0.25, "per_feature": True})
    Learn(0.25, per_feature=True)
    """
    match value:
        case Mapping() if "name" not in value and "class_name" not in value:
            if "learn" not in value or set(value) - {"learn", *_LEARN_OPTIONS}:
                raise ValueError(
                    "argument: expected {'learn': 0.25}, perhaps with "
                    f"{', '.join(_LEARN_OPTIONS)}, got {dict(value)!r}"
                )
            options = {n: decode(v) for n, v in value.items() if n != "learn"}
            return Learn(decode(value["learn"]), **options)
        case list():
            return tuple(tuple(v) if isinstance(v, list) else v for v in value)
        case _:
            return value


def _arguments(text: str, inside: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the positional and the named arguments in the parentheses `inside`."""
    if invalid := _INSIDE.sub("", inside):
        raise _error(text, f"unexpected character {invalid[0]!r}")
    for numeral in _NUMERAL.findall(inside):
        # Python parses hex and underscores, and "1if" with a warning.
        if not _NUMBER.fullmatch(numeral):
            raise _error(text, f"expected a number, got {_shorten(numeral)}")
    function = "f".ljust(len(text) - len(inside))  # keeps the column offsets of nodes
    try:
        call = ast.parse(function + inside, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise _error(text, "the arguments do not parse") from None
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
        raise _error(text, "expected only a name and arguments")
    return _call_arguments(text, call, MAX_DEPTH)


def _call_arguments(
    text: str, call: ast.Call, depth: int
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    named: dict[str, Any] = {}
    for keyword in call.keywords:
        if keyword.arg is None or keyword.arg in named:  # `**` has arg None
            raise _error(text, f"argument {keyword.arg} appears twice")
        named[keyword.arg] = _value(text, keyword.value, depth)
    return tuple(_value(text, node, depth) for node in call.args), named


def _value(text: str, node: ast.expr, depth: int) -> Any:
    match node:
        case ast.Constant(value=None | bool() | int() | float() | str()):
            return node.value
        case ast.Name(id="inf" | "nan"):
            return float(node.id)
        case ast.UnaryOp(
            op=ast.USub() | ast.UAdd() as sign,
            operand=ast.Constant(value=int() | float()) | ast.Name(id="inf" | "nan"),
        ) if not isinstance(number := _value(text, node.operand, depth), bool):
            return -number if isinstance(sign, ast.USub) else number
        case ast.Tuple(elts=items) | ast.List(elts=items):
            if all(map(_is_flat, items)):
                return tuple(_value(text, item, depth) for item in items)
        case ast.Call(func=ast.Name(id="Learn")):
            positional, named = _call_arguments(text, node, depth)
            try:
                return Learn(*positional, **named)
            except TypeError as error:
                options = "per_feature=False, bounds=None, sharding=None"
                raise _error(text, f"Learn(init, {options}): {error}") from None
        case ast.Call(func=ast.Name(id=name)) | ast.Name(id=name) if name != "Learn":
            if not depth:
                raise _error(text, f"expected at most {MAX_DEPTH} nested functions")
            if isinstance(node, ast.Name):
                return Spec(name)
            return Spec(name, None, *_call_arguments(text, node, depth - 1))
        case _:
            pass
    source = ast.get_source_segment(text, node) or ""
    raise _error(text, f"expected a value, got {_shorten(source)}")


def _is_flat(node: ast.expr) -> bool:
    """Return whether a node contains no tuples, or is a pair without."""
    if not isinstance(node, ast.Tuple | ast.List):
        return True
    items = node.elts
    return len(items) == 2 and not any(
        isinstance(i, ast.Tuple | ast.List) for i in items
    )


def _error(text: str, reason: str) -> ValueError:
    return ValueError(
        f"{_shorten(text)} is not a spec of an activation: {reason}; valid are 'silu', "
        "'torch:gelu', 'elu(alpha=0.5)' and 'leaky_relu(negative_slope=Learn(0.25))'"
    )


def _shorten(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:59]}…")
