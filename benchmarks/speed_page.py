"""Writes `docs/performance.md` and its chart from the stored times."""

import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from string import Template
from typing import Any

from rich.table import Table

from benchmarks import axis, instructions, memory, training
from benchmarks.speed import DIRECTIONS, RESULTS, SIZES, Row, load

TEMPLATE = Path(__file__).parent / "performance.md"
"""The text of the page, with a place for each table."""
SWEEP_RESULT = RESULTS / "sweep-cpu.json"
DOCS = Path(__file__).parents[1] / "docs"
SIMPLE = frozenset(
    [
        *("bent_identity", "clip", "hard_mish", "hard_shrink", "hard_sigmoid"),
        *("hard_silu", "hard_tanh", "identity", "isrlu", "isru", "leaky_relu", "relu"),
        *("relu6", "relu_cubed", "relu_squared", "shrink", "soft_shrink", "soft_sign"),
        *("sparse_plus", "sparse_sigmoid", "square", "squareplus", "star_relu", "step"),
        *("threshold", "thresholded_relu"),
    ]
)
"""The functions without an exponential, a logarithm, a sine or the like."""
WAVES = frozenset(
    ["cosine", "finer", "gabor", "gcu", "sine", "sine_relu", "snake", "snake_beta"]
)
WANTED = {"forward": (3, 5), "both": (5, 7)}
"""How many copies a function should take at most, and one of the waves."""
AT_LEAST = {"jax": 0.97, "torch": 0.95}
"""Below it a function counts as slower."""
TITLES = {
    "jax": "jax.nn",
    "torch": "PyTorch",
    "torch compiled": "PyTorch compiled",
}


def write() -> None:
    """Writes the page and the chart."""
    head, rows = load()
    few, many = min(head["rounds"]), max(head["rounds"])
    kinds = sorted({(r.dtype, r.size) for r in rows}, reverse=True)
    parts = {
        "machine": f"Measured on {head['machine']}, {head['cores']} cores, with JAX "
        f"{head['jax']}"
        + (f" and PyTorch {head['torch']}" if head["torch"] else "")
        + f", lower deciles of {few} to {many} rounds.",
        "means": means(rows),
        "bound": bound(rows),
        "noise": noise(rows),
        "copies": beyond(rows),
        "instructions": instructions_table(rows),
        "training": training_table(),
        "sweep": sweep_table(),
        "memory": memory.table(),
        "axis": axis.table(axis.load()[1]),
        "tables": [
            line
            for dtype, size in kinds
            for line in (
                f"## {dtype}, {size:,} elements\n",
                *table(rows, dtype, size),
                "",
            )
        ],
    }
    text = {k: v if isinstance(v, str) else "\n".join(v) for k, v in parts.items()}
    page = Template(TEMPLATE.read_text()).substitute(text)
    (DOCS / "performance.md").write_text(page.rstrip() + "\n")
    chart(rows, DOCS / "performance.png")


def training_table() -> list[str]:
    """Returns the ratios of whole steps of training."""
    stored = json.loads(training.RESULT.read_text())["seconds"]
    names = list(next(iter(stored.values())))
    return [
        f"| model | {' | '.join(names)} |",
        "|---" * (len(names) + 1) + "|",
        *(
            f"| {model} | {' | '.join(f'{a / b:.2f}' for a, b in by.values())} |"
            for model, by in stored.items()
        ),
    ]


def sweep_table() -> list[str]:
    """Returns the times of a member of a sweep."""
    stored = json.loads(SWEEP_RESULT.read_text())
    ways = list(next(iter(stored["seconds"].values())))
    return [
        f"{stored['members']} members of {stored['steps']} steps on {stored['data']}, "
        f"on {stored['cores']} cores: ms for one, in brackets seconds to compile.\n",
        f"| width, batch | {' | '.join(ways)} |",
        "|---" * (len(ways) + 1) + "|",
        *(
            f"| {size} | "
            + " | ".join(f"{1e3 * a:.1f} ({b:.1f})" for a, b in by_way.values())
            + " |"
            for size, by_way in stored["seconds"].items()
        ),
    ]


def find(rows: Iterable[Row], **wanted: Any) -> dict[tuple[str, str], Row]:
    """Returns the rows with such fields, by function and library."""
    return {
        (r.function, r.library): r
        for r in rows
        if all(getattr(r, field) == value for field, value in wanted.items())
    }


def ratio(rows: dict[tuple[str, str], Row], name: str, other: str) -> float | None:
    """Returns how much longer the other library takes."""
    ours, theirs = rows.get((name, "jax_acts")), rows.get((name, other))
    return theirs.copies / ours.copies if ours and theirs else None


def compared(
    rows: Sequence[Row], dtype: str, size: int, direction: str, other: str
) -> dict[str, float]:
    """Returns the ratios to another library, by function."""
    # PyTorch has no program that writes to the same memory again.
    fresh = other.startswith("torch") and size == max(SIZES)
    here = find(rows, dtype=dtype, size=size, direction=direction, fresh=fresh)
    if other.startswith("torch") and not fresh:
        torch = find(rows, dtype=dtype, size=size, direction=direction, library=other)
        here = here | torch
    names = dict.fromkeys(name for name, _ in here)
    ratios = {n: ratio(here, n, other) for n in names}
    return {n: r for n, r in ratios.items() if r is not None}


def means(rows: Sequence[Row]) -> list[str]:
    """Returns a table of geometric means, and of what is slower."""
    lines = [
        "| dtype | elements | | against | functions | geometric mean | "
        "transcendental | slower |",
        "|---|---|---|---|---|---|---|---|",
    ]
    others = [o for o in TITLES if any(r.library == o for r in rows)]
    for dtype, size in sorted({(r.dtype, r.size) for r in rows}, reverse=True):
        for direction in DIRECTIONS:
            for other in others:
                ratios = compared(rows, dtype, size, direction, other)
                if ratios:
                    some = [r for n, r in ratios.items() if n not in SIMPLE]
                    least = AT_LEAST["jax" if other == "jax" else "torch"]
                    slower = sorted((r, n) for n, r in ratios.items() if r < least)
                    told = ", ".join(f"{n} {r:.2f}" for r, n in slower)
                    lines.append(
                        f"| {dtype} | {size:,} | {direction} | {TITLES[other]} | "
                        f"{len(ratios)} | {mean(ratios.values()):.2f} | "
                        f"{mean(some):.2f} | {told} |"
                    )
    return lines


def bound(rows: Sequence[Row]) -> str:
    """Returns what the mean against `jax.nn` would be, if ours were mere copies."""
    told = []
    for size in reversed(SIZES):
        for direction, copies in ("forward", 1), ("both", 2):
            here = {"dtype": "float32", "size": size, "direction": direction}
            theirs = find(rows, **here, fresh=False, library="jax")
            some = [row.copies for (n, _), row in theirs.items() if n not in SIMPLE]
            told.append(f"{mean(some) / copies:.2f} {direction} with {size:,} elements")
    return (
        "If each transcendental function here took no more than a copy, and two with "
        "its gradient, which reads and writes twice as much, the mean of float32 "
        f"against jax.nn would be {', '.join(told)}."
    )


def noise(rows: Sequence[Row]) -> str:
    """Returns how far ratios are from 1 where they should be 1."""
    same = _same()
    ratios = [
        compared(rows, "float32", size, "forward", "jax")[name]
        for size in SIZES
        for name in same
    ]
    return (
        f"The loops of {', '.join(same[:-1])} and {same[-1]} have as many instructions "
        "as in jax.nn, and no quotient or root; forward, in float32, their ratios go "
        f"from {min(ratios):.2f} to {max(ratios):.2f}: by as much may any be wrong."
    )


def _same() -> list[str]:
    """Returns the functions of as many instructions, all of them fast, in `jax.nn`."""
    stored = instructions.load().values()
    return [
        r.function for r in stored if r.jax and r.forward == r.jax and not r.jax.slow
    ]


def beyond(rows: Sequence[Row]) -> list[str]:
    """Returns a table of the functions that take longer than they should."""
    size = max(SIZES)
    lines = [
        f"With {size:,} elements; of waves "
        f"({', '.join(sorted(WAVES))}) more is allowed.\n",
        "| float32 | copies at most | of waves | functions | take more |",
        "|---|---|---|---|---|",
    ]
    wider = []
    for direction, (most, of_waves) in WANTED.items():
        here = {"size": size, "direction": direction, "library": "jax_acts"}
        all = find(rows, dtype="float32", fresh=False, **here)
        half = find(rows, dtype="bfloat16", fresh=False, **here)
        more = over(rows, direction)
        told = ", ".join(f"{name} {copies:.1f}" for name, copies in more.items())
        count = f"{len(all) - len(more)} of {len(all)}"
        lines.append(f"| {direction} | {most} | {of_waves} | {count} | {told} |")
        times = [half[key].nanoseconds / all[key].nanoseconds for key in half]
        few = sum(time <= 1.3 for time in times)
        wider.append(
            f"{mean(times):.2f} {direction} ({few} of {len(times)} within 1.3)"
        )
    return [
        *lines,
        "\nA number of bfloat16 takes, in the geometric mean over the functions, "
        f"{' and '.join(wider)} of the time of one of float32.",
    ]


def over(rows: Sequence[Row], direction: str) -> dict[str, float]:
    """Returns the copies of those that take more of them than they should."""
    most, of_waves = WANTED[direction]
    here = {"size": max(SIZES), "direction": direction, "library": "jax_acts"}
    all = find(rows, dtype="float32", fresh=False, **here)
    return {
        key[0]: row.copies
        for key, row in sorted(all.items(), key=lambda item: -item[1].copies)
        if row.copies > (of_waves if key[0] in WAVES else most)
    }


def instructions_table(rows: Sequence[Row]) -> list[str]:
    """Returns the instructions of what is slower than it should be."""
    stored = instructions.load()
    slow = {name for direction in DIRECTIONS for name in over(rows, direction)}
    slow |= {n for n, r in stored.items() if r.jax and r.forward and r.forward > r.jax}
    return instructions.table({n: r for n, r in stored.items() if n in slow})


def mean(values: Iterable[float]) -> float:
    """Returns the geometric mean."""
    logs = [math.log(v) for v in values]
    return math.exp(sum(logs) / len(logs)) if logs else math.nan


def table(rows: Sequence[Row], dtype: str, size: int) -> list[str]:
    """Returns one row for each function."""
    others = [o for o in TITLES if any(r.library == o for r in rows)]
    columns = [
        c for d in DIRECTIONS for c in (d, "±", *(f"{d}: {TITLES[o]}" for o in others))
    ]
    lines = [f"| function | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    ours = {
        d: find(
            rows, dtype=dtype, size=size, direction=d, fresh=False, library="jax_acts"
        )
        for d in DIRECTIONS
    }
    ratios = {
        (d, o): compared(rows, dtype, size, d, o) for d in DIRECTIONS for o in others
    }
    for name in sorted({n for n, _ in ours["forward"]}):
        cells = [name]
        for d in DIRECTIONS:
            row = ours[d][name, "jax_acts"]
            cells += [f"{row.copies:.2f}", f"{row.spread:.2f}"]
            cells += [
                f"({ratios[d, o][name]:.2f})" if name in ratios[d, o] else ""
                for o in others
            ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def terminal(rows: Sequence[Row]) -> Table:
    """Returns the times as a table for the terminal."""
    columns = ("function", "library", "dtype", "elements", "", "memory", "ns", "copies")
    shown = Table(*columns)
    for r in rows:
        memory = "fresh" if r.fresh else "reused"
        figures = f"{r.nanoseconds:.3f}", f"{r.copies:.2f} ± {r.spread:.2f}"
        shown.add_row(
            r.function, r.library, r.dtype, f"{r.size:,}", r.direction, memory, *figures
        )
    return shown


def chart(rows: Sequence[Row], path: Path) -> None:
    """Draws how much longer jax.nn takes, function by function."""
    import matplotlib.pyplot as plt

    panels = [(s, d) for s in (max(SIZES), min(SIZES)) for d in DIRECTIONS]
    figure, axes = plt.subplots(1, 4, figsize=(13, 6), sharey=True, layout="tight")
    first = compared(rows, "float32", *panels[0], "jax")
    names = sorted(first, key=lambda n: first[n])
    for panel, (size, direction) in zip(axes, panels, strict=True):
        ratios = compared(rows, "float32", size, direction, "jax")
        values = [ratios[n] for n in names]
        colors = ["#2a9d8f" if v >= AT_LEAST["jax"] else "#e76f51" for v in values]
        panel.barh(names, values, color=colors)
        panel.axvline(1, color="black", linewidth=1)
        panel.set_xscale("log")
        panel.set_xticks([0.25, 0.5, 1, 2, 4], ["1/4", "1/2", "1", "2", "4"])
        panel.set_xticks([], minor=True)  # whose labels would lie over these
        panel.set_title(f"{direction}, {size:,}")
        panel.spines[["top", "right"]].set_visible(False)
    figure.suptitle("Time of jax.nn over that of jax_acts, float32, on a CPU")
    figure.savefig(path, dpi=110)
