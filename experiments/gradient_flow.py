"""How large are the gradients in the first layers of a deep network?"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar

import pandas as pd
from pydantic import Field

from jax_acts.experiments.base import (
    ActivationStudyConfig,
    Depth,
    Width,
    data_title,
    keep,
    prepare_classification,
    summarize_data,
    training_length,
)
from jax_acts.experiments.config.schema import TrainingConfig
from jax_acts.experiments.models import MLP
from jax_acts.experiments.models.mlp import Initializer
from jax_acts.experiments.records import RunRecord, Value
from jax_acts.experiments.report.builders import compare_report
from jax_acts.experiments.report.charts import axis_chart, layer_chart
from jax_acts.experiments.report.comparisons import (
    ACCURACY,
    NO_CONCLUSION,
    Comparison,
    group_runs,
)
from jax_acts.experiments.report.format import join, number
from jax_acts.experiments.report.model import Chart, Metric, Report
from jax_acts.experiments.study import PreparedStudy, RunSpec, Study, grid
from jax_acts.experiments.train.classification import (
    DeviceData,
    classification,
    gradient_metrics,
    layer_metrics,
)
from jax_acts.experiments.train.loop import Task
from jax_acts.experiments.train.trial import MakeTask

NORMS = Metric("log10_gradient_norm", "log10 of the gradient norm")
RATIO = Metric("log10_gradient_ratio", "log10 of the gradient ratio after training")
RATIO_BEFORE = RATIO._replace(
    title="log10 of the gradient ratio before training", at="first"
)
RMS = Metric(
    "preactivation_rms", "pre-activation RMS of the last layer", layer=-1, at="first"
)
LEARNS = 20
"""Accuracy (%) above which a network is said to learn; chance is 10 %."""


class Config(ActivationStudyConfig):
    """MLPs with each activation, depth and initializer."""

    depths: Annotated[
        tuple[Depth, ...], Field(min_length=1, max_length=50, strict=False)
    ] = (2, 5, 10, 20, 50)
    initializers: Annotated[
        tuple[Initializer, ...], Field(min_length=1, max_length=4, strict=False)
    ] = ("lecun", "gain")
    width: Width = 64
    training: TrainingConfig = TrainingConfig(steps=300, batch_size=64, clip_norm=1.0)

    QUICK: ClassVar[Mapping[str, Any]] = {
        **ActivationStudyConfig.QUICK,
        "depths": keep(1),
        "initializers": keep(-1, None),
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


def make_task(config: Config, num_classes: int, fixed: Mapping[str, Value]) -> MakeTask:
    """Return the task of an activation, a depth and an initializer."""
    initializer: Any = fixed["initializer"]
    model = MLP(
        fixed["activation"],
        int(fixed["depth"]),
        config.width,
        num_classes,
        initializer,
    )

    def make(_: Any, data: DeviceData) -> Task:
        return classification(
            model,
            data,
            config.training,
            extra_metrics=lambda params: (
                gradient_metrics(model, params, data)
                | layer_metrics(model, params, data)
            ),
        )

    return make


def prepare(config: Config) -> PreparedStudy:
    """Return the study with its data on the device."""
    return prepare_classification(config, summarize(config), make_task)


def summarize(config: Config) -> str:
    """Return the setup in one sentence."""
    return (
        f"{len(config.activations)} activations × depths "
        f"{', '.join(map(str, config.depths))} × initializers "
        f"{', '.join(config.initializers)} × {config.seeds} seeds: MLPs of width "
        f"{config.width} on {data_title(config.data)}, {config.training.describe()}."
    )


def report(config: Config, records: Sequence[RunRecord]) -> Report:
    """Return the report of the study."""
    within = ("depth", "initializer")
    comparison = group_runs(
        records, runs(config), by=("activation", *within), within=within, title="MLP"
    ).derive(NORMS.name, RATIO.name, _ratio)
    return compare_report(
        STUDY.question,
        summarize(config),
        comparison,
        conclusion=conclude(config, comparison),
        columns=(RATIO_BEFORE, RATIO, RMS),
        charts=_charts(config, comparison),
        notes=_NOTES,
        data=(summarize_data(config.data),),
    )


def _ratio(norms: pd.DataFrame) -> pd.Series:
    """Return log10 of |gradient of the first kernel| / |gradient of the last|."""
    depths = norms.index.get_level_values("depth")
    rows = zip(norms.to_numpy(float), depths, strict=True)
    return pd.Series([row[0] - row[depth] for row, depth in rows], norms.index, float)


def _charts(config: Config, comparison: Comparison) -> list[Chart]:
    charts, deepest = [], max(config.depths)
    for initializer in config.initializers:
        own = comparison.select(initializer=initializer)
        deep = own.select(depth=deepest)
        where = f"initializer {initializer}"
        charts += [
            layer_chart(
                deep,
                NORMS._replace(at=at),
                f"Gradient norm {when} training, depth {deepest}, {where}",
                "A gradient that underflows to 0 is not drawn.",
            )
            for at, when in (("first", "before"), ("last", "after"))
        ]
        charts += [
            axis_chart(
                own,
                RATIO_BEFORE,
                "depth",
                f"Gradient ratio by depth, {where}",
                "Below 0 gradients vanish, above 0 they explode.",
                x_title="hidden layers",
            ),
            axis_chart(
                own,
                ACCURACY,
                "depth",
                f"Test accuracy by depth, {where}",
                x_title="hidden layers",
            ),
        ]
    return charts


def conclude(config: Config, comparison: Comparison) -> str:
    """Return the gradient ratios at the largest depth, and which networks learn."""
    deepest = max(config.depths)
    deep = comparison.select(depth=deepest)
    parts, learns = [], []
    for initializer in config.initializers:
        own = deep.select(initializer=initializer)
        if own.values(ACCURACY).empty:
            continue
        ratios = own.values(RATIO_BEFORE).groupby("activation")["value"].mean()
        accuracy = own.values(ACCURACY).groupby("activation")["value"].mean()
        names = [name for name in config.activations if name in ratios]
        texts = [
            f"{name} {number(ratios[name], 1)}"
            if ratios[name] == ratios[name]
            else f"{name} underflows to 0"
            for name in names
        ]
        parts.append(f"with {initializer}: {join(texts)}")
        learns += [
            f"{name} with {initializer} ({accuracy[name]:.0f} %)"
            for name in names
            if accuracy[name] > LEARNS
        ]
    if not parts:
        return NO_CONCLUSION
    exceed = join(learns) if learns else "no network"
    return (
        f"log10 of |gradient of the first kernel| / |gradient of the last| at "
        f"{deepest} hidden layers before training, {'; '.join(parts)}. After "
        f"{training_length(config.training)} a test accuracy above {LEARNS} % is "
        f"reached by {exceed}."
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

STUDY = Study("gradient_flow", __doc__ or "", Config, runs, prepare, report)
