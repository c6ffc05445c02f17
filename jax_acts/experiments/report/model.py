"""A report as data: tables of DataFrames, Altair charts, text; nothing is rendered."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import altair as alt
import pandas as pd

from jax_acts.experiments.stats import UNBOUNDED, Bounds

Row = dict[str, Any]


def to_rows(frame: pd.DataFrame) -> list[Row]:
    """Return the rows of a DataFrame as dicts, without the index."""
    return [{str(k): v for k, v in row.items()} for row in frame.to_dict("records")]


def flatten(trees: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return the leaves of nested tables, a row each, by dotted names; lists as JSON.

    >>> flatten([{"data": {"name": "digits"}, "depths": [2, 5]}])
       depths data.name
    0  [2, 5]    digits
    """
    text = lambda leaf: json.dumps(leaf) if isinstance(leaf, list | tuple) else leaf
    return pd.json_normalize([dict(tree) for tree in trees]).map(text)


class Metric(NamedTuple):
    """A quantity that runs are compared by.

    >>> Metric("accuracy", "test accuracy", "%", scale=100).label
    'test accuracy (%)'
    """

    name: str
    """A metric of `metrics_frame`, or a column of `runs_frame`: "train_seconds"."""
    title: str
    unit: str = ""
    scale: float = 1.0
    """Factor from the recorded value to the unit: 100 for a fraction in %."""
    digits: int = 2
    lower_is_better: bool = False
    bounds: Bounds = UNBOUNDED
    """The possible range, in the unit: intervals are clipped to it."""
    layer: int | Literal["mean"] | None = None
    """The layer, of a metric per layer; negative from the last; "mean" of all."""
    at: Literal["first", "last"] = "last"
    """The evaluation step: before training or after."""

    @property
    def label(self) -> str:
        """The title with the unit."""
        return f"{self.title} ({self.unit})" if self.unit else self.title

    @property
    def difference_unit(self) -> str:
        """The unit of a difference: percentage points of percentages."""
        return "pp" if self.unit == "%" else self.unit

    def difference_label(self, title: str = "Δ") -> str:
        """Return the title of a column of differences with its unit."""
        return f"{title} ({self.difference_unit})" if self.unit else title

    @property
    def key(self) -> str:
        """The prefix of the columns of the metric: "accuracy", "rms_first_0"."""
        layer = None if self.layer == "mean" else self.layer
        parts = (self.name, "first" if self.at == "first" else None, layer)
        return "_".join(str(part) for part in parts if part is not None)


class Column(NamedTuple):
    """How a column of a DataFrame is shown."""

    name: str
    """The column of the frame, whose values sort the rows of a page."""
    title: str
    format: Callable[[Any], str] = str
    detail: Callable[[Row], str] | None = None
    """Returns the second, smaller line of a cell from its row: "[92.5, 97.5]"."""
    meaning: str = ""
    """One sentence on the values."""
    essential: bool = True
    """Whether a narrow terminal shows it before other columns."""


@dataclass(frozen=True)
class Table:
    """A DataFrame with the columns to show; the first one names the rows."""

    frame: pd.DataFrame
    columns: tuple[Column, ...]
    title: str = "Results"


class Chart(NamedTuple):
    """An Altair chart, which a notebook displays."""

    title: str
    caption: str
    spec: alt.Chart | alt.LayerChart


class Section(NamedTuple):
    """Further text and a table, below the results."""

    title: str
    text: tuple[str, ...] = ()
    table: Table | None = None


class DataSummary(NamedTuple):
    """Name, origin and content of a dataset."""

    name: str
    origin: str = ""
    """The source and the license."""
    content: str = ""
    """Counts, shapes, classes and content hash: `Dataset.describe()`."""


@dataclass(frozen=True)
class Scores:
    """The scores by seed, for a comparison with other runs of the study."""

    frame: pd.DataFrame
    """One row per seed, one column per group."""
    metric: Metric


@dataclass(frozen=True)
class Report:
    """The conclusion of a study, with the evidence."""

    question: str
    conclusion: str
    setup: str
    """Models, data and training in one sentence."""
    tables: tuple[Table, ...] = ()
    charts: tuple[Chart, ...] = ()
    series: tuple[str, ...] = ()
    """The names in the legend, in the order of their colors."""
    notes: tuple[str, ...] = ()
    sections: tuple[Section, ...] = ()
    data: tuple[DataSummary, ...] = ()
    scores: Scores | None = None
    is_quick: bool = False
    """Whether the run is `--quick`: too small for a conclusion."""
    colors: Mapping[str, str] = field(default_factory=dict)
    """The series of each group, for the names of the rows of tables."""
