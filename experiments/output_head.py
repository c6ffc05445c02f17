"""Which output activation and loss suit a task, and what do others cost?"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax
import pandas as pd
from jax import Array

import jax_acts
from experiments import common
from experiments.common import Axes, Distinct
from jax_acts.experiments import base
from jax_acts.experiments.config.schema import Activation, Seeds
from jax_acts.experiments.datasets import sklearn_tables
from jax_acts.experiments.datasets.dataset import Dataset
from jax_acts.experiments.models import MLP
from jax_acts.experiments.records import RunRecord
from jax_acts.experiments.report.builders import compare_report, paired_test_sections
from jax_acts.experiments.report.comparisons import group_runs
from jax_acts.experiments.report.format import join
from jax_acts.experiments.report.model import Column, DataSummary, Metric, Report
from jax_acts.experiments.study import PreparedStudy, RunSpec, Study, concat_grids
from jax_acts.experiments.train.classification import linen_functions, make_sampler
from jax_acts.experiments.train.loop import Metrics, Params, Task

SCORE = Metric("score", "test score", digits=3, bounds=(-float("inf"), 1))


def score(predictions: Array, targets: Array) -> Array:
    """Return the accuracy of classes, R² = 1 - squared error / variance of values.

    >>> score(jnp.array([1, 2, 3, 3]), jnp.array([1, 2, 3, 4]))
    Array(0.75, dtype=float32)
    >>> score(jnp.array([1.0, 2.0, 3.0]), jnp.array([1.0, 2.0, 4.5]))
    Array(0.65384614, dtype=float32)
    """
    if jnp.issubdtype(targets.dtype, jnp.integer):
        return (predictions == targets).mean()
    return 1 - jnp.square(predictions - targets).mean() / targets.var()


class Loss(NamedTuple):
    """A loss, and the predictions that it fits."""

    of: Callable[[Array, Array], Array]
    """Takes outputs and targets; returns losses, whose mean is minimized."""
    predict: Callable[[Array], Array]
    """Takes outputs; returns values or classes `(n,)`."""


def _one_vs_rest(loss: Callable[[Array, Array], Array]) -> Loss:
    """Return the loss of one binary classifier per class."""
    hot = lambda z, y: jax.nn.one_hot(y, z.shape[-1])
    return Loss(lambda z, y: loss(z, hot(z, y)).sum(-1), lambda z: z.argmax(-1))


def _square(outputs: Array, targets: Array) -> Array:
    return jnp.square(outputs - targets)


VALUE = Loss(_square, lambda y: y)
CLASS = Loss(_square, lambda p: (p > 0.5).astype(jnp.int32))
LOGIT = Loss(optax.sigmoid_binary_cross_entropy, lambda z: (z > 0).astype(jnp.int32))
LOGITS = Loss(optax.softmax_cross_entropy_with_integer_labels, lambda z: z.argmax(-1))


class Head(NamedTuple):
    """What follows the last linear layer z."""

    loss: Loss
    activation: Callable[[Array], Array] = jax_acts.identity
    """Takes z, of shape `(n,)` for one output and `(n, outputs)` for several."""
    outputs: int = 1
    is_recommended: bool = False
    """Whether textbooks recommend it for the task."""

    def output(self, z: Array) -> Array:
        """Return the output of the activation."""
        return self.activation(z[:, 0] if self.outputs == 1 else z)


class TableTask(NamedTuple):
    """A table to predict from, and heads for it."""

    title: str
    load: Callable[[], Dataset]
    heads: Mapping[str, Head]
    """By name; the first one is recommended."""


TASKS = {
    "regression": TableTask(
        "regression (diabetes)",
        sklearn_tables.diabetes,
        {
            "identity + squared error": Head(VALUE, is_recommended=True),
            "tanh + squared error": Head(VALUE, jax_acts.tanh),
            "sigmoid + squared error": Head(VALUE, jax_acts.sigmoid),
            "relu + squared error": Head(VALUE, jax_acts.relu),
            "softplus + squared error": Head(VALUE, jax_acts.softplus),
        },
    ),
    "binary": TableTask(
        "binary classification (breast cancer)",
        sklearn_tables.breast_cancer,
        {
            "sigmoid + cross-entropy": Head(LOGIT, is_recommended=True),
            "softmax of two + cross-entropy": Head(
                LOGITS, outputs=2, is_recommended=True
            ),
            "sigmoid + squared error": Head(CLASS, jax_acts.sigmoid),
            "identity + squared error": Head(CLASS),
            "sigmoid twice + cross-entropy": Head(LOGIT, jax_acts.sigmoid),
            "relu before the sigmoid": Head(LOGIT, jax_acts.relu),
            "softmax of one + squared error": Head(  # it is always 1
                CLASS, lambda z: jax_acts.softmax(z[:, None], axis=-1)[:, 0]
            ),
        },
    ),
    "multiclass": TableTask(
        "classification of ten classes (digits)",
        sklearn_tables.digits,
        {
            "softmax + cross-entropy": Head(LOGITS, outputs=10, is_recommended=True),
            "softmax twice + cross-entropy": Head(LOGITS, jax_acts.softmax, 10),
            "relu before the softmax": Head(LOGITS, jax_acts.relu, 10),
            "sigmoid before the softmax": Head(LOGITS, jax_acts.sigmoid, 10),
            "a sigmoid each + cross-entropy": Head(
                _one_vs_rest(optax.sigmoid_binary_cross_entropy), outputs=10
            ),
            "a sigmoid each + squared error": Head(
                _one_vs_rest(lambda z, y: _square(jax_acts.sigmoid(z), y)), outputs=10
            ),
        },
    ),
}
"""The tasks by their name in configs."""


class Config(base.TrainingStudyConfig):
    """MLPs with each head, on each task."""

    tasks: Distinct[Literal["regression", "binary", "multiclass"]] = (
        "regression",
        "binary",
        "multiclass",
    )
    activation: Activation = "relu"
    """Activation of the hidden layers."""
    depth: base.Depth = 2
    width: base.Width = 32
    seeds: Seeds = 10

    QUICK: ClassVar = {"tasks": base.keep(1), "width": 8}


def runs(config: Config) -> tuple[RunSpec, ...]:
    """Return the runs; those of a head share its programs."""
    return concat_grids(
        *(
            {"task": [task], "head": TASKS[task].heads, "seed": range(config.seeds)}
            for task in config.tasks
        )
    )


def prepare(config: Config) -> PreparedStudy:
    datasets = {name: TASKS[name].load() for name in config.tasks}
    data = {
        name: jax.tree.map(jnp.asarray, (*dataset.train, *dataset.test))
        for name, dataset in datasets.items()
    }
    return base.prepare_training(
        config,
        summarize(config),
        data,
        partial(make_task, config),
        num_train=min(len(dataset.train.y) for dataset in datasets.values()),
        activations=[config.activation],
        data_contents={
            TASKS[name].title: dataset.describe() for name, dataset in datasets.items()
        },
    )


def make_task(config: Config, axes: Axes, data: Mapping[str, Any]) -> Task:
    """Return the task of a head."""
    head = TASKS[axes["task"]].heads[axes["head"]]
    model = MLP(config.activation, config.depth, config.width, head.outputs, "gain")
    init, apply = linen_functions(model)
    x, y, x_test, y_test = data[axes["task"]]
    y, y_test = y.reshape(len(y)), y_test.reshape(len(y_test))

    def loss(params: Params, batch: tuple[Array, Array]) -> Array:
        inputs, targets = batch
        return head.loss.of(head.output(apply(params, inputs)), targets).mean()

    def metrics(params: Params) -> Metrics:
        outputs = head.output(apply(params, x_test))
        return {SCORE.name: score(head.loss.predict(outputs), y_test)}

    take = lambda indices: (x[indices], y[indices])
    sampler = make_sampler(len(y), config.training, take)
    return Task(lambda key: init(key, x[:1]), sampler, loss, metrics)


def summarize(config: Config) -> str:
    count = sum(len(TASKS[task].heads) for task in config.tasks)
    return base.describe_setup(
        config,
        f"{count} heads",
        f"{common.describe_mlp(config)} and {config.activation}",
        join([TASKS[task].title for task in config.tasks]),
    )


def report(config: Config, records: Sequence[RunRecord]) -> Report:
    by = ("task", "head")
    comparison = group_runs(records, runs(config), by=by, within=("task",), series=by)
    tests = common.compare_pairs(comparison, SCORE, pairs(config))
    recommended = {
        f"{task}, {name}": head.is_recommended
        for task in config.tasks
        for name, head in TASKS[task].heads.items()
    }
    titles = {task: TASKS[task].title for task in config.tasks}
    column = Column(
        "recommended",
        "recommended",
        lambda value: "yes" if value else "no",
        meaning="by textbooks for this task",
    )
    return compare_report(
        STUDY.question,
        summarize(config),
        comparison,
        SCORE,
        conclusion=common.conclude_pairs(tests, SCORE),
        table=common.table_with(comparison, SCORE, column, pd.Series(recommended)),
        charts=common.charts_by(comparison, SCORE, "task", titles),
        sections=paired_test_sections(tests, SCORE, "Against the recommended head"),
        notes=_NOTES,
        data=[DataSummary(title, sklearn_tables.ORIGIN) for title in titles.values()],
    )


def pairs(config: Config) -> list[tuple[str, str]]:
    """Return each head that is not recommended, with the recommended one."""
    return [
        (f"{task}, {name}", f"{task}, {next(iter(TASKS[task].heads))}")
        for task in config.tasks
        for name, head in TASKS[task].heads.items()
        if not head.is_recommended
    ]


_NOTES = (
    "Test score: accuracy of classes; R² = 1 − squared error / variance of the target "
    "for regression.",
    "The target of the regression has mean 0 and standard deviation 1: sigmoid, "
    "softplus and relu have no negative values, tanh and sigmoid none above 1.",
    "Heads are compared on the same task.",
)

STUDY = Study("output_head", __doc__ or "", Config, runs, prepare, report)
