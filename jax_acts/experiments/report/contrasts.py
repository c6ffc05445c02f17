"""Rows compared over equal seeds: tests, sentences, and a table of all of them."""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from jax_acts.experiments.report.format import gap_cell, likely, mean, number
from jax_acts.experiments.report.model import Cell, Column, Scores, Section, Table
from jax_acts.experiments.stats import Difference, differences, spread


class Contrast(NamedTuple):
    """The first of two rows minus the second, in pairs of equal seeds."""

    first: str
    second: str
    difference: Difference

    def behind(self, *, least: bool) -> Difference:
        """Returns by how much the second is worse than the first."""
        return flipped(self.difference) if least else self.difference


def flipped(known: Difference) -> Difference:
    """Returns the difference the other way round.

    >>> flipped(Difference(3, 2.0, 1.0, 3.0, 1.5, 0.1, 0.2))
    Difference(n=3, mean=-2.0, low=-3.0, high=-1.0, effect=-1.5, p=0.1, adjusted=0.2)
    """
    return known._replace(
        mean=-known.mean, low=-known.high, high=-known.low, effect=-known.effect
    )


def contrasts(scores: Scores, pairs: Sequence[tuple[str, str]]) -> list[Contrast]:
    """Returns the contrast of each pair of rows that share a seed, after Holm."""
    found, kept = [], []
    for pair in pairs:
        first, second = (scores.of.get(name, {}) for name in pair)
        shared = [seed for seed in first if seed in second]
        if shared:
            kept.append(pair)
            found.append([(first[seed], second[seed]) for seed in shared])
    return [
        Contrast(first, second, known)
        for (first, second), known in zip(kept, differences(found), strict=True)
    ]


def ranked(scores: Scores, names: Iterable[str]) -> list[str]:
    """Returns the rows that have a number, the best mean first.

    >>> loss = Scores("loss", {"a": {0: 2.0}, "b": {0: 1.0}, "c": {}}, least=True)
    >>> ranked(loss, "abc")
    ['b', 'a']
    """
    sign = 1 if scores.least else -1
    known = [name for name in names if scores.of.get(name)]
    return sorted(
        known, key=lambda name: sign * spread([*scores.of[name].values()]).mean
    )


def behind_best(
    scores: Scores, families: Sequence[Sequence[str]] | None = None
) -> list[Contrast]:
    """Returns the contrast of the best row of each family with the others of it.

    Args:
        scores: The numbers.
        families: The rows that are compared with each other; all, if left out.
    """
    pairs = []
    for names in [list(scores.of)] if families is None else families:
        best, *others = ranked(scores, names) or [""]
        pairs += [(best, other) for other in others]
    return contrasts(scores, pairs)


def behind(
    scores: Scores, families: Sequence[Sequence[str]] | None = None
) -> dict[str, Cell]:
    """Returns a cell for each row: by how much it is behind the best of its family."""
    cells = {name: Cell("–") for name in scores.of}
    for names in [list(scores.of)] if families is None else families:
        cells |= {best: Cell("best", 0.0) for best in ranked(scores, names)[:1]}
    for contrast in behind_best(scores, families):
        gap = contrast.behind(least=scores.least)
        cells[contrast.second] = gap_cell(gap, scores.digits)
    return cells


PAIRED = (
    "Rows are compared over pairs of equal seeds, by the t-test of pairs; p is after "
    "Holm, for all comparisons of a table together, and below 0.05 is called a "
    "difference. ± and intervals are 95 % of each difference alone. The best row is "
    "chosen by the same data, which flatters it a little."
)


def sentence(contrast: Contrast, scores: Scores, *, after: bool = True) -> str:
    """Returns what a contrast says, no more surely than its test allows.

    >>> known = differences([[(95.2, 94.1), (95.4, 94.9), (95.1, 94.2)]])
    >>> scores = Scores("accuracy, %", {}, " %")
    >>> sentence(Contrast("gelu", "relu", known[0]), scores)
    'gelu beats relu by 0.83 ± 0.76 points (3 seeds, p = 0.042 after Holm)'
    """
    first, second, known = contrast
    if known.n < 2:
        return f"{first} and {second} share one seed alone, which tells nothing"
    better = known.mean < 0 if scores.least else known.mean > 0
    size, half = (f"{abs(x):.{scores.digits}f}" for x in (known.mean, known.half))
    holm = " after Holm" if after else ""
    test = f"{known.n} seeds, {likely(known.adjusted)}{holm}"
    if known.shows():
        names = f"{first} beats {second}" if better else f"{second} beats {first}"
        return f"{names} by {size} ± {half}{scores.apart} ({test})"
    ahead = first if better else second
    apart = f"{ahead} is ahead by {size} ± {half}{scores.apart}"
    return f"{first} and {second} are not told apart: {apart} ({test})"


MOST = 12
"""So many sentences at most are a section; its table has all."""


def section(
    title: str, found: Sequence[Contrast], scores: Scores
) -> tuple[Section, ...]:
    """Returns a part of a page that shows the contrasts, or none if there are none."""
    if not found:
        return ()
    many = len(found) > 1
    said = [f"{sentence(c, scores, after=many)}." for c in found[:MOST]]
    if len(found) > MOST:
        shown = sum(c.difference.shows() for c in found)
        said = [
            f"{shown} of {len(found)} comparisons show a difference after Holm; "
            "the table has all of them."
        ]
    table = Table(_COLUMNS, tuple(_row(c, scores.digits) for c in found))
    return (Section(title, tuple(said), table),)


_COLUMNS = (
    Column("first"),
    Column("second"),
    Column("first − second", "mean over pairs of equal seeds, with its 95 % interval"),
    Column("Cohen's d", "that mean over the standard deviation of the differences"),
    Column("p", "of the t-test of pairs, of this comparison alone", narrow=False),
    Column("p after Holm", "for all comparisons of this table together"),
    Column("pairs", "seeds that both have", narrow=False),
)


def _row(contrast: Contrast, digits: int) -> tuple[Cell, ...]:
    first, second, known = contrast
    return (
        Cell(first, first),
        Cell(second, second),
        mean(known, digits),
        _effect(known.effect),
        _p(known.p),
        _p(known.adjusted),
        Cell(f"{known.n}", known.n),
    )


def _effect(d: float) -> Cell:
    """Returns a cell of an effect, without digits where the seeds hardly differ."""
    if abs(d) <= LARGE or math.isnan(d):
        return number(d, 2)
    return Cell(f"{'> ' if d > 0 else '< −'}{LARGE}", d)


LARGE = 99
"""Above it an effect says no more than that the differences are alike."""


def _p(p: float) -> Cell:
    if math.isnan(p):
        return Cell("–")
    return Cell(likely(p).removeprefix("p ").removeprefix("= "), p)
