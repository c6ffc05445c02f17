"""Where the records of a run can go besides its directory; each needs a package.

A sink is a function of the records alone, so it may run at any time, and again.
"""

import csv
import importlib
import os
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from jax_acts.experiments.config.errors import RunError
from jax_acts.experiments.config.schema import StudyConfig
from jax_acts.experiments.report import frames as flat
from jax_acts.experiments.runtime.records import environments, read
from jax_acts.experiments.study import Record, Study


class Sink(StrEnum):
    """What records can be written for."""

    CSV = "csv"
    PARQUET = "parquet"
    TENSORBOARD = "tensorboard"
    MLFLOW = "mlflow"
    WANDB = "wandb"


class Tables(NamedTuple):
    """A run as flat tables; see `jax_acts.experiments.report.frames`."""

    name: str
    members: list[flat.Row]
    curves: list[flat.Row]


def export(
    folder: Path, config: StudyConfig, study: Study[Any, Any], sink: Sink
) -> str:
    """Writes the records of a run for a sink, and returns where they are.

    Raises:
        RunError: The package that the sink needs is missing, or there is no record.
    """
    records: Sequence[Record] = read(folder, study.record)[0]
    if not records:
        raise RunError(f"{folder} has no record yet")
    rows = flat.members(config, records, environments(folder))
    tables = Tables(config.name, rows, flat.curves(config, records))
    return _SINKS[sink](tables, folder)


def _csv(tables: Tables, folder: Path) -> str:
    for name, rows in _named(tables).items():
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]) if rows else [])
            writer.writeheader()
            writer.writerows(rows)
    return f"{folder / 'members.csv'} and curves.csv"


def _parquet(tables: Tables, folder: Path) -> str:
    arrow = _imported("pyarrow", "parquet")
    parquet = importlib.import_module("pyarrow.parquet")
    for name, rows in _named(tables).items():
        parquet.write_table(arrow.Table.from_pylist(rows), folder / f"{name}.parquet")
    return f"{folder / 'members.parquet'} and curves.parquet"


def _named(tables: Tables) -> dict[str, list[flat.Row]]:
    return {"members": tables.members, "curves": tables.curves}


def _tensorboard(tables: Tables, folder: Path) -> str:
    board = _imported("tensorboardX", "tensorboard")
    target = folder / "tensorboard"
    for member, points in _by_member(tables).items():
        place = target / member.replace("/", "_")
        for old in place.glob("events.*"):
            old.unlink()
        with board.SummaryWriter(str(place)) as writer:
            for point in points:
                writer.add_scalar(_tag(point), point["value"], point["step"])
    return f"{target}: tensorboard --logdir {target}"


def _mlflow(tables: Tables, folder: Path) -> str:
    flow = _imported("mlflow", "mlflow")
    if "MLFLOW_TRACKING_URI" not in os.environ:
        flow.set_tracking_uri(f"sqlite:///{(folder / 'mlflow.db').resolve()}")
    flow.set_experiment(tables.name)
    curves = _by_member(tables)
    for row in tables.members:
        with flow.start_run(run_name=row["member"]):
            flow.log_params({k: v for k, v in row.items() if not _measured(k)})
            flow.log_metrics(_metrics(row))
            for point in curves.get(row["member"], []):
                flow.log_metric(_tag(point), point["value"], step=point["step"])
    return f"MLflow at {flow.get_tracking_uri()}"


def _wandb(tables: Tables, folder: Path) -> str:
    wandb = _imported("wandb", "wandb")
    curves = _by_member(tables)
    for row in tables.members:
        spec = {k: v for k, v in row.items() if not _measured(k)}
        run = wandb.init(
            project=tables.name, name=row["member"], config=spec, dir=str(folder)
        )
        steps: dict[int, dict[str, float]] = {}
        for point in curves.get(row["member"], []):
            steps.setdefault(point["step"], {})[_tag(point)] = point["value"]
        for step in sorted(steps):
            run.log(steps[step], step=step)
        run.summary.update(_metrics(row))
        run.finish()
    return f"W&B, and {folder / 'wandb'}"


def _by_member(tables: Tables) -> dict[str, list[flat.Row]]:
    """Returns the numbers of each member that are finite."""
    found: dict[str, list[flat.Row]] = {}
    for point in tables.curves:
        if isinstance(point["value"], int | float):
            found.setdefault(point["member"], []).append(point)
    return found


def _tag(point: Mapping[str, Any]) -> str:
    layer = point["layer"]
    return point["measure"] + ("" if layer is None else f"/{layer}")


def _measured(column: str) -> bool:
    return column.startswith("metric.")


def _metrics(row: Mapping[str, Any]) -> dict[str, float]:
    """Returns the last numbers of a member by names that all sinks take."""
    return {
        f"last/{name.removeprefix('metric.')}": float(value)
        for name, value in row.items()
        if _measured(name) and isinstance(value, int | float)
    }


def _imported(package: str, extra: str) -> ModuleType:
    """Returns a package that an extra brings."""
    try:
        return importlib.import_module(package)
    except ImportError:
        said = f"{package} is not installed: pip install 'jax-acts[{extra}]'"
        raise RunError(said) from None


_SINKS = {
    Sink.CSV: _csv,
    Sink.PARQUET: _parquet,
    Sink.TENSORBOARD: _tensorboard,
    Sink.MLFLOW: _mlflow,
    Sink.WANDB: _wandb,
}
