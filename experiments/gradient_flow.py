"""How large are the gradients in the first layers of a deep network?"""

from collections.abc import Sequence
from functools import partial
from typing import ClassVar

import pandas as pd

from experiments.common import RATIO, Axes, Distinct, before_and_after
from jax_acts.experiments import base
from jax_acts.experiments.config.schema import TrainingConfig
from jax_acts.experiments.models import MLP
from jax_acts.experiments.models.mlp import Initializer
from jax_acts.experiments.records import RunRecord
from jax_acts.experiments.report import charts, comparisons
from jax_acts.experiments.report.builders import compare_report
from jax_acts.experiments.report.comparisons import ACCURACY
from jax_acts.experiments.report.format import join, number
from jax_acts.experiments.report.model import Chart, Metric, Report, to_rows
from jax_acts.experiments.stats import NON_NEGATIVE
from jax_acts.experiments.study import RunSpec, Study, grid
from jax_acts.experiments.train.classification import (
    DeviceData,
    classification,
    gradient_metrics,
    layer_metrics,
)
from jax_acts.experiments.train.loop import Metrics, Params, Task

NORMS = Metric("log10_gradient_norm", "log10 of the gradient norm")
RMS = Metric(
    "preactivation_rms",
    "pre-activation RMS of the last layer",
    bounds=NON_NEGATIVE,
    layer=-1,
    at="first",
)
LEARNS = 20
"""Accuracy (%) above which a network counts as learning; chance is 10 %."""


class Config(base.ActivationStudyConfig):
    """MLPs with each activation, depth and initializer."""

    depths: Distinct[base.Depth] = (2, 5, 10, 20, 50)
    initializers: Distinct[Initializer] = ("lecun", "gain")
    width: base.Width = 64
    training: TrainingConfig = TrainingConfig(steps=300, batch_size=64, clip_norm=1.0)

    QUICK: ClassVar = {
        "depths": base.keep(1),
        "initializers": base.keep(-1, None),
        "width": 8,
    }


def runs(config: Config) -> tuple[RunSpec, ...]:
    """Return the runs; those of a network share its programs."""
    return grid(
        initializer=config.initializers,
        depth=config.depths,
        activation=config.activations,
        seed=range(config.seeds),
    )


def make_task(config: Config, num_classes: int, axes: Axes, data: DeviceData) -> Task:
    """Return the task of an activation, a depth and an initializer."""
    model = MLP(
        axes["activation"],
        axes["depth"],
        config.width,
        num_classes,
        axes["initializer"],
    )

    def metrics(params: Params) -> Metrics:
        gradients = gradient_metrics(model, params, data)
        return gradients | layer_metrics(model, params, data)

    return classification(model, data, config.training, extra_metrics=metrics)


def summarize(config: Config) -> str:
    return base.describe_setup(
        config,
        f"{base.pluralize(len(config.activations), 'activation')} × depths "
        f"{', '.join(map(str, config.depths))} × initializers "
        f"{', '.join(config.initializers)}",
        f"MLPs of width {config.width}",
        base.data_title(config.data),
    )


def report(config: Config, records: Sequence[RunRecord]) -> Report:
    within = ("depth", "initializer")
    comparison = comparisons.group_runs(
        records, runs(config), by=("activation", *within), within=within, title="MLP"
    ).derive(NORMS.name, RATIO.name, _ratio)
    return compare_report(
        STUDY.question,
        summarize(config),
        comparison,
        conclusion=conclude(config, comparison),
        columns=(*before_and_after(RATIO), RMS),
        charts=_charts(config, comparison),
        notes=_NOTES,
        data=(base.summarize_data(config.data),),
    )


def _ratio(norms: pd.DataFrame) -> pd.Series:
    """Return log10 of |gradient of the first kernel| / |gradient of the last|."""
    depths = norms.index.get_level_values("depth")
    rows = zip(norms.to_numpy(float), depths, strict=True)
    return pd.Series([row[0] - row[depth] for row, depth in rows], norms.index, float)


def _charts(config: Config, comparison: comparisons.Comparison) -> list[Chart]:
    result, deepest = [], max(config.depths)
    for initializer in config.initializers:
        own = comparison.select(initializer=initializer)
        where = f"initializer {initializer}"
        for norms in before_and_after(NORMS):
            title = f"{norms.title.capitalize()}, depth {deepest}, {where}"
            note = "A gradient that underflows to 0 is not drawn."
            deep = own.select(depth=deepest)
            result.append(charts.layer_chart(deep, norms, title, note))
        for metric, note in (
            (
                RATIO._replace(at="first"),
                "Below 0 gradients vanish, above they explode.",
            ),
            (ACCURACY, ""),
        ):
            title = f"{metric.title.capitalize()} by depth, {where}"
            result.append(charts.axis_chart(own, metric, "depth", title, note))
    return result


def conclude(config: Config, comparison: comparisons.Comparison) -> str:
    """Return the gradient ratios at the largest depth, and which networks learn."""
    deep = comparison.select(depth=max(config.depths))
    values = deep.values(RATIO._replace(at="first"))
    values["accuracy"] = deep.values(ACCURACY)["value"]
    groups = values.groupby(["initializer", "activation"], sort=False)
    means = to_rows(groups[["value", "accuracy"]].mean().reset_index())
    if not means:
        return comparisons.NO_CONCLUSION
    ratios, learns = {}, []
    for row in means:
        name, initializer = row["activation"], row["initializer"]
        ratio = number(row["value"], 1).replace("–", "underflows to 0")
        ratios.setdefault(initializer, []).append(f"{name} {ratio}")
        if row["accuracy"] > LEARNS:
            learns.append(f"{name} with {initializer} ({row['accuracy']:.0f} %)")
    parts = [f"with {name}: {join(texts)}" for name, texts in ratios.items()]
    return (
        f"log10 of |gradient of the first kernel| / |gradient of the last| at "
        f"{max(config.depths)} hidden layers before training, {'; '.join(parts)}. "
        f"After {base.training_length(config.training)} a test accuracy above "
        f"{LEARNS} % is reached by {join(learns or ['no network'])}."
    )


_NOTES = (
    "Groups are compared at equal depth and initializer.",
    "lecun: variance 1 / fan_in, the default of Flax. gain: variance gain² / fan_in "
    "with the gain E[f(z)²]^−½ of the activation, which preserves the RMS of signals.",
    "Gradient ratio: norm of the gradient of the first kernel / that of the last "
    "kernel, on the same 256 training examples. Norms are stored as logarithms, which "
    "cover ranges beyond float32. A norm of exactly 0 is an underflow in the backward "
    "pass.",
)

prepare = partial(base.prepare_classification, summarize, make_task)
STUDY = Study("gradient_flow", __doc__ or "", Config, runs, prepare, report)
