"""The tables of a comparison: scores of groups, and paired tests."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from jax_acts.experiments.report.comparisons import Comparison
from jax_acts.experiments.report.format import effect_size, interval, number, p_value
from jax_acts.experiments.report.model import Column, Metric, Row, Table


def number_column(name: str, title: str, digits: int = 2, **options: Any) -> Column:
    """Return a column of numbers with a number of decimals."""
    return Column(name, title, lambda value: number(value, digits), **options)


def interval_column(
    name: str,
    title: str,
    digits: int,
    *,
    low: str,
    high: str,
    sign: bool = False,
    **options: Any,
) -> Column:
    """Return a column of means, with the columns `low` and `high` as their interval."""
    return Column(
        name,
        title,
        lambda value: number(value, digits, sign=sign),
        lambda row: interval(row[low], row[high], digits, sign=sign),
        **options,
    )


def metric_column(metric: Metric, **options: Any) -> Column:
    """Return the column of the mean of a metric, in the frame of `summarize`."""
    name = metric_key(metric)
    return interval_column(
        f"{name}_mean",
        metric.label,
        metric.digits,
        low=f"{name}_ci_low",
        high=f"{name}_ci_high",
        meaning="mean over the seeds [95 % CI]",
        **options,
    )


def metric_key(metric: Metric) -> str:
    """Return the prefix of the columns of a metric: "accuracy", "rms_first_0"."""
    layer = None if metric.layer == "mean" else metric.layer
    parts = [metric.name, "first" if metric.at == "first" else None, layer]
    return "_".join(str(part) for part in parts if part is not None)


def summarize(comparison: Comparison, metrics: Sequence[Metric]) -> pd.DataFrame:
    """Return one row per group with a run, the best first within each family.

    Columns: the group, by the title of the comparison; <metric>_mean, …_ci_low and
    …_ci_high of each metric; delta, delta_ci_low, delta_ci_high, cohens_d, p, p_holm,
    tied and baseline of the tests of the first metric against the best; finished and
    diverged (runs); train_seconds (median).
    """
    runs, metric = comparison.runs, metrics[0]
    table = pd.crosstab(runs["group"], runs["status"]).reindex(
        columns=["finished", "diverged"], fill_value=0
    )
    table["train_seconds"] = runs.groupby("group")["train_seconds"].median()
    for column in metrics:
        summary = comparison.summary(column).set_index("group")
        summary = summary[["mean", "ci_low", "ci_high"]]
        table = table.join(summary.add_prefix(f"{metric_key(column)}_"))
    tests = comparison.tests(metric).set_index("group").drop(columns="n")
    names = {"mean_diff": "delta", "ci_low": "delta_ci_low", "ci_high": "delta_ci_high"}
    table = table.join(tests.rename(columns=names))
    best = table.index.isin(tests["baseline"])
    table.loc[best, "delta"] = 0.0
    table["is_best"] = best
    ties = tests[tests["tied"]]
    table["tied"] = table.index.isin([*ties.index, *ties["baseline"]])
    family = {g: n for n, names in enumerate(comparison.families) for g in names}
    score = table[f"{metric_key(metric)}_mean"]
    order = pd.DataFrame(
        {
            "family": table.index.map(family),
            "score": score if metric.lower_is_better else -score,
        },
        index=table.index,
    ).sort_values(["family", "score"], kind="stable")
    return table.loc[order.index].rename_axis(comparison.title)


def score_table(
    comparison: Comparison,
    metric: Metric,
    more: Sequence[Metric] = (),
    extra: pd.DataFrame | None = None,
    extra_columns: Sequence[Column] = (),
) -> Table:
    """Return one row per group with a run, the best first within each family.

    Args:
        comparison: The runs.
        metric: The metric that decides.
        more: Further metrics: mean and interval.
        extra: Further values by group, which is the index.
        extra_columns: How the values of `extra` are shown.
    """
    frame = summarize(comparison, [metric, *more])
    frame = frame if extra is None else frame.join(extra)
    p = Column(
        "p_holm",
        "Holm-adjusted p",
        p_value,
        meaning="paired t-test against the best",
        essential=False,
    )
    seeds = Column(
        "finished",
        "seeds",
        str,
        lambda row: f"{row['diverged']} diverged" if row["diverged"] else "",
        meaning="runs that finished without diverging",
        essential=False,
    )
    seconds = number_column(
        "train_seconds",
        "train time (s)",
        meaning="median over the seeds, without compilation",
        essential=False,
    )
    return Table(
        frame.reset_index(),
        (
            Column(comparison.title, comparison.title),
            metric_column(metric),
            difference_column(metric),
            p,
            *map(metric_column, more),
            *extra_columns,
            seeds,
            seconds,
        ),
    )


def difference_column(metric: Metric) -> Column:
    """Return the column of differences to the best of the family."""
    unit = f" ({metric.difference_unit})" if metric.difference_unit else ""

    def detail(row: Row) -> str:
        ci = interval(
            row["delta_ci_low"], row["delta_ci_high"], metric.digits, sign=True
        )
        ending = "tied" if row["tied"] else "best" if row["is_best"] else ""
        return f"{ci} {ending}".strip()

    text = lambda value: number(value, metric.digits, sign=True)
    meaning = "mean over pairs of equal seeds [95 % CI]; tied: not significant"
    return Column("delta", f"Δ vs best{unit}", text, detail, meaning)


def paired_test_table(tests: pd.DataFrame, metric: Metric, title: str = "") -> Table:
    """Return a table of `stats.paired_tests`."""
    unit = f" ({metric.difference_unit})" if metric.difference_unit else ""
    return Table(
        tests,
        (
            Column("group", "group"),
            Column("baseline", "baseline"),
            interval_column(
                "mean_diff",
                f"Δ {metric.title}{unit}",
                metric.digits,
                low="ci_low",
                high="ci_high",
                sign=True,
                meaning="group − baseline over pairs of equal seeds [95 % CI]",
            ),
            Column(
                "cohens_d",
                "Cohen's d",
                effect_size,
                meaning="mean difference over its standard deviation",
                essential=False,
            ),
            Column("p", "p", p_value, meaning="paired t-test", essential=False),
            Column(
                "p_holm",
                "Holm-adjusted p",
                p_value,
                meaning="over all comparisons of this table",
            ),
            Column(
                "n",
                "seeds",
                lambda n: f"{n:g}",
                meaning="seeds of both",
                essential=False,
            ),
        ),
        title,
    )
