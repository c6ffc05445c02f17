"""Train the runs of a study that have no record yet."""

import contextlib
import warnings
from collections.abc import Iterator, Sequence
from contextlib import closing
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console

from jax_acts.experiments.config.errors import RunError
from jax_acts.experiments.config.escape import one_line
from jax_acts.experiments.config.schema import StudyConfig
from jax_acts.experiments.records import RunRecord
from jax_acts.experiments.runtime import checkpoint, ray_executor
from jax_acts.experiments.runtime.environment import collect_environment
from jax_acts.experiments.runtime.fingerprint import Fingerprint
from jax_acts.experiments.runtime.interrupt import CheckInterrupt, handle_interrupt
from jax_acts.experiments.runtime.locking import SINGLE_PROCESS, Process, claim_shares
from jax_acts.experiments.runtime.progress import ProgressReporter, report_progress
from jax_acts.experiments.runtime.run_directory import (
    CHECKPOINTS,
    Journal,
    RecordReader,
    open_journal,
    save_data_contents,
)
from jax_acts.experiments.study import BatchedTrainer, PreparedStudy, RunSpec, Study

C = TypeVar("C", bound=StudyConfig)
Batch = tuple[RunSpec, ...]


class Executor(StrEnum):
    """Where trial batches are trained."""

    LOCAL = "local"
    """In this process, on all of its devices."""
    DISTRIBUTED = "distributed"
    """In several processes, each on its own devices; see `locking`."""
    RAY = "ray"
    """On a Ray cluster, one task per trial batch."""


def run_study(
    study: Study[C],
    config: C,
    prepared: PreparedStudy,
    directory: Path,
    console: Console,
    *,
    quiet: bool = False,
    executor: Executor = Executor.LOCAL,
    process: Process = SINGLE_PROCESS,
    fresh: bool = False,
) -> tuple[RunRecord, ...]:
    """Train the missing runs and record each trial batch as soon as it is finished.

    A run depends only on the config and its own axes, so an interrupted run that
    resumes has the numbers of an uninterrupted one.

    Args:
        study: The study.
        config: Its config.
        prepared: The result of `study.prepare(config)`.
        directory: The run directory.
        console: Where to show progress.
        quiet: Whether to print only a line per run.
        executor: Where to train.
        process: This process, of those that train this run.
        fresh: Whether to move earlier results to `previous/` and train all runs.

    Returns:
        The records of all runs of the study, in the order of `study.runs`.

    Raises:
        ConfigError: The directory cannot be written, or a trial batch does not fit.
        RunError: The directory is in use; its records belong to another config, other
            data or another model; the executor fails; or the disk is full.
        KeyboardInterrupt: The user pressed Ctrl-C. Finished trial batches are recorded.
    """
    runs, trainer = study.runs(config), prepared.trainer
    fingerprint = Fingerprint.of(config, prepared)
    train = partial(_train_batches, trainer, directory)
    if executor == Executor.RAY:
        ray_executor.import_ray()
        train = partial(ray_executor.train_batches, study, config, fingerprint)
    with open_journal(
        directory, config, fingerprint, collect_environment(), process, fresh=fresh
    ) as journal:
        save_data_contents(directory, prepared.data_contents)
        for notice in journal.notices:
            _print(console, notice)
        recorder = _Recorder(journal)
        with (
            report_progress(
                console, trainer.group_names(runs), prepared.total_steps, quiet=quiet
            ) as reporter,
            _show_warnings(console),
            handle_interrupt(console) as check_interrupt,
            closing(
                claim_shares(directory, process, partial(_print, console))
            ) as owners,  # releases its lock
        ):
            if finished := reporter.add_records(journal.records):
                console.print(f"resumes: {len(finished)} of {len(runs)} runs finished")
            for owner in owners:
                share = owner.share(trainer.batches(runs))
                missing = _missing_batches(share, journal.reader, reporter)
                for batch, records in train(missing, reporter, check_interrupt):
                    reporter.finish(batch, records, recorder.save(batch, records))
                    check_interrupt()
        recorder.close()
        journal.reader.update()
        by_name = journal.reader.records
    return tuple(by_name[run.name] for run in runs if run.name in by_name)


def _print(console: Console, text: str) -> None:
    console.print(one_line(text), markup=False, highlight=False, soft_wrap=True)


@contextlib.contextmanager
def _show_warnings(console: Console) -> Iterator[None]:
    """Print warnings on checkpoints as notices, without the line of the source."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", checkpoint.CheckpointWarning)
        original = warnings.showwarning

        def show(message: Any, category: type[Warning], *location: Any) -> None:
            if issubclass(category, checkpoint.CheckpointWarning):
                _print(console, str(message))
            else:
                original(message, category, *location)

        warnings.showwarning = show
        yield


def _missing_batches(
    batches: Sequence[Batch], reader: RecordReader, reporter: ProgressReporter
) -> list[Batch]:
    """Return the trial batches that have a run without a record.

    Batches are made of all runs, with a record or not, so that a run always has the
    same batch: the other runs of a `vmap` may change its rounding.
    """
    reporter.add_records(reader.update())
    names = reader.records
    return [batch for batch in batches if any(run.name not in names for run in batch)]


def _train_batches(
    trainer: BatchedTrainer,
    directory: Path,
    batches: Sequence[Batch],
    reporter: ProgressReporter,
    check_interrupt: CheckInterrupt,
) -> Iterator[tuple[Batch, Sequence[RunRecord]]]:
    """Yield the records of each trial batch when it is finished."""
    for batch in batches:
        show = reporter.start(batch)

        def report(step: int, total_steps: int, loss: float | None, show=show) -> None:
            show(step, total_steps, loss)
            if step < total_steps:  # else the trial batch is evaluated and recorded
                check_interrupt()

        path = checkpoint.checkpoint_directory(directory / CHECKPOINTS, batch)
        yield batch, trainer.train(batch, report, path)


class _Recorder:
    """Appends records; those that a full disk refuses wait for the next trial batch."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.names = {record.run for record in journal.records}
        self.unsaved: list[RunRecord] = []
        self.checkpoints: list[Path] = []
        self.error: OSError | None = None

    def save(self, batch: Batch, records: Sequence[RunRecord]) -> dict[str, str]:
        """Record a trial batch; return a note for each run that is not on the disk."""
        root = self.journal.directory / CHECKPOINTS
        self.checkpoints.append(checkpoint.checkpoint_directory(root, batch))
        # A trial batch is trained whole when only some of its runs are missing.
        self.unsaved += [r for r in records if r.run not in self.names]
        self.names |= {record.run for record in records}
        try:
            while self.unsaved:
                self.journal.append(self.unsaved[0])
                del self.unsaved[0]
        except OSError as error:
            self.error = error
            return {r.run: f"{r.status}, not saved yet: {error}" for r in self.unsaved}
        while self.checkpoints:
            checkpoint.remove(self.checkpoints.pop())
        with contextlib.suppress(OSError):  # missing, or not empty
            root.rmdir()
        return {}

    def close(self) -> None:
        """Raise `RunError` if runs are not on the disk."""
        if self.unsaved:
            raise RunError(
                f"{self.error}: {len(self.unsaved)} runs are not recorded, from "
                f"{self.unsaved[0].run!r} on; the same command trains them again"
            )
