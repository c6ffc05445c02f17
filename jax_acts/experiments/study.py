"""What a study is: a question, the members that answer it, and a page to show it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Literal, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict

from jax_acts.experiments.config.schema import StudyConfig
from jax_acts.experiments.report.model import Page

Value = str | int | float
Tick = Callable[[float | None], None]
"""Takes the latest loss, if there is one, of a training that goes on."""


class Member(NamedTuple):
    """One training, at one place on each axis of the study."""

    axes: tuple[tuple[str, Value], ...]

    @property
    def name(self) -> str:
        """The name that tells it from the others of its run."""
        return ", ".join(f"{axis} {value}" for axis, value in self.axes)


class Record(BaseModel):
    """What is kept of a member: a line of the records."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    member: str
    status: Literal["done", "diverged"]
    session: int = 0
    """Which of the sessions in `environment.jsonl` trained it."""

    @property
    def last_loss(self) -> float | None:
        """The loss at the end of the training, if it has one that is finite."""
        return None


C = TypeVar("C", bound=StudyConfig)
R = TypeVar("R", bound=Record)


class Together(NamedTuple, Generic[R]):
    """How members are trained that have one program and differ in numbers alone."""

    width: int
    """The most members of a chunk."""
    group: Callable[[Member], Any]
    """Returns what members that share a program have in common."""
    train: Callable[[Sequence[Member]], Sequence[R]]
    """Returns the records of a chunk: members of one group, in their order."""

    def chunks(self, members: Iterable[Member]) -> list[tuple[Member, ...]]:
        """Returns the chunks, those of a group one after the other."""
        groups: dict[Any, list[Member]] = {}
        for member in members:
            groups.setdefault(self.group(member), []).append(member)
        return [
            tuple(group[n : n + self.width])
            for group in groups.values()
            for n in range(0, len(group), self.width)
        ]


@dataclass(frozen=True)
class Prepared(Generic[R]):
    """A study with its data loaded and nothing compiled."""

    summary: str
    """What will be run, in a sentence."""
    ticks: int
    """How often the training of a member reports that it goes on."""
    train: Callable[[Member, Tick, Path], R]
    """Trains one member alone; its checkpoints, if it has some, are in the folder."""
    together: Together[R] | None = None
    """If there is one, members are trained by it, and not by `train`."""

    def groups(self, members: Iterable[Member]) -> dict[str, str]:
        """Returns for each member, by its name, the group that it is shown in.

        Those that share a program are a group; without `together` it is those that
        differ in the seed alone.
        """
        alone = lambda member: tuple(a for a in member.axes if a[0] != "seed")
        key = self.together.group if self.together else alone
        found: dict[Any, list[Member]] = {}
        for member in members:
            found.setdefault(key(member), []).append(member)
        return {
            member.name: name
            for group in found.values()
            for name in [_common(group)]
            for member in group
        }


def _common(members: Sequence[Member]) -> str:
    """Returns the axes that members share, as a name of them all.

    >>> _common([Member((("f", "elu"), ("depth", 2), ("seed", n))) for n in range(3)])
    'elu, depth 2'
    """
    first, *others = members
    shared = [a for a in first.axes if all(a in other.axes for other in others)]
    words = [v if isinstance(v, str) else f"{axis} {v}" for axis, v in shared]
    return ", ".join(words) or "all members"


@dataclass(frozen=True)
class Study(Generic[C, R]):
    """A question, answered by experiment.

    Attributes:
        question: The question, in one sentence.
        config: The schema of its configs.
        record: The schema of its records.
        members: Returns the members of a config.
        prepare: Loads the data and checks the config by them; raises `ConfigError`.
        page: Returns what the report shows, from the config and the records alone.
    """

    question: str
    config: type[C]
    record: type[R]
    members: Callable[[C], tuple[Member, ...]]
    prepare: Callable[[C], Prepared[R]]
    page: Callable[[C, Sequence[R]], Page]
