"""Runs the members of a study that have no record yet."""

from collections.abc import Iterable, Iterator, Sequence, Set
from contextlib import closing
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from rich.console import Console

from jax_acts.experiments.config.errors import RunError
from jax_acts.experiments.config.schema import StudyConfig
from jax_acts.experiments.runtime import checkpoint, ray_executor as cluster
from jax_acts.experiments.runtime.environment import environment
from jax_acts.experiments.runtime.locking import ALONE, Process, shares
from jax_acts.experiments.runtime.progress import Watch, watched
from jax_acts.experiments.runtime.records import Journal, opened, read
from jax_acts.experiments.study import Member, Prepared, Record, Study

C = TypeVar("C", bound=StudyConfig)
R = TypeVar("R", bound=Record)

Unit = tuple[Member, ...]
"""What is trained and recorded at once: a chunk, or a member alone."""


class Executor(StrEnum):
    """Where members are trained."""

    LOCAL = "local"
    """In this process, on all of its devices."""
    DISTRIBUTED = "distributed"
    """In several processes, each on the devices of its own; see `processes`."""
    RAY = "ray"
    """On a Ray cluster, a task for each chunk."""


def run(
    study: Study[C, R],
    config: C,
    prepared: Prepared[R],
    folder: Path,
    console: Console,
    *,
    quiet: bool = False,
    executor: Executor = Executor.LOCAL,
    process: Process = ALONE,
) -> None:
    """Trains what is missing and records each member, or chunk, as soon as it is done.

    A member depends on the config and its own axes alone, so a run that was cut and
    goes on ends with the numbers of one that was not.

    Args:
        study: What to run.
        config: Its config.
        prepared: What it makes of the config.
        folder: The directory of the run.
        console: Where to show how it goes on.
        quiet: Whether to print a line a member, and no bar.
        executor: Where to train.
        process: Which of the processes this is, of those that train this run.

    Raises:
        ConfigError: The directory cannot be written, or a chunk does not fit.
        RunError: The directory is in use, or is another run's; or the executor cannot
            train it, or a disk is full.
    """
    if executor is Executor.RAY:
        if prepared.together is None:
            said = f"the members of {config.study} are trained in one process"
            raise RunError(f"{said}: leave out --executor ray")
        cluster.imported()
    members = study.members(config)
    units = (
        [(member,) for member in members]
        if prepared.together is None
        else prepared.together.chunks(members)
    )
    with opened(folder, config, study.record, environment(), process) as journal:
        for notice in journal.notices:
            console.print(notice, markup=False, highlight=False)
        groups = prepared.groups(members)
        kept = [record for record in journal.kept if record.member in groups]
        if kept:
            console.print(f"{len(kept)} of {len(members)} members are done already")
        waiting: list[R] = []
        full: OSError | None = None
        with (
            watched(console, groups, kept, prepared.ticks, quiet=quiet) as watch,
            closing(shares(folder, process)) as owners,  # what it holds is let go
        ):
            finished = (
                [record for record in records if record.member not in done]
                for todo, done in _missing(units, study.record, folder, owners, watch)
                for records in _trained(config, prepared, todo, watch, executor, folder)
            )
            for new in finished:
                waiting, full = _recorded(journal, [*waiting, *new])
                for record in new:
                    told = f"{full}; it waits" if record in waiting else record.status
                    watch.end(record, told)
        if waiting:
            raise RunError(
                f"{full}; {len(waiting)} members are not recorded, from "
                f"{waiting[0].member!r} on: the same command trains them again"
            )


def _recorded(
    journal: Journal[R], records: Sequence[R]
) -> tuple[list[R], OSError | None]:
    """Records what it can, in order, and returns what a full disk did not take.

    That waits in memory for the next member, when there may be room, so that the
    training of the others goes on.
    """
    for n, record in enumerate(records):
        try:
            journal.append(record)
            checkpoint.forget(checkpoint.folder_of(journal.folder, record.member))
        except OSError as error:
            return list(records[n:]), error
    return [], None


def _missing(
    units: Sequence[Unit],
    schema: type[Record],
    folder: Path,
    owners: Iterable[Process],
    watch: Watch,
) -> Iterator[tuple[list[Unit], Set[str]]]:
    """Yields the units of each share of which a member has no record, and who has one.

    Units are made of all members, done or not, so that a chunk is the same one whenever
    it is run: what is vmapped with a member may change its rounding.
    """
    for owner in owners:
        records = read(folder, schema)[0]
        watch.found(records)
        done = {record.member for record in records}
        share = owner.share(units)
        yield [unit for unit in share if any(m.name not in done for m in unit)], done


def _trained(
    config: StudyConfig,
    prepared: Prepared[R],
    units: Sequence[Unit],
    watch: Watch,
    executor: Executor,
    folder: Path,
) -> Iterator[Sequence[R]]:
    """Yields the records of each unit when it is finished."""
    if executor is Executor.RAY and units:
        yield from cluster.trained(config, units)
        return
    for unit in units:
        watch.begin(unit[0].name)
        if prepared.together is None:
            place = checkpoint.folder_of(folder, unit[0].name)
            yield [prepared.train(unit[0], watch.tick, place)]
        else:
            yield prepared.together.train(unit)
