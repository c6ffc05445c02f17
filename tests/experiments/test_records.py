"""Records as tidy tables: one row per run, and one per run, metric and step."""

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from jax_acts.experiments.records import (
    Curve,
    RunRecord,
    metrics_frame,
    runs_frame,
)


def record(activation: str, seed: int, accuracy: float, **fields: object) -> RunRecord:
    return RunRecord(
        run=f"activation {activation}, seed {seed}",
        axes={"activation": activation, "seed": seed},
        status="finished",
        num_params=7,
        steps=20,
        curves={
            "train_loss": Curve(steps=[10, 20], values=[2.0, 1.0]),
            "accuracy": Curve(steps=[0, 10, 20], values=[0.1, 0.5, accuracy]),
            "rms": Curve(steps=[0, 20], values=[[1.0, 2.0], [3.0, None]]),
        },
        train_seconds=0.5,
        compile_seconds=2.0,
    ).model_copy(update=fields)


RECORDS = [record("relu", 0, 0.8), record("gelu", 0, 0.9), record("gelu", 1, 0.7)]


def test_runs_frame_has_one_row_per_run():
    frame = runs_frame(RECORDS)
    assert frame.columns.tolist() == [
        *("run", "status", "session", "activation", "seed"),
        *("num_params", "steps", "train_seconds", "compile_seconds"),
    ]
    assert frame["activation"].tolist() == ["relu", "gelu", "gelu"]
    assert frame["run"].is_unique


def test_metrics_frame_has_one_row_per_run_metric_step_and_layer():
    frame = metrics_frame(RECORDS)
    assert frame.columns.tolist() == [
        *("run", "activation", "seed", "status", "metric", "layer", "step", "value")
    ]
    assert len(frame) == 3 * (2 + 3 + 4)
    assert frame.dtypes["layer"] == pd.Int64Dtype()
    loss = frame[frame["metric"] == "train_loss"]
    assert loss["layer"].isna().all()
    assert loss["step"].tolist() == [10, 20] * 3


def test_frames_of_no_records_are_empty():
    assert runs_frame([]).empty
    assert metrics_frame([]).empty


def test_a_record_is_one_line_of_json():
    (first, *_) = RECORDS
    line = first.model_dump_json()
    assert "\n" not in line
    assert RunRecord.model_validate_json(line) == first
    assert first.last_loss == 1.0
    assert first.model_copy(update={"curves": {}}).last_loss is None


def test_values_that_are_not_finite_are_none():
    values = np.array([[0.5, np.nan], [-np.inf, 0.1]], np.float32)
    curve = Curve.from_array([0, 5], values)
    assert curve.values == [[0.5, None], [None, float(values[1, 1])]]


@pytest.mark.parametrize("name", ["value", "step", "run", "train_seconds"])
def test_an_axis_cannot_hide_a_column(name):
    fields = RECORDS[0].model_dump() | {"axes": {name: 1}}
    with pytest.raises(ValidationError, match=name):
        RunRecord.model_validate(fields)


def test_records_of_two_studies_are_no_table():
    other = RECORDS[0].model_copy(update={"axes": {"depth": 1}})
    with pytest.raises(ValueError, match="expected axes"):
        runs_frame([*RECORDS, other])


def test_a_curve_needs_a_step_for_each_value():
    with pytest.raises(ValidationError, match="expected 2 values"):
        Curve(steps=[0, 1], values=[0.5])
