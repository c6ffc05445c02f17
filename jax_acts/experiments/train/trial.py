"""Members that learn: one program for those that differ in numbers alone."""

import math
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import lru_cache
from itertools import product
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array
from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from jax_acts.experiments.config.errors import ConfigError, Problem
from jax_acts.experiments.config.schema import (
    SGD,
    Activation,
    Adam,
    Chunks,
    Section,
    of_adam,
)
from jax_acts.experiments.study import Member, Prepared, Record, Together, Value
from jax_acts.experiments.train.loop import Fit, Problem as Learnable, fit
from jax_acts.experiments.train.vectorized import Chunk, Numbers as Places, compiled

Number = float | None
"""None where it is not finite."""


T = TypeVar("T")


def distinct(values: tuple[T, ...]) -> tuple[T, ...]:
    """Returns the values, each of which should be there once.

    Raises:
        ValueError: One is there twice.
    """
    for n, value in enumerate(values):
        if value in values[:n]:
            raise ValueError(f"{value} is there twice")
    return values


Activations = Annotated[
    tuple[Activation, ...],
    AfterValidator(distinct),
    Field(min_length=1, max_length=100, strict=False),
]
Numbers = Annotated[
    tuple[float, ...],
    AfterValidator(distinct),
    Field(min_length=1, max_length=1000, strict=False),
]
Seeds = Annotated[int, Field(ge=1, le=1000)]


class Steps(Section):
    """How long to train, and how."""

    steps: int = Field(default=1000, ge=1, le=10_000_000)
    parts: int = Field(default=10, ge=1, le=1000)
    """How often to measure on the way; it divides the steps."""
    batch_size: int = Field(default=100, ge=1, le=65_536)
    schedule: Literal["constant", "cosine"] = "cosine"
    """The learning rate stays, or falls to 0 along half a cosine."""
    clip: float | None = Field(default=None, gt=0)
    """The largest norm of a gradient; a larger one is made as short as that."""
    optimizer: Annotated[
        Annotated[Adam | SGD, Field(discriminator="kind")], BeforeValidator(of_adam)
    ] = Adam()

    @model_validator(mode="after")
    def _parts_are_equal(self) -> "Steps":
        if self.steps % self.parts:
            raise ValueError(f"{self.parts} parts do not divide {self.steps} steps")
        return self

    def few(self, steps: int = 20, parts: int = 2, batch_size: int = 16) -> "Steps":
        """Returns the same training, short, for a quick form."""
        small = {"steps": steps, "parts": parts, "batch_size": batch_size}
        return self.model_copy(update=small)

    @property
    def said(self) -> str:
        """The section in words: "1,000 steps of 100 examples with adam, …"."""
        rate = f"learning rate {self.optimizer.learning_rate:g}"
        shorter = f", gradients clipped at {self.clip:g}" if self.clip else ""
        return (
            f"{self.steps:,} steps of {self.batch_size} examples with "
            f"{self.optimizer.kind}, {rate}, {self.schedule} schedule{shorter}"
        )

    def transform(self, learning_rate: Any = None) -> optax.GradientTransformation:
        """Returns the optimizer, with another learning rate if there is one."""
        section = self.optimizer
        rate = section.learning_rate if learning_rate is None else learning_rate
        if self.schedule == "cosine":
            rate = optax.cosine_decay_schedule(rate, self.steps)
        rule = (
            optax.adamw(rate, section.b1, section.b2, weight_decay=section.weight_decay)
            if isinstance(section, Adam)
            else optax.sgd(rate, section.momentum)
        )
        shorter = (
            optax.clip_by_global_norm(self.clip) if self.clip else optax.identity()
        )
        return optax.chain(shorter, rule)

    def fit(self, problem: Learnable, key: Array, learning_rate: Any = None) -> Fit:
        """Returns the training of a problem from a key."""
        optimizer = self.transform(learning_rate)
        return fit(problem, optimizer, key, steps=self.steps, parts=self.parts)


class Learned(Record):
    """What is kept of a member that learned."""

    axes: dict[str, Value]
    parameters: int
    loss: list[Number]
    """The mean training loss of each part of the steps."""
    measures: dict[str, list[Number] | list[list[Number]]]
    """By name; of each the measures before training and after each part."""
    run_seconds: float
    """Of members trained together: the time of their chunk over their number."""
    compile_seconds: float

    @property
    def last_loss(self) -> float | None:
        """The mean training loss of the last part."""
        return self.loss[-1]


TrainMember = Callable[[Array, Mapping[str, Array], Any], Fit]


class Trial(NamedTuple):
    """What a study gives for its members to be trained."""

    summary: str
    """What will be run, in a sentence."""
    data: Any
    """Arrays that all members see."""
    numeric: tuple[str, ...]
    """The axes that are numbers to the program; the others make another program."""
    program: Callable[[Mapping[str, Value]], TrainMember]
    """Returns what trains a member, from the axes that are not numbers.

    It takes a key, the numeric axes as arrays and the data. The scores of the `Fit` are
    a dict of arrays, each of shape `(1 + parts,)` or `(1 + parts, layers)`.
    """


MOST = 100_000
"""So many members at most are a run; each is a line of its records."""


def grid(**axes: Collection[Value]) -> tuple[Member, ...]:
    """Returns a member for each place on the axes; the last axis runs first.

    Raises:
        ConfigError: There are more than `MOST`.

    >>> [m.name for m in grid(activation=["relu", "elu"], seed=range(2))][:3]
    ['activation relu, seed 0', 'activation relu, seed 1', 'activation elu, seed 0']
    """
    return grids(axes)


def grids(*grids: Mapping[str, Collection[Value]]) -> tuple[Member, ...]:
    """Returns the members of one grid after the other.

    Raises:
        ConfigError: There are more than `MOST`, or two grids have a place in common.
    """
    counts = [{axis: len(values) for axis, values in axes.items()} for axes in grids]
    total = sum(math.prod(count.values()) for count in counts)
    if total > MOST:
        largest = max(counts, key=lambda count: math.prod(count.values()))
        sizes = " × ".join(f"{n:,} of {axis}" for axis, n in largest.items() if n > 1)
        each = "" if len(grids) == 1 else f" in {len(grids)} grids, the largest"
        said = f"{total:,} members{each} ({sizes}): a run has {MOST:,} at most"
        raise ConfigError(Problem("", said))
    members = tuple(
        Member(tuple(zip(axes, place, strict=True)))
        for axes in grids
        for place in product(*axes.values())
    )
    if len(set(members)) < total:
        name = next(m.name for n, m in enumerate(members) if m in members[:n])
        raise ConfigError(Problem("", f"two sweeps clash: both have {name!r}"))
    return members


def prepared(trial: Trial, chunks: Chunks) -> Prepared[Learned]:
    """Returns the trial, compiled where it is first needed, to train in chunks."""
    axes = {"seed": jnp.uint32} | dict.fromkeys(trial.numeric, jnp.float32)

    def fixed(member: Member) -> tuple[tuple[str, Value], ...]:
        return tuple(axis for axis in member.axes if axis[0] not in axes)

    @lru_cache(maxsize=1)  # chunks come by program, and programs take memory
    def program(fixed: tuple[tuple[str, Value], ...]) -> Chunk:
        train = trial.program(dict(fixed))

        def one(numbers: Places, data: Any) -> Outcome:
            return outcome(train(jax.random.key(numbers["seed"]), numbers, data))

        return compiled(one, axes, trial.data, chunks)

    def train(members: Sequence[Member]) -> list[Learned]:
        chunk = program(fixed(members[0]))
        begin = time.perf_counter()
        found = chunk.train([dict(member.axes) for member in members])
        seconds = (time.perf_counter() - begin) / len(members)
        return [
            learned(member, one, seconds, chunk.compile_seconds)
            for member, one in zip(members, found, strict=True)
        ]

    return Prepared(
        trial.summary,
        1,
        lambda member, tick, folder: train([member])[0],
        Together(chunks.members, fixed, train),
    )


class Outcome(NamedTuple):
    """What is brought from the devices of a training; its parameters stay there."""

    losses: Array
    scores: dict[str, Array]
    finite: Array
    parameters: Array
    """How many there are."""


def outcome(fit: Fit) -> Outcome:
    """Returns what a record is made of."""
    count = sum(leaf.size for leaf in jax.tree.leaves(fit.params))
    return Outcome(fit.losses, fit.scores, fit.finite, jnp.uint32(count))


def learned(member: Member, found: Outcome, run: float, compile_: float) -> Learned:
    """Returns the record of a training whose arrays are numpy's."""
    return Learned(
        member=member.name,
        status="done" if bool(found.finite) else "diverged",
        axes=dict(member.axes),
        parameters=int(found.parameters),
        loss=numbers(found.losses),
        measures={name: numbers(values) for name, values in found.scores.items()},
        run_seconds=run,
        compile_seconds=compile_,
    )


def numbers(values: Any) -> Any:
    """Returns lists of the numbers, None where one is not finite.

    >>> numbers(np.array([[1.5, np.inf], [0.0, 2.0]]))
    [[1.5, None], [0.0, 2.0]]
    """
    found = np.asarray(values, object)
    found[~np.isfinite(np.asarray(values))] = None
    return found.tolist()
