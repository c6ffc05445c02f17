"""What is counted in a compiled program, and the time that follows from the counts."""

import math
from collections import Counter
from typing import Any, NamedTuple

import jax
import numpy as np

from benchmarks.platforms.hlo import Module
from benchmarks.platforms.programs import Program
from benchmarks.platforms.targets import Target


class Cost(NamedTuple):
    """What one kernel costs apart from its bytes, summed over the device."""

    seconds: float = 0
    """Time to issue its instructions."""
    instructions: float = 0
    """Instructions of threads (GPU), or bundles (TPU)."""
    special: float = 0
    """Special-function instructions: exp2, log2, reciprocal, tanh, …"""
    registers: int = 0
    spills: int = 0


class Counts(NamedTuple):
    """The counts of one program, in the order of `PlatformRow`."""

    kernels: int
    fusions: int
    bytes: int
    least_bytes: int
    temporaries: int
    instructions: float | None
    special: float | None
    registers: int
    spills: int
    microseconds: float
    memory_microseconds: float
    patterns: str


UNIT = {"gpu": 1, "tpu": 1024}
"""Elements that instructions are counted for: a TPU register holds 1,024."""


def count(
    program: Program,
    target: Target,
    compiled: Any,
    module: Module,
    costs: dict[str, Cost],
) -> Counts:
    """Return the counts of a program.

    Args:
        program: The program.
        target: The device.
        compiled: The compiled program, for its memory analysis.
        module: Its module.
        costs: The cost of each kernel by name; that of a matrix product is missing.
    """
    kernels = list(module.kernels())
    memory = total = 0.0
    for kernel in kernels:
        seconds = kernel.bytes / target.bandwidth
        cost = costs.get(kernel.name, Cost())
        total += kernel.runs * max(seconds, cost.seconds)
        memory += kernel.runs * seconds
    own = [costs[k.name] for k in kernels if k.name in costs]
    per = UNIT[target.kind] / program.elements
    # A copy between memories runs beside the instructions.
    coded = [k for k in kernels if not k.opcode.endswith("-start")]
    complete = len(own) == len(coded) and all(k.runs == 1 for k in coded)
    opcodes = Counter[str]()
    for kernel in kernels:
        opcodes[kernel.opcode] += kernel.runs
    analysis = compiled.memory_analysis()
    return Counts(
        kernels=opcodes.total(),
        fusions=opcodes["fusion"],
        bytes=sum(k.runs * k.bytes for k in kernels),
        least_bytes=least_bytes(program),
        temporaries=analysis.temp_size_in_bytes,
        instructions=figure(sum(c.instructions for c in own) * per, complete),
        special=figure(sum(c.special for c in own) * per, complete),
        registers=max((c.registers for c in own), default=0),
        spills=sum(c.spills for c in own),
        microseconds=round(1e6 * total, 2),
        memory_microseconds=round(1e6 * memory, 2),
        patterns=" ".join(module.patterns()),
    )


def figure(value: float, complete: bool) -> float | None:
    """Return a rounded value, None if a kernel without machine code is left out."""
    return round(value, 2) if complete and math.isfinite(value) else None


def least_bytes(program: Program) -> int:
    """Return the bytes of the arguments and the results."""
    results = jax.eval_shape(program.call, *program.arguments)
    arrays = jax.tree.leaves((program.arguments, results))
    return sum(math.prod(a.shape) * np.dtype(a.dtype).itemsize for a in arrays)
