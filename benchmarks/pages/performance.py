"""Write `docs/performance.md` and its chart from the stored results."""

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Any

from benchmarks.pages import DOCS, TITLES, markdown_table
from benchmarks.results import (
    DIRECTIONS,
    AxisRow,
    InstructionRow,
    MLPRow,
    MLPSize,
    SmallRow,
    SpeedRow,
    load,
    load_instructions,
    load_rows,
)

TEMPLATE = Path(__file__).with_name("performance.md")
"""Text of the page, with a placeholder for each table."""
ALGEBRAIC = frozenset(
    [
        *("bent_identity", "clip", "hard_mish", "hard_shrink", "hard_sigmoid"),
        *("hard_silu", "hard_tanh", "identity", "isrlu", "isru", "leaky_relu", "relu"),
        *("relu6", "relu_cubed", "relu_squared", "shrink", "soft_shrink", "soft_sign"),
        *("sparse_plus", "sparse_sigmoid", "square", "squareplus", "star_relu", "step"),
        *("threshold", "thresholded_relu"),
    ]
)
"""Functions without an exponential, a logarithm or a trigonometric function."""
PERIODIC = frozenset(
    ["cosine", "finer", "gabor", "gcu", "sine", "sine_relu", "snake", "snake_beta"]
)
TARGETS = {"forward": (3, 5), "forward_backward": (5, 7)}
"""Time targets in copies: of a function, and of a periodic one."""
SLOWER = {"jax": 0.97, "torch": 0.95, "torch compiled": 0.95}
"""Speedups below these count as slower."""
OTHERS = tuple(SLOWER)

Speedups = dict[str, float]
"""Speedup (other / jax_acts) by function."""


def write() -> None:
    """Write the page and the chart."""
    head, rows = load_rows("speed", SpeedRow)
    kinds = sorted({(r.dtype, r.size) for r in rows}, reverse=True)
    tables = {
        "machine": _machine(head),
        "means": _means(rows, kinds),
        "bound": _bound(rows),
        "noise": _noise(rows),
        "copies": _beyond_target(rows),
        "instructions": _instructions(rows),
        "training": _training(),
        "sweep": _sweep(),
        "memory": _memory(),
        "mlp_setup": _mlp_setup(),
        "mlp": _mlp(),
        "axis": _axis(),
        "small": _small(),
        "tables": [
            line
            for dtype, size in kinds
            for line in (
                f"## {dtype}, {size:,} elements\n",
                *_functions(rows, dtype, size),
                "",
            )
        ],
    }
    text = {k: v if isinstance(v, str) else "\n".join(v) for k, v in tables.items()}
    page = Template(TEMPLATE.read_text()).substitute(text)
    (DOCS / "performance.md").write_text(page.rstrip() + "\n")
    _chart(rows, DOCS / "performance.png")


def _machine(head: Mapping[str, Any]) -> str:
    torch = f" and PyTorch {head['torch']}" if head["torch"] else ""
    return (
        f"Measured on {head['machine']}, {head['cores']} cores, with JAX {head['jax']}"
        f"{torch}; lower deciles of {min(head['rounds'])} to {max(head['rounds'])} "
        "rounds."
    )


def select(rows: Iterable[SpeedRow], **fields: Any) -> dict[tuple[str, str], SpeedRow]:
    """Return the rows with these fields, by function and library."""
    return {
        (r.function, r.library): r
        for r in rows
        if all(getattr(r, field) == value for field, value in fields.items())
    }


def speedups(
    rows: Sequence[SpeedRow], dtype: str, size: int, direction: str, other: str
) -> Speedups:
    """Return the speedup over another library by function."""
    fields = {"dtype": dtype, "size": size, "direction": direction}
    torch = other.startswith("torch")  # which always allocates its results
    new = torch and size == max(r.size for r in rows)
    here = select(rows, **fields, newly_allocated=new)
    if torch and not new:
        here |= select(rows, **fields, library=other)
    pairs = {n: (here.get((n, "jax_acts")), here.get((n, other))) for n, _ in here}
    return {n: b.copies / a.copies for n, (a, b) in pairs.items() if a and b}


def geometric_mean(values: Iterable[float]) -> float:
    """Return the geometric mean, NaN of nothing."""
    logs = [math.log(v) for v in values]
    return math.exp(sum(logs) / len(logs)) if logs else math.nan


def _means(rows: Sequence[SpeedRow], kinds: Sequence[tuple[str, int]]) -> list[str]:
    """Return geometric means, and the functions that are slower."""
    table = []
    for dtype, size in kinds:
        for direction, title in DIRECTIONS.items():
            for other in OTHERS:
                ratios = speedups(rows, dtype, size, direction, other)
                if not ratios:
                    continue
                some = [r for n, r in ratios.items() if n not in ALGEBRAIC]
                low = sorted((r, n) for n, r in ratios.items() if r < SLOWER[other])
                slower = ", ".join(f"{n} {r:.2f}" for r, n in low)
                means = [f"{geometric_mean(v):.2f}" for v in (ratios.values(), some)]
                where = [dtype, f"{size:,}", title, TITLES[other], len(ratios)]
                table.append([*where, *means, slower])
    columns = ["dtype", "elements", "direction", "vs", "functions"]
    columns += ["geometric mean (×)", "transcendental (×)", "slower (×)"]
    return markdown_table(columns, table)


def _bound(rows: Sequence[SpeedRow]) -> str:
    """Return the mean speedup over `jax.nn` if ours took the time of copies."""
    bounds = []
    for size in sorted({r.size for r in rows}, reverse=True):
        for direction, copies in (("forward", 1), ("forward_backward", 2)):
            fields = {"dtype": "float32", "size": size, "direction": direction}
            jax = select(rows, **fields, newly_allocated=False, library="jax")
            some = [r.copies for (n, _), r in jax.items() if n not in ALGEBRAIC]
            bound = f"{geometric_mean(some) / copies:.2f} {DIRECTIONS[direction]}"
            bounds.append(f"{bound} ({size:,} elements)")
    return (
        "Upper bound of these means, reached if every transcendental function took one "
        "copy forward and two forward + backward, which read and write twice as much "
        f"memory: {', '.join(bounds)}."
    )


def _noise(rows: Sequence[SpeedRow]) -> str:
    """Return the range of speedups between identical loops."""
    same = [
        r.function
        for r in load_instructions().values()
        if r.jax and r.forward == r.jax and not r.jax.slow
    ]
    sizes = {r.size for r in rows}
    ratios = [
        speedups(rows, "float32", size, "forward", "jax")[name]
        for size in sizes
        for name in same
    ]
    return (
        f"Noise: the loops of {', '.join(same[:-1])} and {same[-1]} have the same "
        "number of instructions as those of jax.nn, without a division or square root; "
        f"their measured forward speedups range from {min(ratios):.2f} to "
        f"{max(ratios):.2f}. Single ratios within this range are not significant."
    )


def _slow(rows: Sequence[SpeedRow], direction: str) -> dict[str, float]:
    """Return the times in copies that exceed the target, largest first."""
    limit, periodic_limit = TARGETS[direction]
    here = _ours(rows, "float32", direction)
    limits = {n: periodic_limit if n in PERIODIC else limit for n in here}
    slow = {n: r.copies for n, r in here.items() if r.copies > limits[n]}
    return dict(sorted(slow.items(), key=lambda item: -item[1]))


def _ours(
    rows: Sequence[SpeedRow], dtype: str, direction: str, size: int | None = None
) -> dict[str, SpeedRow]:
    fields = {"size": size or max(r.size for r in rows), "direction": direction}
    fields |= {"dtype": dtype, "library": "jax_acts", "newly_allocated": False}
    return {name: row for (name, _), row in select(rows, **fields).items()}


def _beyond_target(rows: Sequence[SpeedRow]) -> list[str]:
    """Return the functions that exceed the time targets."""
    table, wider = [], []
    for direction, (limit, periodic_limit) in TARGETS.items():
        ours, slow = _ours(rows, "float32", direction), _slow(rows, direction)
        within = f"{len(ours) - len(slow)} of {len(ours)}"
        exceeding = ", ".join(f"{n} {copies:.1f}" for n, copies in slow.items())
        title = DIRECTIONS[direction]
        table.append([title, limit, periodic_limit, within, exceeding])
        bf16 = _ours(rows, "bfloat16", direction)
        ratios = [bf16[n].nanoseconds / ours[n].nanoseconds for n in bf16]
        few = sum(ratio <= 1.3 for ratio in ratios)
        mean = geometric_mean(ratios)
        wider.append(f"{mean:.2f} {title} ({few} of {len(ratios)} within 1.3)")
    columns = ["float32", "target (copies)", "target, periodic (copies)"]
    columns += ["within target", "exceeding (copies)"]
    return [
        f"{max(r.size for r in rows):,} elements; periodic functions "
        f"({', '.join(sorted(PERIODIC))}) have a larger target.\n",
        *markdown_table(columns, table),
        "\nTime per bfloat16 element relative to float32, geometric mean over the "
        f"functions: {' and '.join(wider)}.",
    ]


def _instructions(rows: Sequence[SpeedRow]) -> list[str]:
    """Return the instruction counts of the slow functions."""
    stored = load_instructions()
    names = {name for direction in DIRECTIONS for name in _slow(rows, direction)}
    names |= {n for n, r in stored.items() if r.jax and r.forward and r.forward > r.jax}
    cell = lambda loop: f"{loop.instructions:.0f} ({loop.slow:.0f})" if loop else ""
    line = lambda r: [r.function, *map(cell, (r.forward, r.derivative, r.jax))]
    some: list[InstructionRow] = [r for n, r in stored.items() if n in names]
    columns = ["function", "forward", "derivative", "forward, jax.nn"]
    return markdown_table(columns, map(line, some))


def _training() -> list[str]:
    seconds = load("training")["seconds"]
    names = list(next(iter(seconds.values())))
    rows = [
        [model, *(f"{a / b:.2f}" for a, b in by.values())]
        for model, by in seconds.items()
    ]
    return markdown_table(["speedup vs jax.nn (×)", *names], rows)


def _sweep() -> list[str]:
    stored = load("sweep")
    ways = list(next(iter(stored["seconds"].values())))
    rows = [
        [size, *(f"{1e3 * a:.1f} ({b:.1f})" for a, b in by.values())]
        for size, by in stored["seconds"].items()
    ]
    return [
        f"{stored['runs']} runs of {stored['steps']} steps on {stored['data']}, "
        f"{stored['cores']} cores: train time per run (ms), compile time (s) in "
        "parentheses.\n",
        *markdown_table(["width, batch size", *ways], rows),
    ]


def _memory() -> list[str]:
    compiled = load("memory")["compiled"]
    kinds = list(next(iter(compiled.values())))
    digits = lambda kind: 2 if kind == "time" else 1
    cell = lambda kind, by: " / ".join(f"{v:.{digits(kind)}f}" for v in by.values())
    rows = [[n, *(cell(k, v) for k, v in by.items())] for n, by in compiled.items()]
    return markdown_table(["function", *kinds], rows)


def _mlp_setup() -> str:
    stored = load("mlp")
    size, timed = (
        "{} layers, {} features, {} hidden features and {:,} tokens".format(
            *MLPSize(*stored[key])
        )
        for key in ("size", "timed")
    )
    return (
        f"Memory and products with {size}; time, the lower decile of "
        f"{stored['rounds']} rounds, and gradients with {timed}; on "
        f"{stored['machine']} with JAX {stored['jax']}."
    )


def _mlp() -> list[str]:
    rows = [MLPRow(*row) for row in load("mlp")["rows"]]
    columns = ["residuals", "temporary memory (MiB)", "matrix products"]
    columns += ["time vs jax.nn", "gradient error", "gradient cosine"]
    return markdown_table(
        columns,
        [
            [
                r.residuals,
                f"{r.bytes / 2**20:,.0f}",
                r.dots,
                f"{r.time:.2f}",
                f"{r.gradient_error:.1e}",
                f"{r.cosine:.5f}",
            ]
            for r in rows
        ],
    )


def _axis() -> list[str]:
    _, rows = load_rows("axis", AxisRow)
    lengths = sorted({r.length for r in rows})
    places = [(direction, n) for direction in DIRECTIONS for n in lengths]
    times = {(r.function, r.library, r.direction, r.length): r.copies for r in rows}
    table = []
    for name in dict.fromkeys(r.function for r in rows):
        cells = []
        for place in places:
            ours, jax = (times.get((name, lib, *place)) for lib in ("jax_acts", "jax"))
            ratio = f" ({jax / ours:.2f})" if jax and ours else ""
            cells.append(f"{ours:.2f}{ratio}")
        table.append([name, *cells])
    columns = [f"{DIRECTIONS[direction]}, {n:,}" for direction, n in places]
    return markdown_table(["function", *columns], table)


def _small() -> list[str]:
    _, rows = load_rows("small", SmallRow)
    cores = max(r.cores for r in rows)
    places = list(dict.fromkeys((r.program, r.size) for r in rows))
    times = {r[:5]: r.microseconds for r in rows}

    def cell(name: str, *place: Any) -> str:
        ratios = (
            times[name, "jax", *place, n] / times[name, "jax_acts", *place, n]
            for n in (cores, 1)
        )
        return "{:.2f} ({:.2f})".format(*ratios)

    names = dict.fromkeys(r.function for r in rows)
    columns = [f"{program}, {size:,}" for program, size in places]
    table = [[n, *(cell(n, *place) for place in places)] for n in names]
    steps = [
        "{:.0f} µs with all cores and {:.0f} with one".format(
            *(times["silu", library, "training step", 64, n] for n in (cores, 1))
        )
        for library in ("jax_acts", "jax")
    ]
    return [
        *markdown_table(["function", *columns], table),
        f"\nThe training step of 64 examples with `silu` takes {steps[0]}; with that "
        f"of `jax.nn` {steps[1]}.",
    ]


def _functions(rows: Sequence[SpeedRow], dtype: str, size: int) -> list[str]:
    """Return one row per function: times in copies, and speedups in parentheses."""
    others = [o for o in OTHERS if any(r.library == o for r in rows)]
    columns, cells = ["function"], {}
    for direction, title in DIRECTIONS.items():
        columns += [title, "±", *(f"{title}: vs {TITLES[o]}" for o in others)]
        ratios = [speedups(rows, dtype, size, direction, o) for o in others]
        for name, row in _ours(rows, dtype, direction, size).items():
            line = cells.setdefault(name, [name])
            line += [f"{row.copies:.2f}", f"{row.spread:.2f}"]
            line += [f"({by[name]:.2f})" if name in by else "" for by in ratios]
    return markdown_table(columns, (cells[name] for name in sorted(cells)))


def _chart(rows: Sequence[SpeedRow], path: Path) -> None:
    """Draw the speedup over `jax.nn` as bars that start at 1."""
    import matplotlib.pyplot as plt

    sizes = {r.size for r in rows}
    panels = [(s, d) for s in (max(sizes), min(sizes)) for d in DIRECTIONS]
    figure, axes = plt.subplots(1, 4, figsize=(13, 6), sharey=True, layout="tight")
    first = speedups(rows, "float32", *panels[0], "jax")
    names = sorted(first, key=lambda n: first[n])
    for panel, (size, direction) in zip(axes, panels, strict=True):
        ratios = speedups(rows, "float32", size, direction, "jax")
        values = [ratios[n] for n in names]
        colors = ["#2a9d8f" if v >= SLOWER["jax"] else "#e76f51" for v in values]
        panel.barh(names, [v - 1 for v in values], left=1, color=colors)
        panel.axvline(1, color="black", linewidth=1)
        panel.set_xscale("log")
        panel.set_xticks([0.25, 0.5, 1, 2, 4], ["1/4", "1/2", "1", "2", "4"])
        panel.set_xticks([], minor=True)  # their labels would overlap
        panel.set_title(f"{DIRECTIONS[direction]}, {size:,} elements", fontsize=10)
        panel.spines[["top", "right"]].set_visible(False)
    figure.suptitle("Speedup vs jax.nn (×), float32, CPU")
    figure.savefig(path, dpi=110)
