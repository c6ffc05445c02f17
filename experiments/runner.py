"""Runs the members of a study that have no record yet."""

from collections.abc import Iterator, Sequence, Set
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from rich.console import Console

from experiments import checkpoint, cluster
from experiments.environment import environment
from experiments.problems import RunError
from experiments.progress import Watch, watched
from experiments.records import Journal, opened
from experiments.schema import StudyConfig
from experiments.study import Member, Prepared, Record, Study, Together

C = TypeVar("C", bound=StudyConfig)
R = TypeVar("R", bound=Record)


class Executor(StrEnum):
    """Where chunks are trained."""

    LOCAL = "local"
    """In this process, on all of its devices."""
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
) -> None:
    """Trains what is missing and records each member, or chunk, as soon as it is done.

    A member depends on the config and its own axes alone, so a run that was cut and
    goes on ends with the numbers of one that was not.

    Raises:
        RunError: The directory is in use, is another run's, or cannot be written; or
            the executor cannot train it.
    """
    if executor is Executor.RAY:
        if prepared.together is None:
            said = f"the members of {config.study} are trained in one process"
            raise RunError(f"{said}: leave out --executor ray")
        cluster.imported()
    members = study.members(config)
    with opened(folder, config, study.record, environment()) as journal:
        for notice in journal.notices:
            console.print(notice, markup=False, highlight=False)
        groups = prepared.groups(members)
        kept = [record for record in journal.kept if record.member in groups]
        done = {record.member for record in kept}
        if kept:
            console.print(f"{len(kept)} of {len(members)} members are done already")
        with watched(console, groups, kept, prepared.ticks, quiet=quiet) as watch:
            trained = _trained(config, prepared, members, done, watch, executor, folder)
            waiting: list[R] = []
            full: OSError | None = None
            for finished in trained:
                new = [record for record in finished if record.member not in done]
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


def _trained(
    config: StudyConfig,
    prepared: Prepared[R],
    members: Sequence[Member],
    done: Set[str],
    watch: Watch,
    executor: Executor,
    folder: Path,
) -> Iterator[Sequence[R]]:
    """Yields the records that are missing, those of a chunk when it is finished."""
    if prepared.together is None:
        for member in members:
            if member.name not in done:
                watch.begin(member.name)
                place = checkpoint.folder_of(folder, member.name)
                yield [prepared.train(member, watch.tick, place)]
        return
    chunks = _missing(prepared.together, members, done)
    if executor is Executor.RAY and chunks:
        yield from cluster.trained(config, chunks)
        return
    for chunk in chunks:
        watch.begin(chunk[0].name)
        yield prepared.together.train(chunk)


def _missing(
    together: Together[R], members: Sequence[Member], done: Set[str]
) -> list[tuple[Member, ...]]:
    """Returns the chunks of which a member is missing.

    They are made of all members, done or not, so that a chunk is the same one whenever
    it is run: what is vmapped with a member may change its rounding.
    """
    return [
        chunk
        for chunk in together.chunks(members)
        if any(member.name not in done for member in chunk)
    ]
