"""Compile a program by XLA:GPU and ptxas for a GPU that is not attached."""

import math
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from jax.experimental import topologies

from benchmarks.platforms import ptx, sass
from benchmarks.platforms.counts import Cost, Counts, count
from benchmarks.platforms.hlo import Module
from benchmarks.platforms.programs import Program
from benchmarks.platforms.targets import SPECS, Target

PLATFORM = "cuda"
ENVIRONMENT: dict[str, str] = {}
CYCLES_PER_INSTRUCTION = {"integer": 1 / 2, "special": 2, "convert": 2}
"""Cycles of a multiprocessor per warp instruction, by pipe."""


class Launch(NamedTuple):
    """The launch of a kernel."""

    blocks: int
    threads: int


def devices(name: str, target: Target, number: int = 1) -> Any:
    """Return described devices of a target."""
    spec = (SPECS / f"{name}.txtpb").read_text()
    topology = target.topology.replace("x1x1", f"x1x{number}")
    return topologies.get_topology_desc(
        platform="cuda", target_config=spec, topology=topology
    ).devices


def compile_program(program: Program, target: Target, lowered: Any) -> Counts:
    """Compile a lowered program, and count its kernels and their instructions."""
    with tempfile.TemporaryDirectory() as folder:
        options = {**program.options, "xla_dump_to": folder}
        compiled = lowered.compile(options)
        module = Module(compiled.as_text())
        costs = kernel_costs(module, target, Path(folder))
    return count(program, target, compiled, module, costs)


def kernel_costs(module: Module, target: Target, folder: Path) -> dict[str, Cost]:
    """Return the cost of each kernel whose PTX was dumped, by its name in the module.

    The tiles of a Triton matrix product are those of no autotuning; it is left out.
    """
    modules = [path.read_text() for path in sorted(folder.glob("*.ptx"))]
    modules = [text for text in modules if ".entry" in text]
    code = sass.assemble(modules) if modules else {}
    threads = {n: k for text in modules for n, k in ptx.parse_kernels(text).items()}
    costs = {}
    for name, launched, launch in match_launches(module, parse_launches(folder)):
        if launched in code and not launched.startswith("gemm_fusion"):
            kernel = threads[launched]
            dynamic = ptx.warp_instructions(kernel, launch.threads)
            ratio = dynamic / len(kernel.instructions)
            costs[name] = kernel_cost(code[launched], ratio, launch, target)
    return costs


def match_launches(
    module: Module, thunks: list[tuple[str, Launch]]
) -> Iterator[tuple[str, str, Launch]]:
    """Yield the name of each kernel in the module, and its launch.

    Equal kernels are compiled once, under the name of the first: a sequence without
    loops is matched by order, another one by name.
    """
    kernels = [kernel.name for kernel in module.kernels()]
    if len(kernels) == len(thunks):
        yield from ((n, *thunk) for n, thunk in zip(kernels, thunks, strict=True))
    else:
        launches = dict(thunks)
        for name in kernels:
            launched = re.sub(r"[.-]", "_", name)
            if launched in launches:
                yield name, launched, launches[launched]


def kernel_cost(
    code: sass.Code, executed: float, launch: Launch, target: Target
) -> Cost:
    """Return the cost of a launch.

    Args:
        code: Its machine code.
        executed: How often an instruction is executed, the mean over the kernel.
        launch: Its blocks and threads.
        target: The GPU.
    """
    warps = launch.blocks * launch.threads / 32
    rates = CYCLES_PER_INSTRUCTION | {"fma": 1 / target.fma}
    cycles = {pipe: n * rates.get(pipe, 1 / 4) for pipe, n in code.pipes.items()}
    cycles["fma"] = cycles.get("fma", 0) + code.pipes.get("integer_fma", 0) / 2
    cycles["special"] = cycles.get("special", 0) + cycles.get("convert", 0)
    issue = max(code.instructions / 4, *cycles.values())
    return Cost(
        seconds=issue * executed * warps / (target.cores * target.clock),
        instructions=code.instructions * executed * warps * 32,
        special=code.pipes.get("special", 0) * executed * warps * 32,
        registers=code.registers,
        spills=code.spills,
    )


def parse_launches(folder: Path) -> list[tuple[str, Launch]]:
    """Return the kernels of the dumped thunk sequence and their launches, in order.

    A thunk that is not a kernel of XLA, such as a matrix product, has no threads.
    """
    (path,) = folder.glob("*.thunk_sequence.txt")
    grid = r"(\w+) grid: \[(\d+), (\d+), (\d+)\] threads: \[(\d+), (\d+), (\d+)\]"
    launches = []
    for line in path.read_text().splitlines():
        if match := re.search(grid, line):
            x, y, z, *threads = map(int, match.groups()[1:])
            launches.append((match[1], Launch(x * y * z, math.prod(threads))))
        elif re.match(r"\s*\d+: k(?!CommandBuffer|Sequential)", line):
            launches.append(("", Launch(0, 0)))
    return launches
