"""When do units die, and which activations keep them alive?"""

from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar

from experiments.common import DEAD, Axes, before_and_after, describe_mlp
from jax_acts.experiments import base
from jax_acts.experiments.config import schema
from jax_acts.experiments.models import MLP
from jax_acts.experiments.records import RunRecord
from jax_acts.experiments.report import comparisons
from jax_acts.experiments.report.builders import compare_report
from jax_acts.experiments.report.charts import axis_chart
from jax_acts.experiments.report.comparisons import ACCURACY
from jax_acts.experiments.report.format import join
from jax_acts.experiments.report.model import Report
from jax_acts.experiments.study import RunSpec, Study, grid
from jax_acts.experiments.train.classification import (
    DeviceData,
    classification,
    layer_metrics,
)
from jax_acts.experiments.train.loop import Metrics, Params, Task


class Config(base.ActivationStudyConfig):
    """MLPs with each activation, learning rate and initial bias."""

    learning_rates: schema.Numbers = (0.01, 0.1, 0.3)
    biases: schema.Numbers = (0.0, -1.0, -3.0)
    """Initial biases of the hidden layers."""
    data: schema.DataConfig = schema.DataConfig(name="digits")
    depth: base.Depth = 2
    width: base.Width = 128
    training: schema.TrainingConfig = schema.TrainingConfig(
        optimizer=schema.SGDConfig()
    )

    QUICK: ClassVar = {
        "learning_rates": base.keep(1),
        "biases": base.keep(-1, None),
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


def make_task(config: Config, num_classes: int, axes: Axes, data: DeviceData) -> Task:
    """Return the task of an activation, a learning rate and an initial bias."""
    bias = axes["bias"]
    model = MLP(
        axes["activation"], config.depth, config.width, num_classes, "gain", bias
    )

    def dead_fraction(params: Params) -> Metrics:
        return {DEAD.name: layer_metrics(model, params, data)[DEAD.name]}

    task = classification(model, data, config.training, extra_metrics=dead_fraction)
    return task._replace(learning_rate=axes["learning_rate"])


def summarize(config: Config) -> str:
    training = config.training
    rates, biases = (
        ", ".join(f"{value:g}" for value in values)
        for values in (config.learning_rates, config.biases)
    )
    return (
        f"{base.pluralize(len(config.activations), 'activation')} × learning rates "
        f"{rates} × initial biases {biases} × {base.pluralize(config.seeds, 'seed')}: "
        f"{describe_mlp(config)} on {base.data_title(config.data)}, "
        f"{base.training_length(training)} of {training.batch_size} examples with "
        f"{training.optimizer.kind}, {training.schedule} schedule."
    )


def report(config: Config, records: Sequence[RunRecord]) -> Report:
    within = ("learning_rate", "bias")
    comparison = comparisons.group_runs(
        records, runs(config), by=("activation", *within), within=within, title="MLP"
    )
    return compare_report(
        STUDY.question,
        summarize(config),
        comparison,
        conclusion=conclude(comparison),
        columns=before_and_after(DEAD),
        charts=[
            axis_chart(
                comparison.select(bias=bias),
                metric,
                "learning_rate",
                f"{metric.title.capitalize()}, initial bias {bias:g}",
            )
            for bias in config.biases
            for metric in (DEAD, ACCURACY)
        ],
        notes=_NOTES,
        data=(base.summarize_data(config.data),),
    )


def conclude(comparison: comparisons.Comparison) -> str:
    """Return where most units die, and the metrics of each activation there."""
    values = comparison.values(DEAD).rename(columns={"value": "dead"})
    values["accuracy"] = comparison.values(ACCURACY)["value"]
    groups = values.groupby(["activation", "learning_rate", "bias"], sort=False)
    means = groups[["dead", "accuracy"]].mean().dropna()
    if means.empty:
        return comparisons.NO_CONCLUSION
    worst: Any = means["dead"].idxmax()
    name, *place = worst
    own = means.loc[name]["dead"]
    least: Any = own.idxmin()
    where = "learning rate {:g} and initial bias {:g}".format
    others = [
        f"{activation}: {dead:.0f} % dead units, {accuracy:.0f} % accuracy"
        for (activation, *here), dead, accuracy in means.itertuples()
        if here == place
    ]
    return (
        f"{name} with {where(*place)} has most dead units, {own.max():.0f} %; with "
        f"{where(*least)} it has {own.min():.0f} %. At the first of these settings: "
        f"{join(others)}."
    )


_NOTES = (
    "Groups are compared at equal learning rate and initial bias.",
    "A unit is dead if the derivative of its activation is exactly 0 on all test "
    "examples: then no gradient reaches its weights. An elu or a gelu that is flat far "
    "below 0 counts as dead only where its derivative underflows.",
)

prepare = partial(
    base.prepare_classification,
    summarize,
    make_task,
    numeric=("learning_rate", "bias"),
)
STUDY = Study("dead_units", __doc__ or "", Config, runs, prepare, report)
