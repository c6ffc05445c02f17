"""Counts of kernels, fusions and bytes from the text of a compiled module.

The cost analysis of XLA:GPU is empty, so the bytes of a kernel are those of its
operands and results; a fusion that slices a stacked array counts the slice only. The
kernels of a loop count as often as the loop runs.
"""

import math
import re
from collections.abc import Iterator
from typing import NamedTuple

BITS = {"pred": 8, "bf16": 16, "f16": 16, "f32": 32, "f64": 64}
BITS |= {f"{sign}{n}": n for sign in "su" for n in (8, 16, 32, 64)}
FREE = frozenset(
    [
        *("parameter", "constant", "get-tuple-element", "tuple", "bitcast", "iota"),
        *("after-all", "partition-id", "opt-barrier", "async-done", "async-update"),
    ]
)
"""Operations that launch no kernel."""
VIEWS = ("bitcast", "reshape", "copy")
COLLECTIVES = ("all-reduce", "all-gather", "reduce-scatter", "all-to-all")
COLLECTIVES += ("collective-permute",)


class Operation(NamedTuple):
    """One line of a computation."""

    name: str
    type: str
    opcode: str
    operands: tuple[str, ...]
    line: str
    root: bool

    def attribute(self, pattern: str) -> str | None:
        """Return the first group of a pattern in the line."""
        match = re.search(pattern, self.line)
        return match[1] if match else None


class Kernel(NamedTuple):
    """An operation that launches a kernel."""

    name: str
    opcode: str
    bytes: int
    runs: int
    """How often it runs."""


class Module:
    """A compiled module: its computations, and the name of the entry."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.entry = ""
        self.computations: dict[str, dict[str, Operation]] = {}
        body: dict[str, Operation] = {}
        for line in text.splitlines():
            if header := re.match(r"(ENTRY )?%?(\S+) \(.*\) -> .* \{", line):
                body = self.computations[header[2]] = {}
                self.entry = header[2] if header[1] else self.entry
            elif operation := parse_operation(line):
                body[operation.name] = operation

    def kernels(self, computation: str = "", runs: int = 1) -> Iterator[Kernel]:
        """Yield the kernels of a computation, the entry by default."""
        body = self.computations[computation or self.entry]
        for operation in body.values():
            opcode = operation.opcode
            if opcode in FREE or opcode.endswith("-done"):
                continue
            if opcode == "while":
                trips = int(
                    operation.attribute(r'"known_trip_count":{"n":"(\d+)"') or 1
                )
                inner = operation.attribute(r"body=%?([\w.\-]+)") or ""
                yield from self.kernels(inner, runs * trips)
            elif opcode == "call":
                inner = operation.attribute(r"to_apply=%?([\w.\-]+)") or ""
                yield from self.kernels(inner, runs)
            else:
                size = self.bytes_of(operation, body)
                yield Kernel(operation.name, opcode, size, runs)

    def bytes_of(self, operation: Operation, body: dict[str, Operation]) -> int:
        """Return the bytes that a kernel reads and writes."""
        inner = operation.attribute(r"calls=%?([\w.\-]+)")
        types = [body[n].type if n in body else "" for n in operation.operands]
        if inner in self.computations:
            return fusion_bytes(self.computations[inner], types)
        if operation.opcode == "dynamic-update-slice":
            return 2 * type_bytes(types[1])
        if operation.opcode == "dynamic-slice":
            return 2 * type_bytes(operation.type)
        if operation.opcode == "slice-start":  # ((operand), result, flag)
            _, result = re.findall(r"\w+\[[\d,]*\]{[^}]*}", operation.type)[:2]
            read = re.sub(r"S\(\d\)", "", result) if type_bytes(types[0]) else ""
            return type_bytes(result) + type_bytes(read)
        if operation.opcode.endswith("-start"):  # (result, operand, flag)
            result = re.match(r"\((.*?}), ", operation.type)
            return type_bytes(result[1] if result else "") + sum(map(type_bytes, types))
        return type_bytes(operation.type) + sum(map(type_bytes, types))

    def patterns(self) -> list[str]:
        """Return the epilogues of matrix products and convolutions, None excluded."""
        matches = re.findall(r'"(?:epilogue|activation_mode)":"(\w+)"', self.text)
        return [m for m in matches if m not in ("DEFAULT", "kNone")]

    def collectives(self) -> list[str]:
        """Return the collective operations."""
        return [c for c in COLLECTIVES if re.search(rf" {c}(-start)?\(", self.text)]


def parse_operation(line: str) -> Operation | None:
    """Return the operation of a line, None if it has none."""
    pattern = r"\s*(ROOT )?%(\S+) = (\(.*?\)|\S+) ([\w\-]+)\((.*)"
    match = re.match(pattern, re.sub(r"/\*.*?\*/", "", line))
    if not match:
        return None
    root, name, kind, opcode, rest = match.groups()
    inside = up_to_parenthesis(rest)
    operands = re.findall(r"%([\w.\-]+)", inside)
    if opcode == "parameter":
        operands = [inside]
    return Operation(name, kind, opcode, tuple(operands), line, bool(root))


def up_to_parenthesis(text: str) -> str:
    """Return the text before the parenthesis that closes an open one."""
    depth = 1
    for index, character in enumerate(text):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if not depth:
            return text[:index]
    return text


def type_bytes(text: str) -> int:
    """Return the bytes of the arrays of a type, without those in on-chip memory."""
    sizes = 0
    for dtype, shape, layout in re.findall(r"(\w+)\[([\d,]*)\]({[^}]*})?", text):
        if re.search(r"S\(\d", layout):  # a memory space of a TPU other than HBM
            continue
        dimensions = [int(n) for n in shape.split(",") if n]
        sizes += BITS.get(dtype, 0) * math.prod(dimensions) // 8
    return sizes


def fusion_bytes(body: dict[str, Operation], types: list[str]) -> int:
    """Return the bytes of a fusion, given the types of its operands."""
    parameters = {
        int(o.operands[0]): o.name for o in body.values() if o.opcode == "parameter"
    }
    root = next(o for o in body.values() if o.root)
    total = result_bytes(body, root.name)
    for index, kind in enumerate(types):
        name = parameters.get(index, "")
        uses = list(uses_of(body, name))
        sliced = [
            o.operands[0] == view and o.opcode.startswith("dynamic-")
            for o, view in uses
        ]
        if uses and all(sliced):
            slices = [o for o, _ in uses if o.opcode == "dynamic-slice"]
            total += sum(type_bytes(o.type) for o in slices)
        else:
            total += type_bytes(kind)
    return total


def uses_of(body: dict[str, Operation], name: str) -> Iterator[tuple[Operation, str]]:
    """Yield the operations that use a value or a view of it, and the view's name."""
    for operation in body.values():
        if operation.opcode != "parameter" and name in operation.operands:
            if operation.opcode in VIEWS and not operation.root:
                yield from uses_of(body, operation.name)
            else:
                yield operation, name


def result_bytes(body: dict[str, Operation], name: str) -> int:
    """Return the bytes that a result of a fusion writes: an update, its slice."""
    operation = body[name]
    if operation.opcode == "tuple":
        return sum(result_bytes(body, n) for n in operation.operands)
    if operation.opcode in ("bitcast", "reshape"):
        return result_bytes(body, operation.operands[0])
    if operation.opcode == "dynamic-update-slice":
        return type_bytes(body[operation.operands[1]].type)
    return type_bytes(operation.type)
