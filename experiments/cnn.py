"""Which activation trains a small convolutional network best?"""

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

import jax
from pydantic import Field

from experiments.common import DEAD, RATIO, Axes
from jax_acts.experiments import base
from jax_acts.experiments.base import ActivationStudyConfig, activation_runs, pluralize
from jax_acts.experiments.config.errors import ConfigError, ConfigIssue
from jax_acts.experiments.config.schema import DataConfig, Section, TrainingConfig
from jax_acts.experiments.datasets.registry import load_images
from jax_acts.experiments.models import CNN
from jax_acts.experiments.records import RunRecord
from jax_acts.experiments.report import charts
from jax_acts.experiments.report.builders import compare_report, default_charts
from jax_acts.experiments.report.comparisons import ACCURACY, group_runs
from jax_acts.experiments.report.model import Metric, Report
from jax_acts.experiments.stats import NON_NEGATIVE
from jax_acts.experiments.study import PreparedStudy, Study
from jax_acts.experiments.train import classification
from jax_acts.experiments.train.classification import PROBE_SIZE, DeviceData
from jax_acts.experiments.train.loop import Metrics, Params, Task
from jax_acts.experiments.train.metrics import image_metrics

STEP_TIME = Metric("step_seconds", "time per step", "ms", 1000, bounds=NON_NEGATIVE)
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

    QUICK: ClassVar = {
        "data.num_train": base.at_most(96),
        "data.num_test": base.at_most(96),
        "model.channels": lambda channels: (4,) * len(channels[:2]),
    }


def prepare(config: Config) -> PreparedStudy:
    images = load_images(config.data, config.training.batch_size)
    height, width, _ = images.input_shape
    limit = min(height, width).bit_length() - 1
    count = len(config.model.channels)
    if config.model.pool == "average" and count > limit:
        message = (
            f"model.channels: expected at most {limit} blocks for images of {height} × "
            f"{width}, got {count}"
        )
        raise ConfigError(ConfigIssue("model.channels", message))
    return base.prepare_classification(summarize, make_task, config, images)


def make_task(config: Config, num_classes: int, axes: Axes, data: DeviceData) -> Task:
    """Return the task of an activation."""
    model = CNN(
        axes["activation"], config.model.channels, num_classes, config.model.pool
    )

    def metrics(params: Params) -> Metrics:
        probe = data.x[:PROBE_SIZE], data.y[:PROBE_SIZE]
        gradient = jax.grad(task.loss)(params, probe)
        return image_metrics(
            model, params, gradient, data.normalize, data.x_test, data.y_test
        )

    functions = classification.linen_functions(model)
    task = classification.supervised(*functions, data, config.training, metrics=metrics)
    return task


def summarize(config: Config) -> str:
    counts = {"training": config.data.num_train, "test": config.data.num_test}
    limits = ", ".join(f"{n:,} {split} images" for split, n in counts.items() if n)
    channels = ", ".join(map(str, config.model.channels))
    return base.describe_setup(
        config,
        pluralize(len(config.activations), "activation"),
        f"a CNN of {pluralize(len(config.model.channels), 'block')} (3 × 3 convolution "
        f"with {channels} channels, activation, {config.model.pool} pooling)",
        base.data_title(config.data) + (limits and f" ({limits})"),
    )


def report(config: Config, records: Sequence[RunRecord]) -> Report:
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
            charts.change_chart(
                comparison,
                RATIO,
                "Gradient ratio before and after training",
                "At 0 both norms are equal; at −2 the first is a hundredth.",
            ),
            charts.change_chart(
                comparison, DEAD, "Dead units before and after training"
            ),
            charts.dot_chart(comparison, STEP_TIME),
        ),
        notes=_NOTES,
        data=(base.summarize_data(config.data),),
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
