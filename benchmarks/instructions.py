"""How many instructions does the loop of a function have, for eight numbers?

    python -m benchmarks.instructions             every function: a minute or two
    python -m benchmarks.instructions silu gelu   some of them, for the terminal

They are those of the longest vector loop that XLA compiles for a CPU, in float32, as
`objdump` of GNU binutils shows it. A quotient or a root is one, and takes as long as
several others.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import jax
import jax.numpy as jnp
import typer
from rich.progress import track

from benchmarks.peers import catalogue
from benchmarks.speed import RESULTS

RESULT = RESULTS / "instructions-cpu.json"
SIZE = 16_384
LINE = re.compile(r"\s*([0-9a-f]+):\s+(\S+)\s*(.*)")
STORE = re.compile(r"%([yz])mm\d+,[^(]*\(%\w+,%")  # by an index: into the result
SLOW = ("vdivp", "vsqrtp")


class Loop(NamedTuple):
    """What is done for eight numbers."""

    instructions: float
    slow: float
    """How many of them are quotients or roots."""


class Row(NamedTuple):
    """The loops of one function; None where there is none, as of the identity."""

    function: str
    forward: Loop | None
    derivative: Loop | None
    jax: Loop | None
    """Forward, of `jax.nn`."""


def count(f: Callable[[Any], Any]) -> Loop | None:
    """Returns the longest loop of the program of a function."""
    with tempfile.TemporaryDirectory() as folder:
        lowered = jax.jit(lambda x: f(x)).lower(jnp.ones(SIZE))
        lowered.compile({"xla_dump_to": folder})
        loops = [loop for path in Path(folder).glob("*.o") for loop in loops_of(path)]
    return max(loops, default=None)


def loops_of(path: Path) -> Iterator[Loop]:
    """Yields the vector loops of an object file."""
    command = ["objdump", "-d", "--no-show-raw-insn", str(path)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    lines = [m.groups() for m in map(LINE.match, said.splitlines()) if m]
    code = [(int(place, 16), name, rest) for place, name, rest in lines]
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


def measure(name: str) -> Row:
    """Returns the loops of one function."""
    f = catalogue()[name]
    theirs = getattr(jax.nn, name, None)
    return Row(name, count(f), count(f.derivative), count(theirs) if theirs else None)


def load() -> dict[str, Row]:
    """Returns what is stored, by function."""
    rows = json.loads(RESULT.read_text())["rows"]
    loop = lambda entry: Loop(*entry) if entry else None
    return {name: Row(name, *map(loop, loops)) for name, *loops in rows}


def table(rows: dict[str, Row]) -> list[str]:
    """Returns the rows as Markdown, with the quotients and roots in brackets."""
    cell = lambda loop: f"{loop.instructions:.0f} ({loop.slow:.0f})" if loop else ""
    return [
        "| function | forward | derivative | forward: jax.nn |",
        "|---|---|---|---|",
        *(
            f"| {row.function} | {' | '.join(map(cell, row[1:]))} |"
            for row in rows.values()
        ),
    ]


def main(
    functions: Annotated[
        list[str] | None, typer.Argument(help="Functions; all, if left out.")
    ] = None,
) -> None:
    """Counts, and prints or stores the counts."""
    if not shutil.which("objdump"):
        sys.exit("objdump is not here: apt-get install binutils, or the like, has it")
    unknown = {*(functions or ())} - {*catalogue()}
    if unknown:
        raise typer.BadParameter(f"no function {', '.join(sorted(unknown))}")
    names = functions or list(catalogue())
    rows = {name: measure(name) for name in track(names, "instructions")}
    if not functions:
        lines = ",\n".join(json.dumps(row) for row in rows.values())
        head = json.dumps({"jax": jax.__version__})
        RESULT.write_text(f'{head[:-1]}, "rows": [\n{lines}\n]}}\n')
    print("\n".join(table(rows)))


if __name__ == "__main__":
    typer.run(main)
