"""Instructions that a thread of a PTX kernel executes, by following its control flow.

Integers and predicates are computed from the indices of the thread; loaded values and
floating-point results are unknown. A branch on an unknown predicate falls through.
"""

import re
from collections.abc import Callable
from typing import Any, NamedTuple

LIMIT = 2_000_000
"""Executed instructions after which a kernel counts as endless."""
Value = int | None


class Instruction(NamedTuple):
    """One instruction."""

    opcode: list[str]
    operands: list[str]
    guard: str
    """The predicate with its negation, empty without one."""


class Kernel(NamedTuple):
    """A kernel: its instructions, and where its labels point."""

    instructions: list[Instruction]
    labels: dict[str, int]


def parse_kernels(text: str) -> dict[str, Kernel]:
    """Return the kernels of a PTX file by name."""
    pattern = r"\.entry (\w+)\([^)]*\).*?\n\{(.*?)\n\}"
    return {m[1]: parse_body(m[2]) for m in re.finditer(pattern, text, re.S)}


def parse_body(text: str) -> Kernel:
    """Return a kernel, given the text between its braces."""
    instructions, labels = [], {}
    for statement in re.split(r";|(?<=:)\s*\n", re.sub(r"//[^\n]*", "", text)):
        words = statement.strip().lstrip("{} \n\t")
        if label := re.fullmatch(r"(\$?\w+):", words):
            labels[label[1]] = len(instructions)
        elif words and not words.startswith("."):
            guard = re.match(r"@(!?%\w+)\s+", words)
            words = words[guard.end() :] if guard else words
            opcode, _, rest = words.partition(" ")
            opcode, _, tail = opcode.partition("\t")
            operands = re.findall(r"\{[^}]*\}|\[[^\]]*\]|[^,\s]+", f"{tail} {rest}")
            instruction = (opcode.split("."), operands, guard[1] if guard else "")
            instructions.append(Instruction(*instruction))
    return Kernel(instructions, labels)


def warp_instructions(kernel: Kernel, threads: int) -> float:
    """Return the instructions per warp, the mean over the warps of a block.

    The first warp, which may finish a reduction, and the second stand for all.
    """
    warps = max(1, threads // 32)
    first = executed(kernel, 0, threads)
    rest = executed(kernel, 32, threads) if warps > 1 else first
    return (first + (warps - 1) * rest) / warps


def executed(kernel: Kernel, thread: int, threads: int) -> int:
    """Return the number of instructions that a thread of the first block executes."""
    known: dict[str, Value] = {"%tid.x": thread, "%ntid.x": threads}
    known |= {"%laneid": thread % 32, "%tid.y": 0, "%tid.z": 0}
    known |= {"%ctaid.x": 0, "%ctaid.y": 0, "%ctaid.z": 0}
    counter = count = 0
    while counter < len(kernel.instructions) and count < LIMIT:
        instruction = kernel.instructions[counter]
        opcode, operands = instruction.opcode, instruction.operands
        counter, count = counter + 1, count + 1
        guard: Value = 1
        if instruction.guard:
            guard = known.get(instruction.guard.lstrip("!"))
            if guard is not None and instruction.guard[0] == "!":
                guard = 1 - guard
        if opcode[0] in ("ret", "exit") and guard:
            break
        if opcode[0] == "bra":
            if guard:
                counter = kernel.labels[operands[0]]
        elif operands and guard != 0:
            value = evaluate(opcode, [read(known, o) for o in operands[1:]])
            known[operands[0].split("|")[0]] = value if guard else None
    return count


def read(known: dict[str, Value], operand: str) -> Value:
    """Return the value of an operand, None where it is unknown."""
    if re.fullmatch(r"-?\d+|0x[0-9a-fA-F]+", operand):
        return int(operand, 0)
    if operand.startswith("!"):
        value = known.get(operand[1:])
        return None if value is None else 1 - value
    return known.get(operand)


COMPARE: dict[str, Callable[[int, int], bool]] = {
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    **dict.fromkeys(("lt", "lo"), lambda a, b: a < b),
    **dict.fromkeys(("le", "ls"), lambda a, b: a <= b),
    **dict.fromkeys(("gt", "hi"), lambda a, b: a > b),
    **dict.fromkeys(("ge", "hs"), lambda a, b: a >= b),
}
INTEGER: dict[str, Callable[..., int]] = {
    "mov": lambda a: a,
    "cvt": lambda a: a,
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "mad": lambda a, b, c: a * b + c,
    "and": lambda a, b: a & b,
    "or": lambda a, b: a | b,
    "xor": lambda a, b: a ^ b,
    "shl": lambda a, b: a << b,
    "shr": lambda a, b: a >> b,
    "min": min,
    "max": max,
    "div": lambda a, b: a // b,
    "rem": lambda a, b: a % b,
    "selp": lambda a, b, p: a if p else b,
}
SCALARS = ("pred", *(f"{kind}{bits}" for kind in "bsu" for bits in (16, 32, 64)))


def evaluate(opcode: list[str], operands: list[Any]) -> Value:
    """Return the result of an integer instruction, None if it is unknown."""
    name, kind = opcode[0], opcode[-1]
    if None in operands or kind not in SCALARS or "hi" in opcode:
        return None
    if name == "setp":
        return int(COMPARE[opcode[1]](*operands)) if len(operands) == 2 else None
    if name == "not":
        return 1 - operands[0] if kind == "pred" else None
    function = INTEGER.get(name)
    if function is None:
        return None
    value = function(*operands)
    if kind == "pred" or not kind.startswith("s"):
        return value & 0xFFFF_FFFF_FFFF_FFFF
    return value
