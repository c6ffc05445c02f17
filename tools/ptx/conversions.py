"""Conversions between types."""

import numpy as np

from tools.ptx.opcode import FLOATS, INTEGERS, TYPES, Opcode, UnknownInstruction, Values

TO_INTEGER = {"rni": np.rint, "rzi": np.trunc, "rmi": np.floor, "rpi": np.ceil}


def convert(op: Opcode, a: Values) -> Values:
    """Return a value in another type."""
    target, source = op.types
    match (target in FLOATS, source in FLOATS):
        case (True, True):
            return _float_to_float(op, a)
        case (True, False):
            op.require(frozenset({target}) | INTEGERS, frozenset({"rn"}))
            if target != "f32" or a.dtype.itemsize > 4:
                raise UnknownInstruction(f"PTX: {op.text} is not implemented")
            return a.astype(np.float64).astype(np.float32)  # exact, then rounded
        case (False, True):
            return _float_to_integer(op, a)
        case _:
            op.require(INTEGERS | {"u8", "s8"})
            return a.astype(TYPES[target])


def _float_to_float(op: Opcode, a: Values) -> Values:
    """Return a float in another format, rounded to nearest or to an integer."""
    target, source = op.types
    exact = source in ("f16", "bf16") and target == "f32"
    modifiers = frozenset({"rn"}) if not exact else frozenset()
    if target == source == "f32":
        modifiers = frozenset({*TO_INTEGER, "sat"})
    elif not exact and source != "f32":
        raise UnknownInstruction(f"PTX: {op.text} is not implemented")
    op.require(FLOATS, modifiers)
    for modifier in op.modifiers:
        if modifier in TO_INTEGER:
            a = TO_INTEGER[modifier](a)
    if "sat" in op.modifiers:  # NaN becomes 0
        return np.where(a > 0, np.minimum(a, np.float32(1)), np.float32(0))
    return a.astype(TYPES[target])


def _float_to_integer(op: Opcode, a: Values) -> Values:
    """Return a rounded value, clipped to the range of the integers; 0 for NaN."""
    op.require(FLOATS | INTEGERS, frozenset(TO_INTEGER))
    target, source = op.types
    if source != "f32" or len(op.modifiers) != 1 or TYPES[target].itemsize > 4:
        raise UnknownInstruction(f"PTX: {op.text} is not implemented")
    info = np.iinfo(TYPES[target])
    whole = np.clip(
        TO_INTEGER[op.modifiers[0]](a.astype(np.float64)), info.min, info.max
    )
    return np.where(np.isnan(a), 0, whole).astype(TYPES[target])
