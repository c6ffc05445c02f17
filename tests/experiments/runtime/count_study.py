"""A study whose runs take no time: it squares numbers."""

from collections.abc import Sequence
from pathlib import Path

from jax_acts.experiments.config.schema import StudyConfig
from jax_acts.experiments.records import Curve, RunRecord
from jax_acts.experiments.study import (
    BatchedTrainer,
    PreparedStudy,
    ProgressCallback,
    RunSpec,
    Study,
    grid,
)


class Config(StudyConfig):
    study: str = "count"
    name: str = "count"
    num_runs: int = 4
    batch_size: int = 1


def make_record(run: RunSpec, loss: float | None = None) -> RunRecord:
    number = int(dict(run.axes)["number"])
    return RunRecord(
        run=run.name,
        axes=dict(run.axes),
        status="finished",
        num_params=1,
        steps=1,
        curves={
            "value": Curve(steps=[1], values=[number**2]),
            "train_loss": Curve(steps=[1], values=[loss]),
        },
        train_seconds=0.0,
        compile_seconds=0.0,
    )


def make_records(*numbers: int) -> list[RunRecord]:
    return [make_record(run) for run in grid(number=numbers)] if numbers else []


def train(
    runs: Sequence[RunSpec], progress: ProgressCallback, directory: Path | None
) -> list[RunRecord]:
    progress(1, 1, None)
    return [make_record(run) for run in runs]


def prepare(config: Config) -> PreparedStudy:
    trainer = BatchedTrainer(config.batch_size, lambda run: None, train)
    return PreparedStudy("numbers are squared", 1, trainer, "aaaa0000", "bbbb0000")


def list_runs(config: Config) -> tuple[RunSpec, ...]:
    return grid(number=range(config.num_runs))


STUDY = Study(
    "count",
    "Which squares are there?",
    Config,
    list_runs,
    prepare,
    lambda config, records: None,
)
