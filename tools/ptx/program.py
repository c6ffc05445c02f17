"""A kernel as text, and its run over an array."""

import re
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from tools.ptx.approximations import BEST, Model
from tools.ptx.machine import Instruction, run
from tools.ptx.opcode import UnknownInstruction, Values, to_bits

HEADER = re.compile(r"// blocks: (\d+)")
ENTRY = re.compile(r"\.entry \w+\((.*?)\)(.*?)\{(.*?)\n\}", re.S)


class Program(NamedTuple):
    """A compiled elementwise function of one array."""

    instructions: tuple[Instruction, ...]
    buffers: tuple[str, ...]
    """Parameters: the input, unless the result is constant, and the result."""
    threads: int
    """Threads of a block."""
    blocks: int
    """Number of blocks; 0 for a copy of the input, which needs no kernel."""

    def __call__(self, x: Values, model: Model = BEST) -> Values:
        """Return the result, of the dtype of x, for the size that was compiled."""
        if not self.blocks:
            return x.copy()
        source = to_bits(np.ascontiguousarray(x))
        result = source.copy()
        arrays = [source, result][-len(self.buffers) :]
        buffers = dict(zip(self.buffers, arrays, strict=True))
        run(self.instructions, buffers, self.threads, self.blocks, model)
        return result.view(x.dtype)


def parse_program(text: str) -> Program:
    """Parse the text of `tools.ptx.compile`: PTX below a header.

    Raises:
        UnknownInstruction: The kernel is not one block of straight-line code.
    """
    header, entry = HEADER.match(text), ENTRY.search(text)
    if header is None or text.count(".entry ") > 1:
        raise ValueError("PTX: expected a header '// blocks: N' and one kernel")
    if entry is None:
        return Program((), (), 0, 0)
    parameters, directives, body = entry.groups()
    threads = re.search(r"\.reqntid (\d+)", directives)
    if threads is None:
        raise UnknownInstruction("PTX: a kernel without .reqntid is not implemented")
    buffers = tuple(line.split()[-1] for line in parameters.split(","))
    if len(buffers) > 2:
        raise ValueError(f"PTX: expected 2 buffers at most, got {len(buffers)}")
    instructions = tuple(_instructions(body))
    return Program(instructions, buffers, int(threads[1]), int(header[1]))


def _instructions(body: str) -> Iterator[Instruction]:
    """Yield the instructions of a kernel."""
    code = " ".join(line.partition("//")[0] for line in body.splitlines())
    for statement in (" ".join(s.split()) for s in code.split(";")):
        opcode, _, rest = statement.partition(" ")
        if opcode in ("", ".reg"):
            continue
        if not re.fullmatch(r"[a-z][\w.]*", opcode):  # a predicate or a label
            raise UnknownInstruction(f"PTX: {statement!r} is not implemented")
        operands = re.findall(r"\{[^}]*\}|\[[^]]*\]|[^,\s]+", rest)
        yield Instruction(opcode, tuple(operands))
