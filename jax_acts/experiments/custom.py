"""Which activation is best for this model on this dataset?"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np
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
from jax_acts.experiments.stats import NON_NEGATIVE
from jax_acts.experiments.study import PreparedStudy, Study
from jax_acts.experiments.train import classification
from jax_acts.experiments.train.loop import Metrics, Params, Task
from jax_acts.experiments.train.trial import MakeTask, Trial, prepare_trial

R2 = Metric("r2", "test R²", digits=3, bounds=(float("-inf"), 1))
RMSE = Metric("rmse", "test RMSE", digits=3, lower_is_better=True, bounds=NON_NEGATIVE)
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
    factory = load_factory(config.model, config.import_path)
    return prepare_custom(config, factory, dataset)


def prepare_custom(config: Config, factory: Factory, dataset: Dataset) -> PreparedStudy:
    """Return the study of a factory and a dataset in memory.

    Raises:
        ConfigError: A model is invalid; see `build_model`.
    """
    sizes = dataset.num_outputs, dataset.input_shape
    models = {name: build_model(factory, name, *sizes) for name in config.activations}

    def make_group_task(fixed: Mapping[str, Value]) -> MakeTask:
        model = models[str(fixed["activation"])]
        return lambda numbers, data: user_task(model, data, config.training, dataset)

    trial = Trial(
        summarize(config),
        classification.to_device(dataset),
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


def user_task(
    model: Model,
    data: classification.DeviceData,
    training: TrainingConfig,
    dataset: Dataset,
) -> Task:
    """Return the task of a model: cross-entropy, or squared error of scaled targets.

    Args:
        model: The model.
        data: The dataset on the device.
        training: Batch size and sampling.
        dataset: The dataset, whose training targets determine their scale.
    """

    def outputs(params: Params) -> Array:
        count = len(data.x_test)
        size = min(EVAL_BATCH, count)
        indices = jnp.arange(-(-count // size) * size).reshape(-1, size) % count
        apply = lambda index: model.apply(params, data.normalize(data.x_test[index]))
        y = jax.lax.map(apply, indices)
        return y.reshape(-1, y.shape[-1])[:count]

    def classification_metrics(params: Params) -> Metrics:
        return {"accuracy": classification.accuracy(outputs(params), data.y_test)}

    def regression_metrics(params: Params) -> Metrics:
        y = outputs(params) * std + mean
        mse = classification.squared_error(y, data.y_test)
        r2 = classification.r2_score(y, data.y_test)
        return {"r2": r2, "rmse": jnp.sqrt(mse)}

    make_task = partial(
        classification.supervised, model.init, model.apply, data, training
    )
    if dataset.num_classes is not None:
        return make_task(metrics=classification_metrics)
    mean, std = dataset.train.y.mean(0), dataset.train.y.std(0)
    std = np.where(std > 0, std, 1)
    loss = lambda y, t: classification.squared_error(y, (t - mean) / std)
    return make_task(loss=loss, metrics=regression_metrics)


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
