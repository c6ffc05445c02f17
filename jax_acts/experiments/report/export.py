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
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from enum import StrEnum
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pandas as pd

from jax_acts.experiments.config.errors import RunError
from jax_acts.experiments.config.escape import csv_cell, one_line
from jax_acts.experiments.config.schema import StudyConfig
from jax_acts.experiments.records import RunRecord, metrics_frame, runs_frame
from jax_acts.experiments.report.files import Studies, load_run_config
from jax_acts.experiments.report.model import Row, flatten, to_rows
from jax_acts.experiments.runtime.run_directory import RecordReader, read_environments


class Sink(StrEnum):
    """A format of `export_records`."""

    CSV = "csv"
    PARQUET = "parquet"
    TENSORBOARD = "tensorboard"
    MLFLOW = "mlflow"
    WANDB = "wandb"


class Tables(NamedTuple):
    """The tables of some runs of a run directory; see the module."""

    runs: pd.DataFrame
    metrics: pd.DataFrame


CHUNK = 1000
"""Runs that are in memory at a time."""


def export_records(directory: Path, studies: Studies, sink: Sink) -> str:
    """Write the records of a run for a sink; return where they are.

    Memory does not grow with the number of runs, except for their names.

    Raises:
        RunError: The package of the sink is missing, or there is no record.
        ConfigError: The config of the run cannot be read.
    """
    config = load_run_config(directory, studies)
    finals: set[str] = set()
    count = 0
    for record in RecordReader(directory).stream():
        finals.update(_final_values(record))
        count += 1
    chunks = lambda: _read_tables(directory, config, sorted(finals), count)
    if not count:
        raise RunError(f"{directory}: expected at least one finished run, got none")
    match sink:
        case Sink.CSV:
            return _write_csv(chunks(), directory)
        case Sink.PARQUET:
            return _write_parquet(chunks, directory)
        case Sink.TENSORBOARD:
            return _tensorboard(chunks(), directory)
        case Sink.MLFLOW:
            return _mlflow(chunks(), directory, config.name)
        case Sink.WANDB:
            return _wandb(chunks(), directory, config.name)


def _read_tables(
    directory: Path, config: StudyConfig, finals: Sequence[str], count: int
) -> Iterator[Tables]:
    """Yield the tables of the first `count` runs, `CHUNK` runs at a time."""
    sessions = flatten(read_environments(directory)[0]).add_prefix("environment.")
    settings = flatten([config.model_dump(mode="json")]).add_prefix("config.")
    records = islice(RecordReader(directory).stream(), count)
    while chunk := list(islice(records, CHUNK)):
        rows = map(_final_values, chunk)
        final = pd.DataFrame(rows, columns=list(finals), dtype=float)
        runs = pd.concat([runs_frame(chunk), final], axis="columns")
        runs = runs.merge(sessions, left_on="session", right_index=True, how="left")
        yield Tables(runs.merge(settings, how="cross"), metrics_frame(chunk))


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


def _write_csv(chunks: Iterable[Tables], directory: Path) -> str:
    with ExitStack() as stack:
        files = [
            stack.enter_context((directory / f"{name}.csv").open("wb"))
            for name in Tables._fields
        ]
        for tables in chunks:
            for file, frame in zip(files, tables, strict=True):
                _csv_safe(frame).to_csv(file, index=False, header=not file.tell())
    return f"{directory / 'runs.csv'} and metrics.csv"


def _write_parquet(chunks: Callable[[], Iterable[Tables]], directory: Path) -> str:
    arrow, parquet = (_import(f"pyarrow{name}", "parquet") for name in ("", ".parquet"))
    schemas = zip(*(map(arrow.Schema.from_pandas, c) for c in chunks()), strict=True)
    schemas = [arrow.unify_schemas(s, promote_options="permissive") for s in schemas]
    with ExitStack() as stack:
        writers = [
            stack.enter_context(
                parquet.ParquetWriter(directory / f"{name}.parquet", schema)
            )
            for name, schema in zip(Tables._fields, schemas, strict=True)
        ]
        for tables in chunks():
            for writer, frame in zip(writers, tables, strict=True):
                options = {"schema": writer.schema, "preserve_index": False}
                writer.write_table(arrow.Table.from_pandas(frame, **options))
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


def _each_run(chunks: Iterable[Tables]) -> Iterator[tuple[str, Row, list[Row]]]:
    """Yield the name, the parameters and the finite values of each run.

    A value is a dict of name ("metric" or "metric/layer"), step and value.
    """
    for tables in chunks:
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


def _tensorboard(chunks: Iterable[Tables], directory: Path) -> str:
    board = _import("tensorboardX", "tensorboard")
    target = directory / "tensorboard"
    for run, _, values in _each_run(chunks):
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


def _mlflow(chunks: Iterable[Tables], directory: Path, project: str) -> str:
    flow = _import("mlflow", "mlflow")
    if "MLFLOW_TRACKING_URI" not in os.environ:
        flow.set_tracking_uri(f"sqlite:///{(directory / 'mlflow.db').resolve()}")
    flow.set_experiment(project)
    for run, params, values in _each_run(chunks):
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


def _wandb(chunks: Iterable[Tables], directory: Path, project: str) -> str:
    wandb = _import("wandb", "wandb")
    for run, params, values in _each_run(chunks):
        options = {"name": run, "config": params, "dir": str(directory)}
        run_id = _run_id(directory, run)
        with wandb.init(project=project, id=run_id, **options) as target:
            for step, metrics in _by_step(values).items():
                target.log(metrics, step=step)
            target.summary.update(_final(values))
    return f"W&B, and {directory / 'wandb'}"
