"""What is a deep network without a nonlinearity?"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar

import jax.numpy as jnp
import pandas as pd
from jax import Array
from pydantic import AfterValidator, Field

from jax_acts.experiments.base import (
    QUICK_EXAMPLES,
    Depth,
    TrainingStudyConfig,
    Width,
    data_title,
    keep,
    load_labeled,
    rows,
    summarize_data,
)
from jax_acts.experiments.config.schema import Activations, DataConfig, check_distinct
from jax_acts.experiments.models import MLP
from jax_acts.experiments.models.mlp import collapse_layers
from jax_acts.experiments.records import RunRecord, Value
from jax_acts.experiments.report.builders import compare_report
from jax_acts.experiments.report.charts import curve_chart, dot_chart
from jax_acts.experiments.report.comparisons import (
    ACCURACY,
    NO_CONCLUSION,
    Comparison,
    group_runs,
)
from jax_acts.experiments.report.format import interval
from jax_acts.experiments.report.model import Column, Metric, Report
from jax_acts.experiments.report.tables import score_table
from jax_acts.experiments.study import PreparedStudy, RunSpec, Study, grid
from jax_acts.experiments.train.classification import (
    DeviceData,
    classification,
    linen_functions,
    to_device,
)
from jax_acts.experiments.train.loop import Metrics, Params, Task
from jax_acts.experiments.train.trial import MakeTask, Trial, prepare_trial

LINEAR = "no hidden layer"
"""The control: a linear model with the same training."""
DISTANCE = Metric("linear_distance", "distance from one matrix")


def _shrink(datasets: tuple[DataConfig, ...]) -> tuple[DataConfig, ...]:
    size = {"num_train": QUICK_EXAMPLES, "num_test": QUICK_EXAMPLES}
    return tuple(data.model_copy(update=size) for data in datasets[:1])


class Config(TrainingStudyConfig):
    """MLPs with each activation, and a linear model, on each dataset."""

    activations: Activations
    datasets: Annotated[
        tuple[DataConfig, ...],
        AfterValidator(check_distinct),
        Field(min_length=1, max_length=10, strict=False),
    ] = (DataConfig(name="mnist_5k"), DataConfig(name="mnist_1d"))
    depth: Depth = 4
    width: Width = 100

    QUICK: ClassVar[Mapping[str, Any]] = {
        **TrainingStudyConfig.QUICK,
        "activations": keep(2),
        "datasets": _shrink,
        "width": 8,
    }


def runs(config: Config) -> tuple[RunSpec, ...]:
    """Return the runs; those of a network on a dataset share its programs."""
    return grid(
        dataset=[data.name for data in config.datasets],
        network=[LINEAR, *config.activations],
        seed=range(config.seeds),
    )


def linear_distance(params: Params, outputs: Array, x: Array) -> Array:
    """Return max |outputs - (x W + b)| / max |outputs|.

    W and b are the products of the layers without their activations.
    """
    matrix, bias = collapse_layers(params)
    flat = x.reshape(len(x), -1)
    linear = jnp.matmul(flat, matrix, precision="highest") + bias
    return jnp.abs(outputs - linear).max() / jnp.abs(outputs).max()


def prepare(config: Config) -> PreparedStudy:
    """Return the study with its data on the device."""
    datasets = {
        data.name: load_labeled(data, config.training.batch_size)
        for data in config.datasets
    }

    def make_task(fixed: Mapping[str, Value]) -> MakeTask:
        name, network = str(fixed["dataset"]), fixed["network"]
        depth = 0 if network == LINEAR else config.depth
        activation = "identity" if network == LINEAR else network
        model = MLP(activation, depth, config.width, datasets[name].num_outputs, "gain")
        _, apply = linen_functions(model)

        def make(_: Any, data: Mapping[str, DeviceData]) -> Task:
            def distance(params: Params) -> Metrics:
                x = data[name].normalize(data[name].x_test)
                return {"linear_distance": linear_distance(params, apply(params, x), x)}

            return classification(
                model, data[name], config.training, extra_metrics=distance
            )

        return make

    trial = Trial(
        summarize(config),
        {name: to_device(dataset) for name, dataset in datasets.items()},
        make_task,
        num_train=min(len(dataset.train.y) for dataset in datasets.values()),
        activations=config.activations,
        data_contents={
            data_title(data): datasets[data.name].describe() for data in config.datasets
        },
    )
    return prepare_trial(trial, config.training, config.trial_batch)


def summarize(config: Config) -> str:
    """Return the setup in one sentence."""
    datasets = " and ".join(map(data_title, config.datasets))
    return (
        f"{len(config.activations)} MLPs with {config.depth} hidden layers of width "
        f"{config.width}, and a linear model, from {config.seeds} seeds, trained on "
        f"{datasets} for {config.training.describe()}; the variance of kernels is "
        "gain² / fan_in."
    )


def report(config: Config, records: Sequence[RunRecord]) -> Report:
    """Return the report of the study."""
    titles = {data.name: data_title(data) for data in config.datasets}
    comparison = group_runs(
        records,
        runs(config),
        by=("network", "dataset"),
        within=("dataset",),
        label=lambda axes: f"{axes['network']}, {titles[str(axes['dataset'])]}",
        title="network",
    )
    charts = []
    for name, title in titles.items():
        own = comparison.select(dataset=name)
        charts += [
            dot_chart(own, ACCURACY, f"Test accuracy, {title}"),
            curve_chart(own, ACCURACY, f"Test accuracy by step, {title}"),
        ]
    largest = comparison.values(DISTANCE).groupby("group")["value"].max()
    column = Column(
        "linear_distance",
        DISTANCE.title,
        lambda value: f"{value:.1e}" if value == value else "–",
        meaning="max |output − (x W + b)| / max |output| over all seeds",
    )
    return compare_report(
        STUDY.question,
        summarize(config),
        comparison,
        conclusion=conclude(config, comparison),
        table=score_table(
            comparison,
            ACCURACY,
            extra=pd.DataFrame({"linear_distance": largest}),
            extra_columns=[column],
        ),
        charts=charts,
        notes=_NOTES,
        data=tuple(map(summarize_data, config.datasets)),
    )


def conclude(config: Config, comparison: Comparison) -> str:
    """Return the accuracy of the linear networks and of the best other network."""
    distance = comparison.select(network="identity").values(DISTANCE)["value"]
    parts = []
    for data in config.datasets:
        own = comparison.select(dataset=data.name)
        networks = dict(own.runs[["group", "network"]].itertuples(index=False))
        table = own.summary(ACCURACY).dropna(subset=["mean"])
        ranking = rows(table.sort_values("mean", ascending=False))
        linear = [r for r in ranking if networks[r["group"]] in ("identity", LINEAR)]
        others = [r for r in ranking if r not in linear]
        texts = [
            f"{networks[row['group']]} {row['mean']:.1f} % "
            f"{interval(row['ci_low'], row['ci_high'], 1)}".strip()
            for row in (*linear, *others[:1])
        ]
        if len(linear) == 2:
            parts.append(f"{data_title(data)}: {', '.join(texts)}")
    if not parts:
        return NO_CONCLUSION
    return (
        "A linear model. After training, the outputs of the MLP with the identity "
        "differ from x W + b, with W the product of its kernels, by at most "
        f"{distance.max():.1e} of the largest output. Test accuracy [95 % CI] on "
        f"{'; on '.join(parts)}."
    )


_NOTES = (
    "Groups are compared on the same dataset.",
    "Distance from one matrix: W and b are the products of the layers in float32, "
    "without activations. Rounding accounts for about 1e-6.",
    "The networks have no pooling and no normalization: max-pooling is a nonlinearity "
    "and would hide the collapse.",
)

STUDY = Study("collapse", __doc__ or "", Config, runs, prepare, report)
