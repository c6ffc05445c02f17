"""The contract of a study: a question, the runs that answer it, and its report."""

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

from jax_acts.experiments.config.errors import ConfigError, ConfigIssue
from jax_acts.experiments.config.schema import StudyConfig
from jax_acts.experiments.records import RunRecord, Value

ProgressCallback = Callable[[int, int, float | None], None]
"""Called every few seconds as `(step, total_steps, mean train loss or None)`."""

MAX_RUNS = 100_000
"""Largest number of runs of one config."""


class RunSpec(NamedTuple):
    """One training run: a position on each axis of the study."""

    axes: tuple[tuple[str, Value], ...]

    @property
    def name(self) -> str:
        """The display name, unique within a study."""
        return ", ".join(f"{axis} {value}" for axis, value in self.axes)

    def without(self, *axes: str) -> tuple[tuple[str, Value], ...]:
        """Return the axes other than those named."""
        return tuple(axis for axis in self.axes if axis[0] not in axes)


class BatchedTrainer(NamedTuple):
    """Training of runs that share compiled programs, one trial batch at a time."""

    batch_size: int
    """Maximum number of runs in a trial batch."""
    group_key: Callable[[RunSpec], Any]
    """Return the key of the programs of a run; runs with equal keys share them."""
    train: Callable[
        [Sequence[RunSpec], ProgressCallback, Path | None], Sequence[RunRecord]
    ]
    """Train one trial batch of one group; the path is its checkpoint directory."""

    def batches(self, runs: Iterable[RunSpec]) -> list[tuple[RunSpec, ...]]:
        """Return the trial batches, those of a group in succession."""
        return [
            tuple(group[n : n + self.batch_size])
            for group in self.groups(runs)
            for n in range(0, len(group), self.batch_size)
        ]

    def groups(self, runs: Iterable[RunSpec]) -> list[list[RunSpec]]:
        """Return the runs that share programs, in the order of their first run."""
        groups: dict[Any, list[RunSpec]] = {}
        for run in runs:
            groups.setdefault(self.group_key(run), []).append(run)
        return list(groups.values())

    def group_names(self, runs: Iterable[RunSpec]) -> dict[str, str]:
        """Return the display name of the group of each run, by the name of the run."""
        return {
            run.name: name
            for group in self.groups(runs)
            for name in [_shared_axes(group)]
            for run in group
        }


def _shared_axes(runs: Sequence[RunSpec]) -> str:
    """Return the axes that the runs share as text.

    >>> _shared_axes([RunSpec((("f", "elu"), ("depth", 2), ("n", n))) for n in (0, 1)])
    'elu, depth 2'
    """
    first, *others = runs
    shared = [a for a in first.axes if all(a in other.axes for other in others)]
    words = [v if isinstance(v, str) else f"{axis} {v}" for axis, v in shared]
    return ", ".join(words) or "all runs"


@dataclass(frozen=True)
class PreparedStudy:
    """A study with its data loaded and nothing compiled."""

    summary: str
    """The setup in one sentence."""
    total_steps: int
    """Optimizer steps of each run."""
    trainer: BatchedTrainer
    data_hash: str | None = None
    """Content hash of the data."""
    model_hash: str | None = None
    """Hash of the source of the model."""
    data_contents: Mapping[str, str] = field(default_factory=dict)
    """`Dataset.describe()` of each dataset by its title, for the report."""


C = TypeVar("C", bound=StudyConfig)


@dataclass(frozen=True)
class Study(Generic[C]):
    """A question and the experiment that answers it.

    Attributes:
        name: The value of the config key `study`.
        question: The question, in one sentence.
        config: The schema of its configs.
        runs: Return the runs of a config; raise `ConfigError` if they are too many.
        prepare: Load the data and check the config against them; raise `ConfigError`.
        report: Return the report, a pure function of the config and the records.
    """

    name: str
    question: str
    config: type[C]
    runs: Callable[[C], tuple[RunSpec, ...]]
    prepare: Callable[[C], PreparedStudy]
    report: Callable[[C, Sequence[RunRecord]], Any]

    @property
    def import_path(self) -> str:
        """ "module:STUDY", by which another process imports the study."""
        return f"{self.config.__module__}:STUDY"


def grid(**axes: Collection[Value]) -> tuple[RunSpec, ...]:
    """Return a run for each combination of values; the last axis varies fastest.

    Raises:
        ConfigError: There are more than `MAX_RUNS`.

    >>> [run.name for run in grid(activation=["relu", "elu"], seed=range(2))][:3]
    ['activation relu, seed 0', 'activation relu, seed 1', 'activation elu, seed 0']
    """
    return concat_grids(axes)


def concat_grids(*grids: Mapping[str, Collection[Value]]) -> tuple[RunSpec, ...]:
    """Return the runs of several grids in succession.

    Raises:
        ConfigError: There are more than `MAX_RUNS`, or two grids share a run.
    """
    sizes = [{axis: len(values) for axis, values in axes.items()} for axes in grids]
    total = sum(math.prod(size.values()) for size in sizes)
    if total > MAX_RUNS:
        largest = max(sizes, key=lambda size: math.prod(size.values()))
        factors = " × ".join(f"{n:,} {axis}" for axis, n in largest.items() if n > 1)
        message = f"runs: expected at most {MAX_RUNS:,}, got {total:,} ({factors})"
        raise ConfigError(ConfigIssue("", message))
    runs = tuple(
        RunSpec(tuple(zip(axes, position, strict=True)))
        for axes in grids
        for position in product(*axes.values())
    )
    if len(set(runs)) < total:
        name = next(run.name for run, count in Counter(runs).items() if count > 1)
        message = f"sweeps: expected distinct runs, got {name!r} twice"
        raise ConfigError(ConfigIssue("sweeps", message))
    return runs
