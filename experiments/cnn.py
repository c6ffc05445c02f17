"""Which activation trains a small convolutional network best?"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

import jax
from pydantic import Field

from jax_acts.experiments.base import (
    ActivationStudyConfig,
    activation_runs,
    at_most,
    data_title,
    pluralize,
    summarize_data,
)
from jax_acts.experiments.config.errors import ConfigError, ConfigIssue
from jax_acts.experiments.config.schema import DataConfig, Section, TrainingConfig
from jax_acts.experiments.datasets.registry import load_images
from jax_acts.experiments.models import CNN
from jax_acts.experiments.records import RunRecord, Value
from jax_acts.experiments.report.builders import compare_report, default_charts
from jax_acts.experiments.report.charts import change_chart, dot_chart
from jax_acts.experiments.report.comparisons import ACCURACY, group_runs
from jax_acts.experiments.report.model import Metric, Report
from jax_acts.experiments.study import PreparedStudy, Study
from jax_acts.experiments.train.classification import (
    PROBE_SIZE,
    DeviceData,
    linen_functions,
    supervised,
    to_device,
)
from jax_acts.experiments.train.loop import Metrics, Params, Task
from jax_acts.experiments.train.metrics import image_metrics
from jax_acts.experiments.train.trial import MakeTask, Trial, prepare_trial

DEAD = Metric(
    "dead_fraction",
    "dead units",
    "%",
    scale=100,
    digits=1,
    lower_is_better=True,
    bounds=(0, 100),
)
RATIO = Metric("log10_gradient_ratio", "log10 of the gradient ratio")
STEP_TIME = Metric("step_seconds", "time per step", "ms", scale=1000)
"""Of one run: the time of its trial batch / (steps × runs)."""


class ModelConfig(Section):
    """The network: one block for each entry of `channels`, and a linear head."""

    channels: tuple[Annotated[int, Field(ge=1, le=4096)], ...] = Field(
        default=(8, 16, 32), min_length=1, max_length=8, strict=False
    )
    pool: Literal["average", "stride"] = "average"
    """How a block halves the image; both are linear, unlike max-pooling."""


class Config(ActivationStudyConfig):
    """A convolutional network with each activation."""

    data: DataConfig = DataConfig()
    model: ModelConfig = ModelConfig()
    training: TrainingConfig = TrainingConfig(epochs=5, batch_size=50)

    QUICK: ClassVar[Mapping[str, Any]] = {
        **ActivationStudyConfig.QUICK,
        "data.num_train": at_most(96),
        "data.num_test": at_most(96),
        "model.channels": lambda channels: (4,) * len(channels[:2]),
    }


def prepare(config: Config) -> PreparedStudy:
    """Return the study with its images on the device."""
    images = load_images(config.data, config.training.batch_size)
    _check_blocks(config, images.input_shape)
    num_classes = images.num_outputs

    def make_group_task(fixed: Mapping[str, Value]) -> MakeTask:
        return make_task(config, num_classes, str(fixed["activation"]))

    trial = Trial(
        summarize(config),
        to_device(images),
        make_group_task,
        num_train=len(images.train.y),
        activations=config.activations,
        source=make_task,
        data_contents={data_title(config.data): images.describe()},
    )
    return prepare_trial(trial, config.training, config.trial_batch)


def make_task(config: Config, num_classes: int, activation: str) -> MakeTask:
    """Return the task of an activation."""
    model = CNN(activation, config.model.channels, num_classes, config.model.pool)
    init, apply = linen_functions(model)

    def make(_: Any, data: DeviceData) -> Task:
        def metrics(params: Params) -> Metrics:
            probe = data.x[:PROBE_SIZE], data.y[:PROBE_SIZE]
            gradient = jax.grad(task.loss)(params, probe)
            return image_metrics(
                model, params, gradient, data.normalize, data.x_test, data.y_test
            )

        task = supervised(init, apply, data, config.training, metrics=metrics)
        return task

    return make


def _check_blocks(config: Config, shape: Sequence[int]) -> None:
    """Raise a `ConfigError` if the blocks halve the images to nothing."""
    height, width, _ = shape
    limit = min(height, width).bit_length() - 1
    count = len(config.model.channels)
    if config.model.pool == "average" and count > limit:
        message = (
            f"model.channels: expected at most {limit} blocks for images of {height} × "
            f"{width}, got {count}"
        )
        raise ConfigError(ConfigIssue("model.channels", message))


def summarize(config: Config) -> str:
    """Return the setup in one sentence."""
    counts = {"training": config.data.num_train, "test": config.data.num_test}
    limits = ", ".join(f"{n:,} {split} images" for split, n in counts.items() if n)
    channels = ", ".join(map(str, config.model.channels))
    return (
        f"{pluralize(len(config.activations), 'activation')} × "
        f"{pluralize(config.seeds, 'seed')}: a CNN of "
        f"{pluralize(len(config.model.channels), 'block')} (3 × 3 convolution with "
        f"{channels} channels, activation, {config.model.pool} pooling) on "
        f"{data_title(config.data)}{limits and f' ({limits})'}, "
        f"{config.training.describe()}."
    )


def report(config: Config, records: Sequence[RunRecord]) -> Report:
    """Return the report of the study."""
    comparison = group_runs(records, activation_runs(config))
    runs = comparison.runs
    runs["step_seconds"] = runs["train_seconds"] / runs["steps"]
    return compare_report(
        STUDY.question,
        summarize(config),
        comparison,
        columns=(DEAD, RATIO, STEP_TIME),
        charts=(
            *default_charts(comparison, ACCURACY),
            change_chart(
                comparison,
                RATIO,
                "Gradient ratio before and after training",
                "At 0 both norms are equal; at −2 the first is a hundredth.",
            ),
            change_chart(comparison, DEAD, "Dead units before and after training"),
            dot_chart(comparison, STEP_TIME),
        ),
        notes=_NOTES,
        data=(summarize_data(config.data),),
    )


_NOTES = (
    "Dead units: channels whose activation has a derivative of exactly 0 at every "
    "location of every test image, so that no gradient reaches their weights.",
    f"Gradient ratio: norm of the gradient of the first kernel / that of the last "
    f"kernel, on the same {PROBE_SIZE} training images.",
    "Time per step: time of a trial batch / (steps × runs), without compilation and "
    "evaluation.",
    "All activations use the same learning rate, which was not tuned for each.",
)

STUDY = Study("cnn", __doc__ or "", Config, activation_runs, prepare, report)
