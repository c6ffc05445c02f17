"""The instructions as functions of NumPy arrays, by name."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tools.ptx import comparisons, conversions, integers, rounding
from tools.ptx.approximations import NEAREST, Model, approximate
from tools.ptx.opcode import (
    FLOATS,
    TYPES,
    Opcode,
    UnknownInstruction,
    Values,
    as_type,
    parse_opcode,
    to_bits,
)

APPROXIMATE = frozenset({"approx", "full"})
F32 = frozenset({"f32"})
Rule = Callable[..., Values]
"""Maps an opcode and its operands, of the types of the signature, to the result."""


class Signature(NamedTuple):
    """The types of the result and of the operands."""

    result: str
    operands: tuple[str, ...]


def signature(op: Opcode) -> Signature:
    """Return the types of an opcode."""
    match op.name:
        case "cvt":
            return Signature(op.types[0], op.types[1:])
        case "setp":
            return Signature("pred", (op.type, op.type, "pred"))
        case "selp":
            return Signature(op.type, (op.type, op.type, "pred"))
        case "shl" | "shr":
            return Signature(op.type, (op.type, "u32"))
        case "shf":
            return Signature("b32", ("b32", "b32", "u32"))
        case "bfe":
            return Signature(op.type, (op.type, "u32", "u32"))
        case "mul" | "mad" if "wide" in op.modifiers:
            wide = f"{op.type[0]}{2 * int(op.type[1:])}"
            return Signature(wide, (op.type, op.type, wide))
        case _:
            return Signature(op.type, (op.type, op.type, op.type))


def execute(text: str, *operands: Any, model: Model = NEAREST) -> Values:
    """Return the result of an instruction.

    Args:
        text: The opcode, such as "fma.rm.f32".
        *operands: Arrays or scalars of the types of the opcode, or their bits.
        model: Chooses the results of approximate instructions.

    Raises:
        UnknownInstruction: The opcode is not implemented.
    """
    op = parse_opcode(text)
    types = signature(op)
    values = [
        as_type(np.asarray(v), name)
        for v, name in zip(operands, types.operands, strict=False)
    ]
    with np.errstate(all="ignore"):
        if APPROXIMATE & {*op.modifiers}:
            return approximate(op, model, *values)
        result = np.asarray(_rule(op)(op, *values))
    expected = TYPES[types.result]
    assert result.dtype == expected, (text, result.dtype)
    return result


def _rule(op: Opcode) -> Rule:
    """Return the function of an opcode, by its name and the kind of its type."""
    if op.name in ("setp", "selp"):
        return comparisons.RULES[op.name]
    if op.name == "cvt":
        return conversions.convert
    kind = FLOAT_RULES if op.type in FLOATS else integers.RULES
    if op.name not in kind:
        raise UnknownInstruction(f"PTX: {op.text} is not implemented")
    return kind[op.name]


def _rounded(compute: Callable[..., Values]) -> Rule:
    """Return the rule of a correctly rounded operation."""

    def rule(op: Opcode, *values: Values) -> Values:
        modes = rounding.MODES if op.type == "f32" else frozenset({"rn"})
        op.require(FLOATS, modes)
        return compute(*values, op.type, next(iter(op.modifiers), "rn"))

    return rule


def _sign_bit(values: Values) -> Any:
    bits = to_bits(values).dtype
    return bits.type(1 << (8 * bits.itemsize - 1))


def negate(op: Opcode, a: Values) -> Values:
    """Flip the sign, of NaN as well."""
    op.require(FLOATS)
    return (to_bits(a) ^ _sign_bit(a)).view(a.dtype)


def absolute(op: Opcode, a: Values) -> Values:
    """Clear the sign, of NaN as well."""
    op.require(FLOATS)
    return (to_bits(a) & ~_sign_bit(a)).view(a.dtype)


def copysign(op: Opcode, a: Values, b: Values) -> Values:
    """Return b with the sign of a."""
    op.require(F32)
    sign = _sign_bit(a)
    return ((to_bits(a) & sign) | (to_bits(b) & ~sign)).view(a.dtype)


def divide(op: Opcode, a: Values, b: Values) -> Values:
    """Return a / b, correctly rounded."""
    op.require(F32, frozenset({"rn"}))
    return a / b


def square_root(op: Opcode, a: Values) -> Values:
    """Return the square root of a, correctly rounded."""
    op.require(F32, frozenset({"rn"}))
    return np.sqrt(a)


FLOAT_RULES: dict[str, Rule] = {
    "add": _rounded(rounding.add),
    "sub": _rounded(lambda a, b, name, mode: rounding.add(a, -b, name, mode)),
    "mul": _rounded(rounding.multiply),
    "fma": _rounded(rounding.fma),
    "div": divide,
    "sqrt": square_root,
    "min": comparisons.minimum,
    "max": comparisons.maximum,
    "neg": negate,
    "abs": absolute,
    "copysign": copysign,
}
