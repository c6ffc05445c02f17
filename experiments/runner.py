"""Runs the members of a study that have no record yet."""

from pathlib import Path
from typing import TypeVar

from rich.console import Console

from experiments.environment import environment
from experiments.progress import watched
from experiments.records import opened
from experiments.schema import StudyConfig
from experiments.study import Prepared, Record, Study

C = TypeVar("C", bound=StudyConfig)
R = TypeVar("R", bound=Record)


def run(
    study: Study[C, R],
    config: C,
    prepared: Prepared[R],
    folder: Path,
    console: Console,
    *,
    quiet: bool = False,
) -> None:
    """Trains what is missing and records each member as soon as it is done.

    A member depends on the config and its own axes alone, so a run that was cut and
    goes on ends with the numbers of one that was not.

    Raises:
        RunError: The directory is in use, is another run's, or cannot be written.
    """
    members = study.members(config)
    with opened(folder, config, study.record, environment()) as journal:
        for notice in journal.notices:
            console.print(notice, markup=False, highlight=False)
        done = {record.member for record in journal.kept}
        missing = [m for m in members if m.name not in done]
        if len(missing) < len(members):
            kept = len(members) - len(missing)
            console.print(f"{kept} of {len(members)} members are done already")
        with watched(
            console,
            len(members),
            len(members) - len(missing),
            prepared.ticks,
            quiet=quiet,
        ) as watch:
            for member in missing:
                watch.begin(member.name)
                record = prepared.train(member, watch.tick)
                journal.append(record)
                watch.end(f"{member.name}: {record.status}")
