"""The default report: which group is the best by a metric?

A study that compares activations by a metric needs only

    comparison = group_runs(records, study.runs(config), by=("activation",))
    return compare_report(question, setup, comparison, ACCURACY, data=(summary,))
"""

from collections.abc import Sequence

import pandas as pd

from jax_acts.experiments.report.charts import curve_chart, dot_chart
from jax_acts.experiments.report.comparisons import (
    ACCURACY,
    TRAIN_LOSS,
    Comparison,
    conclude,
)
from jax_acts.experiments.report.model import (
    Chart,
    DataSummary,
    Metric,
    Report,
    Scores,
    Section,
    Table,
)
from jax_acts.experiments.report.tables import paired_test_table, score_table

NOTES = (
    "95 % CI: Student's t-interval of the mean over the seeds, clipped to the possible "
    "range. A seed determines the initial parameters and the order of the examples; "
    "the data are the same for all runs.",
    "Δ vs best: mean over pairs of equal seeds, with its 95 % CI and the paired "
    "t-test, Holm-adjusted over all comparisons of the table. Groups with p ≥ 0.05 are "
    "tied with the best. The best group is selected on the same data, which favors it "
    "slightly.",
)


def run_notes(comparison: Comparison) -> tuple[str, ...]:
    """Return notes on runs that diverged or are missing."""
    runs, notes = comparison.runs, []
    count, diverged = len(runs), runs.loc[runs["status"] == "diverged", "run"]
    if names := [*diverged[:5], *["…"][: len(diverged[5:])]]:
        text = f"{len(diverged)} of {count} runs diverged and are left out"
        notes.append(f"{text}: {'; '.join(names)}.")
    if count < comparison.num_planned:
        text = f"{count} of {comparison.num_planned} runs"
        notes.append(f"The study is not finished: {text}.")
    return tuple(notes)


def compare_report(
    question: str,
    setup: str,
    comparison: Comparison,
    metric: Metric = ACCURACY,
    *,
    conclusion: str | None = None,
    columns: Sequence[Metric] = (),
    table: Table | None = None,
    charts: Sequence[Chart] | None = None,
    sections: Sequence[Section] = (),
    notes: Sequence[str] = (),
    data: Sequence[DataSummary] = (),
    is_quick: bool = False,
) -> Report:
    """Return the report of a comparison by one metric.

    Args:
        question: The question of the study.
        setup: Models, data and training in one sentence.
        comparison: The runs.
        metric: The metric that decides.
        conclusion: The answer; if left out `conclude`, for one family.
        columns: Further metrics in the table: mean and interval.
        table: The table of results, in place of the default one.
        charts: If left out: scores, their curve over training, and the training loss.
        sections: Sections before that of the tests against the best.
        notes: Notes besides those on intervals, tests and missing runs.
        data: The data sets.
        is_quick: Whether the config is `quick`.
    """
    tests = comparison.tests(metric)
    return Report(
        question,
        conclude(comparison, metric) if conclusion is None else conclusion,
        setup,
        (table or score_table(comparison, metric, columns),),
        tuple(default_charts(comparison, metric) if charts is None else charts),
        comparison.series,
        (*run_notes(comparison), *NOTES, *notes),
        (*sections, *paired_test_sections(tests, metric)),
        tuple(data),
        Scores(comparison.scores(metric), metric),
        is_quick,
        comparison.colors,
    )


def paired_test_sections(
    tests: pd.DataFrame, metric: Metric, title: str = "Tests against the best"
) -> tuple[Section, ...]:
    """Return a section with paired tests, or none where there are none."""
    tests = tests[tests["n"] > 0]
    if tests.empty:
        return ()
    return (Section(title, (), paired_test_table(tests, metric)),)


def default_charts(comparison: Comparison, metric: Metric) -> list[Chart]:
    """Return the scores, their curve over training, and the training loss."""
    charts = [dot_chart(comparison, metric)]
    for shown, log in ((metric, False), (TRAIN_LOSS, True)):
        if comparison.curve(shown)["step"].nunique() > 1:
            charts.append(curve_chart(comparison, shown, log=log))
    return charts
