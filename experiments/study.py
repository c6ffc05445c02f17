"""What a study is: a question, the members that answer it, and a page to show it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Literal, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict

from experiments.page import Page
from experiments.schema import StudyConfig

Value = str | int | float


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
    train: Callable[[Member, Callable[[], None], Path], R]
    """Trains one member alone; its checkpoints, if it has some, are in the folder."""
    together: Together[R] | None = None
    """If there is one, members are trained by it, and not by `train`."""


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
