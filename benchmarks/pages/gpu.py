"""Write a page per GPU, `docs/gpu-<device>.md`, from what was measured on it."""

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.pages import DOCS, markdown_table
from benchmarks.results import (
    DATA,
    DIRECTIONS,
    AccuracyRow,
    DeviceRow,
    load_device,
)

SLOWER = 0.97
"""Speedups below this count as slower."""


def write() -> None:
    """Write the page of every device that has stored results."""
    for path in sorted(DATA.glob("gpu-*.json")):
        page = DOCS / f"{path.stem}.md"
        page.write_text("\n".join(lines(path)).rstrip() + "\n")


def lines(path: Path) -> list[str]:
    """Return the lines of the page of one device."""
    head, times, blocks, errors = load_device(path)
    missing = ", ".join(f"{n} {part}" for part, n in head["missing"].items())
    limit = f" The budget ended before: {missing}." if missing else ""
    return [
        f"# {head['device']}\n",
        "Written by `python -m benchmarks pages gpu` from the results of "
        "`python -m benchmarks gpu`.\n",
        f"Measured with JAX {head['jax']} on {head['date']}, {head['machine']}; lower "
        f"deciles.{limit} Speedup is the time of `jax.nn` over that of `jax_acts`: "
        "above 1 `jax_acts` is faster, below 1 slower. In parentheses, the figure of "
        "`jax.nn`.\n",
        *summary(times),
        "\n## Functions\n",
        *time_table(times),
        "\n## Blocks\n",
        *time_table(blocks),
        "\n## Accuracy\n",
        "Largest errors in ulp: all 16-bit inputs, a million float32 inputs.\n",
        *accuracy_table(errors),
    ]


def paired(rows: Sequence[DeviceRow]) -> dict[tuple[str, ...], dict[str, DeviceRow]]:
    """Return the rows of both libraries by function, dtype and direction."""
    pairs: dict[tuple[str, ...], dict[str, DeviceRow]] = {}
    for row in rows:
        case = (row.function, row.dtype, row.direction)
        pairs.setdefault(case, {})[row.library] = row
    return {case: by for case, by in pairs.items() if len(by) == 2}


def speedup(by: dict[str, DeviceRow]) -> float:
    """Return the speedup over `jax.nn`."""
    return by["jax"].microseconds / by["jax_acts"].microseconds


def summary(rows: Sequence[DeviceRow]) -> list[str]:
    """Return the mean speedups, and the functions that are slower."""
    table = []
    pairs = paired(rows)
    for dtype, direction in sorted({case[1:] for case in pairs}):
        here = {
            c[0]: speedup(by) for c, by in pairs.items() if c[1:] == (dtype, direction)
        }
        slow = sorted((ratio, name) for name, ratio in here.items() if ratio < SLOWER)
        names = ", ".join(f"{name} {ratio:.2f}" for ratio, name in slow)
        mean = f"{statistics.geometric_mean(here.values()):.2f}"
        table.append([dtype, DIRECTIONS[direction], mean, names])
    columns = ["dtype", "direction", "geometric mean speedup (×)", "slower (×)"]
    return markdown_table(columns, table)


def time_table(rows: Sequence[DeviceRow]) -> list[str]:
    """Return the times of each program."""
    table = []
    for (name, dtype, direction), by in paired(rows).items():
        ours, jax = by["jax_acts"], by["jax"]
        both = lambda field, unit=1, ours=ours, jax=jax: (
            f"{getattr(ours, field) / unit:.5g} ({getattr(jax, field) / unit:.5g})"
        )
        table.append(
            [
                *(name, dtype, DIRECTIONS[direction]),
                *(both("microseconds"), f"{ours.spread:.3g}", both("copies")),
                *(both("kernels"), both("temporaries", 10**6)),
                f"{ours.patterns} ({jax.patterns})" if jax.patterns else ours.patterns,
                f"{speedup(by):.2f}",
            ]
        )
    columns = ["program", "dtype", "direction", "time (µs)", "±", "time (copies)"]
    columns += ["kernels", "temporaries (MB)", "epilogues", "speedup (×)"]
    return markdown_table(columns, table)


def accuracy_table(errors: dict[str, list[AccuracyRow]]) -> list[str]:
    """Return the largest errors of values and derivatives, by dtype."""
    cells: dict[tuple[str, int, str], dict[str, Any]] = {}
    for library, rows in errors.items():
        for row in rows:
            key = (row.function, row.order, row.dtype)
            cells.setdefault(key, {})[library] = f"{row.max:.3g}"
    dtypes = sorted({key[2] for key in cells}, reverse=True)
    table = []
    for name, order in dict.fromkeys(key[:2] for key in sorted(cells)):
        line = []
        for dtype in dtypes:
            by = cells.get((name, order, dtype), {})
            other = f" ({by['jax']})" if "jax" in by else ""
            line.append(f"{by.get('jax_acts', '')}{other}")
        table.append([name, ("value", "derivative")[order], *line])
    return markdown_table(["function", "order", *dtypes], table)


if __name__ == "__main__":
    write()
