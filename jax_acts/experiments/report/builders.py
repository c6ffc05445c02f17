"""The default report: which group is the best by a metric?"""

from collections.abc import Sequence

import pandas as pd

from jax_acts.experiments.report import model
from jax_acts.experiments.report.charts import curve_chart, dot_chart
from jax_acts.experiments.report.comparisons import (
    ACCURACY,
    TRAIN_LOSS,
    Comparison,
    conclude,
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
    diverged = list(runs.loc[runs["status"] == "diverged", "run"])
    if diverged:
        names = "; ".join(diverged[:5]) + ("; …" if len(diverged) > 5 else "")
        count = f"{len(diverged)} of {len(runs)}"
        notes.append(f"{count} runs diverged and are left out: {names}.")
    if len(runs) < comparison.num_planned:
        count = f"{len(runs)} of {comparison.num_planned}"
        notes.append(f"The study is not finished: {count} runs.")
    return tuple(notes)


def compare_report(
    question: str,
    setup: str,
    comparison: Comparison,
    metric: model.Metric = ACCURACY,
    *,
    conclusion: str | None = None,
    columns: Sequence[model.Metric] = (),
    table: model.Table | None = None,
    charts: Sequence[model.Chart] | None = None,
    sections: Sequence[model.Section] = (),
    notes: Sequence[str] = (),
    data: Sequence[model.DataSummary] = (),
    is_quick: bool = False,
) -> model.Report:
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
    return model.Report(
        question,
        conclude(comparison, metric) if conclusion is None else conclusion,
        setup,
        (table or score_table(comparison, metric, columns),),
        tuple(default_charts(comparison, metric) if charts is None else charts),
        comparison.series,
        (*run_notes(comparison), *NOTES, *notes),
        (*sections, *paired_test_sections(tests, metric)),
        tuple(data),
        model.Scores(comparison.scores(metric), metric),
        is_quick,
        comparison.colors,
    )


def paired_test_sections(
    tests: pd.DataFrame, metric: model.Metric, title: str = "Tests against the best"
) -> tuple[model.Section, ...]:
    """Return a section with paired tests, or none where there are none."""
    tests = tests[tests["n"] > 0]
    if tests.empty:
        return ()
    return (model.Section(title, (), paired_test_table(tests, metric)),)


def default_charts(comparison: Comparison, metric: model.Metric) -> list[model.Chart]:
    """Return the scores, their curve over training, and the training loss."""
    charts = [dot_chart(comparison, metric)]
    for shown, log in ((metric, False), (TRAIN_LOSS, True)):
        if comparison.curve(shown)["step"].nunique() > 1:
            charts.append(curve_chart(comparison, shown, log=log))
    return charts
