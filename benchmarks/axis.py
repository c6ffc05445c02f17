"""How fast are functions along an axis and their gradients, by vector length?

    python -m benchmarks axis

In units of a copy, with the same number of elements for each length;
`benchmarks.harness` describes the timing.
"""

import functools
from collections.abc import Callable, Iterator
from typing import Any

import jax
from rich.progress import track

import jax_acts
from benchmarks.harness import copy_run, in_copies, interleave, jax_run
from benchmarks.results import DIRECTIONS, AxisRow, store_rows

NAMES = (
    *("softmax", "log_softmax", "logsumexp", "softmin", "standardize", "glu"),
    *("sparsemax", "entmax15"),
)
SIZE = 400_000
LENGTHS = (10, 64, 1000, 50_000)
"""Of classes, of heads, of the keys of attention, and of a vocabulary."""
ROUNDS = 50


def along_rows(f: Callable[[Any], Any], length: int) -> Callable[[Any], Any]:
    """Return f applied to the rows of a flat array, flat again."""
    return lambda x: f(x.reshape(-1, length)).reshape(-1)


def measure(
    name: str, length: int, direction: str, rounds: int = ROUNDS
) -> Iterator[AxisRow]:
    """Yield the times of one function, of jax_acts and of `jax.nn` if it has it."""
    runs = {"copy": copy_run("float32", SIZE)}
    for library, module in {"jax_acts": jax_acts, "jax": jax.nn}.items():
        if f := getattr(module, name, None):
            f = along_rows(functools.partial(f, axis=-1), length)
            runs[library] = jax_run(f, "float32", SIZE, direction)
    times = interleave(runs, rounds)
    copy = times.pop("copy")
    for library, timing in times.items():
        yield AxisRow(name, library, length, direction, *in_copies(timing, copy))


def main() -> None:
    """Measure and store the times."""
    rows = [
        row
        for name in track(NAMES, "axis")
        for length in LENGTHS
        for direction in DIRECTIONS
        for row in measure(name, length, direction)
    ]
    store_rows("axis", rows)
