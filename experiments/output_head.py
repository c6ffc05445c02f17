"""Which output activation and loss suit a task, and what do others cost?"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax
import pandas as pd
from jax import Array
from pydantic import AfterValidator, Field

import jax_acts
from jax_acts.experiments.base import (
    Depth,
    TrainingStudyConfig,
    Width,
    keep,
    rows,
)
from jax_acts.experiments.config.schema import Activation, Seeds, check_distinct
from jax_acts.experiments.datasets import sklearn_tables
from jax_acts.experiments.datasets.dataset import Dataset
from jax_acts.experiments.models import MLP
from jax_acts.experiments.records import RunRecord, Value
from jax_acts.experiments.report.builders import compare_report, paired_test_sections
from jax_acts.experiments.report.charts import curve_chart, dot_chart
from jax_acts.experiments.report.comparisons import (
    NO_CONCLUSION,
    Comparison,
    describe_difference,
    group_runs,
)
from jax_acts.experiments.report.format import join, number
from jax_acts.experiments.report.model import Column, DataSummary, Metric, Report
from jax_acts.experiments.report.tables import score_table
from jax_acts.experiments.stats import paired_tests
from jax_acts.experiments.study import PreparedStudy, RunSpec, Study, concat_grids
from jax_acts.experiments.train.classification import linen_functions, make_sampler
from jax_acts.experiments.train.loop import Metrics, Params, Task
from jax_acts.experiments.train.trial import MakeTask, Trial, prepare_trial

SCORE = Metric("score", "test score", digits=3, bounds=(-float("inf"), 1))


class Head(NamedTuple):
    """What follows the last linear layer z, of shape `(n, outputs)`."""

    is_recommended: bool
    """Whether textbooks recommend it for the task."""
    outputs: int
    loss: Callable[[Array, Array], Array]
    """Takes z and the targets; returns the mean loss."""
    predict: Callable[[Array], Array]
    """Takes z; returns predicted values or classes `(n,)`."""


class TableTask(NamedTuple):
    """A table to predict from, and heads for it."""

    title: str
    load: Callable[[], Dataset]
    heads: Mapping[str, Head]


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


def _value_head(activation: str, *, is_recommended: bool = False) -> Head:
    """Return a head for a value: an activation with the squared error."""
    f = jax_acts.get(activation)
    predict = lambda z: f(z[:, 0])
    loss = lambda z, y: jnp.square(predict(z) - y).mean()
    return Head(is_recommended, 1, loss, predict)


def _logit_head(
    to_logit: Callable[[Array], Array], *, is_recommended: bool = False
) -> Head:
    """Return a head for two classes: sigmoid of a logit, with the cross-entropy."""
    logit = lambda z: to_logit(z[:, 0])
    loss = lambda z, y: optax.sigmoid_binary_cross_entropy(logit(z), y).mean()
    return Head(is_recommended, 1, loss, lambda z: (logit(z) > 0).astype(jnp.int32))


def _squared_binary_head(activation: str) -> Head:
    """Return a head for two classes: an activation with the squared error."""
    f = jax_acts.get(activation)
    loss = lambda z, y: jnp.square(f(z[:, 0]) - y).mean()
    return Head(False, 1, loss, lambda z: (f(z[:, 0]) > 0.5).astype(jnp.int32))


def _softmax_head(
    outputs: int, to_logits: Callable[[Array], Array], *, is_recommended: bool = False
) -> Head:
    """Return a head for classes: softmax of logits, with the cross-entropy."""
    entropy = optax.softmax_cross_entropy_with_integer_labels
    loss = lambda z, y: entropy(to_logits(z), y).mean()
    return Head(is_recommended, outputs, loss, lambda z: to_logits(z).argmax(-1))


def _one_vs_rest_head(outputs: int, loss: Callable[[Array, Array], Array]) -> Head:
    """Return a head for classes: one binary classifier per class."""
    summed = lambda z, y: loss(z, jax.nn.one_hot(y, outputs)).sum(-1).mean()
    return Head(False, outputs, summed, lambda z: z.argmax(-1))


def _single_softmax_head() -> Head:
    """Return the softmax of one output, which is always 1."""
    p = lambda z: jax_acts.softmax(z, axis=-1)[:, 0]
    loss = lambda z, y: jnp.square(p(z) - y).mean()
    return Head(False, 1, loss, lambda z: (p(z) > 0.5).astype(jnp.int32))


_identity = lambda z: z

TASKS: Mapping[str, TableTask] = MappingProxyType(
    {
        "regression": TableTask(
            "regression (diabetes)",
            sklearn_tables.diabetes,
            {
                "identity + squared error": _value_head(
                    "identity", is_recommended=True
                ),
                "tanh + squared error": _value_head("tanh"),
                "sigmoid + squared error": _value_head("sigmoid"),
                "relu + squared error": _value_head("relu"),
                "softplus + squared error": _value_head("softplus"),
            },
        ),
        "binary": TableTask(
            "binary classification (breast cancer)",
            sklearn_tables.breast_cancer,
            {
                "sigmoid + cross-entropy": _logit_head(_identity, is_recommended=True),
                "softmax of two + cross-entropy": _softmax_head(
                    2, _identity, is_recommended=True
                ),
                "sigmoid + squared error": _squared_binary_head("sigmoid"),
                "identity + squared error": _squared_binary_head("identity"),
                "sigmoid twice + cross-entropy": _logit_head(jax_acts.sigmoid),
                "relu before the sigmoid": _logit_head(jax_acts.relu),
                "softmax of one + squared error": _single_softmax_head(),
            },
        ),
        "multiclass": TableTask(
            "classification of ten classes (digits)",
            sklearn_tables.digits,
            {
                "softmax + cross-entropy": _softmax_head(
                    10, _identity, is_recommended=True
                ),
                "softmax twice + cross-entropy": _softmax_head(10, jax_acts.softmax),
                "relu before the softmax": _softmax_head(10, jax_acts.relu),
                "sigmoid before the softmax": _softmax_head(10, jax_acts.sigmoid),
                "a sigmoid each + cross-entropy": _one_vs_rest_head(
                    10, optax.sigmoid_binary_cross_entropy
                ),
                "a sigmoid each + squared error": _one_vs_rest_head(
                    10, lambda z, y: jnp.square(jax_acts.sigmoid(z) - y)
                ),
            },
        ),
    }
)
"""The tasks by their name in configs."""


class Config(TrainingStudyConfig):
    """MLPs with each head, on each task."""

    tasks: Annotated[
        tuple[Literal["regression", "binary", "multiclass"], ...],
        AfterValidator(check_distinct),
        Field(min_length=1, strict=False),
    ] = ("regression", "binary", "multiclass")
    activation: Activation = "relu"
    """Activation of the hidden layers."""
    depth: Depth = 2
    width: Width = 32
    seeds: Seeds = 10

    QUICK: ClassVar[Mapping[str, Any]] = {
        **TrainingStudyConfig.QUICK,
        "tasks": keep(1),
        "width": 8,
    }


def runs(config: Config) -> tuple[RunSpec, ...]:
    """Return the runs; those of a head share its programs."""
    return concat_grids(
        *(
            {"task": [task], "head": TASKS[task].heads, "seed": range(config.seeds)}
            for task in config.tasks
        )
    )


def prepare(config: Config) -> PreparedStudy:
    """Return the study with its data on the device."""
    datasets = {name: TASKS[name].load() for name in config.tasks}
    data = {
        name: jax.tree.map(jnp.asarray, (*dataset.train, *dataset.test))
        for name, dataset in datasets.items()
    }

    def make_group_task(fixed: Mapping[str, Value]) -> MakeTask:
        return make_task(config, str(fixed["task"]), str(fixed["head"]))

    trial = Trial(
        summarize(config),
        data,
        make_group_task,
        num_train=min(len(arrays[1]) for arrays in data.values()),
        activations=[config.activation],
        source=make_task,
        data_contents={
            TASKS[name].title: dataset.describe() for name, dataset in datasets.items()
        },
    )
    return prepare_trial(trial, config.training, config.trial_batch)


def make_task(config: Config, task: str, head_name: str) -> MakeTask:
    """Return the task of a head."""
    head = TASKS[task].heads[head_name]
    model = MLP(config.activation, config.depth, config.width, head.outputs, "gain")
    init, apply = linen_functions(model)

    def make(_: Any, data: Mapping[str, Any]) -> Task:
        x, y, x_test, y_test = data[task]
        y, y_test = y.reshape(len(y)), y_test.reshape(len(y_test))

        def loss(params: Params, batch: tuple[Array, Array]) -> Array:
            inputs, targets = batch
            return head.loss(apply(params, inputs), targets)

        def metrics(params: Params) -> Metrics:
            return {"score": score(head.predict(apply(params, x_test)), y_test)}

        take = lambda indices: (x[indices], y[indices])
        sampler = make_sampler(len(y), config.training, take)
        return Task(lambda key: init(key, x[:1]), sampler, loss, metrics)

    return make


def summarize(config: Config) -> str:
    """Return the setup in one sentence."""
    return (
        f"MLPs with {config.depth} hidden layers of width {config.width} and "
        f"{config.activation} × {config.seeds} seeds on "
        f"{join([TASKS[task].title for task in config.tasks])}, "
        f"{config.training.describe()}."
    )


def report(config: Config, records: Sequence[RunRecord]) -> Report:
    """Return the report of the study."""
    comparison = group_runs(
        records,
        runs(config),
        by=("task", "head"),
        within=("task",),
        series=("task", "head"),
        label=_head_label,
        series_label=_head_label,
        title="task and head",
    )
    charts = []
    for task in config.tasks:
        own = comparison.select(task=task)
        charts += [
            dot_chart(own, SCORE, f"Test score: {TASKS[task].title}"),
            curve_chart(own, SCORE, f"Test score by step: {TASKS[task].title}"),
        ]
    scores = comparison.scores(SCORE)
    tests = paired_tests(scores, [p for p in _pairs(config) if {*p} <= {*scores}])
    recommended = {
        f"{task}: {name}": head.is_recommended
        for task in config.tasks
        for name, head in TASKS[task].heads.items()
    }
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
        conclusion=conclude(comparison, tests),
        table=score_table(
            comparison,
            SCORE,
            extra=pd.DataFrame({"recommended": recommended}),
            extra_columns=[column],
        ),
        charts=charts,
        sections=paired_test_sections(tests, SCORE, "Against the recommended head"),
        notes=_NOTES,
        data=tuple(
            DataSummary(TASKS[task].title, sklearn_tables.ORIGIN)
            for task in config.tasks
        ),
    )


def _head_label(axes: Mapping[str, Value]) -> str:
    return f"{axes['task']}: {axes['head']}"


def _pairs(config: Config) -> list[tuple[str, str]]:
    """Return each head that is not recommended, with the recommended one."""
    pairs = []
    for task in config.tasks:
        heads = TASKS[task].heads
        best = next(name for name, head in heads.items() if head.is_recommended)
        pairs += [
            (f"{task}: {name}", f"{task}: {best}")
            for name, head in heads.items()
            if not head.is_recommended
        ]
    return pairs


def conclude(comparison: Comparison, tests: pd.DataFrame) -> str:
    """Return for each task the recommended head, and what the others cost."""
    means = comparison.scores(SCORE).mean()
    texts = []
    for baseline, own in tests[tests["n"] > 1].groupby("baseline", sort=False):
        task, _, best = str(baseline).partition(": ")
        text = f"For {task}, {best} has a mean test score of {number(means[baseline])}"
        costs, ties = [], []
        for test in rows(own):
            head = test["group"].partition(": ")[2]
            if test["p_holm"] < 0.05:
                costs.append(f"{head} {describe_difference(test, SCORE)}")
            else:
                ties.append(head)
        if costs:
            text += f"; significantly different: {join(costs)}"
        if ties:
            text += f"; not significantly different: {join(ties)}"
        texts.append(text)
    return f"{'. '.join(texts)}." if texts else NO_CONCLUSION


_NOTES = (
    "Test score: accuracy of classes; R² = 1 − squared error / variance of the target "
    "for regression.",
    "The target of the regression has mean 0 and standard deviation 1: sigmoid, "
    "softplus and relu have no negative values, tanh and sigmoid none above 1.",
    "Heads are compared on the same task.",
)

STUDY = Study("output_head", __doc__ or "", Config, runs, prepare, report)
