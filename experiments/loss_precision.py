"""How often is the gradient of the correct class 0, and does an exact loss help?"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Annotated, ClassVar, Literal

import jax
import jax.numpy as jnp
import optax
from jax import Array
from pydantic import Field

from experiments.common import Axes, Distinct, describe_mlp
from jax_acts import losses
from jax_acts.experiments import base
from jax_acts.experiments.config.schema import Activation
from jax_acts.experiments.models import MLP
from jax_acts.experiments.records import RunRecord
from jax_acts.experiments.report.builders import compare_report
from jax_acts.experiments.report.charts import curve_chart, dot_chart
from jax_acts.experiments.report.comparisons import ACCURACY, group_runs
from jax_acts.experiments.report.model import DataSummary, Metric, Report
from jax_acts.experiments.study import PreparedStudy, RunSpec, Study, grid
from jax_acts.experiments.train.classification import (
    DeviceData,
    accuracy,
    linen_functions,
    supervised,
)
from jax_acts.experiments.train.loop import Metrics, Params, Task


def _negative_log_softmax(logits: Array, labels: Array) -> Array:
    log_p = jax.nn.log_softmax(logits)
    return -jnp.take_along_axis(log_p, labels[:, None], 1)[:, 0]


LOSSES: Mapping[str, Callable[[Array, Array], Array]] = {
    "optax": optax.softmax_cross_entropy_with_integer_labels,
    "jax.nn.log_softmax": _negative_log_softmax,
    "stablemax": losses.stablemax_loss,
    "jax_acts": losses.cross_entropy,
}
"""Losses of logits `(n, classes)` and labels `(n,)`, one per example."""

ZERO = Metric(
    "zero_gradient_fraction",
    "correct-class gradient exactly 0",
    "% of training examples",
    scale=100,
    digits=1,
    lower_is_better=True,
    bounds=(0, 100),
)
TRAIN_LOSS = Metric(
    "log10_exact_loss", "log10 of the exact training loss", lower_is_better=True
)


class Config(base.TrainingStudyConfig):
    """MLPs that learn modular addition with each loss."""

    losses: Distinct[Literal["optax", "jax.nn.log_softmax", "stablemax", "jax_acts"]]
    modulus: Annotated[int, Field(ge=2, le=512)] = 31
    """The classes are the sums of two numbers modulo this."""
    train_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.75
    activation: Activation = "relu"
    depth: base.Depth = 2
    width: base.Width = 128

    QUICK: ClassVar = {"modulus": base.at_most(7), "width": 16}


def modular_addition(modulus: int, train_fraction: float) -> DeviceData:
    """Return all pairs (a, b), one-hot, with the labels (a + b) mod `modulus`.

    The pairs are divided at random, in the same way for every run.
    """
    a, b = jnp.divmod(jnp.arange(modulus**2), modulus)
    x = jnp.concatenate([jax.nn.one_hot(v, modulus) for v in (a, b)], -1)
    order = jax.random.permutation(jax.random.key(0), modulus**2)
    x, y = x[order], ((a + b) % modulus)[order]
    count = round(train_fraction * len(x))
    return DeviceData(
        x[:count], y[:count], x[count:], y[count:], jnp.zeros(()), jnp.ones(())
    )


def runs(config: Config) -> tuple[RunSpec, ...]:
    """Return the runs; those of a loss share its programs."""
    return grid(loss=config.losses, seed=range(config.seeds))


def prepare(config: Config) -> PreparedStudy:
    data = modular_addition(config.modulus, config.train_fraction)
    return base.prepare_training(
        config,
        summarize(config),
        data,
        partial(make_task, config),
        num_train=len(data.y),
        activations=[config.activation],
    )


def make_task(config: Config, axes: Axes, data: DeviceData) -> Task:
    """Return the task of a loss."""
    loss = LOSSES[axes["loss"]]
    model = MLP(config.activation, config.depth, config.width, config.modulus)
    init, apply = linen_functions(model)

    def metrics(params: Params) -> Metrics:
        logits = apply(params, data.x)
        exact = losses.cross_entropy(logits, data.y).mean()
        return {
            "accuracy": accuracy(apply(params, data.x_test), data.y_test),
            "train_accuracy": accuracy(logits, data.y),
            ZERO.name: (correct_class_gradient(loss, logits, data.y) == 0).mean(),
            TRAIN_LOSS.name: jnp.log10(exact),
        }

    return supervised(
        init,
        apply,
        data,
        config.training,
        loss=lambda logits, labels: loss(logits, labels).mean(),
        metrics=metrics,
    )


def correct_class_gradient(
    loss: Callable[[Array, Array], Array], logits: Array, labels: Array
) -> Array:
    """Return the derivative of each example's loss in the logit of its label."""
    gradient = jax.grad(lambda logits: loss(logits, labels).sum())(logits)
    return jnp.take_along_axis(gradient, labels[:, None], 1)[:, 0]


def summarize(config: Config) -> str:
    return base.describe_setup(
        config,
        base.pluralize(len(config.losses), "loss function"),
        f"{describe_mlp(config)} and {config.activation}",
        f"{config.train_fraction:.0%} of the pairs of addition modulo {config.modulus}",
    )


def report(config: Config, records: Sequence[RunRecord]) -> Report:
    comparison = group_runs(records, runs(config), by=("loss",))
    train_accuracy = ACCURACY._replace(name="train_accuracy", title="training accuracy")
    charts = [
        dot_chart(comparison, ZERO, ZERO.title.capitalize()),
        curve_chart(comparison, ZERO, f"{ZERO.title.capitalize()} by step"),
        curve_chart(comparison, TRAIN_LOSS, f"{TRAIN_LOSS.title.capitalize()} by step"),
        dot_chart(comparison, ACCURACY, "Test accuracy"),
    ]
    return compare_report(
        STUDY.question,
        summarize(config),
        comparison,
        ZERO,
        columns=(TRAIN_LOSS, train_accuracy, ACCURACY),
        charts=charts,
        notes=_NOTES,
        data=[DataSummary(f"addition modulo {config.modulus}", "generated")],
    )


_NOTES = (
    "The correct-class gradient is the derivative of the loss of a training example in "
    "the logit of its label. Where it is exactly 0, the example does not raise that "
    "logit any more.",
    "The exact training loss is that of jax_acts, for every group.",
    "A zero gradient need not harm the test accuracy, and an exact loss need not help "
    "it: small gradients vanish in the ε of Adam next.",
)

STUDY = Study("loss_precision", __doc__ or "", Config, runs, prepare, report)
