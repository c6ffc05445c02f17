"""Progress of a run: bars in a terminal or notebook, lines in a log.

relu  ━━━━━━━━━━━━━━╸━━━━━━  8/30 runs, step 620/1,000, loss 0.0123   0:01:12
all   ━━━━━╸━━━━━━━━━━━━━━━  38/120 runs, 1 diverged             0:04:10 left
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import timedelta
from typing import ClassVar

from rich import progress
from rich.console import Console
from rich.table import Column
from rich.text import Text

from jax_acts.experiments.config.escape import one_line
from jax_acts.experiments.records import RunRecord
from jax_acts.experiments.study import ProgressCallback, RunSpec

LOG_SECONDS = 10.0
"""Minimum time between two lines of a log within a trial batch."""
MIN_SHARE = 0.01
"""Share of the work that must be done before the remaining time is estimated."""
ALL = "all"
WIDE = 100
"""Minimum width of a terminal for all details."""


@dataclass
class _Group:
    """Runs that share compiled programs, or all runs."""

    name: str
    num_runs: int
    finished: int = 0
    diverged: int = 0
    loss: float | None = None
    steps: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    """Of each trial batch in training: number of runs, step, total steps."""

    @property
    def progress(self) -> float:
        """Finished runs, with the part of those in training."""
        parts = (runs * step / total for runs, step, total in self.steps.values())
        return self.finished + sum(parts)

    def describe(self, *, total: bool = True) -> str:
        """Return "8/30 runs, step 620/1,000, loss 0.0123", or without the total."""
        words = [f"{self.finished}/{self.num_runs} runs"]
        if self.steps and self.name != ALL:
            _, step, last = [*self.steps.values()][-1]
            words.append(
                f"step {step:,}{f'/{last:,}' * total}" if step else "compiling"
            )
        if self.loss is not None:
            words.append(f"loss {self.loss:.3g}")
        if self.diverged:
            words.append(f"{self.diverged} diverged")
        return ", ".join(words)


@dataclass
class ProgressReporter:
    """Count runs, steps and divergences; print one line per run (`--quiet`)."""

    console: Console
    group_names: Mapping[str, str]
    """The group of each run, by the name of the run."""
    total_steps: int
    """Steps of a run."""
    clock: Callable[[], float]
    """Returns the time in seconds."""

    hidden: ClassVar[tuple[str, ...]] = ()
    """Statuses of runs that have no line of their own."""

    def __post_init__(self) -> None:
        sizes = Counter(self.group_names.values())
        self.groups = {name: _Group(name, size) for name, size in sizes.items()}
        self.all = _Group(ALL, len(self.group_names))
        self.names: set[str] = set()
        self.began, self.progress_before = self.clock(), 0.0

    def add_records(self, records: Iterable[RunRecord]) -> list[RunRecord]:
        """Count runs that were finished before or by others; return the new ones."""
        new = [record for record in records if self._count(record)]
        self.progress_before += len(new)
        for name in dict.fromkeys(self.group_names[record.run] for record in new):
            self._show(self.groups[name])
        return new

    def start(self, batch: Sequence[RunSpec]) -> ProgressCallback:
        """Return the callback for a trial batch that is about to be trained."""
        key, group = batch[0].name, self.groups[self.group_names[batch[0].name]]
        missing = sum(run.name not in self.names for run in batch)

        def report(step: int, total_steps: int, loss: float | None) -> None:
            for each in (group, self.all):
                each.steps[key] = missing, step, total_steps
            group.loss = group.loss if loss is None else loss
            self._show(group)

        report(0, self.total_steps, None)
        return report

    def finish(
        self,
        batch: Sequence[RunSpec],
        records: Sequence[RunRecord],
        notes: Mapping[str, str] | None = None,
    ) -> None:
        """Count the records of a trial batch; notes replace the status of a run."""
        group = self.groups[self.group_names[batch[0].name]]
        for each in (group, self.all):
            each.steps.pop(batch[0].name, None)
        has_new = False
        for record in records:
            if self._count(record):
                has_new = True
                self._show_run(record, (notes or {}).get(record.run, record.status))
        self._show(group, has_new)

    @property
    def remaining_seconds(self) -> float | None:
        """Estimated time until all runs are finished; None where it is a guess."""
        done = self.all.progress - self.progress_before
        remaining = self.all.num_runs - self.all.progress
        if done <= MIN_SHARE * (done + remaining):  # most of the time was compilation
            return None
        return (self.clock() - self.began) / done * remaining

    def _count(self, record: RunRecord) -> bool:
        """Count a run of this study; return False where it is counted already."""
        if record.run not in self.group_names or record.run in self.names:
            return False
        self.names.add(record.run)
        group = self.groups[self.group_names[record.run]]
        for each in (group, self.all):
            each.finished += 1
            each.diverged += record.status == "diverged"
        group.loss = group.loss if record.last_loss is None else record.last_loss
        return True

    def notify(self, message: str) -> None:
        """Print a message."""
        text = one_line(message)
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _show(self, group: _Group, has_new: bool = False) -> None:
        """Show the state of a group, and whether some of its runs just finished."""

    def _show_run(self, record: RunRecord, status: str) -> None:
        if status not in self.hidden:
            loss = "" if record.last_loss is None else f", loss {record.last_loss:.4g}"
            self._print(f"{record.run}: {status}{loss}")

    def _print(self, text: str) -> None:
        self.notify(f"[{self.all.finished}/{self.all.num_runs}] {text}")


class LogReporter(ProgressReporter):
    """Print a line per trial batch, and one about every ten seconds within it."""

    hidden = ("finished",)
    printed = float("-inf")

    def _show(self, group: _Group, has_new: bool = False) -> None:
        now = self.clock()
        if has_new or (group.steps and now - self.printed >= LOG_SECONDS):
            seconds = self.remaining_seconds
            remaining = "" if seconds is None else f", {_clock(seconds)} left"
            self._print(f"{group.name}: {group.describe()}{remaining}")
            self.printed = now


class BarReporter(ProgressReporter):
    """Show a bar for all runs, and one for each group in training.

    The bar of a finished group is printed above them: a run may have more groups than a
    terminal has lines.
    """

    hidden = ("finished", "diverged")

    def __post_init__(self) -> None:
        super().__post_init__()
        # Names are truncated to a fifth of the width.
        name = Column(
            width=max(12, self.console.width // 5), no_wrap=True, overflow="ellipsis"
        )
        bar = Column(ratio=1, min_width=4)
        details = Column(no_wrap=True, overflow="ellipsis")
        self.bars = progress.Progress(
            progress.TextColumn("{task.description}", markup=False, table_column=name),
            progress.BarColumn(bar_width=None, table_column=bar),
            progress.TextColumn(
                "{task.fields[details]}", markup=False, table_column=details
            ),
            _TimeColumn(Column(width=12, no_wrap=True, justify="right")),
            console=self.console,
            expand=True,
            get_time=self.clock,
        )
        self.tasks: dict[str, progress.TaskID] = {}
        self._update(self.all)

    def _show(self, group: _Group, has_new: bool = False) -> None:
        if group.steps or group.name in self.tasks:
            self._update(group)
        if group.finished == group.num_runs and group.name in self.tasks:
            id = self.tasks.pop(group.name)
            (task,) = (task for task in self.bars.tasks if task.id == id)
            self.bars.print(self.bars.make_tasks_table([task]))
            self.bars.remove_task(id)
        seconds = self.remaining_seconds
        self._update(self.all, None if seconds is None else self.clock() + seconds)

    def _update(self, group: _Group, end: float | None = None) -> None:
        name, details = group.name, group.describe(total=self.console.width >= WIDE)
        fields = {"details": details, "end": end}
        if name not in self.tasks:
            self.tasks[name] = self.bars.add_task(
                one_line(name), total=group.num_runs, **fields
            )
        self.bars.update(self.tasks[name], completed=group.progress, **fields)


class _TimeColumn(progress.TimeElapsedColumn):
    """Remaining time of all runs, elapsed time of a group.

    `rich.progress.TimeRemainingColumn` extrapolates the last 30 seconds, without the
    compilations to come.
    """

    def render(self, task: progress.Task) -> Text:
        end = task.fields["end"]
        if task.finished or end is None:
            return super().render(task)
        remaining = max(0.0, end - task.get_time())
        return Text(f"{_clock(remaining)} left", style="progress.remaining")


def _clock(seconds: float) -> str:
    return str(timedelta(seconds=int(seconds)))


@contextmanager
def report_progress(
    console: Console,
    group_names: Mapping[str, str],
    total_steps: int,
    *,
    quiet: bool = False,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[ProgressReporter]:
    """Yield the reporter that suits a console: bars, or lines of a log.

    Args:
        console: Where to show progress.
        group_names: The group of each run, by the name of the run.
        total_steps: Steps of a run.
        quiet: Whether to print only a line per run.
        clock: Returns the time in seconds.
    """
    has_bars = console.is_terminal or console.is_jupyter
    kind = ProgressReporter if quiet else BarReporter if has_bars else LogReporter
    reporter = kind(console, group_names, total_steps, clock)
    with reporter.bars if isinstance(reporter, BarReporter) else nullcontext():
        yield reporter
