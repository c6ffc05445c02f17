"""Specs of activations as text: a name and its arguments, parsed and never evaluated.

    torch:hardshrink(0.3, inplace=True)
    |     |          |    '-- arguments by name
    |     |          '------- arguments by position, the input left out
    |     '------------------ a name, perhaps with dots
    '------------------------ the library whose name it is

Specs come from configurations that others wrote: what has any other form is refused.
"""

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jax_acts._core.arguments import Learn

LONGEST = 500  # characters; the longest spec that means something has about a hundred
DEEPEST = 8  # functions within each other

_FORM = re.compile(
    r"(?:(\w+)\s*:)?\s*([\w.-](?:[\w. -]*[\w.-])?)\s*(\(.*\))?", re.A | re.S
)
_INSIDE = re.compile(r"[\w\s.,=+\-()\[\]'\"]*", re.A)
_NUMERAL = re.compile(r"(?<![\w.])\.?\d(?:[eE][+-]|[\w.])*", re.A)
_NUMBER = re.compile(r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.A)


@dataclass(frozen=True)
class Spec:
    """What a spec says, not yet looked up."""

    name: str
    dialect: str | None = None
    positional: tuple[Any, ...] = ()
    named: Mapping[str, Any] = field(default_factory=dict)


def parse_spec(text: str) -> Spec:
    """Returns what the text says.

    A value is a number (`inf` and `nan` too), True, False, None, a string in quotes,
    `Learn(…)` of a number or a tuple, another spec without a library, or a tuple of
    such.

    >>> read("torch:elu(0.5)")
    Spec(name='elu', dialect='torch', positional=(0.5,), named={})
    >>> read("affine(of=silu)").named["of"]
    Spec(name='silu', dialect=None, positional=(), named={})

    Raises:
        ValueError: The text is too long, or of another form.
    """
    if len(text) > LONGEST:
        raise ValueError(
            f"a spec has at most {LONGEST} characters; {_shown(text)} has {len(text)}"
        )
    text = text.strip()
    form = _FORM.fullmatch(text)
    if form is None:
        raise _refused(text, "it is not a name, or a name and arguments in brackets")
    dialect, name, inside = form.groups()
    positional, named = _arguments(text, inside) if inside else ((), {})
    return Spec(name, dialect, positional, named)


def decode(value: Any) -> Any:
    """Returns a value as JSON, TOML or YAML have it, as an argument.

    A dict with a name is the spec of another function, and stays as it is.

    >>> decoded({"learn": 0.25, "per_feature": True})
    Learn(0.25, per_feature=True)
    """
    match value:
        case Mapping() if "name" not in value:
            unknown = set(value) - {"learn", "per_feature"}
            if "learn" not in value or unknown:
                raise ValueError(
                    f"{dict(value)!r} is no value of an argument; one to be learned is "
                    "{'learn': 0.25} or {'learn': 0.25, 'per_feature': True}"
                )
            return Learn(decode(value["learn"]), value.get("per_feature", False))
        case list():
            return tuple(value)
        case _:
            return value


def _arguments(text: str, inside: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Returns the arguments by position and by name."""
    if odd := _INSIDE.sub("", inside):
        raise _refused(text, f"{odd[0]!r} has no meaning in it")
    for numeral in _NUMERAL.findall(inside):
        if not _NUMBER.fullmatch(numeral):  # Python warns of some and takes others
            raise _refused(text, f"{_shown(numeral)} is no number")
    function = "f".ljust(len(text) - len(inside))  # nodes keep their places in the text
    try:
        call = ast.parse(function + inside, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise _refused(text, "its arguments do not parse") from None
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
        raise _refused(text, "it is more than a name and arguments")
    return _given(text, call, DEEPEST)


def _given(text: str, call: ast.Call, depth: int) -> tuple[tuple[Any, ...], Any]:
    """Returns the arguments of a call by position and by name."""
    named: dict[str, Any] = {}
    for keyword in call.keywords:
        if keyword.arg is None or keyword.arg in named:  # None is **, which cannot be
            raise _refused(text, f"it gives {keyword.arg} twice")
        named[keyword.arg] = _argument(text, keyword.value, depth)
    return tuple(_argument(text, node, depth) for node in call.args), named


def _argument(text: str, node: ast.expr, depth: int) -> Any:
    if isinstance(node, ast.Tuple | ast.List):
        return tuple(_value(text, item, depth) for item in node.elts)
    return _value(text, node, depth)


def _value(text: str, node: ast.expr, depth: int) -> Any:
    match node:
        case ast.Constant(value=str()):
            return node.value
        case ast.Call(func=ast.Name(id="Learn"), args=args, keywords=keywords):
            values = [_constants(text, arg) for arg in args]
            named = {k.arg or "**": _constants(text, k.value) for k in keywords}
            try:
                return Learn(*values, **named)
            except TypeError as error:
                raise _refused(
                    text, f"Learn(init, per_feature=False): {error}"
                ) from None
        case ast.Call(func=ast.Name(id=name)) | ast.Name(id=name) if name not in (
            "Learn",
            "inf",
            "nan",
        ):
            if not depth:
                raise _refused(text, f"more than {DEEPEST} functions are in each other")
            if isinstance(node, ast.Name):
                return Spec(name)
            return Spec(name, None, *_given(text, node, depth - 1))
        case _:
            return _constants(text, node)


def _constants(text: str, node: ast.expr) -> Any:
    match node:
        case ast.Tuple(elts=items) | ast.List(elts=items):
            return tuple(_constant(text, item) for item in items)
        case _:
            return _constant(text, node)


def _constant(text: str, node: ast.expr) -> Any:
    match node:
        case ast.Constant(value=None | bool() | int() | float()):
            return node.value
        case ast.Name(id="inf" | "nan"):
            return float(node.id)
        case ast.UnaryOp(op=ast.USub() | ast.UAdd() as sign, operand=operand):
            if not isinstance(operand, ast.UnaryOp):
                number = _constant(text, operand)
                if isinstance(number, int | float) and not isinstance(number, bool):
                    return -number if isinstance(sign, ast.USub) else number
        case _:
            pass
    raise _refused(
        text, f"{_shown(ast.get_source_segment(text, node) or '')} is no value"
    )


def _refused(text: str, reason: str) -> ValueError:
    return ValueError(
        f"{_shown(text)} does not describe an activation: {reason}; valid are 'silu', "
        "'torch:gelu', 'elu(alpha=0.5)' and 'leaky_relu(negative_slope=Learn(0.25))'"
    )


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:59]}…")
