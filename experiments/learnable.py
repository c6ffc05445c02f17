"""Does an activation that learns its own shape do better than a fixed one?"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Self

import jax
import jax.numpy as jnp
from jax import Array
from pydantic import AfterValidator, Field

import jax_acts
from jax_acts.experiments.config.schema import (
    Activation,
    Chunks,
    Data,
    Section,
    StudyConfig,
)
from jax_acts.experiments.datasets.registry import described, load
from jax_acts.experiments.models import MLP
from jax_acts.experiments.report.contrasts import Contrast, contrasts, section
from jax_acts.experiments.report.format import gap_cell, likely, text
from jax_acts.experiments.report.model import Cell, Column, Page
from jax_acts.experiments.report.tables import (
    ACCURACY,
    NO_ANSWER,
    NOTES,
    Group,
    compared,
    dots,
    grouped,
    histories,
    scored,
    table,
    unfinished,
)
from jax_acts.experiments.study import Member, Prepared, Study
from jax_acts.experiments.train.classification import Classes, classification, on_device
from jax_acts.experiments.train.loop import Fit, Params
from jax_acts.experiments.train.trial import (
    Learned,
    Seeds,
    Steps,
    Trial,
    Value,
    distinct,
    grid,
    prepared,
)


class Pair(Section):
    """An activation, and the same one with something to learn."""

    fixed: Activation
    learned: Activation


class Config(StudyConfig):
    """A perceptron with both activations of each pair."""

    pairs: Annotated[
        tuple[Pair, ...],
        AfterValidator(distinct),
        Field(min_length=1, max_length=50, strict=False),
    ]
    data: Data = Data(set="mnist_1d")
    depth: int = Field(default=3, ge=1, le=1000)
    width: int = Field(default=64, ge=1, le=65_536)
    seeds: Seeds = 10
    training: Steps = Steps()
    chunks: Chunks = Chunks()

    @property
    def activations(self) -> tuple[str, ...]:
        """All activations, each once."""
        both = [name for pair in self.pairs for name in (pair.fixed, pair.learned)]
        return tuple(dict.fromkeys(both))

    def shrunk(self) -> Self:
        """Returns one pair, narrow, on a few examples."""
        return self.model_copy(
            update={
                "pairs": self.pairs[:1],
                "data": self.data.model_copy(update={"train": 96, "test": 96}),
                "width": 8,
                "seeds": min(self.seeds, 2),
                "training": self.training.few(),
            }
        )


def members(config: Config) -> tuple[Member, ...]:
    """Returns the members, those of an activation together."""
    return grid(activation=config.activations, seed=range(config.seeds))


def prepare(config: Config) -> Prepared[Learned]:
    """Returns the study with its data on the device and nothing compiled."""
    images = load(config.data)

    def program(fixed: Mapping[str, Value]) -> Any:
        model = MLP(fixed["activation"], config.depth, config.width, images.classes)

        def also(params: Params, _: Classes) -> dict[str, Array]:
            return {
                f"learned {name}": values for name, values in shapes(params).items()
            }

        def train(key: Array, numbers: Any, data: Classes) -> Fit:
            size = config.training.batch_size
            problem = classification(model, data, size, also=also)
            return config.training.fit(problem, key)

        return train

    trial = Trial(setting(config), on_device(images), (), program)
    return prepared(trial, config.chunks)


def shapes(params: Params) -> dict[str, Array]:
    """Returns the learned arguments by layer, as means where each feature has its own.

    >>> shapes(
    ...     {
    ...         "first": {"activation": {"beta": jnp.ones(())}},
    ...         "layers": {"activation": {"beta": jnp.zeros((2, 3))}},
    ...         "head": {},
    ...     }
    ... )
    {'beta': Array([1., 0., 0.], dtype=float32)}
    """
    found: dict[str, list[Array]] = {}
    for name, layers in (("first", 1), ("layers", None)):
        for argument, value in params.get(name, {}).get("activation", {}).items():
            rows = value.reshape(layers or len(value), -1)
            found.setdefault(argument, []).append(rows.mean(1))
    return jax.tree.map(
        jnp.concatenate, found, is_leaf=lambda part: isinstance(part, list)
    )


def setting(config: Config) -> str:
    """Returns what is trained on what, in a sentence."""
    return (
        f"{len(config.activations)} activations × {config.seeds} seeds: perceptrons of "
        f"{config.depth} hidden layers of {config.width} on "
        f"{described(config.data).title}, {config.training.said}."
    )


def report(config: Config, records: Sequence[Learned]) -> Page:
    """Returns the page of the study."""
    names = config.activations
    groups = grouped(records, names, lambda r: str(r.axes["activation"]))
    steps = config.training.steps
    gains = contrasts(
        scored(groups, ACCURACY), [(p.learned, p.fixed) for p in config.pairs]
    )
    gained = {c.first: gap_cell(c.difference, 2) for c in gains}
    against_fixed = (
        Column("gain over fixed", "points, paired by seed, with its interval"),
        lambda group: gained.get(group.name, Cell("–")),
    )
    return Page(
        __doc__ or "",
        answer(gains),
        setting(config),
        described(config.data).origin,
        table("activation", groups, ACCURACY, [against_fixed, _SHAPES]),
        (
            dots("Test accuracy", groups, ACCURACY),
            histories(
                "Training loss",
                groups,
                lambda r: r.loss,
                steps,
                "cross-entropy",
                log=True,
            ),
        ),
        names,
        (*unfinished(records, len(members(config))), *NOTES, *_NOTES),
        (
            *section("Learned against fixed", gains, scored(groups, ACCURACY)),
            *compared(groups, ACCURACY),
        ),
        scored(groups, ACCURACY),
    )


def answer(gains: Sequence[Contrast]) -> str:
    """Returns for each pair whether learning the shape helps."""
    told = []
    for learned, fixed, found in gains:
        if found.n > 1:
            word = "gains" if found.mean > 0 else "loses"
            if not found.shows():
                word = "makes no difference that these seeds show,"
            told.append(
                f"{learned} instead of {fixed} {word} {text(found.mean, 2)} ± "
                f"{found.half:.2f} points ({likely(found.adjusted)} after Holm)"
            )
    return f"{'; '.join(told)}." if told else NO_ANSWER


def _learned(group: Group) -> Cell:
    arguments = list(jax_acts.get(group.name).learned)
    lines = []
    for argument in arguments:
        values = [r.measures[f"learned {argument}"][-1] for r in group.done]
        layers = jnp.array(values, float).mean(0) if values else jnp.zeros(0)
        lines.append(f"{argument}: {', '.join(text(float(v), 2) for v in layers)}")
    return Cell("; ".join(lines) or "–")


_SHAPES = (
    Column("learned", "by layer, means over features and seeds", narrow=False),
    _learned,
)
_NOTES = (
    "Gain over fixed: the mean difference over pairs of equal seeds, which have the "
    "same kernels.",
)

STUDY = Study(__doc__ or "", Config, Learned, members, prepare, report)
