"""Does an activation that learns its own shape do better than a fixed one?"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar

import jax
import jax.numpy as jnp
import pandas as pd
from jax import Array
from pydantic import AfterValidator, Field

import jax_acts
from jax_acts.experiments.base import (
    DataStudyConfig,
    Depth,
    Width,
    activation_runs,
    data_title,
    keep,
    prepare_classification,
    rows,
    summarize_data,
)
from jax_acts.experiments.config.schema import (
    Activation,
    Section,
    Seeds,
    check_distinct,
)
from jax_acts.experiments.models import MLP
from jax_acts.experiments.records import RunRecord, Value
from jax_acts.experiments.report.builders import compare_report, paired_test_sections
from jax_acts.experiments.report.comparisons import (
    ACCURACY,
    NO_CONCLUSION,
    Comparison,
    describe_difference,
    group_runs,
)
from jax_acts.experiments.report.format import number
from jax_acts.experiments.report.model import Column, Metric, Report
from jax_acts.experiments.report.tables import score_table
from jax_acts.experiments.stats import paired_tests
from jax_acts.experiments.study import PreparedStudy, Study
from jax_acts.experiments.train.classification import DeviceData, classification
from jax_acts.experiments.train.loop import Params, Task
from jax_acts.experiments.train.trial import MakeTask


class Pair(Section):
    """An activation, and the same one with learned arguments."""

    fixed: Activation
    learned: Activation


class Config(DataStudyConfig):
    """MLPs with both activations of each pair."""

    pairs: Annotated[
        tuple[Pair, ...],
        AfterValidator(check_distinct),
        Field(min_length=1, max_length=50, strict=False),
    ]
    depth: Depth = 3
    width: Width = 64
    seeds: Seeds = 10

    QUICK: ClassVar[Mapping[str, Any]] = {
        **DataStudyConfig.QUICK,
        "pairs": keep(1),
        "width": 8,
    }

    @property
    def activations(self) -> tuple[str, ...]:
        """The distinct activations of all pairs."""
        names = [name for pair in self.pairs for name in (pair.fixed, pair.learned)]
        return tuple(dict.fromkeys(names))


def make_task(config: Config, num_classes: int, fixed: Mapping[str, Value]) -> MakeTask:
    """Return the task of an activation."""
    model = MLP(fixed["activation"], config.depth, config.width, num_classes)

    def learned(params: Params) -> dict[str, Array]:
        arguments = learned_arguments(params)
        return {f"learned_{name}": values for name, values in arguments.items()}

    def make(_: Any, data: DeviceData) -> Task:
        return classification(model, data, config.training, extra_metrics=learned)

    return make


def learned_arguments(params: Params) -> dict[str, Array]:
    """Return the learned arguments of an MLP by layer, as means over the features.

    >>> learned_arguments(
    ...     {
    ...         "first": {"activation": {"beta": jnp.ones(())}},
    ...         "layers": {"activation": {"beta": jnp.zeros((2, 3))}},
    ...         "head": {},
    ...     }
    ... )
    {'beta': Array([1., 0., 0.], dtype=float32)}
    """
    arguments: dict[str, list[Array]] = {}
    for name, num_layers in (("first", 1), ("layers", None)):
        for argument, value in params.get(name, {}).get("activation", {}).items():
            by_layer = value.reshape(num_layers or len(value), -1)
            arguments.setdefault(argument, []).append(by_layer.mean(1))
    return jax.tree.map(
        jnp.concatenate, arguments, is_leaf=lambda leaf: isinstance(leaf, list)
    )


def prepare(config: Config) -> PreparedStudy:
    """Return the study with its data on the device."""
    return prepare_classification(config, summarize(config), make_task)


def summarize(config: Config) -> str:
    """Return the setup in one sentence."""
    return (
        f"{len(config.activations)} activations × {config.seeds} seeds: MLPs with "
        f"{config.depth} hidden layers of width {config.width} on "
        f"{data_title(config.data)}, {config.training.describe()}."
    )


def report(config: Config, records: Sequence[RunRecord]) -> Report:
    """Return the report of the study."""
    comparison = group_runs(records, activation_runs(config))
    scores = comparison.scores(ACCURACY)
    pairs = [(pair.learned, pair.fixed) for pair in config.pairs]
    tests = paired_tests(scores, [p for p in pairs if {*p} <= {*scores}])
    learned = {name: _learned(comparison, name) for name in config.activations}
    column = Column(
        "learned",
        "learned arguments",
        str,
        meaning="by layer, means over features and seeds",
        essential=False,
    )
    return compare_report(
        STUDY.question,
        summarize(config),
        comparison,
        conclusion=conclude(tests),
        table=score_table(
            comparison,
            ACCURACY,
            extra=pd.DataFrame({"learned": learned}),
            extra_columns=[column],
        ),
        sections=paired_test_sections(tests, ACCURACY, "Learned against fixed"),
        notes=_NOTES,
        data=(summarize_data(config.data),),
    )


def conclude(tests: pd.DataFrame) -> str:
    """Return for each pair whether the learned activation is significantly better."""
    parts = []
    for test in rows(tests[tests["n"] > 1]):
        verb = "changes test accuracy"
        if not test["p_holm"] < 0.05:
            verb = "does not change test accuracy significantly"
        parts.append(
            f"{test['group']} instead of {test['baseline']} {verb}: "
            f"{describe_difference(test, ACCURACY)}"
        )
    return f"{'; '.join(parts)}." if parts else NO_CONCLUSION


def _learned(comparison: Comparison, activation: str) -> str:
    """Return the learned arguments after training as text: "beta: 1.02, 0.97"."""
    texts = []
    for argument in jax_acts.get(activation).learned:
        values = comparison.select(activation=activation).curve(
            Metric(f"learned_{argument}", argument)
        )
        last = values[values["step"] == values["step"].max()]
        means = last.groupby("layer")["value"].mean()
        texts.append(f"{argument}: {', '.join(number(v, 2) for v in means)}")
    return "; ".join(texts) or "–"


_NOTES = ("Runs of equal seeds start from the same kernels.",)

STUDY = Study("learnable", __doc__ or "", Config, activation_runs, prepare, report)
