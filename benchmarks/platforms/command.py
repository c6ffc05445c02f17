"""What do programs compiled for a GPU or a TPU cost, and how long should they take?

    python -m benchmarks platforms --target h100                 about 20 minutes
    python -m benchmarks platforms --target tpu-v6e --only silu  some functions

No device is needed: XLA:GPU and ptxas, or libtpu, compile for a described one;
`make platforms` installs them. Every function is compiled forward and with its
gradient, in float32 and bfloat16, with the counterpart in `jax.nn` beside it; blocks
that use it as well.

Results are stored as they come. A run compiles only programs whose lowered form differs
from the stored one, so an interrupted run resumes. `python -m benchmarks pages
platforms` writes docs/platforms.md.
"""

import subprocess
import time
from collections.abc import Iterable
from typing import Annotated

import typer
from rich.progress import MofNCompleteColumn, Progress, TimeElapsedColumn

from benchmarks.platforms.compilers import Compiler
from benchmarks.platforms.programs import Program, named
from benchmarks.platforms.targets import ROOT, TARGETS, CompilerMissing
from benchmarks.results import PlatformRow, load_rows, store_rows

STORE_EVERY = 20
"""Seconds between writes of the stored rows."""
Key = tuple[str, str, str, str]
"""Function, library, dtype and direction."""


def main(
    target: Annotated[str, typer.Option(help=f"One of {', '.join(TARGETS)}.")],
    only: Annotated[str, typer.Option(help="Functions, separated by commas.")] = "",
    again: Annotated[
        bool, typer.Option(help="Compile unchanged programs again.")
    ] = False,
) -> None:
    """Compile programs for a device that need not be attached; store their costs."""
    if target not in TARGETS:
        expected = ", ".join(TARGETS)
        raise typer.BadParameter(f"expected one of {expected}, got {target!r}")
    try:
        programs = named([n for n in only.split(",") if n])
        with Compiler(target) as compiler:
            failures = measure(compiler, programs, again)
    except (ValueError, CompilerMissing) as error:
        raise typer.BadParameter(str(error)) from error
    for name, message in failures.items():
        print(f"{name}: {message}")
    if failures:
        raise typer.Exit(1)


def measure(
    compiler: Compiler, programs: Iterable[Program], again: bool = False
) -> dict[str, str]:
    """Compile programs, store their rows, and return the errors by program."""
    programs = list(programs)
    head, stored = load_rows("platforms", PlatformRow, backend=compiler.target)
    valid = {program[:4] for program in named([])}
    rows: dict[Key, PlatformRow] = {r[:4]: r for r in stored if r[:4] in valid}
    # Another compiler compiles an unchanged program differently.
    again = again or not head.items() >= compiler.versions.items()
    failures: dict[str, str] = {}
    columns = (*Progress.get_default_columns(), MofNCompleteColumn())
    last = time.monotonic()
    with Progress(*columns, TimeElapsedColumn()) as progress:
        task = progress.add_task(compiler.target, total=len(programs))
        for program in programs:
            progress.update(task, description=f"{compiler.target} {program.name:50}")
            row = rows.get(program[:4])
            known = {} if row is None or again else {"program": row.program}
            result = compiler.request(program.name, **known)
            if "error" in result:
                failures[program.name] = result["error"]
            elif "counts" in result:
                rows[program[:4]] = PlatformRow(
                    *program[:4], **result["counts"], program=result["program"]
                )
            progress.advance(task)
            if time.monotonic() - last > STORE_EVERY:
                store(compiler, rows)
                last = time.monotonic()
        store(compiler, rows)
    return failures


def store(compiler: Compiler, rows: dict[Key, PlatformRow]) -> None:
    """Write the rows of a target, in the order of their functions."""
    device = TARGETS[compiler.target]
    store_rows(
        "platforms",
        sorted(rows.values(), key=lambda row: row[:4]),
        backend=compiler.target,
        device=f"{device.title}, compiled for, not attached",
        commit=commit(),
        title=device.title,
        kind=device.kind,
        bandwidth=device.bandwidth,
        clock=device.clock,
        compute_units=device.cores,
        source=device.source,
        **compiler.versions,
    )


def commit() -> str:
    """Return the commit of the sources that are compiled."""
    command = ["git", "log", "-1", "--format=%h", "--", "jax_acts"]
    process = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False
    )
    return process.stdout.strip()
