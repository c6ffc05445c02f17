"""How accurate and how fast is the library on this GPU?

    python -m benchmarks gpu            on a CUDA machine: at most eight minutes
    python -m benchmarks gpu --quick    small sizes, on any device: a trial of the code

Times every function of the comparison with `jax.nn`, forward and with its gradient, and
a copy; Dense with an activation, attention, training steps and their temporary memory;
then the errors of the catalogue: all 16-bit inputs, a million float32 inputs. Results
are stored as they come, and what the budget does not reach is left out.
`python -m benchmarks pages gpu` writes a page per device. `make gpu` does both in an
environment of its own, by `python -m benchmarks.gpu`.
"""

import json
import math
import os
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import typer
from rich.console import Console

from benchmarks import accuracy
from benchmarks.harness import Timing
from benchmarks.libraries import catalogue
from benchmarks.platforms import programs
from benchmarks.platforms.hlo import Module
from benchmarks.platforms.programs import Program
from benchmarks.results import DATA, DeviceRow, machine
from jax_acts.testing import evaluate

NAMES = (
    *("relu", "gelu", "gelu_exact", "silu", "sigmoid", "tanh", "softplus", "mish"),
    *("elu", "swiglu", "softmax", "log_softmax", "logsumexp"),
)
"""Functions whose times are compared."""
BLOCKS = ("dense relu", "dense gelu", "dense silu", "dense sigmoid", "conv relu")
BLOCKS += ("attention", "transformer step", "MLP step gelu", "MLP step silu")
SHARES = {"blocks": 0.4, "times": 0.65, "accuracy": 1.0}
"""The part of the budget that has passed when a part ends."""
ROUNDS = 15
BATCH_SECONDS = 2e-3
"""A program is called until this time has passed, so that dispatch is not timed."""
DTYPES: dict[str, Any] = {
    "bfloat16": ml_dtypes.bfloat16,
    "float16": np.float16,
    "float32": np.float32,
}


class Compiled(NamedTuple):
    """A compiled program with its arguments."""

    program: Program
    call: Any
    arguments: Any
    seconds: float


class Report:
    """The results of one device, stored as they come."""

    def __init__(self, folder: Path, budget: float) -> None:
        name = re.sub(r"\W+", "-", jax.devices()[0].device_kind.lower()).strip("-")
        self.path = folder / f"gpu-{name}.json"
        self.begin, self.budget = time.monotonic(), budget
        self.console = Console()
        self.rows: dict[str, list[Any]] = {part: [] for part in SHARES}
        self.missing: dict[str, int] = {}
        self.head = machine() | {"date": time.strftime("%Y-%m-%d"), "budget": budget}

    def left(self, part: str) -> float:
        """Return the seconds that are left for a part."""
        return self.begin + SHARES[part] * self.budget - time.monotonic()

    def add(self, part: str, *rows: Any) -> None:
        """Store rows, and print them."""
        self.rows[part] += rows
        for row in rows:
            values = [f"{v:.4g}" if isinstance(v, float) else v for v in row]
            self.console.print(f"{self.left(part):4.0f} s", *values, highlight=False)
        content = self.head | {"missing": self.missing} | self.rows
        self.path.write_text(json.dumps(content, indent=1) + "\n")


def main(
    budget: Annotated[float, typer.Option(help="Seconds in all.")] = 420,
    quick: Annotated[bool, typer.Option(help="Small sizes, on any device.")] = False,
    folder: Annotated[Path, typer.Option(help="Where the results go.")] = DATA,
) -> None:
    """Measure accuracy, time and memory on the GPU of this machine."""
    if jax.default_backend() != "gpu" and not quick:
        raise typer.BadParameter(
            f"gpu: expected a CUDA device, got {jax.devices()[0].device_kind}; "
            "--quick runs the code on any device"
        )
    report = Report(folder, budget)
    sizes = programs.SMALL if quick else programs.FULL
    rounds = 2 if quick else ROUNDS
    measure_times(report, "blocks", of_blocks(sizes, quick), rounds)
    measure_times(report, "times", of_functions(sizes, quick), rounds)
    measure_accuracy(report, quick)
    print(f"{report.path}: `python -m benchmarks pages gpu` writes the page")


def of_functions(sizes: programs.Sizes, quick: bool) -> list[Program]:
    """Return the programs of the compared functions."""
    names = NAMES[-4:] if quick else NAMES
    every = programs.programs(sizes)
    return [p for p in every if re.split(r" \d", p.function)[0] in names]


def of_blocks(sizes: programs.Sizes, quick: bool) -> list[Program]:
    """Return the programs of the blocks, with the compiler's own choice of products."""
    names = ("dense relu", "attention", "transformer step") if quick else BLOCKS
    chosen = []
    for program in programs.of_blocks(sizes.blocks):
        name, _, path = program.function.partition(" (")
        if name in names and path != "Triton)":
            chosen.append(program._replace(function=name, options={}))
    order = {name: i for i, name in enumerate(names)}
    # bfloat16 first, which the budget should reach.
    return sorted(chosen, key=lambda p: (p.dtype, order[p.function]))


def random_arguments(shapes: Any) -> Any:
    """Return standard normal arrays; integers are 0 or 1."""

    def draw(shape: jax.ShapeDtypeStruct) -> jax.Array:
        if jnp.issubdtype(shape.dtype, jnp.integer):
            return jnp.arange(math.prod(shape.shape)).reshape(shape.shape) % 2
        values = jax.random.normal(jax.random.key(len(shape.shape)), shape.shape)
        return values.astype(shape.dtype)

    return jax.tree.map(draw, shapes)


def compile_program(program: Program) -> Compiled:
    """Compile a program for the device."""
    start = time.monotonic()
    arguments = jax.tree.map(
        lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype), program.arguments
    )
    compiled = jax.jit(program.call).lower(*arguments).compile()
    return Compiled(program, compiled, arguments, time.monotonic() - start)


def copy_of(program: Program) -> Program:
    """Return the program that copies an array of the size of the result."""
    x = jax.tree.leaves(program.arguments)[0]
    copy = lambda x: x + 1
    return Program("copy", "jax", program.dtype, "forward", copy, (x,), x.size)


def measure_times(
    report: Report, part: str, chosen: list[Program], rounds: int
) -> None:
    """Time programs in pairs: compile on all cores, run in turns."""
    pairs: dict[tuple[str, ...], list[Program]] = {}
    for program in chosen:
        key = (program.function, program.dtype, program.direction)
        pairs.setdefault(key, []).append(program)
    pool = ThreadPoolExecutor(max(1, (os.cpu_count() or 2) - 2))
    jobs = {
        key: [pool.submit(compile_program, p) for p in (*pair, copy_of(pair[0]))]
        for key, pair in pairs.items()
    }
    for number, (key, futures) in enumerate(jobs.items()):
        try:
            every = [f.result(timeout=max(0, report.left(part))) for f in futures]
            report.add(part, *timed(every, rounds))
        except TimeoutError:
            report.missing[part] = len(jobs) - number
            break
        except Exception as error:  # one program must not end the run
            report.console.print(*key, type(error).__name__, str(error)[:200])
    pool.shutdown(wait=False, cancel_futures=True)


def timed(every: list[Compiled], rounds: int) -> Iterator[DeviceRow]:
    """Yield the rows of programs that take turns; the last one is the copy."""
    arguments = random_arguments(every[0].arguments)
    x = jax.tree.leaves(arguments)[:1]
    calls = [(c.call, arguments) for c in every[:-1]] + [(every[-1].call, x)]
    *times, copy = interleave(calls, rounds)
    for compiled, timing in zip(every[:-1], times, strict=True):
        module = Module(compiled.call.as_text())
        analysis = compiled.call.memory_analysis()
        yield DeviceRow(
            *compiled.program[:4],
            microseconds=round(1e6 * timing.low, 2),
            spread=round(1e6 * (timing.median - timing.low), 2),
            copies=round(timing.low / copy.low, 3),
            kernels=sum(k.runs for k in module.kernels()),
            temporaries=analysis.temp_size_in_bytes if analysis else 0,
            patterns=" ".join(module.patterns()),
            compile_seconds=round(compiled.seconds, 1),
        )


def interleave(calls: list[tuple[Any, Any]], rounds: int) -> list[Timing]:
    """Return the time of each call, over rounds in which they take turns."""

    def batch(call: Any, arguments: Any, repeats: int) -> float:
        start = time.perf_counter()
        results = [call(*arguments) for _ in range(repeats)][-1:]
        jax.block_until_ready(results)
        return (time.perf_counter() - start) / repeats

    repeats = []
    for call, arguments in calls:
        batch(call, arguments, 1)
        seconds = batch(call, arguments, 1)
        repeats.append(max(1, min(20, int(BATCH_SECONDS / seconds))))
    seconds = np.array(
        [
            [batch(*call, n) for call, n in zip(calls, repeats, strict=True)]
            for _ in range(rounds)
        ]
    )
    low, median = np.quantile(seconds, (0.1, 0.5), axis=0)
    return [Timing(float(a), float(b)) for a, b in zip(low, median, strict=True)]


def measure_accuracy(report: Report, quick: bool) -> None:
    """Store the errors of the catalogue and of its counterparts in `jax.nn`."""
    names = ("relu", "silu") if quick else tuple(catalogue())
    dtypes = ("bfloat16",) if quick else tuple(DTYPES)
    theirs = programs.counterparts()
    jobs = [(n, "jax_acts", catalogue()[n]) for n in names]
    jobs += [(n, "jax", theirs[n]) for n in names if n in theirs]

    def errors(job: tuple[str, str, Any]) -> list[tuple[Any, ...]]:
        name, library, f = job
        rows: list[tuple[Any, ...]] = []
        for dtype in dtypes:
            if report.left("accuracy") > 0:
                measured = accuracy.measure(name, values(f), DTYPES[dtype])
                rows += [(library, *row) for row in measured]
        return rows

    with ThreadPoolExecutor(max(1, (os.cpu_count() or 2) - 2)) as pool:
        futures = [pool.submit(errors, job) for job in jobs]
        for future in futures:
            try:
                report.add("accuracy", *future.result())
            except Exception as error:  # one function must not end the run
                report.console.print(type(error).__name__, str(error)[:200])
    expected = len(jobs) * len(dtypes) * 2
    if missing := expected - len(report.rows["accuracy"]):
        report.missing["accuracy"] = missing
        report.add("accuracy")


def values(f: Any) -> Any:
    """Return the program of the value and the first derivative, compiled."""
    compiled = jax.jit(
        lambda x: [
            {"jit": f(x)},
            {"reverse": jax.vjp(f, x)[1](jnp.ones_like(x))[0]},
        ]
    )
    return lambda xs, dtype: evaluate(compiled, xs, dtype)


if __name__ == "__main__":
    typer.run(main)
