"""The tables of a comparison: scores of groups, and paired tests."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from jax_acts.experiments.report.comparisons import Comparison
from jax_acts.experiments.report.format import effect_size, interval, number, p_value
from jax_acts.experiments.report.model import Column, Metric, Row, Table


def number_column(name: str, title: str, digits: int = 2, **options: Any) -> Column:
    """Return a column of numbers with so many decimals."""
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


def metric_columns(
    comparison: Comparison, metric: Metric, prefix: str, **options: Any
) -> tuple[pd.DataFrame, Column]:
    """Return the mean and interval of a metric by group, and the column of them."""
    summary = comparison.summary(metric).set_index("group")
    frame = summary[["mean", "ci_low", "ci_high"]].add_prefix(f"{prefix}_")
    low, high = f"{prefix}_ci_low", f"{prefix}_ci_high"
    meaning = "mean over the seeds [95 % CI]"
    column = interval_column(
        f"{prefix}_mean",
        metric.label,
        metric.digits,
        low=low,
        high=high,
        meaning=meaning,
        **options,
    )
    return frame, column


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
    runs = comparison.runs
    counts = pd.crosstab(runs["group"], runs["status"]).reindex(
        columns=["finished", "diverged"], fill_value=0
    )
    seconds = runs.groupby("group")["train_seconds"].median()
    tests = comparison.tests(metric).set_index("group")
    frame, score = metric_columns(comparison, metric, "score")
    frames, columns = [], []
    for n, one in enumerate(more):
        values, column = metric_columns(comparison, one, f"metric_{n}")
        frames.append(values)
        columns.append(column)
    frames += [tests, counts, seconds] + ([] if extra is None else [extra])
    table = counts[[]].join([frame, *frames], how="left")
    table["is_best"] = table.index.isin(set(tests["baseline"]))
    table["has_tie"] = table.index.isin(set(tests.loc[tests["tied"], "baseline"]))
    table.loc[table["is_best"], "mean_diff"] = 0.0
    table.index.name = "group"
    family = {g: n for n, names in enumerate(comparison.families) for g in names}
    sign = 1 if metric.lower_is_better else -1
    order = pd.DataFrame(
        {"family": table.index.map(family), "score": sign * table["score_mean"]},
        index=table.index,
    ).sort_values(["family", "score"], kind="stable")
    return Table(
        table.loc[order.index].reset_index(),
        (
            Column("group", comparison.title),
            score,
            difference_column(metric),
            Column(
                "p_holm",
                "Holm-adjusted p",
                p_value,
                meaning="paired t-test against the best",
                essential=False,
            ),
            *columns,
            *extra_columns,
            Column(
                "finished",
                "seeds",
                lambda count: f"{count:g}",
                lambda row: f"{row['diverged']:g} diverged" if row["diverged"] else "",
                meaning="runs that finished without diverging",
                essential=False,
            ),
            number_column(
                "train_seconds",
                "train time (s)",
                meaning="median over the seeds, without compilation",
                essential=False,
            ),
        ),
    )


def difference_column(metric: Metric) -> Column:
    """Return the column of differences to the best of the family."""
    unit = f" ({metric.difference_unit})" if metric.difference_unit else ""

    def detail(row: Row) -> str:
        if row["is_best"]:
            return "tied" if row["has_tie"] else "best"
        ci = interval(row["ci_low"], row["ci_high"], metric.digits, sign=True)
        return f"{ci} tied" if row["tied"] is True and ci else ci

    text = lambda value: number(value, metric.digits, sign=True)
    meaning = "mean over pairs of equal seeds [95 % CI]; tied: not significant"
    return Column("mean_diff", f"Δ vs best{unit}", text, detail, meaning)


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
