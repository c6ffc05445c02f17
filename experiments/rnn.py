"""Which activation lets a recurrent network remember?"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

import jax
import jax.numpy as jnp
import pandas as pd
from jax import Array
from pydantic import AfterValidator, Field

from jax_acts.experiments.base import DataStudyConfig, data_title, summarize_data
from jax_acts.experiments.config.schema import (
    Activation,
    DataConfig,
    Section,
    TrainingConfig,
    TrialBatch,
    check_distinct,
)
from jax_acts.experiments.datasets import adding_problem
from jax_acts.experiments.datasets.registry import load_images
from jax_acts.experiments.models import RNN
from jax_acts.experiments.models.rnn import Cell, Recurrent
from jax_acts.experiments.records import RunRecord, Value
from jax_acts.experiments.report.builders import compare_report
from jax_acts.experiments.report.charts import curve_chart, dot_chart, layer_chart
from jax_acts.experiments.report.comparisons import ACCURACY, group_runs
from jax_acts.experiments.report.model import DataSummary, Metric, Report
from jax_acts.experiments.study import PreparedStudy, RunSpec, Study, grid
from jax_acts.experiments.train.classification import (
    DeviceData,
    accuracy,
    cross_entropy,
    linen_functions,
    make_sampler,
    squared_error,
    to_device,
)
from jax_acts.experiments.train.loop import Metrics, Params, Task
from jax_acts.experiments.train.metrics import log10_norm
from jax_acts.experiments.train.trial import MakeTask, Trial, prepare_trial

ERROR = Metric(
    "squared_error",
    "test squared error",
    digits=4,
    lower_is_better=True,
    bounds=(0, float("inf")),
)
NORMS = Metric("log10_input_gradient_norm", "log10 of the gradient norm")
RATIO = Metric("log10_gradient_ratio", "log10 of the gradient ratio after training")
RATIO_BEFORE = RATIO._replace(
    title="log10 of the gradient ratio before training", at="first"
)
NUM_POSITIONS = 20
"""Number of positions of a sequence at which gradients are measured."""


class NetworkConfig(Section):
    """A recurrent network: cell, activation and initializer."""

    activation: Activation
    cell: Cell = "plain"
    recurrent: Recurrent = "orthogonal"
    """Initializer of the state-to-state kernel."""
    gate: Activation = "sigmoid"

    @property
    def name(self) -> str:
        """The display name: "relu, identity initializer"."""
        cell = "" if self.cell == "plain" else f" in {self.cell.upper()}"
        gate = f", gates {self.gate}" if cell and self.gate != "sigmoid" else ""
        init = ", identity initializer" if self.recurrent == "identity" else ""
        return f"{self.activation}{cell}{gate}{init}"


class Config(DataStudyConfig):
    """Each network, on one task with a long memory."""

    networks: Annotated[
        tuple[NetworkConfig, ...],
        AfterValidator(check_distinct),
        Field(min_length=1, max_length=50, strict=False),
    ]
    task: Literal["adding", "rows", "pixels"] = "adding"
    """The adding problem, or images row by row or pixel by pixel."""
    length: int = Field(default=50, ge=2, le=10_000)
    """Length of the sequences of the adding problem."""
    data: DataConfig = DataConfig(name="digits")
    """The images of the other tasks."""
    hidden: int = Field(default=64, ge=1, le=16_384)
    """Size of the state."""
    training: TrainingConfig = TrainingConfig(batch_size=50, clip_norm=1.0)
    trial_batch: TrialBatch = TrialBatch(size=1)

    QUICK: ClassVar[Mapping[str, Any]] = {
        **DataStudyConfig.QUICK,
        "networks": lambda networks: networks[:: len(networks) - 1 or 1],
        "length": 8,
        "data.num_test": 32,
        "hidden": 8,
    }


def runs(config: Config) -> tuple[RunSpec, ...]:
    """Return the runs; those of a network share its programs."""
    names = [network.name for network in config.networks]
    return grid(network=names, seed=range(config.seeds))


class Sequences(NamedTuple):
    """The sampler of training batches, and the test sequences."""

    sampler: Any
    x_test: Array
    y_test: Array


def prepare(config: Config) -> PreparedStudy:
    """Return the study with its data on the device."""
    if config.task == "adding":
        key = jax.random.key(2**31)
        data: Any = adding_problem.draw(key, 1000, config.length)
        num_train, num_outputs, contents = 0, 1, {}
    else:
        images = load_images(config.data, config.training.batch_size)
        data, num_train = to_device(images), len(images.train.y)
        num_outputs = images.num_outputs
        contents = {data_title(config.data): images.describe()}
    networks = {network.name: network for network in config.networks}

    def make_group_task(fixed: Mapping[str, Value]) -> MakeTask:
        return make_task(config, num_outputs, networks[str(fixed["network"])])

    trial = Trial(
        summarize(config),
        data,
        make_group_task,
        num_train=num_train,
        activations=[network.activation for network in config.networks],
        source=make_task,
        data_contents=contents,
    )
    return prepare_trial(trial, config.training, config.trial_batch)


def make_task(config: Config, num_outputs: int, network: NetworkConfig) -> MakeTask:
    """Return the task of a network."""
    model = RNN(
        network.activation,
        config.hidden,
        num_outputs,
        network.cell,
        network.recurrent,
        network.gate,
    )
    init, apply = linen_functions(model)
    is_regression = config.task == "adding"
    loss_of = squared_error if is_regression else cross_entropy

    def loss(params: Params, batch: tuple[Array, Array]) -> Array:
        x, y = batch
        return loss_of(apply(params, x), y)

    def make(_: Any, data: Any) -> Task:
        sequences = _make_sequences(config, data)
        x_test, y_test = sequences.x_test, sequences.y_test

        def metrics(params: Params) -> Metrics:
            gradient = jax.grad(lambda x: loss(params, (x, y_test[:64])))(x_test[:64])
            length = gradient.shape[1]
            positions = jnp.linspace(0, length - 1, NUM_POSITIONS).astype(int)
            norms = {NORMS.name: jax.vmap(log10_norm, 1)(gradient[:, positions])}
            if is_regression:
                return {"squared_error": loss(params, (x_test, y_test)), **norms}
            return {"accuracy": accuracy(apply(params, x_test), y_test), **norms}

        return Task(lambda key: init(key, x_test[:1]), sequences.sampler, loss, metrics)

    return make


def _make_sequences(config: Config, data: Any) -> Sequences:
    """Return the sequences of a task, from the data on the device."""
    training = config.training
    if isinstance(data, adding_problem.Sums):
        draw = partial(
            adding_problem.draw, count=training.batch_size, length=config.length
        )
        return Sequences(draw, data.sequences, data.sums)
    images: DeviceData = data

    def to_sequences(x: Array) -> Array:
        scaled = images.normalize(x)
        if config.task == "pixels":
            return scaled.reshape((len(x), -1, 1))
        return scaled.reshape((len(x), x.shape[1], -1))

    def take(indices: Array) -> tuple[Array, Array]:
        return to_sequences(images.x[indices]), images.y[indices]

    sampler = make_sampler(len(images.y), training, take)
    return Sequences(sampler, to_sequences(images.x_test), images.y_test)


def summarize(config: Config) -> str:
    """Return the setup in one sentence."""
    task = (
        f"the adding problem with sequences of length {config.length}"
        if config.task == "adding"
        else f"{data_title(config.data)}, {config.task[:-1]} by {config.task[:-1]}"
    )
    return (
        f"{len(config.networks)} networks with a state of {config.hidden} × "
        f"{config.seeds} seeds on {task}, {config.training.describe()}."
    )


def report(config: Config, records: Sequence[RunRecord]) -> Report:
    """Return the report of the study."""
    comparison = group_runs(records, runs(config), by=("network",)).derive(
        NORMS.name, RATIO.name, _ratio
    )
    is_regression = config.task == "adding"
    metric = ERROR if is_regression else ACCURACY
    gradient_charts = [
        layer_chart(
            comparison,
            NORMS._replace(at=at),
            f"Gradient norm by position, {when} training",
            f"{NUM_POSITIONS} positions from the first input to the last. A gradient "
            "that underflows to 0 is not drawn.",
        )
        for at, when in (("first", "before"), ("last", "after"))
    ]
    return compare_report(
        STUDY.question,
        summarize(config),
        comparison,
        metric,
        columns=(RATIO_BEFORE, RATIO),
        charts=(
            dot_chart(comparison, metric),
            curve_chart(comparison, metric),
            *gradient_charts,
        ),
        notes=(*(_ADDING_NOTES if is_regression else ()), *_NOTES),
        data=(_ADDING_DATA if is_regression else summarize_data(config.data),),
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
