"""How a run shows that it goes on: bars in a terminal, lines in a log."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import NamedTuple

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.table import Column
from rich.text import Text

from jax_acts.experiments.study import Record, Tick


class Watch(NamedTuple):
    """Whom a run tells what it does."""

    begin: Callable[[str], None]
    """Takes the name of the member, or of the first of a chunk, that is trained."""
    tick: Tick
    end: Callable[[Record, str], None]
    """Takes the record of a member that is finished, and what became of it."""
    found: Callable[[Iterable[Record]], None]
    """Takes all records there are, those with them that other processes made."""


@contextmanager
def watched(
    console: Console,
    groups: Mapping[str, str],
    kept: Sequence[Record],
    ticks: int,
    *,
    quiet: bool,
) -> Iterator[Watch]:
    """Yields a watch with a bar for each group and one for all, or with plain lines.

    Args:
        console: Where to show it.
        groups: The group of each member, by its name.
        kept: The records of the members that were finished before.
        ticks: The ticks of each member.
        quiet: Whether to print a line a member, as for a log.
    """
    if quiet or not console.is_terminal:
        yield _lines(console, groups, kept)
        return
    with Progress(*_columns(console.width), console=console, expand=True) as shown:
        yield _bars(shown, groups, kept, ticks)


def _lines(
    console: Console, groups: Mapping[str, str], kept: Sequence[Record]
) -> Watch:
    done = {record.member for record in kept}

    def found(records: Iterable[Record]) -> None:
        done.update(record.member for record in records if record.member in groups)

    def end(record: Record, told: str) -> None:
        found([record])
        loss = "" if record.last_loss is None else f", loss {record.last_loss:.4g}"
        line = f"[{len(done)}/{len(groups)}] {record.member}: {told}{loss}"
        console.print(line, markup=False, highlight=False, soft_wrap=True)

    return Watch(lambda member: None, lambda loss: None, end, found)


def _bars(
    shown: Progress, groups: Mapping[str, str], kept: Sequence[Record], ticks: int
) -> Watch:
    """Returns a watch with a bar for all members, and one for each group in training.

    The bar of a group that is finished is printed above them once and for all: a run
    may have more groups than a terminal has lines.
    """
    sizes = Counter(groups.values())
    done: dict[str, dict[str, Record]] = {group: {} for group in sizes}
    for record in kept:
        done[groups[record.member]][record.member] = record
    whole = _Bar(shown, "all", len(groups), kept, ticks)
    bars: dict[str, _Bar] = {}
    training = ""

    def bar(member: str) -> _Bar:
        group = groups[member]
        if group not in bars:
            before = list(done[group].values())
            bars[group] = _Bar(shown, group, sizes[group], before, ticks)
            bars[group].expect(whole.pace)
        return bars[group]

    def begin(member: str) -> None:
        nonlocal training
        training = member
        bar(member)

    def tick(loss: float | None) -> None:
        for each in (bar(training), whole):
            each.tick(loss)

    def found(records: Iterable[Record]) -> None:
        for record in records:
            group = groups.get(record.member)
            if group is None or record.member in done[group]:
                continue
            done[group][record.member] = record
            whole.end(record)
            if own := bars.get(group):
                own.end(record)
                if own.done == own.members:
                    shown.print(shown.make_tasks_table([own.task]))
                    shown.remove_task(own.task.id)

    def end(record: Record, told: str) -> None:
        bar(record.member)
        found([record])

    return Watch(begin, tick, end, found)


class _Said(NamedTuple):
    """What a bar says of its members."""

    done: str
    alive: str
    loss: str


class _Bar:
    """The bar of some members: how many are done and alive, and what they reached."""

    def __init__(
        self,
        shown: Progress,
        name: str,
        members: int,
        kept: Sequence[Record],
        ticks: int,
    ) -> None:
        self.members, self.ticks, self.done = members, ticks, len(kept)
        self.diverged = sum(record.status == "diverged" for record in kept)
        self.before, self.loss = self.done * ticks, ""
        id = shown.add_task(
            name,
            total=members * ticks,
            completed=self.before,
            said=self._said(None),
            end=None,
        )
        (self.task,) = (task for task in shown.tasks if task.id == id)
        self.update = partial(shown.update, id)

    @property
    def pace(self) -> float | None:
        """The seconds of a tick, if there was one since the bar is shown."""
        new = self.task.completed - self.before
        return (self.task.elapsed or 0) / new if new else None

    def tick(self, loss: float | None) -> None:
        self.update(advance=1, said=self._said(loss))
        self.expect(self.pace)

    def end(self, record: Record) -> None:
        self.done += 1
        self.diverged += record.status == "diverged"
        # A member that diverged has not used all of its ticks.
        self.update(completed=self.done * self.ticks, said=self._said(record.last_loss))
        self.expect(self.pace)

    def expect(self, pace: float | None) -> None:
        """Tells when it will be finished, at so many seconds a tick."""
        if pace is not None:
            left = pace * (self.task.remaining or 0)
            self.update(end=self.task.get_time() + left)

    def _said(self, loss: float | None) -> _Said:
        self.loss = self.loss if loss is None else f"loss {loss:.3g}"
        alive = f"{self.members - self.diverged} alive"
        return _Said(f"{self.done}/{self.members}", alive, self.loss)


def _columns(width: int) -> list[ProgressColumn]:
    """Returns the columns, each as wide in every bar, for a terminal of so many."""
    name = Column(width=max(18, width // 3), no_wrap=True, overflow="ellipsis")
    right = lambda width: Column(width=width, no_wrap=True, justify="right")
    return [
        TextColumn("{task.description}", markup=False, table_column=name),
        BarColumn(bar_width=None),
        TextColumn("{task.fields[said].done}", table_column=right(9)),
        TextColumn("{task.fields[said].alive}", table_column=right(10)),
        TextColumn("{task.fields[said].loss}", table_column=right(12)),
        _Left(table_column=right(12)),
    ]


class _Left(ProgressColumn):
    """The time left, or of a finished bar the time that it took."""

    max_refresh = 0.5

    def render(self, task: Task) -> Text:
        if task.finished:
            return Text(f"in {_clock(task.finished_time)}", style="progress.elapsed")
        end = task.fields["end"]
        left = "-:--:--" if end is None else _clock(max(0.0, end - task.get_time()))
        return Text(f"{left} left", style="progress.remaining")


def _clock(seconds: float | None) -> str:
    """Returns a time as hours, minutes and seconds.

    >>> _clock(3723.4)
    '1:02:03'
    """
    return str(timedelta(seconds=int(seconds or 0)))
