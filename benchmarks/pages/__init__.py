"""Pages of the documentation, as pure functions of the stored results."""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks.results import AccuracyRow

DOCS = Path(__file__).parents[2] / "docs"
TITLES = {
    "jax_acts": "jax_acts",
    "jax": "jax.nn",
    "torch": "PyTorch",
    "torch compiled": "torch.compile",
    "keras": "Keras",
}
"""Titles of libraries."""


def markdown_table(
    columns: Sequence[object], rows: Iterable[Sequence[object]]
) -> list[str]:
    """Return the lines of a Markdown table."""
    rule = ["---"] * len(columns)
    return [f"| {' | '.join(map(str, row))} |" for row in (columns, rule, *rows)]


def error_cell(r: AccuracyRow) -> str:
    """Return the maximum error, or counts of results that have no finite error."""
    nonfinite = "NaN" if math.isnan(r.got) else "inf"
    counts = {nonfinite: r.nonfinite, "0": r.vanished, "sign": r.wrong_sign}
    return ", ".join(f"{k} {n}×" for k, n in counts.items() if n) or f"{r.max:.3g}"
