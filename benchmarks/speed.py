"""How long do functions and their gradients take, beside other libraries?

    python -m benchmarks.speed                    every function, about 10 minutes
    python -m benchmarks.speed silu gelu          some of them, for the terminal
    python -m benchmarks.speed silu --store       whose rows replace those stored
    python -m benchmarks.speed --size 15000       one size of them, for the terminal
    python -m benchmarks.speed --compiled         PyTorch compiled too: minutes more
    python -m benchmarks.speed --page             writes docs/performance.md only

The unit is the time of a copy (x + 1) of the same array. Programs are timed in turn, in
many short rounds, and the lower decile over the rounds counts: what else the machine
does can only add to a time. What is called from JAX repeats inside one compiled
program, which writes to the same memory again, so that neither calls nor fresh pages
are timed; "fresh" is one call a time, into new memory, as PyTorch is called, where it
is installed.
"""

import functools
import importlib.util
import json
import os
import platform
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import typer
from rich.console import Console
from rich.progress import track

from benchmarks.peers import catalogue, found

RESULTS = Path(__file__).parent / "results"
SIZES = (15_000, 250_000, 4_000_000)
"""Elements: in the cache of a core, in that of all cores, and in memory."""
DTYPES = ("float32", "bfloat16")
DIRECTIONS = ("forward", "both")
WORK = 500_000
"""How many elements a program computes in one round, or one array if that is more."""
ROUNDS = {15_000: 150, 250_000: 50, 4_000_000: 11}
"""By the number of elements: a short run needs luck to be left alone by the machine."""

Run = Callable[[], Any]


class Row(NamedTuple):
    """The time of one program."""

    function: str
    library: str
    dtype: str
    size: int
    direction: str
    """Forward, or both: value and gradient."""
    fresh: bool
    nanoseconds: float
    """For one element."""
    copies: float
    """The time in units of that of a copy: lower deciles over the rounds."""
    spread: float
    """What the median is above that, in copies."""


def both(f: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    """Returns the program of f and its gradient, given that of the result."""

    def program(x: Any, ct: Any) -> Any:
        y, back = jax.vjp(f, x)
        return y, back(ct)[0]

    return program


def jax_run(
    f: Callable[[Any], Any], dtype: str, size: int, direction: str, fresh: bool
) -> Run:
    """Returns a run of a function of JAX."""
    one = both(f) if direction == "both" else lambda x, ct: f(x)
    count = repeats(size)
    x, ct = inputs(dtype, size)
    ct = ct[: jax.eval_shape(f, x).size]
    if fresh:
        single = jax.jit(one)

        def calls() -> None:
            for _ in range(count):
                jax.block_until_ready(single(x, ct))

        return calls

    def loop(state: Any) -> Any:
        def body(_: Any, state: Any) -> Any:
            # To the compiler x may be another each time: it takes nothing out of the
            # loop. A window that moves over x would change how it is read.
            x, ct, _ = jax.lax.optimization_barrier(state)
            return x, ct, one(x, ct)

        return jax.lax.fori_loop(0, count, body, state)

    like = jax.eval_shape(one, x, ct)
    zeros = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), like)
    # What a run is given its results are written over: no run begins with a fresh page.
    compiled, state = jax.jit(loop, donate_argnums=0), [(x, ct, zeros)]

    def again() -> None:
        state[0] = jax.block_until_ready(compiled(state[0]))

    return again


@functools.cache
def copy_run(dtype: str, size: int, fresh: bool) -> Run:
    """Returns a run of a copy, the unit of time."""
    return jax_run(lambda x: x + 1, dtype, size, "forward", fresh)


def torch_run(
    f: Callable[[Any], Any], dtype: str, size: int, direction: str, compiled: bool
) -> Run:
    """Returns a run of a function of PyTorch, eager or compiled."""
    torch = importlib.import_module("torch")
    count = repeats(size)
    arrays = (np.array(a.astype(jnp.float32)) for a in inputs(dtype, size))
    x, ct = (torch.tensor(a).to(getattr(torch, dtype)) for a in arrays)
    if compiled:
        torch.compiler.reset()  # it compiles eight functions, and then no more
        f = torch.compile(f, dynamic=False)
    if direction == "both":
        x.requires_grad_()

    def calls() -> None:
        for _ in range(count):
            y = f(x)
            if direction == "both":
                torch.autograd.grad(y, x, ct)

    return calls


def repeats(size: int) -> int:
    """Returns how often an array of the size is computed in a round."""
    return max(3, WORK // size)  # a loop of one or two would be unrolled


def inputs(dtype: str, size: int) -> tuple[jax.Array, jax.Array]:
    """Returns inputs of standard deviation 3, and gradients of the result."""
    one, two = jax.random.split(jax.random.key(0))
    x = 3 * jax.random.normal(one, (size,)), jax.random.normal(two, (size,))
    return x[0].astype(dtype), x[1].astype(dtype)


def libraries(compiled: bool) -> dict[str, dict[str, Callable[[Any], Any]]]:
    """Returns the functions of each library that is installed, by our names."""
    functions: dict[str, dict[str, Callable[[Any], Any]]] = {
        "jax_acts": dict(catalogue()),
        "jax": found("jax", (jax.nn, jnp, jax.scipy.special)),
    }
    if importlib.util.find_spec("torch"):
        torch = importlib.import_module("torch")
        torch.set_num_threads(os.cpu_count() or 1)
        theirs = found("torch", (torch.nn.functional, torch))
        functions |= {"torch": theirs}
        functions |= {"torch compiled": theirs} if compiled else {}
    return functions


def measure(
    name: str, every: dict[str, dict[str, Callable[[Any], Any]]], dtype: str, size: int
) -> Iterator[Row]:
    """Yields the times of one function in every library and both directions."""
    torch = [n for n in ("torch", "torch compiled") if name in every.get(n, {})]
    fresh = size == max(SIZES) and bool(torch)  # PyTorch has no other way
    for direction in DIRECTIONS:
        runs: dict[tuple[str, bool], Run] = {}
        for new in (False, True) if fresh else (False,):
            runs["copy", new] = copy_run(dtype, size, new)
            for library in ("jax_acts", "jax"):
                if f := every[library].get(name):
                    runs[library, new] = jax_run(f, dtype, size, direction, new)
        # Of a small array PyTorch would be timed calling, and nothing else.
        for library in torch if size > min(SIZES) else []:
            f, compiled = every[library][name], library != "torch"
            runs[library, True] = torch_run(f, dtype, size, direction, compiled)
        yield from timed(name, runs, dtype, size, direction)


def timed(
    name: str, runs: dict[tuple[str, bool], Run], dtype: str, size: int, direction: str
) -> Iterator[Row]:
    """Yields the lower deciles over rounds in which the programs run in turn."""
    for run in runs.values():
        run()
    seconds = np.array(
        [[clock(run) for run in runs.values()] for _ in range(ROUNDS[size])]
    )
    low, middle = np.quantile(seconds, (0.1, 0.5), axis=0)
    keys = list(runs)
    for i, (library, fresh) in enumerate(keys):
        unit = low[keys.index(("copy", fresh and ("copy", True) in runs))]
        one = float(low[i]) / (repeats(size) * size)
        yield Row(
            name,
            library,
            dtype,
            size,
            direction,
            fresh,
            round(one * 1e9, 4),
            round(float(low[i] / unit), 3),
            round(float((middle[i] - low[i]) / unit), 3),
        )


def clock(run: Run) -> float:
    """Returns the seconds of a run."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def main(
    functions: Annotated[
        list[str] | None, typer.Argument(help="Functions; all, if left out.")
    ] = None,
    compiled: Annotated[bool, typer.Option(help="Compile PyTorch too.")] = False,
    keep: Annotated[
        bool, typer.Option("--store", help="Store some rows in place of those.")
    ] = False,
    sizes: Annotated[
        list[int] | None, typer.Option("--size", help="Some of the sizes.")
    ] = None,
    page: Annotated[
        bool, typer.Option(help="Write docs/performance.md alone.")
    ] = False,
) -> None:
    """Measures, and prints the ratios or stores them and writes the page."""
    from benchmarks import speed_page

    if not page:
        every = libraries(compiled)
        unknown = set(functions or ()) - set(every["jax_acts"])
        if unknown:
            raise typer.BadParameter(f"no function {', '.join(sorted(unknown))}")
        rows = [
            row
            for name in track(functions or list(every["jax_acts"]), "speed")
            for dtype in DTYPES
            for size in SIZES[-1 if dtype == "bfloat16" else 0 :]
            if size in (sizes or SIZES)
            for row in measure(name, every, dtype, size)
        ]
        if functions:
            Console().print(speed_page.terminal(rows))
        if keep:
            anew = {(r.function, r.dtype, r.size) for r in rows}
            stored = load()[1]
            rows += [r for r in stored if (r.function, r.dtype, r.size) not in anew]
        if keep or not (functions or sizes):
            store(rows)
    if keep or not (functions or sizes):
        speed_page.write()


def store(rows: list[Row]) -> None:
    """Writes the results, one line for each row."""
    torch = importlib.util.find_spec("torch")
    head = {
        "jax": jax.__version__,
        "torch": importlib.import_module("torch").__version__ if torch else None,
        "machine": f"{platform.system()} {platform.machine()}, {processor()}",
        "cores": os.cpu_count(),
        "rounds": list(ROUNDS.values()),
    }
    lines = ",\n".join(json.dumps(row) for row in rows)
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"speed-{jax.default_backend()}.json"
    path.write_text(f'{json.dumps(head)[:-1]}, "rows": [\n{lines}\n]}}\n')


def load(backend: str = "cpu") -> tuple[dict[str, Any], list[Row]]:
    """Returns what is stored: the head, and the rows."""
    stored = json.loads((RESULTS / f"speed-{backend}.json").read_text())
    return stored, [Row(*row) for row in stored.pop("rows")]


def processor() -> str:
    """Returns the name of the processor, as the system knows it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if "model name" in line]
    return names[0] if names else platform.processor()


if __name__ == "__main__":
    typer.run(main)
