"""How long does a small array take on CPU, with all cores and with one?

    python -m benchmarks small      on Linux

One call of a compiled function, and one training step of an MLP with three layers of 64
features. Programs of `jax_acts` and of `jax.nn` take turns, in a process that uses all
cores and in one that uses one: XLA divides a loop between threads according to its
number of operations, not to their time. The time of a call includes its dispatch, which
is most of it up to 4,096 elements.
"""

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import jax
from rich.console import Console

import jax_acts
from benchmarks.harness import Run, interleave, repeats
from benchmarks.results import SmallRow, store_rows
from benchmarks.training import mlp, normal, step

NAMES = ("sigmoid", "tanh", "silu", "gelu", "softplus", "mish")
SIZES = (1024, 4096, 16_384, 65_536, 262_144)
"""Elements of the array of a call."""
BATCHES = (16, 64, 256)
"""Examples of the training step."""
WIDTH = 64
ROUNDS = 50


def call(f: Callable[[Any], Any], size: int) -> Callable[[], Any]:
    """Return a call of the compiled function."""
    x = 3 * normal((size,))
    compiled = jax.jit(f).lower(x).compile()
    return lambda: jax.block_until_ready(compiled(x))


def train(f: Callable[[Any], Any], batch: int) -> Callable[[], Any]:
    """Return a training step of the MLP."""
    weights = 3 * [normal((WIDTH, WIDTH)) / WIDTH**0.5]
    return step(mlp, f, weights, normal((batch, WIDTH)))


PROGRAMS = {"call": (call, SIZES), "training step": (train, BATCHES)}


def repeat(program: Callable[[], Any], count: int) -> Run:
    """Return a run of the program, `count` times."""

    def run() -> None:
        for _ in range(count):
            program()

    return run


def measure(
    cores: int, names: Sequence[str] = NAMES, rounds: int = ROUNDS
) -> list[SmallRow]:
    """Return the times with that many cores, of which XLA counts threads at the start.

    This process cannot use more from now on.
    """
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-cores:])
    return [*_rows(cores, names, rounds)]


def _rows(cores: int, names: Sequence[str], rounds: int) -> Iterator[SmallRow]:
    for program, (build, sizes) in PROGRAMS.items():
        for size in sizes:
            count = repeats(size if program == "call" else size * WIDTH)
            for name in names:
                runs = {
                    library: repeat(build(getattr(module, name), size), count)
                    for library, module in (("jax_acts", jax_acts), ("jax", jax.nn))
                }
                for library, timing in interleave(runs, rounds).items():
                    low, spread = timing.low, timing.median - timing.low
                    micro = [round(1e6 * t / count, 2) for t in (low, spread)]
                    yield SmallRow(name, library, program, size, cores, *micro)


def main() -> None:
    """Measure and store the times: two minutes."""
    rows: list[SmallRow] = []
    # A new process for each number of cores: threads are counted once.
    spawn = multiprocessing.get_context("spawn")
    for cores in sorted({1, len(os.sched_getaffinity(0))}, reverse=True):
        with Console().status(f"{cores} cores"), ProcessPoolExecutor(1, spawn) as pool:
            rows += pool.submit(measure, cores).result()
    store_rows("small", rows)
