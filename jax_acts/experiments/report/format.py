"""Numbers, intervals and lists of names, as tables and sentences have them."""

import math
from collections.abc import Sequence

from jax_acts.experiments.report.model import Cell
from jax_acts.experiments.stats import Difference, Spread


def listed(words: Sequence[str], word: str = "and") -> str:
    """Returns the words as a sentence has them.

    >>> listed(["relu", "gelu", "silu"])
    'relu, gelu and silu'
    """
    *first, end = words
    return f"{', '.join(first)} {word} {end}" if first else end


def text(value: float, digits: int) -> str:
    """Returns a number as tables have it.

    >>> text(-1.25, 1), text(float("nan"), 1)
    ('−1.2', '–')
    """
    return "–" if math.isnan(value) else f"{value:.{digits}f}".replace("-", "−")


def number(value: float, digits: int, detail: str = "") -> Cell:
    """Returns a cell that is sorted by its number; of nan it shows a dash."""
    return Cell(text(value, digits), None if math.isnan(value) else value, detail)


def interval(known: Spread | Difference, digits: int) -> str:
    """Returns the interval of a mean as "low to high"."""
    return f"{text(known.low, digits)} to {text(known.high, digits)}"


def mean(known: Spread | Difference, digits: int) -> Cell:
    """Returns a cell of a mean, with its interval as the smaller line."""
    ends = "" if math.isnan(known.low) else interval(known, digits)
    return number(known.mean, digits, ends)


def gap_cell(known: Difference, digits: int) -> Cell:
    """Returns a cell of a difference, with its interval and what its test says."""
    if known.n < 2:
        return mean(known, digits)
    ends = interval(known, digits)
    return number(known.mean, digits, f"{ends}, {likely(known.adjusted)}")


def likely(p: float) -> str:
    """Returns a p-value as sentences have it.

    >>> likely(0.0123), likely(0.00001), likely(1.0)
    ('p = 0.012', 'p < 0.001', 'p = 1')
    """
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"
