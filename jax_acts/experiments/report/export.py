"""Records for other programs: CSV, Parquet, TensorBoard, MLflow, W&B.

    runs       one row per run: runs_frame, final.<metric>, config.<key>,
               environment.<key>
    metrics    metrics_frame: run, axes, status, metric, layer, step, value

An export is a function of the records, so it may run at any time, and again.
"""

import importlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pandas as pd

from jax_acts.experiments.config.errors import RunError
from jax_acts.experiments.records import RunRecord, metrics_frame, runs_frame
from jax_acts.experiments.report.model import to_rows


class Sink(StrEnum):
    """A format of `export`."""

    CSV = "csv"
    PARQUET = "parquet"
    TENSORBOARD = "tensorboard"
    MLFLOW = "mlflow"
    WANDB = "wandb"


class Frames(NamedTuple):
    """The tables of a run directory; see the module."""

    name: str
    runs: pd.DataFrame
    metrics: pd.DataFrame

    def curves(self, run: str) -> Iterator[tuple[str, int, float]]:
        """Yield metric ("name" or "name/layer"), step and value where it is finite."""
        values = self.metrics[self.metrics["run"] == run].dropna(subset=["value"])
        for row in to_rows(values):
            layer = "" if pd.isna(row["layer"]) else f"/{row['layer']}"
            yield f"{row['metric']}{layer}", row["step"], row["value"]

    def final(self, run: str) -> dict[str, float]:
        """Return the last finite value of each metric."""
        return {f"final/{name}": value for name, _, value in self.curves(run)}

    def params(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the name of each run with its other columns, but for the metrics."""
        for row in to_rows(self.runs):
            run = row.pop("run")
            yield run, {k: v for k, v in row.items() if not k.startswith("final.")}


def frames(
    name: str,
    records: Sequence[RunRecord],
    config: Mapping[str, Any],
    environments: Sequence[Mapping[str, Any]],
) -> Frames:
    """Return the tables of a run directory.

    Args:
        name: The name of the config.
        records: The records.
        config: The config, as from `model_dump`.
        environments: The environment of each session.
    """
    runs, metrics = runs_frame(records), metrics_frame(records)
    layers = metrics["layer"].astype("string").radd(".").fillna("")
    final = metrics.assign(column="final." + metrics["metric"] + layers)
    final = final[
        final["step"] == final.groupby(["run", "column"])["step"].transform("max")
    ]
    runs = runs.merge(
        final.pivot(index="run", columns="column", values="value"), on="run", how="left"
    )
    sessions = pd.DataFrame([flatten(one, "environment.") for one in environments])
    runs = runs.merge(sessions, left_on="session", right_index=True, how="left")
    settings = pd.DataFrame([flatten(config, "config.")], index=runs.index[:1])
    settings = settings.reindex(runs.index, method="ffill")
    return Frames(name, pd.concat([runs, settings], axis=1), metrics)


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the leaves of nested tables by dotted names; lists as JSON.

    >>> flatten({"data": {"name": "digits"}, "depths": [2, 5]}, "config.")
    {'config.data.name': 'digits', 'config.depths': '[2, 5]'}
    """
    leaves: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            leaves |= flatten(value, f"{prefix}{key}.")
        else:
            is_list = isinstance(value, list | tuple)
            leaves[prefix + key] = json.dumps(value) if is_list else value
    return leaves


def export(tables: Frames, directory: Path, sink: Sink) -> str:
    """Write the tables for a sink; return where they are.

    Raises:
        RunError: The package of the sink is missing, or there is no record.
    """
    if tables.runs.empty:
        raise RunError(f"{directory}: expected at least one finished run, got none")
    return _SINKS[sink](tables, directory)


def _csv(tables: Frames, directory: Path) -> str:
    tables.runs.to_csv(directory / "runs.csv", index=False)
    tables.metrics.to_csv(directory / "metrics.csv", index=False)
    return f"{directory / 'runs.csv'} and metrics.csv"


def _parquet(tables: Frames, directory: Path) -> str:
    _import("pyarrow", "parquet")
    tables.runs.to_parquet(directory / "runs.parquet", index=False)
    tables.metrics.to_parquet(directory / "metrics.parquet", index=False)
    return f"{directory / 'runs.parquet'} and metrics.parquet"


def _tensorboard(tables: Frames, directory: Path) -> str:
    board = _import("tensorboardX", "tensorboard")
    target = directory / "tensorboard"
    for run in tables.runs["run"]:
        path = target / run.replace("/", "_")
        for old in path.glob("events.*"):
            old.unlink()
        with board.SummaryWriter(str(path)) as writer:
            for name, step, value in tables.curves(run):
                writer.add_scalar(name, value, step)
    return f"{target}: tensorboard --logdir {target}"


def _mlflow(tables: Frames, directory: Path) -> str:
    flow = _import("mlflow", "mlflow")
    if "MLFLOW_TRACKING_URI" not in os.environ:
        flow.set_tracking_uri(f"sqlite:///{(directory / 'mlflow.db').resolve()}")
    flow.set_experiment(tables.name)
    for run, params in tables.params():
        with flow.start_run(run_name=run):
            flow.log_params(params)
            flow.log_metrics(tables.final(run))
            for name, step, value in tables.curves(run):
                flow.log_metric(name, value, step=step)
    return f"MLflow at {flow.get_tracking_uri()}"


def _wandb(tables: Frames, directory: Path) -> str:
    wandb = _import("wandb", "wandb")
    for run, params in tables.params():
        steps: dict[int, dict[str, float]] = {}
        for name, step, value in tables.curves(run):
            steps.setdefault(step, {})[name] = value
        with wandb.init(
            project=tables.name, name=run, config=params, dir=str(directory)
        ) as target:
            for step in sorted(steps):
                target.log(steps[step], step=step)
            target.summary.update(tables.final(run))
    return f"W&B, and {directory / 'wandb'}"


def _import(package: str, extra: str) -> ModuleType:
    """Return a package of an optional extra."""
    try:
        return importlib.import_module(package)
    except ImportError:
        message = f"{package} is not installed: pip install 'jax-acts[{extra}]'"
        raise RunError(message) from None


_SINKS = {
    Sink.CSV: _csv,
    Sink.PARQUET: _parquet,
    Sink.TENSORBOARD: _tensorboard,
    Sink.MLFLOW: _mlflow,
    Sink.WANDB: _wandb,
}
