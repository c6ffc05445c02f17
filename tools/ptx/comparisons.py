"""Comparisons, selections, minima and maxima."""

from typing import Any

import numpy as np

from tools.ptx.opcode import FLOATS, TYPES, Opcode, UnknownInstruction, Values

ORDERS = {
    "eq": np.equal,
    "ne": np.not_equal,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
}
UNSIGNED = {"lo": "lt", "ls": "le", "hi": "gt", "hs": "ge"}
COMBINATIONS = {
    "and": np.logical_and,
    "or": np.logical_or,
    "xor": np.logical_xor,
}


def set_predicate(op: Opcode, a: Values, b: Values, c: Any = None) -> Values:
    """Return a comparison, combined with the predicate c if the opcode says so.

    A comparison with NaN is false; those that end in "u" are true.
    """
    comparison, *combination = op.modifiers
    comparison = UNSIGNED.get(comparison, comparison)
    unordered = np.isnan(a) | np.isnan(b) if op.type in FLOATS else np.False_
    if comparison == "nan" and op.type in FLOATS:
        result = unordered
    elif comparison == "num" and op.type in FLOATS:
        result = ~unordered
    elif comparison in ORDERS:
        result = ORDERS[comparison](a, b) & ~unordered
    elif comparison[:-1] in ORDERS and op.type in FLOATS:
        result = ORDERS[comparison[:-1]](a, b) | unordered
    else:
        raise UnknownInstruction(f"PTX: {op.text} is not implemented")
    match combination:
        case []:
            return np.asarray(result)
        case [name] if name in COMBINATIONS:
            return COMBINATIONS[name](result, c)
        case _:
            raise UnknownInstruction(f"PTX: {op.text} is not implemented")


def select(op: Opcode, a: Values, b: Values, p: Values) -> Values:
    """Return a where the predicate is true, else b."""
    op.require(frozenset(TYPES) - {"pred"})
    return np.where(p, a, b)


def minimum(op: Opcode, a: Values, b: Values) -> Values:
    """Return the smaller operand; -0 < +0."""
    return _extreme(op, a, b, (a < b) | ((a == b) & np.signbit(a)))


def maximum(op: Opcode, a: Values, b: Values) -> Values:
    """Return the larger operand; -0 < +0."""
    return _extreme(op, a, b, (a > b) | ((a == b) & ~np.signbit(a)))


def _extreme(op: Opcode, a: Values, b: Values, first: Values) -> Values:
    """Return a or b; of NaN and a number the number, with `.NaN` the NaN."""
    op.require(FLOATS, frozenset({"NaN"}))
    if "NaN" in op.modifiers:
        nan = a.dtype.type(np.nan)
        return np.where(np.isnan(a) | np.isnan(b), nan, np.where(first, a, b))
    return np.where(np.isnan(b) | (first & ~np.isnan(a)), a, b)


RULES = {"setp": set_predicate, "selp": select}
