"""The opcode of an instruction, such as `fma.rm.f32`, and the types of PTX."""

import functools
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

Values = NDArray[Any]

TYPES: dict[str, np.dtype[Any]] = {
    "pred": np.dtype(bool),
    "f16": np.dtype(np.float16),
    "bf16": np.dtype(ml_dtypes.bfloat16),
    "f32": np.dtype(np.float32),
    **{
        f"{kind}{8 * size}": np.dtype(f"{code}{size}")
        for kind, code in (("b", "u"), ("u", "u"), ("s", "i"))
        for size in (1, 2, 4, 8)
    },
}
"""NumPy dtypes by the suffix of an opcode; untyped bits are unsigned."""
FLOATS = frozenset({"f16", "bf16", "f32"})
BITS = frozenset({"b16", "b32", "b64"})
INTEGERS = frozenset({"s16", "s32", "s64", "u16", "u32", "u64"})


class UnknownInstruction(NotImplementedError):
    """An instruction, or a form of one, that the interpreter does not implement."""


class Opcode(NamedTuple):
    """An opcode: `cvt.rn.bf16.f32` is ("cvt", {"rn"}, ("bf16", "f32"))."""

    name: str
    modifiers: tuple[str, ...]
    types: tuple[str, ...]
    text: str

    @property
    def type(self) -> str:
        """The last type: that of the operands."""
        return self.types[-1]

    def require(
        self, types: frozenset[str], modifiers: frozenset[str] = frozenset()
    ) -> None:
        """Raise unless the types and modifiers are among those."""
        if not ({*self.types} <= types and {*self.modifiers} <= modifiers):
            raise UnknownInstruction(f"PTX: {self.text} is not implemented")


@functools.cache
def parse_opcode(text: str) -> Opcode:
    """Return the parts of an opcode.

    Raises:
        UnknownInstruction: It has no type, or one that is not implemented.
    """
    name, *suffixes = text.split(".")
    types = tuple(s for s in suffixes if s in TYPES)
    modifiers = tuple(s for s in suffixes if s not in TYPES)
    if not types:
        raise UnknownInstruction(f"PTX: {text} is not implemented")
    return Opcode(name, modifiers, types, text)


def as_type(values: Values, name: str) -> Values:
    """Reinterpret bits as a type of the same size, or truncate them to a narrower one.

    Raises:
        TypeError: The type is wider than the values.
    """
    dtype = TYPES[name]
    is_predicate = values.dtype.kind == "b"
    if (name == "pred") != is_predicate or dtype.itemsize > values.dtype.itemsize:
        raise TypeError(f"PTX: expected {name}, got {values.dtype}")
    if is_predicate:
        return values
    if dtype.itemsize < values.dtype.itemsize:
        values = to_bits(values).astype(f"u{dtype.itemsize}")
    return values.view(dtype)


def to_bits(values: Values) -> Values:
    """Reinterpret values as unsigned integers; predicates stay as they are."""
    if values.dtype.kind == "b":
        return values
    return values.view(f"u{values.dtype.itemsize}")
