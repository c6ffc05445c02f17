"""What a report shows, before it becomes HTML, Markdown or a table in the terminal."""

from dataclasses import dataclass
from typing import NamedTuple


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
    """A chart, as an SVG element whose colours are variables of the page."""

    title: str
    caption: str
    svg: str
    wide: bool = False


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
