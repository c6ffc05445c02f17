"""The skeleton of studies that train networks: config fields, quick version, data."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Annotated, Any, ClassVar

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
from jax_acts.experiments.report.model import DataSummary
from jax_acts.experiments.study import PreparedStudy, RunSpec, grid
from jax_acts.experiments.train.classification import DeviceData, to_device
from jax_acts.experiments.train.loop import Task
from jax_acts.experiments.train.trial import Trial, prepare_trial

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

    QUICK: ClassVar = {"seeds": at_most(2), "training": TrainingConfig.shorten}


class DataStudyConfig(TrainingStudyConfig):
    """Fields of a study that trains on one dataset."""

    data: DataConfig = DataConfig(name="mnist_1d")

    QUICK: ClassVar = {
        "data.num_train": QUICK_EXAMPLES,
        "data.num_test": QUICK_EXAMPLES,
    }


class ActivationStudyConfig(DataStudyConfig):
    """Fields of a study that compares activations on one dataset."""

    activations: Activations

    QUICK: ClassVar = {"activations": keep(2)}


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
    summarize: Callable[[Any], str],
    make_task: Callable[[Any, int, Mapping[str, Any], DeviceData], Task],
    config: Any,
    dataset: Dataset | None = None,
    **options: Any,
) -> PreparedStudy:
    """Return a study of classifiers on the dataset of its config.

    Args:
        summarize: Returns the setup in one sentence from the config.
        make_task: Returns the task of a run from the config, the number of classes, the
            axes of the run and the data on the device.
        config: The config.
        dataset: The dataset, if it is loaded already.
        options: See `prepare_training`.
    """
    dataset = dataset or load_labeled(config.data, config.training.batch_size)
    return prepare_training(
        config,
        summarize(config),
        to_device(dataset),
        partial(make_task, config, dataset.num_outputs),
        num_train=len(dataset.train.y),
        data_contents={data_title(config.data): dataset.describe()},
        **{"activations": getattr(config, "activations", ())} | options,
    )


def prepare_training(
    config: TrainingStudyConfig,
    summary: str,
    data: Any,
    make_task: Callable[[Mapping[str, Any], Any], Task],
    **options: Any,
) -> PreparedStudy:
    """Return a study that trains the tasks of `make_task(axes, data)`.

    Args:
        config: The config.
        summary: The setup in one sentence.
        data: The arrays that all runs share.
        make_task: Returns the task of a run; numeric axes are traced arrays.
        options: `numeric`, `num_train`, `activations` and `data_contents` of `Trial`.
    """
    make_group_task = lambda fixed: (
        lambda numbers, data: make_task({**fixed, **numbers}, data)
    )
    trial = Trial(summary, data, make_group_task, source=make_task, **options)
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


def pluralize(count: int, noun: str) -> str:
    """Return a count with its noun.

    >>> pluralize(1, "seed"), pluralize(5, "seed")
    ('1 seed', '5 seeds')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def describe_setup(
    config: TrainingStudyConfig, factors: str, model: str, data: str
) -> str:
    """Return "FACTORS × 5 seeds: MODEL on DATA, 1,000 steps of 100 examples …."."""
    return (
        f"{factors} × {pluralize(config.seeds, 'seed')}: {model} on {data}, "
        f"{config.training.describe()}."
    )
