"""Which activation lets a recurrent network remember?"""

from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar, Literal

import jax
import jax.numpy as jnp
import pandas as pd
from jax import Array
from pydantic import Field

from experiments.common import RATIO, Axes, Distinct, before_and_after
from jax_acts.experiments import base
from jax_acts.experiments.config import schema
from jax_acts.experiments.datasets import adding_problem
from jax_acts.experiments.datasets.registry import load_images
from jax_acts.experiments.models import RNN
from jax_acts.experiments.models.rnn import Cell, Recurrent
from jax_acts.experiments.records import RunRecord
from jax_acts.experiments.report import charts
from jax_acts.experiments.report.builders import compare_report
from jax_acts.experiments.report.comparisons import ACCURACY, group_runs
from jax_acts.experiments.report.model import DataSummary, Metric, Report
from jax_acts.experiments.stats import NON_NEGATIVE
from jax_acts.experiments.study import PreparedStudy, RunSpec, Study, grid
from jax_acts.experiments.train import classification
from jax_acts.experiments.train.loop import Metrics, Params, Task
from jax_acts.experiments.train.metrics import log10_norm

ERROR = Metric(
    "squared_error",
    "test squared error",
    digits=4,
    lower_is_better=True,
    bounds=NON_NEGATIVE,
)
NORMS = Metric("log10_input_gradient_norm", "log10 of the gradient norm")
NUM_POSITIONS = 20
"""Number of positions of a sequence at which gradients are measured."""


class NetworkConfig(schema.Section):
    """A recurrent network: cell, activation and initializer."""

    activation: schema.Activation
    cell: Cell = "plain"
    recurrent: Recurrent = "orthogonal"
    """Initializer of the state-to-state kernel."""
    gate: schema.Activation = "sigmoid"

    @property
    def name(self) -> str:
        """The display name: "relu, identity initializer"."""
        cell = "" if self.cell == "plain" else f" in {self.cell.upper()}"
        gate = f", gates {self.gate}" if cell and self.gate != "sigmoid" else ""
        init = ", identity initializer" if self.recurrent == "identity" else ""
        return f"{self.activation}{cell}{gate}{init}"


class Config(base.DataStudyConfig):
    """Each network, on one task with a long memory."""

    networks: Distinct[NetworkConfig]
    task: Literal["adding", "rows", "pixels"] = "adding"
    """The adding problem, or images row by row or pixel by pixel."""
    length: int = Field(default=50, ge=2, le=10_000)
    """Length of the sequences of the adding problem."""
    data: schema.DataConfig = schema.DataConfig(name="digits")
    """The images of the other tasks."""
    hidden: int = Field(default=64, ge=1, le=16_384)
    """Size of the state."""
    training: schema.TrainingConfig = schema.TrainingConfig(
        batch_size=50, clip_norm=1.0
    )
    trial_batch: schema.TrialBatch = schema.TrialBatch(size=1)

    QUICK: ClassVar = {
        "networks": lambda networks: networks[:: len(networks) - 1 or 1],
        "length": 8,
        "data.num_test": 32,
        "hidden": 8,
    }


def runs(config: Config) -> tuple[RunSpec, ...]:
    """Return the runs; those of a network share its programs."""
    names = [network.name for network in config.networks]
    return grid(network=names, seed=range(config.seeds))


def prepare(config: Config) -> PreparedStudy:
    activations = [network.activation for network in config.networks]
    if config.task != "adding":
        images = load_images(config.data, config.training.batch_size)
        return base.prepare_classification(
            summarize, make_task, config, images, activations=activations
        )
    return base.prepare_training(
        config,
        summarize(config),
        adding_problem.draw(jax.random.key(2**31), 1000, config.length),
        partial(make_task, config, 1),
        activations=activations,
    )


def make_task(config: Config, num_outputs: int, axes: Axes, data: Any) -> Task:
    """Return the task of a network."""
    network = next(n for n in config.networks if n.name == axes["network"])
    model = RNN(
        network.activation,
        config.hidden,
        num_outputs,
        network.cell,
        network.recurrent,
        network.gate,
    )
    init, apply = classification.linen_functions(model)
    if config.task == "adding":
        score, loss_of = ERROR.name, classification.squared_error
        score_of = loss_of
        x_test, y_test = data
        sampler = partial(
            adding_problem.draw, count=config.training.batch_size, length=config.length
        )
    else:
        score, loss_of = ACCURACY.name, classification.cross_entropy
        score_of = classification.accuracy
        x_test, y_test = _to_sequences(config, data, data.x_test), data.y_test
        sampler = classification.make_sampler(
            len(data.y),
            config.training,
            lambda n: (_to_sequences(config, data, data.x[n]), data.y[n]),
        )

    def loss(params: Params, batch: tuple[Array, Array]) -> Array:
        x, y = batch
        return loss_of(apply(params, x), y)

    def metrics(params: Params) -> Metrics:
        gradient = jax.grad(lambda x: loss(params, (x, y_test[:64])))(x_test[:64])
        positions = jnp.linspace(0, gradient.shape[1] - 1, NUM_POSITIONS).astype(int)
        return {
            score: score_of(apply(params, x_test), y_test),
            NORMS.name: jax.vmap(log10_norm, 1)(gradient[:, positions]),
        }

    return Task(lambda key: init(key, x_test[:1]), sampler, loss, metrics)


def _to_sequences(config: Config, data: classification.DeviceData, x: Array) -> Array:
    """Return images as sequences of rows or of pixels."""
    shape = (len(x), -1, 1) if config.task == "pixels" else (*x.shape[:2], -1)
    return data.normalize(x).reshape(shape)


def summarize(config: Config) -> str:
    task = (
        f"the adding problem with sequences of length {config.length}"
        if config.task == "adding"
        else f"{base.data_title(config.data)}, {config.task[:-1]} by {config.task[:-1]}"
    )
    networks = base.pluralize(len(config.networks), "network")
    return base.describe_setup(config, networks, f"a state of {config.hidden}", task)


def report(config: Config, records: Sequence[RunRecord]) -> Report:
    comparison = group_runs(records, runs(config), by=("network",)).derive(
        NORMS.name, RATIO.name, _ratio
    )
    is_regression = config.task == "adding"
    metric = ERROR if is_regression else ACCURACY
    return compare_report(
        STUDY.question,
        summarize(config),
        comparison,
        metric,
        columns=before_and_after(RATIO),
        charts=(
            charts.dot_chart(comparison, metric),
            charts.curve_chart(comparison, metric),
            *(
                charts.layer_chart(
                    comparison,
                    norms,
                    f"{norms.title.capitalize()}, by position",
                    f"{NUM_POSITIONS} positions from the first input to the last. A "
                    "gradient that underflows to 0 is not drawn.",
                )
                for norms in before_and_after(NORMS)
            ),
        ),
        notes=(*(_ADDING_NOTES if is_regression else ()), *_NOTES),
        data=(_ADDING_DATA if is_regression else base.summarize_data(config.data),),
    )


def _ratio(norms: pd.DataFrame) -> pd.Series:
    """Return log10 of |gradient in the first input| / |gradient in the last|."""
    ratios = [row[0] - row[-1] for row in norms.to_numpy(float)]
    return pd.Series(ratios, norms.index, float)


_ADDING_DATA = DataSummary(
    "Adding problem", "generated; S. Hochreiter and J. Schmidhuber, 1997"
)
_ADDING_NOTES = (
    f"The constant prediction 1 has a squared error of "
    f"{adding_problem.BASELINE_MSE:.4f}: a network below it uses at least one of the "
    "two marked values.",
)
_NOTES = (
    "The gradient is that of the loss of 64 test sequences in their inputs.",
    "All networks use the same learning rate, which was not tuned for each.",
)

STUDY = Study("rnn", __doc__ or "", Config, runs, prepare, report)
