"""Which MLP block serves a small language model best, at an equal number of weights?"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import jax.numpy as jnp
import numpy as np
from jax import Array
from pydantic import Field

from jax_acts.experiments.config.errors import ConfigError, Problem as Fault
from jax_acts.experiments.config.schema import Chunks, Section, StudyConfig
from jax_acts.experiments.datasets import text as texts
from jax_acts.experiments.models import Transformer
from jax_acts.experiments.report.contrasts import Contrast, contrasts, section
from jax_acts.experiments.report.format import likely
from jax_acts.experiments.report.model import Cell, Column, Page, Scores
from jax_acts.experiments.report.tables import (
    NO_ANSWER,
    NOTES,
    Group,
    Metric,
    compared,
    dots,
    grouped,
    histories,
    last,
    measured,
    scored,
    table,
    unfinished,
    verdict,
)
from jax_acts.experiments.study import Member, Prepared, Study
from jax_acts.experiments.train.classification import cross_entropy, outputs
from jax_acts.experiments.train.loop import Fit, Params, Problem
from jax_acts.experiments.train.trial import (
    Activations,
    Learned,
    Seeds,
    Steps,
    Trial,
    Value,
    grid,
    prepared,
)

NATS = Metric("test loss, nats", last("nats"), " nats", digits=3, least=True)

SHAZEER = {
    "sigmoid": "GLU",
    "identity": "Bilinear",
    "relu": "ReGLU",
    "gelu": "GEGLU",
    "silu": "SwiGLU",
}
"""The names of gated blocks in Shazeer 2020."""


class Text(Section):
    """What to learn to write."""

    set: str = "python_topics"
    file: Path | None = Field(default=None, strict=False)
    """A file of one's own, for the set "file"."""


class Model(Section):
    """The network; a gated block is 2 / 3 as wide as a plain one."""

    layers: int = Field(default=2, ge=1, le=100)
    features: int = Field(default=48, ge=3, le=16_384, multiple_of=3)
    heads: int = Field(default=4, ge=1, le=256)
    expansion: int = Field(default=4, ge=1, le=64)


class Config(StudyConfig):
    """A language model with each plain and each gated block."""

    plain: Activations
    gated: Activations
    text: Text = Text()
    model: Model = Model()
    length: int = Field(default=64, ge=2, le=8192)
    """How many characters it sees at once."""
    test_pieces: int = Field(default=200, ge=1, le=100_000)
    seeds: Seeds = 5
    training: Steps = Steps(batch_size=32, clip=1.0)
    chunks: Chunks = Chunks(members=1)
    """A member takes minutes, and is recorded as soon as it is finished."""

    def shrunk(self) -> Self:
        """Returns a plain and a gated block, narrow, on short pieces."""
        model = {"layers": 1, "features": 12, "heads": 2, "expansion": 2}
        return self.model_copy(
            update={
                "plain": self.plain[:1],
                "gated": self.gated[:1],
                "model": self.model.model_copy(update=model),
                "length": 16,
                "test_pieces": 8,
                "seeds": min(self.seeds, 2),
                "training": self.training.few(batch_size=4),
            }
        )


def members(config: Config) -> tuple[Member, ...]:
    """Returns the members, those of a block together."""
    seeds = range(config.seeds)
    return (
        *grid(block=["plain"], activation=config.plain, seed=seeds),
        *grid(block=["gated"], activation=config.gated, seed=seeds),
    )


def prepare(config: Config) -> Prepared[Learned]:
    """Returns the study with its text on the device and nothing compiled."""
    found = texts.load(config.text.set, config.text.file)
    _check(config, found)
    pieces = texts.rows(jnp.asarray(found.test), config.test_pieces, config.length)
    data = {"train": jnp.asarray(found.train), "test": pieces}

    def program(fixed: Mapping[str, Value]) -> Any:
        model = Transformer(
            fixed["activation"],
            fixed["block"] == "gated",
            len(found.characters),
            config.length,
            **config.model.model_dump(),
        )

        def loss(params: Params, pieces: Array) -> Array:
            return cross_entropy(outputs(model, params, pieces[:, :-1]), pieces[:, 1:])

        def train(key: Array, numbers: Any, data: Mapping[str, Array]) -> Fit:
            size = config.training.batch_size
            problem = Problem(
                lambda key: model.init(key, data["test"][:1, :-1])["params"],
                lambda key: texts.windows(key, data["train"], size, config.length),
                loss,
                lambda params: {"nats": loss(params, data["test"])},
            )
            return config.training.fit(problem, key)

        return train

    trial = Trial(setting(config), data, (), program)
    return prepared(trial, config.chunks)


def _check(config: Config, found: texts.Text) -> None:
    """Raises a `ConfigError` where the parts do not fit each other."""
    faults = []
    shortest = min(len(found.train), len(found.test))
    if shortest <= config.length:
        said = f"length = {config.length}: a part of the text has only {shortest}"
        faults.append(Fault("length", f"{said} characters"))
    if config.model.features % config.model.heads:
        said = f"model.heads = {config.model.heads}: they do not divide the"
        faults.append(Fault("model.heads", f"{said} {config.model.features} features"))
    if faults:
        raise ConfigError(*faults)


def setting(config: Config) -> str:
    """Returns what is trained on what, in a sentence."""
    model = config.model
    title = (
        texts.TEXTS[config.text.set].title
        if config.text.set in texts.TEXTS
        else str(config.text.file)
    )
    return (
        f"{len(config.plain)} plain and {len(config.gated)} gated blocks from "
        f"{config.seeds} seeds: a decoder of {model.layers} layers and "
        f"{model.features} features that predicts characters of {title} from up to "
        f"{config.length} before them, {config.training.said}."
    )


def name(block: str, activation: str) -> str:
    """Returns what a block is called.

    >>> name("plain", "gelu"), name("gated", "gelu"), name("gated", "mish")
    ('gelu', 'GEGLU', 'mish, gated')
    """
    if block == "plain":
        return activation
    return SHAZEER.get(activation, f"{activation}, gated")


def report(config: Config, records: Sequence[Learned]) -> Page:
    """Returns the page of the study."""
    plain = [name("plain", a) for a in config.plain]
    gated = [name("gated", a) for a in config.gated]
    called = lambda r: name(str(r.axes["block"]), str(r.axes["activation"]))
    groups = grouped(records, [*plain, *gated], called)
    size = (
        Column("weights", "of the whole network"),
        lambda g: Cell(*_size(g)),
    )
    steps = config.training.steps
    source = texts.TEXTS.get(config.text.set)
    means = families(groups, plain, gated)
    ahead = contrasts(means, [(GATED, PLAIN)])
    return Page(
        __doc__ or "",
        answer(groups, ahead),
        setting(config),
        source.origin if source else "the user's own text",
        table("block", groups, NATS, [size]),
        (
            dots("Test loss", groups, NATS),
            histories("Test loss by step", groups, measured("nats"), steps, "nats"),
            histories("Training loss", groups, lambda r: r.loss, steps, "nats"),
        ),
        (*plain, *gated),
        (*unfinished(records, len(members(config))), *NOTES, *_NOTES),
        (
            *section("Gated against plain", ahead, means),
            *compared(groups, NATS),
        ),
        scored(groups, NATS),
    )


def _size(group: Group) -> tuple[str, float | None]:
    if not group.done:
        return "–", None
    return f"{group.done[0].parameters:,}", group.done[0].parameters


def answer(groups: Sequence[Group], ahead: Sequence[Contrast]) -> str:
    """Returns the best block, and whether gated ones are ahead of plain ones."""
    best = verdict(groups, NATS, "test loss")
    if best == NO_ANSWER or not ahead or ahead[0].difference.n < 2:
        return best
    found = ahead[0].difference
    sure = "measurably" if found.shows() else "not measurably"
    word = "lower" if found.mean < 0 else "higher"
    return (
        f"{best} The mean loss of the gated blocks is {sure} {word} than that of the "
        f"plain ones: by {abs(found.mean):.3f} ± {found.half:.3f} nats "
        f"({likely(found.adjusted)})."
    )


def families(
    groups: Sequence[Group], plain: Sequence[str], gated: Sequence[str]
) -> Scores:
    """Returns the mean loss of gated and of plain blocks, for each seed of all."""
    of = {}
    for title, names in ((GATED, gated), (PLAIN, plain)):
        own = [g.by_seed(NATS.of) for g in groups if g.name in names]
        seeds = set.intersection(*map(set, own)) if own else set()
        of[title] = {
            seed: float(np.mean([found[seed] for found in own]))
            for seed in sorted(seeds)
        }
    return scored((), NATS)._replace(of=of)


GATED, PLAIN = "gated blocks, their mean", "plain blocks, their mean"

_NOTES = (
    "The names of gated blocks are those of N. Shazeer, arXiv 2002.05202. They are "
    "2 / 3 as wide as plain ones, so that all networks have as many weights.",
    "The text is cut once: its last tenth is the test. Losses are in nats a character.",
)

STUDY = Study(__doc__ or "", Config, Learned, members, prepare, report)
