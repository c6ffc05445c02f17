"""Which activations train fifty plain layers, shaped and unshaped?"""

import functools
from collections.abc import Sequence
from typing import ClassVar, Literal

import flax.linen as nn
import jax.numpy as jnp
import pandas as pd
from jax import Array

import jax_acts
from experiments.common import Axes, Distinct, describe_mlp
from jax_acts.experiments import base
from jax_acts.experiments.config import schema
from jax_acts.experiments.models import MLP
from jax_acts.experiments.models.mlp import Initializer
from jax_acts.experiments.records import RunRecord
from jax_acts.experiments.report import comparisons
from jax_acts.experiments.report.builders import compare_report
from jax_acts.experiments.report.comparisons import ACCURACY, TRAIN_LOSS
from jax_acts.experiments.report.format import join
from jax_acts.experiments.report.model import Report, to_rows
from jax_acts.experiments.report.tables import number_column, score_table
from jax_acts.experiments.study import RunSpec, Study, concat_grids
from jax_acts.experiments.train.classification import DeviceData, classification
from jax_acts.experiments.train.loop import Task
from jax_acts.shaping import dks, tat

Shaping = Literal["unshaped", "dks", "tat"]
_AXES = ("activation", "shaping", "initializer")
_RATE = "learning_rate"


class Network(schema.Section):
    """An activation, whether it is shaped, and the initializer of the kernels."""

    activation: schema.Activation
    shaping: Shaping = "unshaped"
    initializer: Initializer = "gain"


class Config(base.DataStudyConfig):
    """Deep MLPs without residual connections or normalization layers."""

    networks: Distinct[Network]
    learning_rates: schema.Numbers = (3e-3, 1e-3, 3e-4, 1e-4)
    depth: base.Depth = 50
    width: base.Width = 128

    QUICK: ClassVar = {
        "networks": base.keep(2),
        "learning_rates": base.keep(1),
        "depth": base.at_most(4),
        "width": 8,
    }


class NormalizedMLP(MLP):
    """An MLP of inputs scaled to mean square 1, example by example."""

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Return float32 outputs `(n, outputs)` of x `(n, …)`."""
        x = x.reshape(x.shape[0], -1)
        return super().__call__(x / jnp.sqrt(jnp.mean(x * x, axis=1, keepdims=True)))


def runs(config: Config) -> tuple[RunSpec, ...]:
    """Return the runs; those of a network share its programs."""
    return concat_grids(
        *(
            {
                **{axis: [getattr(network, axis)] for axis in _AXES},
                _RATE: config.learning_rates,
                "seed": range(config.seeds),
            }
            for network in config.networks
        )
    )


@functools.cache
def shape(activation: str, shaping: Shaping, depth: int) -> jax_acts.Bound:
    """Return the activation, shaped for a depth unless it is "unshaped"."""
    match shaping:
        case "unshaped":
            return jax_acts.get(activation)
        case "dks":
            return dks(activation, depth)
        case "tat":
            return tat(activation, depth)


def make_task(config: Config, num_classes: int, axes: Axes, data: DeviceData) -> Task:
    """Return the task of a network and a learning rate."""
    activation = shape(axes["activation"], axes["shaping"], config.depth)
    model = NormalizedMLP(
        activation, config.depth, config.width, num_classes, axes["initializer"]
    )
    task = classification(model, data, config.training)
    return task._replace(learning_rate=axes[_RATE])


def prepare(config: Config) -> base.PreparedStudy:
    return base.prepare_classification(
        summarize,
        make_task,
        config,
        activations=[network.activation for network in config.networks],
        numeric=(_RATE,),
    )


def summarize(config: Config) -> str:
    training = config.training
    rates = ", ".join(f"{rate:g}" for rate in config.learning_rates)
    return (
        f"{base.pluralize(len(config.networks), 'network')} × learning rates {rates} × "
        f"{base.pluralize(config.seeds, 'seed')}: {describe_mlp(config)} on "
        f"{base.data_title(config.data)}, {base.training_length(training)} of "
        f"{training.batch_size} examples with {training.optimizer.kind}, "
        f"{training.schedule} schedule."
    )


def best_rates(config: Config, records: Sequence[RunRecord]) -> pd.Series:
    """Return the learning rate with the lowest mean training loss of each network.

    A rate with a diverged run is not selected while another has none.
    """
    frame = pd.DataFrame(
        [
            {**r.axes, "diverged": r.status == "diverged", "loss": r.last_loss}
            for r in records
        ],
        columns=[*_AXES, _RATE, "diverged", "loss"],
    )
    means = frame.groupby([*_AXES, _RATE], sort=False)[["diverged", "loss"]].mean()
    ranking = means.sort_values(["diverged", "loss"], kind="stable").reset_index()
    return ranking.groupby([*_AXES], sort=False)[_RATE].first()


def report(config: Config, records: Sequence[RunRecord]) -> Report:
    rates = best_rates(config, records)

    def is_best(axes: Axes) -> bool:
        network = tuple(axes[axis] for axis in _AXES)
        return axes[_RATE] == rates.get(network, config.learning_rates[0])

    comparison = comparisons.group_runs(
        [record for record in records if is_best(record.axes)],
        [run for run in runs(config) if is_best(dict(run.axes))],
        by=_AXES,
        series=("shaping",),
        title="network",
    )
    extra = comparison.runs.reindex(columns=["group", _RATE]).groupby("group").first()
    column = number_column(
        _RATE, "learning rate", 4, meaning="that of the lowest mean training loss"
    )
    return compare_report(
        STUDY.question,
        summarize(config),
        comparison,
        conclusion=conclude(comparison),
        table=score_table(comparison, ACCURACY, (TRAIN_LOSS,), extra, (column,)),
        notes=_NOTES,
        data=(base.summarize_data(config.data),),
    )


def conclude(comparison: comparisons.Comparison) -> str:
    """Return the mean test accuracy of each network, the best first."""
    table = comparison.summary(ACCURACY).dropna(subset=["mean"])
    if table.empty:
        return comparisons.NO_CONCLUSION
    rows = to_rows(table.sort_values("mean", ascending=False, kind="stable"))
    texts = [f"{row['group']} {row['mean']:.1f} %" for row in rows]
    return f"Test accuracy at the best learning rate: {join(texts)}."


_NOTES = (
    "A network is an activation, its shaping and the initializer of the kernels. Each "
    "has the learning rate with its lowest mean training loss; no learning rate is "
    "selected by test accuracy.",
    "No network has residual connections or normalization layers. Inputs are scaled to "
    "mean square 1, example by example, as shaped activations assume.",
    "lecun: variance 1 / fan_in. glorot: 2 / (fan_in + fan_out). gain: gain² / fan_in; "
    "the gain of a shaped activation is 1.",
)

STUDY = Study("depth", __doc__ or "", Config, runs, prepare, report)
