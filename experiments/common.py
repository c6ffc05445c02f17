"""What several studies share: lists in configs, metrics, and tests of pairs."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeVar

import pandas as pd
from pydantic import AfterValidator, Field

from jax_acts.experiments.config.schema import check_distinct
from jax_acts.experiments.report.charts import curve_chart, dot_chart
from jax_acts.experiments.report.comparisons import (
    NO_CONCLUSION,
    Comparison,
    describe_difference,
)
from jax_acts.experiments.report.format import join
from jax_acts.experiments.report.model import Chart, Column, Metric, Table, to_rows
from jax_acts.experiments.report.tables import score_table
from jax_acts.experiments.stats import paired_tests

Axes = Mapping[str, Any]
"""The position of a run on each axis; traced arrays on numeric axes."""

T = TypeVar("T")
Distinct = Annotated[
    tuple[T, ...],
    AfterValidator(check_distinct),
    Field(min_length=1, max_length=100, strict=False),
]
"""A list of a config without repeated entries."""

DEAD = Metric(
    "dead_fraction",
    "dead units",
    "%",
    scale=100,
    digits=1,
    lower_is_better=True,
    bounds=(0, 100),
    layer="mean",
)
RATIO = Metric("log10_gradient_ratio", "log10 of the gradient ratio")


def before_and_after(metric: Metric) -> tuple[Metric, Metric]:
    """Return the metric before training, and after it."""
    return (
        metric._replace(title=f"{metric.title} before training", at="first"),
        metric._replace(title=f"{metric.title} after training"),
    )


def describe_mlp(config: Any) -> str:
    """Return depth and width of the MLPs of a config."""
    return f"MLPs with {config.depth} hidden layers of width {config.width}"


def compare_pairs(
    comparison: Comparison, metric: Metric, pairs: Sequence[tuple[str, str]]
) -> pd.DataFrame:
    """Return the paired tests of (group, baseline) where both have runs."""
    scores = comparison.scores(metric)
    return paired_tests(scores, [pair for pair in pairs if {*pair} <= {*scores}])


def conclude_pairs(tests: pd.DataFrame, metric: Metric) -> str:
    """Return for each baseline the significant differences to it, and the others."""
    sentences = []
    for baseline, own in tests[tests["n"] > 1].groupby("baseline", sort=False):
        texts = []
        for significant, negation in ((True, ""), (False, "not ")):
            rows = to_rows(own[(own["p_holm"] < 0.05) == significant])
            names = [f"{r['group']} {describe_difference(r, metric)}" for r in rows]
            if names:
                texts.append(f"{negation}significantly different for {join(names)}")
        sentences.append(
            f"Compared with {baseline}, {metric.title} is {'; '.join(texts)}."
        )
    return " ".join(sentences) or NO_CONCLUSION


def charts_by(
    comparison: Comparison, metric: Metric, axis: str, titles: Mapping[Any, str]
) -> list[Chart]:
    """Return the metric and its curve over training at each position on an axis."""
    return [
        chart(
            comparison.select(**{axis: value}),
            metric,
            f"{metric.title.capitalize()}{by}, {title}",
        )
        for value, title in titles.items()
        for chart, by in ((dot_chart, ""), (curve_chart, " by step"))
    ]


def table_with(
    comparison: Comparison, metric: Metric, column: Column, values: Any
) -> Table:
    """Return the table of scores with one more column, of values by group."""
    extra = pd.DataFrame({column.name: values})
    return score_table(comparison, metric, extra=extra, extra_columns=[column])
