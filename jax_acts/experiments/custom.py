"""Which activation is best for this model on this dataset?"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from pydantic import Field

from jax_acts.experiments.base import (
    ActivationStudyConfig,
    activation_runs,
    pluralize,
)
from jax_acts.experiments.config.schema import ConfigPath, DataConfig, TrainingConfig
from jax_acts.experiments.datasets.dataset import Dataset
from jax_acts.experiments.datasets.registry import dataset_info, load_dataset
from jax_acts.experiments.models.factory import (
    Factory,
    Model,
    build_model,
    load_factory,
)
from jax_acts.experiments.records import RunRecord, Value
from jax_acts.experiments.report.builders import compare_report
from jax_acts.experiments.report.comparisons import ACCURACY, Comparison, group_runs
from jax_acts.experiments.report.model import DataSummary, Metric, Report
from jax_acts.experiments.study import PreparedStudy, Study
from jax_acts.experiments.train.classification import (
    DeviceData,
    accuracy,
    cross_entropy,
    r2_score,
    squared_error,
    supervised,
    to_device,
)
from jax_acts.experiments.train.loop import Metrics, Params, Task
from jax_acts.experiments.train.trial import MakeTask, Numbers, Trial, prepare_trial

R2 = Metric("r2", "test R²", digits=3, bounds=(float("-inf"), 1))
RMSE = Metric(
    "rmse", "test RMSE", digits=3, lower_is_better=True, bounds=(0, float("inf"))
)
EVAL_BATCH = 1000
"""Test examples in memory at a time."""


class Config(ActivationStudyConfig):
    """A model of the user, with each activation."""

    model: str = Field(pattern=r"^[^:]+:[^:]+$")
    """The factory of the model, "package.module:factory"."""
    import_path: Annotated[ConfigPath, Field(validate_default=True)] = Path()
    """The directory from which the module is imported; that of the config file by
    default."""
    data: DataConfig = DataConfig(name="digits")


def prepare(config: Config) -> PreparedStudy:
    """Return the study with its data on the device and its models checked."""
    dataset = load_dataset(config.data, config.training.batch_size)
    return prepare_custom(
        config, load_factory(config.model, config.import_path), dataset
    )


def prepare_custom(config: Config, factory: Factory, dataset: Dataset) -> PreparedStudy:
    """Return the study of a factory and a dataset in memory.

    Raises:
        ConfigError: A model is invalid; see `build_model`.
    """
    models = {
        activation: build_model(
            factory, activation, dataset.num_outputs, dataset.input_shape
        )
        for activation in config.activations
    }
    targets = _Targets.of(dataset)

    def make_group_task(fixed: Mapping[str, Value]) -> MakeTask:
        model = models[str(fixed["activation"])]

        def make_task(numbers: Numbers, data: DeviceData) -> Task:
            return user_task(model, data, config.training, targets)

        return make_task

    trial = Trial(
        summarize(config),
        to_device(dataset),
        make_group_task,
        num_train=len(dataset.train.y),
        activations=config.activations,
        source=factory,
    )
    return replace(
        prepare_trial(trial, config.training, config.trial_batch),
        data_hash=dataset.content_hash,
        data_contents={_data_title(config.data): dataset.describe()},
    )


class _Targets(NamedTuple):
    """Scale of regression targets; None for classification."""

    mean: Any
    std: Any

    @classmethod
    def of(cls, dataset: Dataset) -> "_Targets | None":
        if dataset.num_classes is not None:
            return None
        y = dataset.train.y
        std = y.std(0)
        return cls(y.mean(0), jnp.where(std > 0, std, 1))


def user_task(
    model: Model,
    data: DeviceData,
    training: TrainingConfig,
    targets: _Targets | None,
) -> Task:
    """Return the task of a model: cross-entropy, or squared error of scaled targets.

    Args:
        model: The model.
        data: The dataset.
        training: Batch size and sampling.
        targets: Mean and standard deviation of regression targets; None for classes.
    """

    def outputs(params: Params) -> Array:
        count = len(data.x_test)
        size = min(EVAL_BATCH, count)
        indices = jnp.arange(-(-count // size) * size).reshape(-1, size) % count
        apply = lambda index: model.apply(params, data.normalize(data.x_test[index]))
        y = jax.lax.map(apply, indices)
        return y.reshape(-1, y.shape[-1])[:count]

    def classification_metrics(params: Params) -> Metrics:
        return {"accuracy": accuracy(outputs(params), data.y_test)}

    def regression_metrics(params: Params) -> Metrics:
        assert targets is not None
        y = outputs(params) * targets.std + targets.mean
        return {
            "r2": r2_score(y, data.y_test),
            "rmse": jnp.sqrt(squared_error(y, data.y_test)),
        }

    def regression_loss(y: Array, target: Array) -> Array:
        assert targets is not None
        return squared_error(y, (target - targets.mean) / targets.std)

    is_regression = targets is not None
    return supervised(
        model.init,
        model.apply,
        data,
        training,
        loss=regression_loss if is_regression else cross_entropy,
        metrics=regression_metrics if is_regression else classification_metrics,
    )


def summarize(config: Config) -> str:
    """Return the setup in one sentence."""
    return (
        f"{pluralize(len(config.activations), 'activation')} × "
        f"{pluralize(config.seeds, 'seed')}: {config.model} on "
        f"{_data_title(config.data)}, {config.training.describe()}."
    )


def _data_title(data: DataConfig) -> str:
    path = f" {data.path.name}" if data.path else ""
    return f"{dataset_info(data).title}{path}"


def compare_activations(
    config: Config, records: Sequence[RunRecord]
) -> tuple[Comparison, Metric]:
    """Return the runs by activation, and the metric that decides: accuracy or R²."""
    comparison = group_runs(records, activation_runs(config), by=("activation",))
    is_regression = any("r2" in record.curves for record in records)
    return comparison, R2 if is_regression else ACCURACY


def report(config: Config, records: Sequence[RunRecord]) -> Report:
    """Return the report of the study."""
    comparison, metric = compare_activations(config, records)
    return compare_report(
        STUDY.question,
        summarize(config),
        comparison,
        metric,
        columns=(RMSE,) if metric is R2 else (),
        data=[DataSummary(_data_title(config.data), dataset_info(config.data).origin)],
        is_quick=bool(config.quick),
    )


STUDY = Study(
    "custom",
    (__doc__ or "").splitlines()[0],
    Config,
    activation_runs,
    prepare,
    report,
)
