"""What a report shows, before it becomes HTML, Markdown or a table in the terminal."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from jax_acts.experiments.report.charts import Picture


class Cell(NamedTuple):
    """A cell of a table: what is read, and what it is sorted by."""

    text: str
    key: float | str | None = None
    detail: str = ""
    """A second, smaller line."""


class Column(NamedTuple):
    """A column of a table."""

    title: str
    meaning: str = ""
    """What its numbers are, in a sentence."""
    narrow: bool = True
    """Whether it is shown where there is little room."""


class Table(NamedTuple):
    """A table; the first cell of each row names it."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]


class Chart(NamedTuple):
    """A picture with what it shows."""

    title: str
    caption: str
    picture: Picture


class Scores(NamedTuple):
    """What the rows of a table are compared by, seed by seed."""

    title: str
    of: Mapping[str, Mapping[int, float]]
    """A number for each seed of each row; the same seed is a pair."""
    unit: str = ""
    """What follows a number in a sentence."""
    digits: int = 2
    least: bool = False
    """Whether less is better."""

    @property
    def apart(self) -> str:
        """The unit of differences: percent differ by points."""
        return " points" if self.unit.strip() == "%" else self.unit


class Section(NamedTuple):
    """A part of a page with a table of its own."""

    title: str
    said: tuple[str, ...]
    """Sentences that are shown as a list."""
    table: Table


@dataclass(frozen=True)
class Page:
    """The answer of a study with what it rests on."""

    question: str
    answer: str
    setting: str
    """What was trained on what, in a sentence."""
    origin: str
    """Where the data come from, and their licence."""
    table: Table
    charts: tuple[Chart, ...]
    series: tuple[str, ...]
    """The names of the series, in the order of their colours."""
    notes: tuple[str, ...]
    sections: tuple[Section, ...] = ()
    """What stands below the table: the comparisons of its rows."""
    scores: Scores | None = None
    """What another run of the study is compared by."""
