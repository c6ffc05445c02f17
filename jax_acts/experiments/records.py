"""Records of finished runs, and the tidy tables that statistics and reports use."""

from collections.abc import Iterable, Sequence
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, field_validator, model_validator

Value = str | int | float
"""A position on an axis of a study."""

RUN_COLUMNS = ("num_params", "steps", "train_seconds", "compile_seconds")
METRIC_COLUMNS = ("metric", "layer", "step", "value")
RESERVED = frozenset(("run", "status", "session", *RUN_COLUMNS, *METRIC_COLUMNS))
"""Column names of the tables, which no axis may have."""


class Curve(BaseModel):
    """The values of one metric, each with the number of optimizer steps before it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: list[int]
    """Optimizer steps completed at each value; a mean over steps a..b is at b."""
    values: list[float | None] | list[list[float | None]]
    """None where a value is not finite; an inner list has one value per layer."""

    @model_validator(mode="after")
    def _check_lengths(self) -> Self:
        if len(self.steps) != len(self.values):
            raise ValueError(
                f"curve: expected {len(self.steps)} values, got {len(self.values)}"
            )
        return self

    @classmethod
    def from_array(cls, steps: Iterable[int], values: Any) -> Self:
        """Return the curve of an array of shape `(steps,)` or `(steps, layers)`.

        >>> Curve.from_array([0, 10], np.array([1.5, np.inf])).values
        [1.5, None]
        """
        array = np.asarray(values, np.float64)
        items = array.astype(object)
        items[~np.isfinite(array)] = None
        return cls(steps=list(map(int, steps)), values=items.tolist())


class RunRecord(BaseModel):
    """One finished run: the content of one line of `records.jsonl`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    run: str
    """The display name: "activation relu, seed 0"."""
    axes: dict[str, Value]
    status: Literal["finished", "diverged"]
    session: int = 0
    """Number of the session in `environment.jsonl`."""
    fingerprint: str = ""
    """`Fingerprint.digest` of the run that the record belongs to."""
    num_params: int
    steps: int
    """Optimizer steps of the whole run."""
    curves: dict[str, Curve]
    """Every metric by name; a single value is a curve of length 1."""
    train_seconds: float
    """Time of the trial batch divided by its number of runs, without compilation."""
    compile_seconds: float
    """Time to trace and compile the programs that the run shares with others."""

    @field_validator("axes")
    @classmethod
    def _check_axes(cls, axes: dict[str, Value]) -> dict[str, Value]:
        if taken := sorted(RESERVED & axes.keys()):
            raise ValueError(f"axes: expected names other than {taken}")
        return axes

    @property
    def last_loss(self) -> float | None:
        """The last value of the curve `train_loss`; None where it is not finite."""
        curve = self.curves.get("train_loss")
        last = curve.values[-1] if curve and curve.values else None
        return None if isinstance(last, list) else last


def runs_frame(records: Iterable[RunRecord]) -> pd.DataFrame:
    """Return one row per run.

    Columns: run, status, session, the axes, num_params, steps, train_seconds,
    compile_seconds.
    """
    records = list(records)
    rows = [
        {"run": r.run, "status": r.status, "session": r.session}
        | r.axes
        | {name: getattr(r, name) for name in RUN_COLUMNS}
        for r in records
    ]
    columns = ["run", "status", "session", *_axes(records), *RUN_COLUMNS]
    return pd.DataFrame(rows, columns=columns)


def metrics_frame(records: Iterable[RunRecord]) -> pd.DataFrame:
    """Return one row per run, metric, evaluation step and layer.

    Columns: run, the axes, status, metric, layer, step, value. `layer` is <NA> for
    metrics without layers; `value` is NaN where it was not finite.
    """
    records = list(records)
    owners: list[int] = []  # of each curve: the index of its record
    names: list[str] = []
    counts: list[int] = []
    layers: list[int | None] = []
    steps: list[int] = []
    values: list[float | None] = []
    for n, record in enumerate(records):
        for metric, curve in record.curves.items():
            start = len(values)
            for step, value in zip(curve.steps, curve.values, strict=True):
                if isinstance(value, list):
                    values += value
                    layers += range(len(value))
                    steps += [step] * len(value)
                else:
                    values.append(value)
                    layers.append(None)
                    steps.append(step)
            owners.append(n)
            names.append(metric)
            counts.append(len(values) - start)
    owner = np.repeat(np.array(owners, int), counts)
    axes = _axes(records)
    columns = {
        "run": [record.run for record in records],
        **{axis: [record.axes[axis] for record in records] for axis in axes},
        "status": [record.status for record in records],
    }
    # Indexing shares the strings of a run among its rows.
    frame = pd.DataFrame(
        {name: pd.Series(column)[owner].array for name, column in columns.items()}
        | {
            "metric": pd.Series(names).repeat(counts).array,
            "layer": pd.array(layers, "Int64"),
            "step": np.array(steps, np.int64),
            "value": np.array(values, np.float64),
        },
    )
    return frame[["run", *axes, "status", *METRIC_COLUMNS]]


def _axes(records: Sequence[RunRecord]) -> list[str]:
    """Return the axes of the records.

    Raises:
        ValueError: The records have different axes: they are not of one study.
    """
    axes = list(records[0].axes) if records else []
    for record in records:
        if list(record.axes) != axes:
            raise ValueError(f"records: expected axes {axes}, got {list(record.axes)}")
    return axes
