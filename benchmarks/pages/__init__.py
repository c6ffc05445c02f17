"""Pages of the documentation, as pure functions of the stored results."""

from collections.abc import Iterable, Sequence
from pathlib import Path

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
