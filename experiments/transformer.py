"""Which MLP block is best for a small language model, at an equal number of weights?"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import ClassVar

import jax.numpy as jnp
from jax import Array
from pydantic import Field

from experiments import common
from experiments.common import Axes
from jax_acts.experiments import base
from jax_acts.experiments.config import schema
from jax_acts.experiments.config.errors import ConfigError, ConfigIssue
from jax_acts.experiments.datasets import text as texts
from jax_acts.experiments.models import Transformer
from jax_acts.experiments.records import RunRecord, Value
from jax_acts.experiments.report.builders import compare_report, paired_test_sections
from jax_acts.experiments.report.comparisons import conclude, group_runs
from jax_acts.experiments.report.format import join
from jax_acts.experiments.report.model import Column, DataSummary, Metric, Report
from jax_acts.experiments.stats import NON_NEGATIVE, paired_tests
from jax_acts.experiments.study import PreparedStudy, RunSpec, Study, concat_grids
from jax_acts.experiments.train.classification import cross_entropy, linen_functions
from jax_acts.experiments.train.loop import Metrics, Params, Task
from jax_acts.linen import Residuals

LOSS = Metric(
    "test_loss",
    "test loss",
    "nats",
    digits=3,
    lower_is_better=True,
    bounds=NON_NEGATIVE,
)

SHAZEER = {
    "sigmoid": "GLU",
    "identity": "Bilinear",
    "relu": "ReGLU",
    "gelu": "GEGLU",
    "silu": "SwiGLU",
}
"""The names of gated blocks in Shazeer (2020)."""


class ModelConfig(schema.Section):
    """The network; a gated block has 2 / 3 of the width of a plain one."""

    layers: int = Field(default=2, ge=1, le=100)
    features: int = Field(default=48, ge=3, le=16_384, multiple_of=3)
    heads: int = Field(default=4, ge=1, le=256)
    expansion: int = Field(default=4, ge=1, le=64)


class Config(base.TrainingStudyConfig):
    """A language model with each plain and each gated block."""

    plain: schema.Activations
    gated: schema.Activations
    text: schema.TextConfig = schema.TextConfig()
    model: ModelConfig = ModelConfig()
    residuals: common.Distinct[Residuals] = ("named",)
    """What the backward pass of an MLP block saves; the first one is the baseline."""
    length: int = Field(default=64, ge=2, le=8192)
    """Length of the context, in characters."""
    num_test: int = Field(default=200, ge=1, le=100_000)
    """Number of test sequences."""
    training: schema.TrainingConfig = schema.TrainingConfig(
        batch_size=32, clip_norm=1.0
    )
    trial_batch: schema.TrialBatch = schema.TrialBatch(size=1)

    QUICK: ClassVar = {
        "plain": base.keep(1),
        "gated": base.keep(1),
        "model": ModelConfig(layers=1, features=12, heads=2, expansion=2),
        "length": 16,
        "num_test": 8,
        "training": lambda training: training.shorten(batch_size=4),
    }


def runs(config: Config) -> tuple[RunSpec, ...]:
    """Return the runs; those of a block share its programs."""
    axes = {"residuals": config.residuals, "seed": range(config.seeds)}
    return concat_grids(
        {"block": ["plain"], "activation": config.plain} | axes,
        {"block": ["gated"], "activation": config.gated} | axes,
    )


def prepare(config: Config) -> PreparedStudy:
    text = texts.load_text(config.text)
    _check(config, text)
    train, test = jnp.asarray(text.train), jnp.asarray(text.test)
    windows = texts.even_windows(test, config.num_test, config.length)
    num_characters = len(text.characters)
    contents = (
        f"{len(train):,} training and {len(test):,} test characters, "
        f"{num_characters} distinct."
    )
    return base.prepare_training(
        config,
        summarize(config),
        {"train": train, "test": windows},
        partial(make_task, config, num_characters),
        activations=(*config.plain, *config.gated),
        data_contents={_text_title(config): contents},
    )


def make_task(
    config: Config, num_characters: int, axes: Axes, data: Mapping[str, Array]
) -> Task:
    """Return the task of a block."""
    is_gated, length = axes["block"] == "gated", config.length
    sizes = config.model.model_dump() | {"residuals": axes["residuals"]}
    model = Transformer(axes["activation"], is_gated, num_characters, length, **sizes)
    init, apply = linen_functions(model)

    def draw(key: Array) -> Array:
        return texts.windows(key, data["train"], config.training.batch_size, length)

    def loss(params: Params, batch: Array) -> Array:
        return cross_entropy(apply(params, batch[:, :-1]), batch[:, 1:])

    def metrics(params: Params) -> Metrics:
        return {LOSS.name: loss(params, data["test"])}

    return Task(lambda key: init(key, data["test"][:1, :-1]), draw, loss, metrics)


def _check(config: Config, text: texts.Text) -> None:
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
    source = texts.TEXTS.get(config.text.name)
    return source.title if source else str(config.text.path)


def summarize(config: Config) -> str:
    return base.describe_setup(
        config,
        f"{len(config.plain)} plain and {len(config.gated)} gated blocks with "
        f"residuals {join(config.residuals)}",
        f"a decoder with {config.model.layers} layers, {config.model.features} "
        f"features and contexts of up to {config.length} characters",
        _text_title(config),
    )


def block_name(axes: Mapping[str, Value]) -> str:
    """Return the display name of a block.

    >>> block_name({"block": "gated", "activation": "gelu", "residuals": "named"})
    'GEGLU'
    >>> block_name({"block": "gated", "activation": "mish", "residuals": "int8"})
    'mish, gated, int8'
    """
    name, residuals = str(axes["activation"]), axes["residuals"]
    if axes["block"] == "gated":
        name = SHAZEER.get(name, f"{name}, gated")
    return name if residuals == "named" else f"{name}, {residuals}"


def residual_pairs(config: Config) -> list[tuple[str, str]]:
    """Return each block with other residuals and the block with the first ones."""
    blocks = {"plain": config.plain, "gated": config.gated}
    first, *others = config.residuals
    name = lambda *axes: block_name(
        dict(zip(("block", "activation", "residuals"), axes, strict=True))
    )
    return [
        (name(block, activation, residuals), name(block, activation, first))
        for block, activations in blocks.items()
        for activation in activations
        for residuals in others
    ]


def report(config: Config, records: Sequence[RunRecord]) -> Report:
    comparison = group_runs(
        records,
        runs(config),
        by=("block", "activation", "residuals"),
        label=block_name,
        series_label=block_name,
        title="block",
    )
    groups = comparison.runs.groupby("group")
    blocks = groups["block"].first().map("{} blocks (mean)".format)
    means = comparison.scores(LOSS).dropna().T.groupby(blocks).mean().T
    pair = ("gated blocks (mean)", "plain blocks (mean)")
    tests = paired_tests(means.reindex(columns=list(pair)), [pair])
    conclusion = conclude(comparison, LOSS)
    if (tests["n"] > 1).any():
        conclusion += f" {common.conclude_pairs(tests, LOSS)}"
    rounded = common.compare_pairs(comparison, LOSS, residual_pairs(config))
    if (rounded["n"] > 1).any():
        conclusion = f"{common.conclude_pairs(rounded, LOSS)} {conclusion}"
    column = Column("num_params", "weights", lambda n: f"{n:,}", essential=False)
    source = texts.TEXTS.get(config.text.name)
    return compare_report(
        STUDY.question,
        summarize(config),
        comparison,
        LOSS,
        conclusion=conclusion,
        table=common.table_with(comparison, LOSS, column, groups["num_params"].first()),
        sections=(
            *paired_test_sections(rounded, LOSS, "Residuals"),
            *paired_test_sections(tests, LOSS, "Gated against plain"),
        ),
        notes=_NOTES,
        data=(DataSummary(_text_title(config), source.origin if source else ""),),
    )


_NOTES = (
    "The names of gated blocks are those of N. Shazeer, arXiv 2002.05202. They have "
    "2 / 3 of the width of plain ones, so that all networks have as many weights.",
    "The last tenth of the text is the test split. Losses are in nats per character.",
)

STUDY = Study("transformer", __doc__ or "", Config, runs, prepare, report)
