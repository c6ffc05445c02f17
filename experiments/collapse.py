"""What is a deep network without a nonlinearity?"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import ClassVar

import jax.numpy as jnp
import pandas as pd
from jax import Array

from experiments import common
from experiments.common import Axes, Distinct
from jax_acts.experiments import base
from jax_acts.experiments.config.schema import Activations, DataConfig
from jax_acts.experiments.models import MLP
from jax_acts.experiments.models.mlp import collapse_layers
from jax_acts.experiments.records import RunRecord
from jax_acts.experiments.report import comparisons
from jax_acts.experiments.report.builders import compare_report
from jax_acts.experiments.report.comparisons import ACCURACY
from jax_acts.experiments.report.format import interval, join
from jax_acts.experiments.report.model import Column, Metric, Report, to_rows
from jax_acts.experiments.stats import NON_NEGATIVE, mean_ci
from jax_acts.experiments.study import PreparedStudy, RunSpec, Study, grid
from jax_acts.experiments.train.classification import (
    DeviceData,
    classification,
    linen_functions,
    to_device,
)
from jax_acts.experiments.train.loop import Metrics, Params, Task

LINEAR = "no hidden layer"
"""The control: a linear model with the same training."""
DISTANCE = Metric("linear_distance", "distance from one matrix", bounds=NON_NEGATIVE)


def _shrink(datasets: tuple[DataConfig, ...]) -> tuple[DataConfig, ...]:
    size = {"num_train": base.QUICK_EXAMPLES, "num_test": base.QUICK_EXAMPLES}
    return (datasets[0].model_copy(update=size),)


class Config(base.TrainingStudyConfig):
    """MLPs with each activation, and a linear model, on each dataset."""

    activations: Activations
    datasets: Distinct[DataConfig] = (
        DataConfig(name="mnist_5k"),
        DataConfig(name="mnist_1d"),
    )
    depth: base.Depth = 4
    width: base.Width = 100

    QUICK: ClassVar = {"activations": base.keep(2), "datasets": _shrink, "width": 8}


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
    datasets = {
        data.name: base.load_labeled(data, config.training.batch_size)
        for data in config.datasets
    }
    num_classes = {name: dataset.num_outputs for name, dataset in datasets.items()}
    return base.prepare_training(
        config,
        summarize(config),
        {name: to_device(dataset) for name, dataset in datasets.items()},
        partial(make_task, config, num_classes),
        num_train=min(len(dataset.train.y) for dataset in datasets.values()),
        activations=config.activations,
        data_contents={
            base.data_title(data): datasets[data.name].describe()
            for data in config.datasets
        },
    )


def make_task(
    config: Config,
    num_classes: Mapping[str, int],
    axes: Axes,
    data: Mapping[str, DeviceData],
) -> Task:
    """Return the task of a network on a dataset."""
    own, network = data[axes["dataset"]], axes["network"]
    depth, activation = config.depth, network
    if network == LINEAR:
        depth, activation = 0, "identity"
    model = MLP(activation, depth, config.width, num_classes[axes["dataset"]], "gain")
    _, apply = linen_functions(model)

    def distance(params: Params) -> Metrics:
        x = own.normalize(own.x_test)
        return {DISTANCE.name: linear_distance(params, apply(params, x), x)}

    return classification(model, own, config.training, extra_metrics=distance)


def summarize(config: Config) -> str:
    return base.describe_setup(
        config,
        f"{base.pluralize(len(config.activations), 'activation')} and a linear model",
        f"{common.describe_mlp(config)}, with kernels of variance gain² / fan_in,",
        join([base.data_title(data) for data in config.datasets]),
    )


def report(config: Config, records: Sequence[RunRecord]) -> Report:
    titles = {data.name: base.data_title(data) for data in config.datasets}
    comparison = comparisons.group_runs(
        records,
        runs(config),
        by=("network", "dataset"),
        within=("dataset",),
        label=lambda axes: f"{axes['network']}, {titles[str(axes['dataset'])]}",
        title="network",
    )
    largest = comparison.values(DISTANCE).groupby("group")["value"].max()
    column = Column(
        DISTANCE.name,
        DISTANCE.title,
        lambda value: f"{value:.1e}" if value == value else "–",
        meaning="max |output − (x W + b)| / max |output| over all seeds",
    )
    return compare_report(
        STUDY.question,
        summarize(config),
        comparison,
        conclusion=conclude(config, comparison),
        table=common.table_with(comparison, ACCURACY, column, largest),
        charts=common.charts_by(comparison, ACCURACY, "dataset", titles),
        notes=_NOTES,
        data=tuple(map(base.summarize_data, config.datasets)),
    )


def conclude(config: Config, comparison: comparisons.Comparison) -> str:
    """Return the accuracy of the linear networks and of the best other network."""
    distance = comparison.select(network="identity").values(DISTANCE)["value"]
    if distance.empty:
        return comparisons.NO_CONCLUSION
    parts = []
    for data in config.datasets:
        values = comparison.select(dataset=data.name).values(ACCURACY)
        table = mean_ci(values, "network", bounds=ACCURACY.bounds)
        table = table.sort_values("mean", ascending=False)
        linear = table["network"].isin(["identity", LINEAR])
        texts = [
            f"{row['network']} {row['mean']:.1f} % "
            f"{interval(row['ci_low'], row['ci_high'], 1)}".strip()
            for row in to_rows(pd.concat([table[linear], table[~linear].head(1)]))
        ]
        if texts:
            parts.append(f"{base.data_title(data)}: {', '.join(texts)}")
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
