"""Write `docs/platforms.md` from the costs of compiled programs."""

import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from string import Template
from typing import Any

from benchmarks.pages import DOCS, markdown_table
from benchmarks.results import DATA, DIRECTIONS, PlatformRow, load_rows

TEMPLATE = Path(__file__).with_name("platforms.md")
"""Text of the page, with placeholders."""
SLOWER = 0.97
"""Speedups below this count as slower."""
BLOCKS = ("dense", "conv", "attention", "MLP step", "transformer")
"""How the names of blocks begin."""
UNITS = {"gpu": "instructions / element", "tpu": "bundles / 1,024 elements"}

Case = tuple[str, str, str]
"""Function, dtype and direction."""
Pairs = dict[Case, dict[str, PlatformRow]]
"""Rows by library."""


def write() -> None:
    """Write the page."""
    sections, devices = [], []
    for path in sorted(DATA.glob("platforms-*.json")):
        backend = path.stem.partition("-")[2]
        head, rows = load_rows("platforms", PlatformRow, backend=backend)
        rates = (f"{head['bandwidth'] / 1e9:,.0f}", f"{head['clock'] / 1e9:.4g}")
        devices.append([head["title"], *rates, head["compute_units"], head["source"]])
        sections += section(head, rows)
    table = markdown_table([""] * 5, devices)[2:]
    text = {"devices": "\n".join(table), "targets": "\n".join(sections)}
    page = Template(TEMPLATE.read_text()).substitute(text)
    (DOCS / "platforms.md").write_text(page.rstrip() + "\n")


def section(head: Mapping[str, Any], rows: Iterable[PlatformRow]) -> Iterator[str]:
    """Yield the lines of one device."""
    pairs: Pairs = {}
    for row in rows:
        case = (row.function, row.dtype, row.direction)
        pairs.setdefault(case, {})[row.library] = row
    blocks = {c: by for c, by in pairs.items() if c[0].startswith(BLOCKS)}
    functions = {c: by for c, by in pairs.items() if c not in blocks}
    compiler = head.get("libtpu") or head.get("jax-cuda12-pjrt", "")
    yield f"## {head['title']}\n"
    yield (
        f"Commit {head['commit']} of `jax_acts`, compiled with JAX {head['jax']} "
        f"({'libtpu' if 'libtpu' in head else 'CUDA plugin'} {compiler}). Elementwise "
        "functions of 8,192 × 4,096 elements; the number after the name of a row "
        "function is the row length.\n"
    )
    yield from means(functions)
    yield ""
    yield from slower(functions)
    if blocks:
        yield "\n### Blocks\n"
        yield from block_table(blocks)
    for dtype in sorted({c[1] for c in functions}, reverse=True):
        yield f"\n### Functions, {dtype}\n"
        here = {c: by for c, by in functions.items() if c[1] == dtype}
        yield from function_table(head["kind"], here)
    yield ""


def speedup(by: Mapping[str, PlatformRow]) -> float | None:
    """Return the speedup over `jax.nn`, None without a counterpart."""
    if len(by) < 2:
        return None
    return by["jax"].microseconds / by["jax_acts"].microseconds


def means(functions: Pairs) -> list[str]:
    """Return the geometric means of the speedups."""
    table = []
    for dtype in sorted({c[1] for c in functions}, reverse=True):
        for direction, title in DIRECTIONS.items():
            here = [by for c, by in functions.items() if c[1:] == (dtype, direction)]
            ratios = [r for by in here if (r := speedup(by))]
            ours = [by["jax_acts"] for by in here if "jax_acts" in by]
            one = sum(r.kernels == 1 for r in ours)
            if ratios:
                mean = statistics.geometric_mean(ratios)
                least = f"{min(ratios):.2f} to {max(ratios):.2f}"
                cells = [len(ratios), f"{mean:.2f}", least, f"{one} of {len(ours)}"]
                table.append([dtype, title, *cells])
    columns = ["dtype", "direction", "functions of jax.nn"]
    columns += ["geometric mean speedup (×)", "range (×)", "one kernel"]
    return markdown_table(columns, table)


def slower(functions: Pairs) -> list[str]:
    """Return the functions that are predicted to be slower than `jax.nn`."""
    lines = []
    for dtype in sorted({c[1] for c in functions}, reverse=True):
        for direction, title in DIRECTIONS.items():
            ratios = sorted(
                (ratio, case[0])
                for case, by in functions.items()
                if case[1:] == (dtype, direction) and (ratio := speedup(by))
            )
            low = [f"{name} {ratio:.2f}" for ratio, name in ratios if ratio < SLOWER]
            lines.append(f"- {dtype}, {title}: {', '.join(low) or 'none'}")
    return ["Predicted to be slower than `jax.nn` (speedup):\n", *lines]


def figures(by: Mapping[str, PlatformRow], value: Callable[[PlatformRow], Any]) -> str:
    """Return the figure of `jax_acts`, and that of `jax.nn` in parentheses."""
    cells = [value(by[n]) if n in by else None for n in ("jax_acts", "jax")]
    text = ["" if cell is None else str(cell) for cell in cells]
    return f"{text[0]} ({text[1]})" if text[1] else text[0]


def megabytes(size: int) -> str:
    """Return a size in megabytes."""
    return f"{size / 1e6:,.0f}"


def rounded(value: float | None) -> str | None:
    """Return a number with one decimal, None for None."""
    return None if value is None else f"{value:.1f}"


def ratio_cell(by: Mapping[str, PlatformRow]) -> str:
    """Return the speedup, empty without a counterpart."""
    ratio = speedup(by)
    return f"{ratio:.2f}" if ratio else ""


def function_table(kind: str, functions: Pairs) -> list[str]:
    """Return the costs of each function, by direction."""
    table = []
    for (name, _, direction), by in functions.items():
        if "jax_acts" not in by:
            continue
        cells = [
            figures(by, lambda r: r.kernels),
            figures(by, lambda r: f"{r.bytes / r.least_bytes:.2f}"),
            figures(by, lambda r: megabytes(r.temporaries)),
            figures(by, lambda r: rounded(r.instructions)),
            figures(by, lambda r: rounded(r.special)),
        ]
        if kind == "gpu":
            cells.append(figures(by, lambda r: r.registers))
        cells.append(figures(by, lambda r: f"{r.microseconds:.0f}"))
        table.append([name, DIRECTIONS[direction], *cells, ratio_cell(by)])
    columns = ["function", "direction", "kernels", "bytes / least", "temporaries (MB)"]
    columns += [UNITS[kind], "special functions"]
    columns += ["registers"] if kind == "gpu" else []
    return markdown_table([*columns, "time (µs)", "speedup (×)"], table)


def block_table(blocks: Pairs) -> list[str]:
    """Return the costs of each block."""
    table = [
        [
            *(name, dtype, DIRECTIONS[direction]),
            figures(by, lambda r: r.kernels),
            figures(by, lambda r: megabytes(r.bytes)),
            figures(by, lambda r: megabytes(r.temporaries)),
            figures(by, lambda r: r.patterns),
            ratio_cell(by),
        ]
        for (name, dtype, direction), by in blocks.items()
        if "jax_acts" in by
    ]
    columns = ["block", "dtype", "direction", "kernels", "bytes (MB)"]
    columns += ["temporaries (MB)", "epilogues", "speedup (×)"]
    return markdown_table(columns, table)
