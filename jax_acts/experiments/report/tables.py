"""The tables of a comparison: scores of groups, and paired tests."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from jax_acts.experiments.report.comparisons import Comparison
from jax_acts.experiments.report.format import effect_size, interval, number, p_value
from jax_acts.experiments.report.model import Column, Metric, Row, Table


def number_column(name: str, title: str, digits: int = 2, **options: Any) -> Column:
    """Return a column of numbers with a fixed number of decimals."""
    return Column(name, title, lambda value: number(value, digits), **options)


def interval_column(
    name: str,
    title: str,
    digits: int,
    *,
    low: str = "ci_low",
    high: str = "ci_high",
    remark: str = "",
    sign: bool = False,
    **options: Any,
) -> Column:
    """Return a column of means with the intervals and remarks of other columns."""

    def detail(row: Row) -> str:
        ends = interval(row[low], row[high], digits, sign=sign)
        return f"{ends} {row[remark] if remark else ''}".strip()

    text = lambda value: number(value, digits, sign=sign)
    return Column(name, title, text, detail, **options)


def summarize(comparison: Comparison, metrics: Sequence[Metric]) -> pd.DataFrame:
    """Return one row per group with a run, the best first within each family.

    Columns: the group, by the title of the comparison; <metric>_mean, …_ci_low and
    …_ci_high of each metric; delta, delta_ci_low, delta_ci_high, delta_remark ("tied",
    "best" or ""), baseline, cohens_d, p and p_holm of the tests of the first metric
    against the best; finished and diverged (runs); train_seconds (median).
    """
    runs, metric = comparison.runs, metrics[0]
    counts = pd.crosstab(runs["group"], runs["status"])
    table = counts.reindex(columns=["finished", "diverged"], fill_value=0)
    table["train_seconds"] = runs.groupby("group")["train_seconds"].median()
    for column in metrics:
        summary = comparison.summary(column).set_index("group")
        summary = summary[["mean", "ci_low", "ci_high"]]
        table = table.join(summary.add_prefix(f"{column.key}_"))
    tests = comparison.tests(metric).set_index("group")
    tied, best = tests[tests["tied"]], tests["baseline"]
    names = {"mean_diff": "delta", "ci_low": "delta_ci_low", "ci_high": "delta_ci_high"}
    table = table.join(tests.drop(columns=["n", "tied"]).rename(columns=names))
    table["delta_remark"] = ""
    table.loc[table.index.isin(best), ["delta", "delta_remark"]] = 0.0, "best"
    ties = table.index.isin([*tied.index, *tied["baseline"]])
    table.loc[ties, "delta_remark"] = "tied"
    score = table[f"{metric.key}_mean"]
    ranking = score.sort_values(ascending=metric.lower_is_better, kind="stable").index
    order = [g for family in comparison.families for g in ranking if g in family]
    return table.loc[order].rename_axis(comparison.title)


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
    first, *others = (
        interval_column(
            f"{one.key}_mean",
            one.label,
            one.digits,
            low=f"{one.key}_ci_low",
            high=f"{one.key}_ci_high",
            meaning="mean over the seeds [95 % CI]",
        )
        for one in (metric, *more)
    )
    columns = (
        Column(comparison.title, comparison.title),
        first,
        interval_column(
            "delta",
            metric.difference_label("Δ vs best"),
            metric.digits,
            low="delta_ci_low",
            high="delta_ci_high",
            remark="delta_remark",
            sign=True,
            meaning="mean over pairs of equal seeds [95 % CI]; tied: not significant",
        ),
        p_holm_column("paired t-test against the best", essential=False),
        *others,
        *extra_columns,
        Column(
            "finished",
            "seeds",
            detail=lambda row: f"{row['diverged']} diverged" if row["diverged"] else "",
            meaning="runs that finished without diverging",
            essential=False,
        ),
        number_column(
            "train_seconds",
            "train time (s)",
            meaning="median over the seeds, without compilation",
            essential=False,
        ),
    )
    return Table(frame.reset_index(), columns)


def p_holm_column(meaning: str, **options: Any) -> Column:
    """Return the column of adjusted p-values."""
    return Column("p_holm", "Holm-adjusted p", p_value, meaning=meaning, **options)


def paired_test_table(tests: pd.DataFrame, metric: Metric) -> Table:
    """Return a table of `stats.paired_tests`."""
    columns = (
        Column("group", "group"),
        Column("baseline", "baseline"),
        interval_column(
            "mean_diff",
            metric.difference_label(f"Δ {metric.title}"),
            metric.digits,
            sign=True,
            meaning="group − baseline over pairs of equal seeds [95 % CI]",
        ),
        Column(
            "cohens_d",
            "Cohen's d",
            effect_size,
            meaning="mean difference over its standard deviation",
        ),
        Column("p", "p", p_value, meaning="paired t-test"),
        p_holm_column("over all comparisons of this table"),
        Column("n", "seeds", "{:g}".format, meaning="seeds of both"),
    )
    return Table(tests, columns)
