"""How long do functions along an axis and their gradients take, by length of row?

    python -m benchmarks.axis

In units of the time of a copy, measured as `python -m benchmarks.speed` does, with as
many numbers for each length. PyTorch writes each result to new memory.
"""

import functools
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import typer
from rich.progress import track

import jax_acts
from benchmarks.speed import (
    DIRECTIONS,
    Run,
    copy_run,
    jax_run,
    processor,
    timed,
)

RESULT = Path(__file__).parent / "results" / f"axis-{jax.default_backend()}.json"
NAMES = (
    *("softmax", "log_softmax", "logsumexp", "softmin", "standardize", "glu"),
    *("sparsemax", "entmax15"),
)
SIZE = 250_000
LENGTHS = (10, 1000, 50_000)
"""Of the rows: classes, keys of attention, words."""

Function = Callable[[Any], Any]


class Row(NamedTuple):
    """The time of one program."""

    function: str
    library: str
    length: int
    direction: str
    copies: float
    spread: float
    """What the median is above that, in copies."""


def by_rows(f: Function, length: int) -> Function:
    """Returns f of the rows of an array that is flat, and whose result is."""
    return lambda x: f(x.reshape(-1, length)).reshape(-1)


def measure(name: str, length: int, direction: str) -> Iterator[Row]:
    """Yields the times of one function, here and in `jax.nn` where it is there."""
    kind = "float32", SIZE
    runs: dict[tuple[str, bool], Run] = {("copy", False): copy_run(*kind, False)}
    for library, place in {"jax_acts": jax_acts, "jax": jax.nn}.items():
        if f := getattr(place, name, None):
            f = by_rows(functools.partial(f, axis=-1), length)
            runs[library, False] = jax_run(f, *kind, direction, False)
    for row in timed(name, runs, *kind, direction):
        if row.library != "copy":
            yield Row(name, row.library, length, direction, row.copies, row.spread)


def load() -> tuple[dict[str, Any], list[Row]]:
    """Returns what is stored: the head, and the rows."""
    stored = json.loads(RESULT.read_text())
    return stored, [Row(*row) for row in stored.pop("rows")]


def table(rows: list[Row]) -> list[str]:
    """Returns the times, and in brackets how much longer `jax.nn` takes."""
    columns = [f"{direction}, {n:,}" for direction in DIRECTIONS for n in LENGTHS]
    lines = [f"| function | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    times = {(r.function, r.library, r.length, r.direction): r.copies for r in rows}
    for name in NAMES:
        cells = []
        for direction in DIRECTIONS:
            for n in LENGTHS:
                ours = times[name, "jax_acts", n, direction]
                theirs = times.get((name, "jax", n, direction))
                ratio = f" ({theirs / ours:.2f})" if theirs else ""
                cells.append(f"{ours:.2f}{ratio}")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def main() -> None:
    """Measures, stores the times and prints them."""
    rows = [
        row
        for name in track(NAMES, "axis")
        for length in LENGTHS
        for direction in DIRECTIONS
        for row in measure(name, length, direction)
    ]
    machine = {"machine": processor(), "cores": os.cpu_count()}
    head = {"jax": jax.__version__, **machine}
    lines = ",\n".join(json.dumps(row) for row in rows)
    RESULT.write_text(f'{json.dumps(head)[:-1]}, "rows": [\n{lines}\n]}}\n')
    print("\n".join(table(rows)))


if __name__ == "__main__":
    typer.run(main)
