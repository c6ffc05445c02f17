"""The skeleton of studies that train networks: config fields, quick version, data."""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, ClassVar

import pandas as pd
from pydantic import Field

from jax_acts.experiments.config.errors import ConfigError, ConfigIssue
from jax_acts.experiments.config.schema import (
    Activations,
    DataConfig,
    Seeds,
    StudyConfig,
    TrainingConfig,
    TrialBatch,
)
from jax_acts.experiments.datasets.dataset import Dataset
from jax_acts.experiments.datasets.registry import dataset_info, load_dataset
from jax_acts.experiments.records import Value
from jax_acts.experiments.report.model import DataSummary
from jax_acts.experiments.study import PreparedStudy, RunSpec, grid
from jax_acts.experiments.train.classification import to_device
from jax_acts.experiments.train.trial import MakeTask, Trial, prepare_trial

QUICK_EXAMPLES = 96


def keep(*bounds: int | None) -> Callable[[Sequence[Any]], Any]:
    """Return a function that takes the slice of a list, for a quick version."""
    return lambda values: values[slice(*bounds)]


def at_most(limit: int) -> Callable[[int | None], int]:
    """Return a function that limits a value, for a quick version."""
    return lambda value: limit if value is None else min(value, limit)


Depth = Annotated[int, Field(ge=1, le=1000)]
"""Number of hidden layers of an MLP."""
Width = Annotated[int, Field(ge=1, le=65_536)]
"""Features of each hidden layer of an MLP."""


class TrainingStudyConfig(StudyConfig):
    """Fields of every study that trains networks, from seeds 0 to `seeds` - 1."""

    seeds: Seeds = 5
    training: TrainingConfig = TrainingConfig()
    trial_batch: TrialBatch = TrialBatch()

    QUICK: ClassVar[Mapping[str, Any]] = {
        "seeds": at_most(2),
        "training": TrainingConfig.shorten,
    }


class DataStudyConfig(TrainingStudyConfig):
    """Fields of a study that trains on one dataset."""

    data: DataConfig = DataConfig(name="mnist_1d")

    QUICK: ClassVar[Mapping[str, Any]] = {
        **TrainingStudyConfig.QUICK,
        "data.num_train": QUICK_EXAMPLES,
        "data.num_test": QUICK_EXAMPLES,
    }


class ActivationStudyConfig(DataStudyConfig):
    """Fields of a study that compares activations on one dataset."""

    activations: Activations

    QUICK: ClassVar[Mapping[str, Any]] = {
        **DataStudyConfig.QUICK,
        "activations": keep(2),
    }


def activation_runs(config: Any) -> tuple[RunSpec, ...]:
    """Return the runs of each activation from each seed."""
    return grid(activation=config.activations, seed=range(config.seeds))


def load_labeled(data: DataConfig, batch_size: int) -> Dataset:
    """Load a classification dataset with at least `batch_size` training examples.

    Raises:
        ConfigError: The dataset is unknown, missing, too small or not of classes.
    """
    dataset = load_dataset(data, batch_size)
    if dataset.num_classes is None:
        message = f"data.name = {data.name!r}: expected class labels, got targets"
        raise ConfigError(ConfigIssue("data.name", message))
    return dataset


def prepare_classification(
    config: DataStudyConfig,
    summary: str,
    make_task: Callable[[Any, int, Mapping[str, Value]], MakeTask],
    *,
    activations: Sequence[str] = (),
    numeric: Sequence[str] = (),
) -> PreparedStudy:
    """Return a study of classifiers on the dataset of its config.

    Args:
        config: The config.
        summary: The setup in one sentence.
        make_task: Returns the task of a group from the config, the number of classes
            and the axes that are not numeric.
        activations: All activations; if left out, those of the config.
        numeric: The axes that are arguments of the programs.
    """
    dataset = load_labeled(config.data, config.training.batch_size)
    num_classes = dataset.num_outputs

    def make_group_task(fixed: Mapping[str, Value]) -> MakeTask:
        return make_task(config, num_classes, fixed)

    trial = Trial(
        summary,
        to_device(dataset),
        make_group_task,
        tuple(numeric),
        len(dataset.train.y),
        activations or getattr(config, "activations", ()),
        make_task,
        {data_title(config.data): dataset.describe()},
    )
    return prepare_trial(trial, config.training, config.trial_batch)


def data_title(data: DataConfig) -> str:
    """Return the display name of a dataset."""
    return dataset_info(data).title


def summarize_data(data: DataConfig) -> DataSummary:
    """Return name and origin of a dataset, without loading it."""
    info = dataset_info(data)
    return DataSummary(info.title, info.origin)


def training_length(training: TrainingConfig) -> str:
    """Return the length of a training.

    >>> training_length(TrainingConfig(epochs=1)), training_length(TrainingConfig())
    ('1 epoch', '1,000 steps')
    """
    if training.epochs:
        return pluralize(training.epochs, "epoch")
    return pluralize(training.steps or 0, "step")


def rows(frame: pd.DataFrame) -> list[Any]:
    """Return the rows of a frame as dicts by column."""
    return frame.to_dict("records")


def pluralize(count: int, noun: str) -> str:
    """Return a count with its noun.

    >>> pluralize(1, "seed"), pluralize(5, "seed")
    ('1 seed', '5 seeds')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
