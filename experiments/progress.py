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
    found: Callable[[int], None]
    """Takes how many members are done, those with them that other processes trained."""


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

    def found(number: int) -> None:
        nonlocal done
        done = max(done, number)

    if quiet or not console.is_terminal:

        def said(line: str) -> None:
            found(done + 1)
            text = f"[{done}/{members}] {line}"
            console.print(text, markup=False, highlight=False)

        yield Watch(lambda name: None, lambda: None, said, found)
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

        def ended(line: str) -> None:
            found(done + 1)
            # A member that diverged has not used all of its ticks.
            progress.update(bar, completed=done * ticks)

        yield Watch(
            lambda name: progress.update(bar, description=name),
            lambda: progress.advance(bar),
            ended,
            found,
        )
