"""An interpreter of the PTX that XLA emits for elementwise GPU kernels.

    program = parse_program(text)          text of `tools.ptx.compile`, or a stored file
    y, dy = program(x, BEST)               one array per result
    execute("fma.rm.f32", a, b, c)         one instruction, on NumPy arrays

All threads of a kernel are one NumPy vector. Results are bit for bit those of the PTX
ISA manual where it specifies the result: additions, products, fused multiply-adds,
conversions, comparisons, integers, subnormals. Division, reciprocal, square roots,
`ex2`, `lg2` and `tanh` have error bounds there; a `Model` chooses a result within them.
An instruction that is not implemented is an error that names it.
"""

from tools.ptx.approximations import (
    BEST as BEST,
    NEAREST as NEAREST,
    Model as Model,
    worst as worst,
)
from tools.ptx.instructions import execute as execute
from tools.ptx.opcode import UnknownInstruction as UnknownInstruction
from tools.ptx.program import Program as Program, parse_program as parse_program
