"""Records of members that learned, in groups over their seeds: cells, rows, curves."""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from jax_acts.experiments.report.charts import Curve, Row, curves, intervals
from jax_acts.experiments.report.contrasts import (
    PAIRED,
    behind,
    behind_best,
    ranked,
    section,
)
from jax_acts.experiments.report.format import likely, listed, mean, number
from jax_acts.experiments.report.model import (
    Cell,
    Chart,
    Column,
    Scores,
    Section,
    Table,
)
from jax_acts.experiments.stats import Spread, spread
from jax_acts.experiments.train.trial import Learned, Number

Of = Callable[[Learned], Number]
"""What is read off a record."""


class Group(NamedTuple):
    """Members that differ in their seed alone."""

    name: str
    color: int
    done: tuple[Learned, ...]
    """Those that did not diverge, by their seeds."""
    diverged: int

    def each(self, of: Of) -> list[float]:
        """Returns the number of each member that has one."""
        return [value for value in map(of, self.done) if value is not None]

    def by_seed(self, of: Of) -> dict[int, float]:
        """Returns the number of each seed that has one."""
        found = ((int(r.axes["seed"]), of(r)) for r in self.done)
        return {seed: value for seed, value in found if value is not None}

    def spread(self, of: Of) -> Spread:
        """Returns the mean over the seeds, and what is known of it."""
        return spread(self.each(of))


class Metric(NamedTuple):
    """What members are compared by."""

    title: str
    of: Of
    unit: str = ""
    """What follows a number in a sentence."""
    digits: int = 2
    least: bool = False
    """Whether less is better."""


def last(measure: str, scale: float = 1.0, *, place: int | None = None) -> Of:
    """Returns what reads the last number of a measure.

    Args:
        measure: Its name.
        scale: What to multiply it by.
        place: Which of its layers, for a measure that has layers.
    """
    return at(measure, -1, scale, place=place)


def at(measure: str, part: int, scale: float = 1.0, *, place: int | None = None) -> Of:
    """Returns what reads the number of a measure after a part; part 0 is the start."""

    def of(record: Learned) -> Number:
        found = record.measures[measure][part]
        value = found[place or 0] if isinstance(found, list) else found
        return None if value is None else scale * value

    return of


NO_ANSWER = "There is no answer: no member has finished without diverging."
ACCURACY = Metric("test accuracy, %", last("accuracy", 100), " %")


def grouped(
    records: Iterable[Learned],
    names: Sequence[str],
    name: Callable[[Learned], str],
    color: Callable[[str], int] | None = None,
) -> list[Group]:
    """Returns a group for each of the names that has a record, in their order.

    Args:
        records: The records.
        names: The names of all groups.
        name: Which of the names a record goes by.
        color: Which series a name is of; if left out, each is a series of its own.
    """
    found: dict[str, list[Learned]] = {key: [] for key in names}
    for record in sorted(records, key=lambda r: r.axes["seed"]):
        found[name(record)].append(record)
    groups = []
    for place, (key, own) in enumerate(found.items()):
        done = tuple(record for record in own if record.status == "done")
        if own:
            series = color(key) if color else place
            groups.append(Group(key, series, done, len(own) - len(done)))
    return groups


def scored(groups: Sequence[Group], metric: Metric) -> Scores:
    """Returns what the groups are compared by, seed by seed."""
    of = {group.name: group.by_seed(metric.of) for group in groups}
    return Scores(metric.title, of, metric.unit, metric.digits, metric.least)


def verdict(groups: Sequence[Group], metric: Metric, what: str) -> str:
    """Returns which group is best, no more surely than the tests allow.

    Args:
        groups: Those that are compared.
        metric: What they are compared by.
        what: The metric in a sentence: "test accuracy".
    """
    scores = scored(groups, metric)
    found = ranked(scores, scores.of)
    if not found:
        return NO_ANSWER
    best, *others = found
    known = spread([*scores.of[best].values()])
    most = "lowest" if metric.least else "highest"
    mean = f"{known.mean:.{metric.digits}f}{metric.unit}"
    if known.n < 2:
        return f"{best} has the {most} {what}, {mean}, but by one seed alone."
    told = {c.second: c for c in behind_best(scores) if c.difference.shows()}
    said = f"{best} has the {most} mean {what}, {mean} ({known.n} seeds)"
    close = [name for name in others if name not in told]
    if close:
        said += f"; these seeds do not tell {listed(close, 'or')} from it"
    if told:
        next_ = next(name for name in others if name in told)
        rest = "the nearest that is measurably behind is" if close else "the next is"
        gap = told[next_].behind(least=metric.least)
        by = f"{gap.mean:.{metric.digits}f} ± {gap.half:.{metric.digits}f}"
        tested = f"{scores.apart}, {likely(gap.adjusted)} after Holm"
        said += f"; {rest} {next_}, by {by}{tested}"
    return f"{said}."


def rows(groups: Sequence[Group], of: Of) -> list[Row]:
    """Returns what `jax_acts.experiments.report.charts.intervals` draws."""
    return [Row(g.color, g.name, g.each(of), g.spread(of)) for g in groups if g.done]


def over_parts(
    groups: Sequence[Group], values: Callable[[Learned], Sequence[Number]], end: float
) -> list[Curve]:
    """Returns a line for each group over x from 0 to `end`, with the range of seeds.

    Args:
        groups: The groups.
        values: The numbers of a record, at equal distances of x.
        end: The last x.
    """
    lines = []
    for group in groups:
        if group.done:
            seeds = np.array([values(record) for record in group.done], float)
            x = np.linspace(0, end, seeds.shape[1])
            lines.append(line(group.color, x.tolist(), seeds))
    return lines


def line(color: int, x: Sequence[float], seeds: np.ndarray) -> Curve:
    """Returns the mean over the seeds `(seeds, x)`, with the lowest and the highest."""
    middle, low, high = seeds.mean(0), seeds.min(0), seeds.max(0)
    return Curve(color, x, middle.tolist(), low.tolist(), high.tolist())


def compared(
    groups: Sequence[Group],
    metric: Metric,
    families: Sequence[Sequence[str]] | None = None,
) -> tuple[Section, ...]:
    """Returns the section that compares the best group with each other one."""
    scores = scored(groups, metric)
    title = f"{metric.title}: the best against the others"
    return section(title, behind_best(scores, families), scores)


More = tuple[Column, Callable[[Group], Cell]]
"""A column besides those that every table has, and its cell for a group."""


def table(
    first: str,
    groups: Sequence[Group],
    metric: Metric,
    more: Sequence[More] = (),
    *,
    families: Sequence[Sequence[str]] | None = None,
) -> Table:
    """Returns a row for each group, in their order.

    Args:
        first: What the names of the groups are.
        groups: The groups.
        metric: What they are compared by.
        more: Further columns.
        families: The names that are compared with each other; all, if left out.
    """
    columns = (
        Column(first),
        Column(metric.title, "mean over the seeds, with its 95 % interval"),
        Column(
            "behind the best", "paired by seed, with its 95 % interval; p after Holm"
        ),
        *(column for column, _ in more),
        Column("seeds", "members that finished without diverging", narrow=False),
        Column("s", "median time to train a member, compiled", narrow=False),
    )
    gaps = behind(scored(groups, metric), families)
    lines = []
    for group in groups:
        diverged = f"{group.diverged} diverged" if group.diverged else ""
        times = group.each(lambda r: r.run_seconds)
        lines.append(
            (
                Cell(group.name, group.name),
                mean(group.spread(metric.of), metric.digits),
                gaps[group.name],
                *(cell(group) for _, cell in more),
                Cell(f"{len(group.done)}", len(group.done), diverged),
                number(float(np.median(times)) if times else float("nan"), 2),
            )
        )
    return Table(columns, tuple(lines))


def dots(title: str, groups: Sequence[Group], metric: Metric) -> Chart:
    """Returns a chart of every seed of every group, with the interval of its mean."""
    percent = metric.title.endswith("%")
    name = _slug(title)
    drawn = intervals(name, rows(groups, metric.of), metric.title, percent=percent)
    return Chart(title, DOTS, drawn)


def histories(
    title: str,
    groups: Sequence[Group],
    values: Callable[[Learned], Sequence[Number]],
    steps: int,
    y_label: str,
    *,
    log: bool = False,
) -> Chart:
    """Returns a chart of numbers by the steps of the training."""
    lines = over_parts(groups, values, steps)
    return Chart(title, BAND, curves(_slug(title), lines, "step", y_label, log=log))


def against(
    title: str, lines: Sequence[Curve], x_label: str, y_label: str, note: str = ""
) -> Chart:
    """Returns a chart of lines over an axis of numbers."""
    caption = f"{note} {BAND}".strip()
    return Chart(title, caption, curves(_slug(title), lines, x_label, y_label))


def measured(name: str, scale: float = 1.0) -> Callable[[Learned], list[Number]]:
    """Returns what reads all numbers of a measure without layers."""
    return lambda record: [
        None if value is None or isinstance(value, list) else scale * value
        for value in record.measures[name]
    ]


DOTS = "Small dots: the seeds; large dot: their mean; bar: its 95 % interval."
BAND = "Line: mean over the seeds; band: from the lowest to the highest seed."
NOTES = (
    "Intervals are 95 % t-intervals of the mean over the seeds. A seed decides the "
    "initial weights and the order of the examples; the data are the same for all.",
    PAIRED,
)


def unfinished(records: Sequence[Learned], planned: int) -> tuple[str, ...]:
    """Returns notes on members that diverged or are missing."""
    diverged = [record.member for record in records if record.status == "diverged"]
    notes = []
    if diverged:
        some = "; ".join(diverged[:5]) + ("; …" if len(diverged) > 5 else "")
        notes.append(f"{len(diverged)} of {len(records)} members diverged: {some}.")
    if len(records) < planned:
        notes.append(f"The run is not finished: {len(records)} of {planned} members.")
    return tuple(notes)


def _slug(title: str) -> str:
    """Returns a name that ids may begin with.

    >>> _slug("Test accuracy, MNIST-1D")
    'test-accuracy-mnist-1d'
    """
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
