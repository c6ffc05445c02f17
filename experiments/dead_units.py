"""When do units die, and which activations keep them alive?"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import pandas as pd

from jax_acts.experiments.base import (
    ActivationStudyConfig,
    Depth,
    Width,
    data_title,
    keep,
    prepare_classification,
    rows,
    summarize_data,
    training_length,
)
from jax_acts.experiments.config.schema import (
    DataConfig,
    Numbers,
    SGDConfig,
    TrainingConfig,
)
from jax_acts.experiments.models import MLP
from jax_acts.experiments.records import RunRecord, Value
from jax_acts.experiments.report.builders import compare_report
from jax_acts.experiments.report.charts import axis_chart
from jax_acts.experiments.report.comparisons import (
    ACCURACY,
    NO_CONCLUSION,
    Comparison,
    group_runs,
)
from jax_acts.experiments.report.format import join
from jax_acts.experiments.report.model import Metric, Report
from jax_acts.experiments.study import PreparedStudy, RunSpec, Study, grid
from jax_acts.experiments.train.classification import (
    DeviceData,
    classification,
    layer_metrics,
)
from jax_acts.experiments.train.loop import Metrics, Params, Task
from jax_acts.experiments.train.trial import MakeTask, Numbers as RunNumbers

DEAD = Metric(
    "dead_fraction",
    "dead units after training",
    "%",
    scale=100,
    digits=1,
    lower_is_better=True,
    bounds=(0, 100),
    layer="mean",
)
DEAD_BEFORE = DEAD._replace(title="dead units before training", at="first")


class Config(ActivationStudyConfig):
    """MLPs with each activation, learning rate and initial bias."""

    learning_rates: Numbers = (0.01, 0.1, 0.3)
    biases: Numbers = (0.0, -1.0, -3.0)
    """Initial biases of the hidden layers."""
    data: DataConfig = DataConfig(name="digits")
    depth: Depth = 2
    width: Width = 128
    training: TrainingConfig = TrainingConfig(optimizer=SGDConfig())

    QUICK: ClassVar[Mapping[str, Any]] = {
        **ActivationStudyConfig.QUICK,
        "learning_rates": keep(1),
        "biases": keep(-1, None),
        "width": 8,
    }


def runs(config: Config) -> tuple[RunSpec, ...]:
    """Return the runs; those of an activation share its programs."""
    return grid(
        activation=config.activations,
        learning_rate=config.learning_rates,
        bias=config.biases,
        seed=range(config.seeds),
    )


def make_task(config: Config, num_classes: int, fixed: Mapping[str, Value]) -> MakeTask:
    """Return the task of an activation."""

    def make(numbers: RunNumbers, data: DeviceData) -> Task:
        model = MLP(
            fixed["activation"],
            config.depth,
            config.width,
            num_classes,
            "gain",
            numbers["bias"],
        )

        def dead_fraction(params: Params) -> Metrics:
            metrics = layer_metrics(model, params, data)
            return {"dead_fraction": metrics["dead_fraction"]}

        task = classification(model, data, config.training, extra_metrics=dead_fraction)
        return task._replace(learning_rate=numbers["learning_rate"])

    return make


def prepare(config: Config) -> PreparedStudy:
    """Return the study with its data on the device."""
    return prepare_classification(
        config, summarize(config), make_task, numeric=("learning_rate", "bias")
    )


def summarize(config: Config) -> str:
    """Return the setup in one sentence."""
    training = config.training
    return (
        f"{len(config.activations)} activations × learning rates "
        f"{_join(config.learning_rates)} × initial biases {_join(config.biases)} × "
        f"{config.seeds} seeds: MLPs with {config.depth} hidden layers of width "
        f"{config.width} on {data_title(config.data)}, {training_length(training)} "
        f"of {training.batch_size} examples with "
        f"{training.optimizer.kind}, {training.schedule} schedule."
    )


def _join(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)


def report(config: Config, records: Sequence[RunRecord]) -> Report:
    """Return the report of the study."""
    within = ("learning_rate", "bias")
    comparison = group_runs(
        records, runs(config), by=("activation", *within), within=within, title="MLP"
    )
    charts = [
        axis_chart(
            comparison.select(bias=bias),
            metric,
            "learning_rate",
            f"{title}, initial bias {bias:g}",
        )
        for bias in config.biases
        for metric, title in ((DEAD, "Dead units"), (ACCURACY, "Test accuracy"))
    ]
    return compare_report(
        STUDY.question,
        summarize(config),
        comparison,
        conclusion=conclude(comparison),
        columns=(DEAD_BEFORE, DEAD),
        charts=charts,
        notes=_NOTES,
        data=(summarize_data(config.data),),
    )


def conclude(comparison: Comparison) -> str:
    """Return where most units die, and the metrics of each activation there."""
    axes = ["activation", "learning_rate", "bias"]
    values = comparison.values(DEAD)
    values["accuracy"] = comparison.values(ACCURACY)["value"]
    means = values.groupby(axes)[["value", "accuracy"]].mean().dropna().reset_index()
    if means.empty:
        return NO_CONCLUSION
    worst = rows(means.sort_values("value", ascending=False))[0]
    own = means[means["activation"] == worst["activation"]]
    least = rows(own.sort_values("value"))[0]
    same = means[(means[axes[1:]] == pd.Series(worst)[axes[1:]]).all(axis=1)]
    others = [
        f"{row['activation']}: {row['value']:.0f} % dead units, "
        f"{row['accuracy']:.0f} % accuracy"
        for row in rows(same)
    ]
    where = "learning rate {learning_rate:g} and initial bias {bias:g}"
    return (
        f"{worst['activation']} with {where.format(**worst)} has most dead units, "
        f"{worst['value']:.0f} %; with {where.format(**least)} it has "
        f"{least['value']:.0f} %. At the first of these settings: {join(others)}."
    )


_NOTES = (
    "Groups are compared at equal learning rate and initial bias.",
    "A unit is dead if the derivative of its activation is exactly 0 on all test "
    "examples: then no gradient reaches its weights. An elu or a gelu that is flat far "
    "below 0 counts as dead only where its derivative underflows.",
)

STUDY = Study("dead_units", __doc__ or "", Config, runs, prepare, report)
