"""How fast are functions and their gradients, compared with other libraries?

    python -m benchmarks speed                    every function, about 10 minutes
    python -m benchmarks speed silu gelu          some functions, printed
    python -m benchmarks speed silu --store       replace the stored rows of some
    python -m benchmarks speed --size 15000       one size, printed
    python -m benchmarks speed --compiled         with torch.compile: minutes more

`benchmarks.harness` describes the timing.
"""

import importlib
import importlib.util
import os
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.harness import (
    Run,
    copy_run,
    in_copies,
    inputs,
    interleave,
    jax_run,
    repeats,
)
from benchmarks.libraries import catalogue, matching
from benchmarks.results import DIRECTIONS, SpeedRow, load_rows, store_rows

SIZES = (15_000, 250_000, 4_000_000)
"""Elements: within the cache of a core, within that of all cores, and in memory."""
DTYPES = ("float32", "bfloat16")
ROUNDS = {15_000: 150, 250_000: 50, 4_000_000: 11}
"""Rounds by number of elements: short runs need more to find an undisturbed one."""

Functions = dict[str, dict[str, Callable[[Any], Any]]]
"""Functions by library and name."""


def torch_run(
    f: Callable[[Any], Any], dtype: str, size: int, direction: str, compiled: bool
) -> Run:
    """Return a run of a PyTorch function, eager or compiled."""
    torch = importlib.import_module("torch")
    count = repeats(size)
    arrays = (np.array(a.astype(jnp.float32)) for a in inputs(dtype, size))
    x, cotangent = (torch.tensor(a).to(getattr(torch, dtype)) for a in arrays)
    if compiled:
        torch.compiler.reset()  # its cache holds eight functions
        f = torch.compile(f, dynamic=False)
    with_gradient = direction == "forward_backward"
    if with_gradient:
        x.requires_grad_()

    def calls() -> None:
        for _ in range(count):
            y = f(x)
            if with_gradient:
                torch.autograd.grad(y, x, cotangent)

    return calls


def libraries(compiled: bool) -> Functions:
    """Return the functions of each installed library by our names."""
    functions: Functions = {
        "jax_acts": dict(catalogue()),
        "jax": matching("jax", (jax.nn, jnp, jax.scipy.special)),
    }
    if importlib.util.find_spec("torch"):
        torch = importlib.import_module("torch")
        torch.set_num_threads(os.cpu_count() or 1)
        functions["torch"] = matching("torch", (torch.nn.functional, torch))
        if compiled:
            functions["torch compiled"] = functions["torch"]
    return functions


def measure(
    name: str, functions: Functions, dtype: str, size: int
) -> Iterator[SpeedRow]:
    """Yield the times of one function in every library and direction."""
    torch = [n for n in ("torch", "torch compiled") if name in functions.get(n, {})]
    with_new = size == max(SIZES) and bool(torch)  # PyTorch always allocates
    for direction in DIRECTIONS:
        runs: dict[tuple[str, bool], Run] = {}
        for new in (False, True) if with_new else (False,):
            runs["copy", new] = copy_run(dtype, size, new)
            for library in ("jax_acts", "jax"):
                if f := functions[library].get(name):
                    runs[library, new] = jax_run(f, dtype, size, direction, new)
        # With a small array, the time of PyTorch is that of its dispatch.
        for library in torch if size > min(SIZES) else []:
            f, compiled = functions[library][name], library != "torch"
            runs[library, True] = torch_run(f, dtype, size, direction, compiled)
        yield from _rows(name, runs, dtype, size, direction)


def _rows(
    name: str, runs: dict[tuple[str, bool], Run], dtype: str, size: int, direction: str
) -> Iterator[SpeedRow]:
    times = interleave(runs, ROUNDS[size])
    for (library, new), timing in times.items():
        copy = times["copy", new and ("copy", True) in runs]
        nanoseconds = round(timing.low / (repeats(size) * size) * 1e9, 4)
        figures = nanoseconds, *in_copies(timing, copy)
        yield SpeedRow(name, library, dtype, size, direction, new, *figures)


def main(
    names: Annotated[
        list[str] | None, typer.Argument(help="Functions; all by default.")
    ] = None,
    compiled: Annotated[bool, typer.Option(help="Measure torch.compile too.")] = False,
    replace: Annotated[
        bool,
        typer.Option("--store", help="Replace the stored rows of these functions."),
    ] = False,
    sizes: Annotated[
        list[int] | None, typer.Option("--size", help="Some of the sizes.")
    ] = None,
) -> None:
    """Measure times; print those of some functions, store those of all."""
    functions = libraries(compiled)
    if unknown := set(names or ()) - set(functions["jax_acts"]):
        raise typer.BadParameter(f"no function {', '.join(sorted(unknown))}")
    rows = [
        row
        for name in track(names or list(functions["jax_acts"]), "speed")
        for dtype in DTYPES
        for size in SIZES[-1 if dtype == "bfloat16" else 0 :]
        if size in (sizes or SIZES)
        for row in measure(name, functions, dtype, size)
    ]
    if names:
        Console().print(_table(rows))
    if replace:
        measured = {(r.function, r.dtype, r.size) for r in rows}
        stored = load_rows("speed", SpeedRow)[1]
        rows += [r for r in stored if (r.function, r.dtype, r.size) not in measured]
    if replace or not (names or sizes):
        torch = importlib.import_module("torch") if "torch" in functions else None
        version = torch.__version__ if torch else None
        store_rows("speed", rows, torch=version, rounds=list(ROUNDS.values()))


def _table(rows: list[SpeedRow]) -> Table:
    columns = ("function", "library", "dtype", "elements", "direction", "memory")
    table = Table(*columns, "time per element (ns)", "time (copies)")
    for r in rows:
        memory = "newly allocated" if r.newly_allocated else "reused"
        figures = f"{r.nanoseconds:.3f}", f"{r.copies:.2f} ± {r.spread:.2f}"
        where = r.dtype, f"{r.size:,}", DIRECTIONS[r.direction], memory
        table.add_row(r.function, r.library, *where, *figures)
    return table
