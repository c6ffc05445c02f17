"""How many instructions does the compiled loop of a function have, for eight elements?

    python -m benchmarks instructions             every function: a minute or two
    python -m benchmarks instructions silu gelu   some functions, printed

Counted in the longest vector loop of the float32 program that XLA compiles for CPU, as
disassembled by `objdump` of GNU binutils. Divisions and square roots, each as slow as
several other instructions, are counted apart as well.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import typer
from rich.progress import track

from benchmarks.libraries import catalogue
from benchmarks.results import InstructionRow, Loop, store_rows
from jax_acts.testing.evaluation import OPTIMIZED

SIZE = 16_384
LINE = re.compile(r"\s*([0-9a-f]+):\s+(\S+)\s*(.*)")
STORE = re.compile(r"%([yz])mm\d+,[^(]*\(%\w+,%")  # indexed: a store of the result
SLOW = ("vdivp", "vsqrtp")


def count(f: Callable[[Any], Any]) -> Loop | None:
    """Return the longest vector loop of the program of `f`, None if it has none."""
    with tempfile.TemporaryDirectory() as folder:
        program = lambda x: f(x)
        # A new name: a program of the persistent cache would not be dumped.
        program.__name__ = Path(folder).name
        lowered = jax.jit(program).lower(jnp.ones(SIZE))
        lowered.compile({"xla_dump_to": folder, **OPTIMIZED})
        loops = [loop for path in Path(folder).glob("*.o") for loop in loops_of(path)]
    return max(loops, default=None)


def loops_of(path: Path) -> Iterator[Loop]:
    """Yield the vector loops of an object file."""
    command = ["objdump", "-d", "--no-show-raw-insn", str(path)]
    process = subprocess.run(command, capture_output=True, text=True, check=True)
    lines = [m.groups() for m in map(LINE.match, process.stdout.splitlines()) if m]
    code = [(int(address, 16), name, rest) for address, name, rest in lines]
    for end, name, rest in code:
        target = re.match(r"[0-9a-f]+", rest)
        if not name.startswith("j") or not target or int(target[0], 16) > end:
            continue
        body = [step for step in code if int(target[0], 16) <= step[0] <= end]
        stores = [
            STORE.search(rest) for _, name, rest in body if name.startswith("vmov")
        ]
        eights = sum({"y": 1, "z": 2}[m[1]] for m in stores if m)
        if eights:
            slow = sum(name.startswith(SLOW) for _, name, _ in body)
            yield Loop(round(len(body) / eights, 1), round(slow / eights, 1))


def measure(name: str) -> InstructionRow:
    """Return the loops of one function."""
    f = catalogue()[name]
    theirs = getattr(jax.nn, name, None)
    jax_loop = count(theirs) if theirs else None
    return InstructionRow(name, count(f), count(f.derivative), jax_loop)


def main(
    names: Annotated[
        list[str] | None, typer.Argument(help="Functions; all by default.")
    ] = None,
) -> None:
    """Count instructions; print those of some functions, store those of all."""
    if not shutil.which("objdump"):
        sys.exit("instructions: objdump not found; install GNU binutils")
    if unknown := {*(names or ())} - {*catalogue()}:
        raise typer.BadParameter(f"no function {', '.join(sorted(unknown))}")
    rows = [measure(n) for n in track(names or list(catalogue()), "instructions")]
    if not names:
        store_rows("instructions", rows)
        return
    for row in rows:
        print(row)
