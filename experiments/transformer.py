"""Which MLP block is best for a small language model, at an equal number of weights?"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import jax.numpy as jnp
import pandas as pd
from jax import Array
from pydantic import Field

from jax_acts.experiments.base import TrainingStudyConfig, keep, rows
from jax_acts.experiments.config.errors import ConfigError, ConfigIssue
from jax_acts.experiments.config.schema import (
    Activations,
    Section,
    TextConfig,
    TrainingConfig,
    TrialBatch,
)
from jax_acts.experiments.datasets.text import (
    TEXTS,
    Text,
    even_windows,
    load_text,
    windows,
)
from jax_acts.experiments.models import Transformer
from jax_acts.experiments.records import RunRecord, Value
from jax_acts.experiments.report.builders import compare_report, paired_test_sections
from jax_acts.experiments.report.comparisons import (
    conclude,
    describe_difference,
    group_runs,
)
from jax_acts.experiments.report.model import Column, DataSummary, Metric, Report
from jax_acts.experiments.report.tables import score_table
from jax_acts.experiments.stats import paired_tests
from jax_acts.experiments.study import PreparedStudy, RunSpec, Study, grid
from jax_acts.experiments.train.classification import cross_entropy, linen_functions
from jax_acts.experiments.train.loop import Metrics, Params, Task
from jax_acts.experiments.train.trial import MakeTask, Trial, prepare_trial

LOSS = Metric("test_loss", "test loss", "nats", digits=3, lower_is_better=True)
GATED, PLAIN = "mean of the gated blocks", "mean of the plain blocks"

SHAZEER = {
    "sigmoid": "GLU",
    "identity": "Bilinear",
    "relu": "ReGLU",
    "gelu": "GEGLU",
    "silu": "SwiGLU",
}
"""The names of gated blocks in Shazeer (2020)."""


class ModelConfig(Section):
    """The network; a gated block has 2 / 3 of the width of a plain one."""

    layers: int = Field(default=2, ge=1, le=100)
    features: int = Field(default=48, ge=3, le=16_384, multiple_of=3)
    heads: int = Field(default=4, ge=1, le=256)
    expansion: int = Field(default=4, ge=1, le=64)


class Config(TrainingStudyConfig):
    """A language model with each plain and each gated block."""

    plain: Activations
    gated: Activations
    text: TextConfig = TextConfig()
    model: ModelConfig = ModelConfig()
    length: int = Field(default=64, ge=2, le=8192)
    """Length of the context, in characters."""
    num_test: int = Field(default=200, ge=1, le=100_000)
    """Number of test sequences."""
    training: TrainingConfig = TrainingConfig(batch_size=32, clip_norm=1.0)
    trial_batch: TrialBatch = TrialBatch(size=1)

    QUICK: ClassVar[Mapping[str, Any]] = {
        **TrainingStudyConfig.QUICK,
        "plain": keep(1),
        "gated": keep(1),
        "model": ModelConfig(layers=1, features=12, heads=2, expansion=2),
        "length": 16,
        "num_test": 8,
        "training": lambda training: training.shorten(batch_size=4),
    }


def runs(config: Config) -> tuple[RunSpec, ...]:
    """Return the runs; those of a block share its programs."""
    seeds = range(config.seeds)
    return (
        *grid(block=["plain"], activation=config.plain, seed=seeds),
        *grid(block=["gated"], activation=config.gated, seed=seeds),
    )


def prepare(config: Config) -> PreparedStudy:
    """Return the study with its text on the device."""
    text = load_text(config.text)
    _check(config, text)
    test = even_windows(jnp.asarray(text.test), config.num_test, config.length)
    num_characters = len(text.characters)
    contents = (
        f"{len(text.train):,} training and {len(text.test):,} test characters, "
        f"{num_characters} distinct."
    )

    def make_group_task(fixed: Mapping[str, Value]) -> MakeTask:
        return make_task(config, num_characters, fixed)

    trial = Trial(
        summarize(config),
        {"train": jnp.asarray(text.train), "test": test},
        make_group_task,
        activations=(*config.plain, *config.gated),
        source=make_task,
        data_contents={_text_title(config): contents},
    )
    return prepare_trial(trial, config.training, config.trial_batch)


def make_task(
    config: Config, num_characters: int, fixed: Mapping[str, Value]
) -> MakeTask:
    """Return the task of a block."""
    model = Transformer(
        fixed["activation"],
        fixed["block"] == "gated",
        num_characters,
        config.length,
        **config.model.model_dump(),
    )
    init, apply = linen_functions(model)

    def loss(params: Params, batch: Array) -> Array:
        return cross_entropy(apply(params, batch[:, :-1]), batch[:, 1:])

    def make(_: Any, data: Mapping[str, Array]) -> Task:
        def draw(key: Array) -> Array:
            size = config.training.batch_size
            return windows(key, data["train"], size, config.length)

        def metrics(params: Params) -> Metrics:
            return {"test_loss": loss(params, data["test"])}

        return Task(lambda key: init(key, data["test"][:1, :-1]), draw, loss, metrics)

    return make


def _check(config: Config, text: Text) -> None:
    """Raise a `ConfigError` if the sections of the config contradict each other."""
    issues = []
    shortest = min(len(text.train), len(text.test))
    if shortest <= config.length:
        message = (
            f"length = {config.length}: expected less than {shortest}, the characters "
            "of the shorter split of the text"
        )
        issues.append(ConfigIssue("length", message))
    if config.model.features % config.model.heads:
        message = (
            f"model.heads = {config.model.heads}: expected a divisor of "
            f"model.features = {config.model.features}"
        )
        issues.append(ConfigIssue("model.heads", message))
    if issues:
        raise ConfigError(*issues)


def _text_title(config: Config) -> str:
    source = TEXTS.get(config.text.name)
    return source.title if source else str(config.text.path)


def summarize(config: Config) -> str:
    """Return the setup in one sentence."""
    model = config.model
    return (
        f"{len(config.plain)} plain and {len(config.gated)} gated blocks × "
        f"{config.seeds} seeds: a decoder with {model.layers} layers and "
        f"{model.features} features that predicts characters of {_text_title(config)} "
        f"from contexts of up to {config.length}, {config.training.describe()}."
    )


def block_name(axes: Mapping[str, Value]) -> str:
    """Return the display name of a block.

    >>> block_name({"block": "gated", "activation": "gelu"})
    'GEGLU'
    >>> block_name({"block": "gated", "activation": "mish"})
    'mish, gated'
    """
    activation = str(axes["activation"])
    if axes["block"] == "plain":
        return activation
    return SHAZEER.get(activation, f"{activation}, gated")


def report(config: Config, records: Sequence[RunRecord]) -> Report:
    """Return the report of the study."""
    comparison = group_runs(
        records,
        runs(config),
        by=("block", "activation"),
        label=block_name,
        series_label=block_name,
        title="block",
    )
    scores = comparison.scores(LOSS)
    blocks = dict(comparison.runs[["group", "block"]].itertuples(index=False))
    means = pd.DataFrame(
        {
            title: scores[[g for g in scores if blocks[g] == block]].mean(
                axis=1, skipna=False
            )
            for title, block in ((GATED, "gated"), (PLAIN, "plain"))
        }
    )
    tests = paired_tests(means, [(GATED, PLAIN)])
    sizes = comparison.runs.groupby("group")["num_params"].first()
    column = Column("num_params", "weights", lambda n: f"{n:,}", essential=False)
    source = TEXTS.get(config.text.name)
    return compare_report(
        STUDY.question,
        summarize(config),
        comparison,
        LOSS,
        conclusion=f"{conclude(comparison, LOSS)}{compare_families(tests)}",
        table=score_table(
            comparison,
            LOSS,
            extra=pd.DataFrame({"num_params": sizes}),
            extra_columns=[column],
        ),
        sections=paired_test_sections(tests, LOSS, "Gated against plain"),
        notes=_NOTES,
        data=(DataSummary(_text_title(config), source.origin if source else ""),),
    )


def compare_families(tests: pd.DataFrame) -> str:
    """Return whether the gated blocks have another mean loss than the plain ones."""
    for test in rows(tests[tests["n"] > 1]):
        verb = "differs" if test["p_holm"] < 0.05 else "does not differ significantly"
        return (
            f" The mean loss of the gated blocks {verb} from that of the plain blocks: "
            f"{describe_difference(test, LOSS)}."
        )
    return ""


_NOTES = (
    "The names of gated blocks are those of N. Shazeer, arXiv 2002.05202. They have "
    "2 / 3 of the width of plain ones, so that all networks have as many weights.",
    "The last tenth of the text is the test split. Losses are in nats per character.",
)

STUDY = Study("transformer", __doc__ or "", Config, runs, prepare, report)
