"""Integer arithmetic and operations on bits."""

from collections.abc import Callable
from typing import Any

import numpy as np

from tools.ptx.opcode import BITS, INTEGERS, Opcode, UnknownInstruction, Values

LOGICAL = BITS | {"pred"}


def _operation(
    compute: Callable[..., Any], types: frozenset[str]
) -> Callable[..., Any]:
    """Return the rule of an operation without modifiers."""

    def rule(op: Opcode, *values: Values) -> Values:
        op.require(types)
        return compute(*values)

    return rule


def multiply_add(op: Opcode, a: Values, b: Values, c: Any = None) -> Values:
    """Return the low half, the high half or all bits of a b, plus c for `mad`."""
    op.require(INTEGERS, frozenset({"lo", "hi", "wide"}))
    match op.modifiers:
        case ("lo",):
            product = a * b
        case ("hi" | "wide",) if a.dtype.itemsize <= 4:
            wide = np.dtype(f"{a.dtype.kind}{2 * a.dtype.itemsize}")
            product = a.astype(wide) * b.astype(wide)
            if "hi" in op.modifiers:
                product = (product >> (8 * a.dtype.itemsize)).astype(a.dtype)
        case _:
            raise UnknownInstruction(f"PTX: {op.text} is not implemented")
    return product if op.name == "mul" else product + c


def shift_left(op: Opcode, a: Values, count: Values) -> Values:
    """Shift left; a count of the width or more gives 0."""
    op.require(BITS)
    width = 8 * a.dtype.itemsize
    shifted = a << np.minimum(count, width - 1).astype(a.dtype)
    return np.where(count < width, shifted, a.dtype.type(0))


def shift_right(op: Opcode, a: Values, count: Values) -> Values:
    """Shift right; signed numbers keep the sign, also for large counts."""
    op.require(BITS | INTEGERS)
    width = 8 * a.dtype.itemsize
    shifted = a >> np.minimum(count, width - 1).astype(a.dtype)
    if a.dtype.kind == "i":
        return shifted
    return np.where(count < width, shifted, a.dtype.type(0))


def funnel_shift(op: Opcode, low: Values, high: Values, count: Values) -> Values:
    """Shift the 64 bits (high, low); return the high word, or for `shf.r` the low."""
    op.require(frozenset({"b32"}), frozenset({"l", "r", "wrap", "clamp"}))
    wide = (high.astype(np.uint64) << np.uint64(32)) | low
    wraps = "wrap" in op.modifiers
    count = (count & np.uint32(31)) if wraps else np.minimum(count, np.uint32(32))
    shift = count.astype(np.uint64)
    if "l" in op.modifiers:
        return ((wide << shift) >> np.uint64(32)).astype(np.uint32)
    return (wide >> shift).astype(np.uint32)


def extract_bits(op: Opcode, a: Values, start: Values, length: Values) -> Values:
    """Return `length` bits from bit `start`; signed ones keep the sign of the last.

    Bits beyond the 32nd are 0, or the sign.
    """
    op.require(frozenset({"u32", "s32"}))
    start, length = start & np.uint32(255), length & np.uint32(255)
    if op.type == "s32":
        start, length = start.astype(np.int64), length.astype(np.int64)
        last = np.clip(start + length - 1, 0, 31)
        left = a.astype(np.int64) << (63 - last)
        field = (left >> (63 - last + np.minimum(start, last))).astype(np.int32)
        return np.where(length == 0, np.int32(0), field)
    wide = a.astype(np.uint64) >> np.minimum(start, 32).astype(np.uint64)
    mask = (np.uint64(1) << np.minimum(length, 32).astype(np.uint64)) - np.uint64(1)
    return (wide & mask).astype(np.uint32)


RULES: dict[str, Callable[..., Any]] = {
    "add": _operation(np.add, INTEGERS),
    "sub": _operation(np.subtract, INTEGERS),
    "mul": multiply_add,
    "mad": multiply_add,
    "min": _operation(np.minimum, INTEGERS),
    "max": _operation(np.maximum, INTEGERS),
    "neg": _operation(np.negative, INTEGERS),
    "and": _operation(np.bitwise_and, LOGICAL),
    "or": _operation(np.bitwise_or, LOGICAL),
    "xor": _operation(np.bitwise_xor, LOGICAL),
    "not": _operation(np.bitwise_not, LOGICAL),
    "shl": shift_left,
    "shr": shift_right,
    "shf": funnel_shift,
    "bfe": extract_bits,
}
