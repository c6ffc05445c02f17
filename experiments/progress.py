"""How a run shows that it goes on: a bar in a terminal, lines in a log."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


class Watch(NamedTuple):
    """Whom a run tells what it does."""

    begin: Callable[[str], None]
    """Takes the name of the member that is trained next."""
    tick: Callable[[], None]
    end: Callable[[str], None]
    """Takes a line on the member that is finished."""


@contextmanager
def watched(
    console: Console, members: int, done: int, ticks: int, *, quiet: bool
) -> Iterator[Watch]:
    """Yields a watch with one bar over all the members, or with plain lines.

    Args:
        console: Where to show it.
        members: The number of members, those done before with them.
        done: The number of those.
        ticks: The ticks of each member.
        quiet: Whether to print a line a member, as for a log.
    """
    if quiet or not console.is_terminal:
        count = iter(range(done + 1, members + 1))
        yield Watch(
            lambda name: None,
            lambda: None,
            lambda line: console.print(
                f"[{next(count)}/{members}] {line}", markup=False, highlight=False
            ),
        )
        return
    columns = (
        TextColumn("{task.description:<28}"),
        BarColumn(bar_width=None),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, speed_estimate_period=120) as progress:
        bar = progress.add_task("", total=members * ticks, completed=done * ticks)
        finished = iter(range(done + 1, members + 1))
        yield Watch(
            lambda name: progress.update(bar, description=name),
            lambda: progress.advance(bar),
            # A member that diverged has not used all of its ticks.
            lambda line: progress.update(bar, completed=next(finished) * ticks),
        )
