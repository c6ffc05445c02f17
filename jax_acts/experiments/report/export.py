"""Records for other programs: CSV, Parquet, TensorBoard, MLflow, W&B.

    runs       one row per run: runs_frame, final.<metric>, config.<key>,
               environment.<key>
    metrics    metrics_frame: run, axes, status, metric, layer, step, value

An export is a function of the records, so it may run at any time, and again.
"""

import hashlib
import importlib
import os
import re
from collections.abc import Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pandas as pd

from jax_acts.experiments.config.errors import RunError
from jax_acts.experiments.config.escape import csv_cell, one_line
from jax_acts.experiments.records import RunRecord, metrics_frame, runs_frame
from jax_acts.experiments.report.files import LoadedRun, Studies, load_run
from jax_acts.experiments.report.model import Row, flatten, to_rows


class Sink(StrEnum):
    """A format of `export_records`."""

    CSV = "csv"
    PARQUET = "parquet"
    TENSORBOARD = "tensorboard"
    MLFLOW = "mlflow"
    WANDB = "wandb"


class Tables(NamedTuple):
    """The tables of a run directory; see the module."""

    runs: pd.DataFrame
    metrics: pd.DataFrame


def export_records(directory: Path, studies: Studies, sink: Sink) -> str:
    """Write the records of a run for a sink; return where they are.

    Raises:
        RunError: The package of the sink is missing, or there is no record.
        ConfigError: The config of the run cannot be read.
    """
    run = load_run(directory, studies)
    if not run.records:
        raise RunError(f"{directory}: expected at least one finished run, got none")
    if sink is Sink.CSV:
        return _write_csv(run, directory)
    tables, project = make_tables(run), run.config.name
    match sink:
        case Sink.PARQUET:
            return _write_parquet(tables, directory)
        case Sink.TENSORBOARD:
            return _tensorboard(tables, directory)
        case Sink.MLFLOW:
            return _mlflow(tables, directory, project)
        case Sink.WANDB:
            return _wandb(tables, directory, project)


def make_tables(run: LoadedRun) -> Tables:
    """Return the tables of a run directory."""
    return Tables(make_runs_table(run), metrics_frame(run.records))


def make_runs_table(run: LoadedRun) -> pd.DataFrame:
    """Return one row per run, without the table of metrics in memory."""
    runs = runs_frame(run.records)
    rows = {record.run: _final_values(record) for record in run.records}
    final = pd.DataFrame.from_dict(rows, orient="index", dtype=float)
    final = final.sort_index(axis="columns").rename_axis(index="run", columns="column")
    sessions = flatten(run.environments).add_prefix("environment.")
    config = flatten([run.config.model_dump(mode="json")]).add_prefix("config.")
    runs = runs.merge(final, on="run", how="left")
    runs = runs.merge(sessions, left_on="session", right_index=True, how="left")
    return runs.merge(config, how="cross")


def _final_values(record: RunRecord) -> dict[str, float | None]:
    """Return the last value of each metric, or of each of its layers."""
    values: dict[str, float | None] = {}
    for metric, curve in record.curves.items():
        for value in curve.values:
            layers = enumerate(value) if isinstance(value, list) else [(None, value)]
            for layer, one in layers:
                suffix = "" if layer is None else f".{layer}"
                values[f"final.{metric}{suffix}"] = one
    return values


def _layer_suffix(metrics: pd.DataFrame, separator: str) -> pd.Series:
    return metrics["layer"].astype("string").radd(separator).fillna("")


CHUNK = 1000
"""Runs whose metrics are in memory at a time."""


def _write_csv(run: LoadedRun, directory: Path) -> str:
    _csv_safe(make_runs_table(run)).to_csv(directory / "runs.csv", index=False)
    with (directory / "metrics.csv").open("w", encoding="utf-8", newline="") as file:
        for start in range(0, len(run.records), CHUNK):
            frame = metrics_frame(run.records[start : start + CHUNK])
            _csv_safe(frame).to_csv(file, index=False, header=start == 0)
    return f"{directory / 'runs.csv'} and metrics.csv"


def _write_parquet(tables: Tables, directory: Path) -> str:
    _import("pyarrow", "parquet")
    for name, frame in tables._asdict().items():
        frame.to_parquet(directory / f"{name}.parquet", index=False)
    return f"{directory / 'runs.parquet'} and metrics.parquet"


def _csv_safe(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the table with strings that no spreadsheet evaluates."""
    text = {
        str(name): column.map({cell: csv_cell(cell) for cell in column.unique()})
        for name, column in frame.items()
        if not pd.api.types.is_numeric_dtype(column)
    }
    return frame.assign(**text).rename(columns=csv_cell)


def _import(package: str, extra: str) -> ModuleType:
    """Return a package of an optional extra."""
    try:
        return importlib.import_module(package)
    except ImportError:
        message = f"{package} is not installed: pip install 'jax-acts[{extra}]'"
        raise RunError(message) from None


def _each_run(tables: Tables) -> Iterator[tuple[str, Row, list[Row]]]:
    """Yield the name, the parameters and the finite values of each run.

    A value is a dict of name ("metric" or "metric/layer"), step and value.
    """
    finite = tables.metrics.dropna(subset=["value"])
    finite = finite.assign(name=finite["metric"] + _layer_suffix(finite, "/"))
    own = dict(iter(finite[["run", "name", "step", "value"]].groupby("run")))
    params = tables.runs.loc[:, ~tables.runs.columns.str.startswith("final.")]
    for row in to_rows(params):
        run = row.pop("run")
        yield run, row, to_rows(own[run]) if run in own else []


def _by_step(values: Sequence[Row]) -> dict[int, dict[str, float]]:
    """Return the values by step, the first step first."""
    steps: dict[int, dict[str, float]] = {}
    for one in values:
        steps.setdefault(one["step"], {})[one["name"]] = one["value"]
    return dict(sorted(steps.items()))


def _run_id(directory: Path, run: str) -> str:
    """Return an identifier of a run, so that a second export replaces the first."""
    text = f"{directory.resolve()}\0{run}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _final(values: Sequence[Row]) -> dict[str, float]:
    """Return the last finite value of each metric."""
    return {f"final/{one['name']}": one["value"] for one in values}


def _tensorboard(tables: Tables, directory: Path) -> str:
    board = _import("tensorboardX", "tensorboard")
    target = directory / "tensorboard"
    for run, _, values in _each_run(tables):
        path = target / _folder_name(run)
        for old in path.glob("events.*"):
            old.unlink()
        with board.SummaryWriter(str(path)) as writer:
            for one in values:
                writer.add_scalar(one["name"], one["value"], one["step"])
    return f"{target}: tensorboard --logdir {target}"


def _folder_name(run: str) -> str:
    """Return the name of a run as that of a folder within its parent.

    >>> _folder_name("activation relu, seed 0"), _folder_name("../x")
    ('activation relu, seed 0', '_._x')
    """
    name = re.sub(r"^\.|[/\\\0]", "_", one_line(run))
    if len(name.encode()) <= 200:
        return name
    return f"{name[:40]}-{hashlib.sha256(run.encode()).hexdigest()[:8]}"


def _mlflow(tables: Tables, directory: Path, project: str) -> str:
    flow = _import("mlflow", "mlflow")
    if "MLFLOW_TRACKING_URI" not in os.environ:
        flow.set_tracking_uri(f"sqlite:///{(directory / 'mlflow.db').resolve()}")
    flow.set_experiment(project)
    for run, params, values in _each_run(tables):
        run_id = _run_id(directory, run)
        for old in flow.search_runs(
            filter_string=f"tags.jax_acts_run = '{run_id}'", output_format="list"
        ):
            flow.delete_run(old.info.run_id)
        with flow.start_run(run_name=run, tags={"jax_acts_run": run_id}):
            flow.log_params(params)
            flow.log_metrics(_final(values))
            for step, metrics in _by_step(values).items():
                flow.log_metrics(metrics, step=step)
    return f"MLflow at {flow.get_tracking_uri()}"


def _wandb(tables: Tables, directory: Path, project: str) -> str:
    wandb = _import("wandb", "wandb")
    for run, params, values in _each_run(tables):
        options = {"name": run, "config": params, "dir": str(directory)}
        run_id = _run_id(directory, run)
        with wandb.init(project=project, id=run_id, **options) as target:
            for step, metrics in _by_step(values).items():
                target.log(metrics, step=step)
            target.summary.update(_final(values))
    return f"W&B, and {directory / 'wandb'}"
