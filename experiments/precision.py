"""Does training in bfloat16 cost accuracy, and for which activations?"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self

import jax
import jax.numpy as jnp
from jax import Array
from pydantic import AfterValidator, Field

from jax_acts.experiments.config.schema import Chunks, Data, StudyConfig
from jax_acts.experiments.datasets.registry import described, load
from jax_acts.experiments.models import MLP
from jax_acts.experiments.report.contrasts import Contrast, contrasts, section
from jax_acts.experiments.report.format import gap_cell, likely, listed, text
from jax_acts.experiments.report.model import Cell, Column, Page
from jax_acts.experiments.report.tables import (
    ACCURACY,
    NO_ANSWER,
    NOTES,
    dots,
    grouped,
    histories,
    scored,
    table,
    unfinished,
)
from jax_acts.experiments.study import Member, Prepared, Study
from jax_acts.experiments.train.classification import Classes, classification, on_device
from jax_acts.experiments.train.loop import Fit
from jax_acts.experiments.train.trial import (
    Activations,
    Learned,
    Seeds,
    Steps,
    Trial,
    Value,
    distinct,
    grid,
    prepared,
)

Precision = Literal["float32", "mixed", "bfloat16"]
"""Of layers and parameters; "mixed" is bfloat16 layers with float32 parameters."""


class Config(StudyConfig):
    """A perceptron with each activation, in each precision."""

    activations: Activations
    precisions: Annotated[
        tuple[Precision, ...],
        AfterValidator(distinct),
        Field(min_length=1, strict=False),
    ] = ("float32", "mixed", "bfloat16")
    data: Data = Data(set="mnist_1d")
    depth: int = Field(default=3, ge=1, le=1000)
    width: int = Field(default=64, ge=1, le=65_536)
    seeds: Seeds = 5
    training: Steps = Steps()
    chunks: Chunks = Chunks()

    def shrunk(self) -> Self:
        """Returns one activation in every precision, narrow, on a few examples."""
        return self.model_copy(
            update={
                "activations": self.activations[:1],
                "data": self.data.model_copy(update={"train": 96, "test": 96}),
                "width": 8,
                "seeds": min(self.seeds, 2),
                "training": self.training.few(),
            }
        )


def members(config: Config) -> tuple[Member, ...]:
    """Returns the members, those of a program together."""
    return grid(
        activation=config.activations,
        precision=config.precisions,
        seed=range(config.seeds),
    )


def prepare(config: Config) -> Prepared[Learned]:
    """Returns the study with its data on the device and nothing compiled."""
    images = load(config.data)

    def program(fixed: Mapping[str, Value]) -> Any:
        precision = fixed["precision"]
        model = MLP(
            fixed["activation"],
            config.depth,
            config.width,
            images.classes,
            dtype=jnp.float32 if precision == "float32" else jnp.bfloat16,
        )

        def train(key: Array, numbers: Any, data: Classes) -> Fit:
            problem = classification(model, data, config.training.batch_size)
            if precision == "bfloat16":
                wide = problem.start
                narrow = lambda leaf: leaf.astype(jnp.bfloat16)
                start = lambda key: jax.tree.map(narrow, wide(key))
                problem = problem._replace(start=start)
            return config.training.fit(problem, key)

        return train

    trial = Trial(setting(config), on_device(images), (), program)
    return prepared(trial, config.chunks)


def setting(config: Config) -> str:
    """Returns what is trained on what, in a sentence."""
    return (
        f"{len(config.activations)} activations × {', '.join(config.precisions)} × "
        f"{config.seeds} seeds: perceptrons of {config.depth} hidden layers of "
        f"{config.width} on {described(config.data).title}, {config.training.said}."
    )


def report(config: Config, records: Sequence[Learned]) -> Page:
    """Returns the page of the study."""
    names = [f"{a}, {p}" for a in config.activations for p in config.precisions]
    groups = grouped(
        records, names, lambda r: f"{r.axes['activation']}, {r.axes['precision']}"
    )
    changes = contrasts(scored(groups, ACCURACY), _pairs(config))
    changed = {c.first: gap_cell(c.difference, 2) for c in changes}
    loss = (
        Column(
            "change from float32",
            "points, paired by seed, with its 95 % interval; p after Holm",
        ),
        lambda group: changed.get(group.name, Cell("–")),
    )
    return Page(
        __doc__ or "",
        answer(changes),
        setting(config),
        described(config.data).origin,
        table("activation", groups, ACCURACY, [loss]),
        (
            dots("Test accuracy", groups, ACCURACY),
            histories(
                "Training loss",
                groups,
                lambda r: r.loss,
                config.training.steps,
                "cross-entropy",
                log=True,
            ),
        ),
        tuple(names),
        (*unfinished(records, len(members(config))), *NOTES, *_NOTES),
        section("Against float32", changes, scored(groups, ACCURACY)),
        scored(groups, ACCURACY),
    )


def _pairs(config: Config) -> list[tuple[str, str]]:
    """Returns the names of what is compared: a precision and float32."""
    return [
        (f"{activation}, {precision}", f"{activation}, float32")
        for activation in config.activations
        for precision in config.precisions
        if precision != "float32"
    ]


def answer(changes: Sequence[Contrast]) -> str:
    """Returns the precisions that cost accuracy, and those that do not."""
    costs, free = [], []
    for name, _, found in changes:
        if found.n > 1:
            size = f"{text(found.mean, 2)} ± {found.half:.2f}"
            said = f"{name} {size} ({likely(found.adjusted)})"
            (costs if found.shows() else free).append(said)
    if not costs and not free:
        return NO_ANSWER
    parts = []
    if costs:
        parts.append(f"Measurably other than in float32, in points: {listed(costs)}")
    if free:
        parts.append(f"no difference that these seeds show: {listed(free)}")
    said = "; ".join(parts)
    return f"{said[0].upper()}{said[1:]}."


_NOTES = (
    "float32: all in float32. mixed: layers and activations in bfloat16, parameters "
    "and optimizer in float32. bfloat16: parameters and optimizer in bfloat16 too.",
    "Times are of this machine: one without bfloat16 arithmetic converts instead.",
)

STUDY = Study(__doc__ or "", Config, Learned, members, prepare, report)
