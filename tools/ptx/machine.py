"""The run of a kernel: registers, memory and special registers of all threads."""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from tools.ptx.approximations import Model
from tools.ptx.instructions import execute, signature
from tools.ptx.opcode import (
    TYPES,
    Opcode,
    UnknownInstruction,
    Values,
    as_type,
    parse_opcode,
    to_bits,
)

CHUNK = 2**14
"""Threads that run at a time: their registers fit the cache."""
REGISTER_BYTES = {"rs": 2, "r": 4, "rd": 8}
ADDRESS = re.compile(r"\[(%?\w+)(?:\+(\d+))?\]")
NO_EFFECT = ("ret", "griddepcontrol.wait", "griddepcontrol.launch_dependents")
_BUFFER_SHIFT = np.uint64(40)
"""The address of byte i of buffer k is k 2^40 + i."""


class Instruction(NamedTuple):
    """An opcode and its operands."""

    opcode: str
    operands: tuple[str, ...]


def run(
    instructions: Iterable[Instruction],
    buffers: Mapping[str, Values],
    threads: int,
    blocks: int,
    model: Model,
) -> None:
    """Run a kernel on buffers of unsigned integers, by parameter name."""
    step = max(1, CHUNK // threads)
    for first in range(0, blocks, step):
        machine = Machine(buffers, threads, range(first, min(first + step, blocks)))
        for instruction in instructions:
            machine.step(instruction, model)


class Machine:
    """The state of the threads of some blocks."""

    def __init__(self, buffers: Mapping[str, Values], threads: int, blocks: range):
        self.addresses = {name: k << 40 for k, name in enumerate(buffers)}
        self.buffers = list(buffers.values())
        self.registers: dict[str, Values] = {
            "%tid.x": np.tile(np.arange(threads, dtype=np.uint32), len(blocks)),
            "%ctaid.x": np.repeat(np.array(blocks, np.uint32), threads),
            "%ntid.x": np.array(threads, np.uint32),
        }

    def step(self, instruction: Instruction, model: Model) -> None:
        """Run one instruction."""
        text, operands = instruction
        if text in NO_EFFECT:
            return
        op = parse_opcode(text)
        match op.name:
            case "ld":
                self.load(op, *operands)
            case "st":
                self.store(op, *operands)
            case "mov" | "cvta":
                op.require(frozenset(TYPES), frozenset({"to", "global"}))
                self.write(operands[0], self.read(operands[1], op.type))
            case _:
                target, *sources = operands
                types = signature(op).operands
                values = [self.read(*s) for s in zip(sources, types, strict=False)]
                self.write(target, execute(text, *values, model=model))

    def read(self, operand: str, name: str) -> Values:
        """Return the bits of a register or of a constant."""
        if operand in self.registers:
            return as_type(self.registers[operand], name)
        if operand.startswith("!"):
            return ~self.registers[operand[1:]]
        if operand.startswith("0f"):
            return np.array(int(operand[2:], 16), np.uint32)
        if not re.fullmatch(r"-?(0x[0-9A-Fa-f]+|\d+)", operand):
            raise UnknownInstruction(f"PTX: the operand {operand} is not implemented")
        width = 8 * TYPES[name].itemsize
        return np.array(int(operand, 0) % 2**width, f"u{width // 8}")

    def write(self, register: str, values: Values) -> None:
        """Set a register; narrower integers are extended to its width."""
        match = re.fullmatch(r"%(rs|rd|r|p)\d+", register)
        if match is None:
            raise UnknownInstruction(f"PTX: the operand {register} is not implemented")
        if values.dtype.kind != "b":
            size = REGISTER_BYTES[match[1]]
            if values.dtype.itemsize < size:
                values = values.astype(f"{values.dtype.kind}{size}")
            values = to_bits(values)
        self.registers[register] = values

    def load(self, op: Opcode, target: str, source: str) -> None:
        """Load a parameter, or elements of a buffer."""
        match = ADDRESS.fullmatch(source)
        if match is not None and "param" in op.modifiers:
            self.write(target, np.array(self.addresses[match[1]], np.uint64))
            return
        op.require(frozenset(TYPES), frozenset({"global", "nc", "v2", "v4"}))
        for k, register in enumerate(target.strip("{}").split(",")):
            buffer, index = self.locate(source, k, op)
            self.write(register.strip(), buffer[index].view(TYPES[op.type]))

    def store(self, op: Opcode, target: str, source: str) -> None:
        """Store elements to a buffer."""
        op.require(frozenset(TYPES), frozenset({"global", "v2", "v4"}))
        for k, register in enumerate(source.strip("{}").split(",")):
            buffer, index = self.locate(target, k, op)
            buffer[index] = to_bits(self.read(register.strip(), op.type))

    def locate(self, address: str, k: int, op: Opcode) -> tuple[Values, Values]:
        """Return the buffer of an address, and the indices of its k-th elements."""
        match = ADDRESS.fullmatch(address)
        if match is None:
            raise UnknownInstruction(f"PTX: the operand {address} is not implemented")
        start = self.registers[match[1]]
        number = int(start.flat[0] >> _BUFFER_SHIFT)
        size = TYPES[op.type].itemsize
        offset = start - (np.uint64(number) << _BUFFER_SHIFT) + np.uint64(match[2] or 0)
        buffer = self.buffers[number].view(f"u{size}")
        return buffer, offset // np.uint64(size) + np.uint64(k)
