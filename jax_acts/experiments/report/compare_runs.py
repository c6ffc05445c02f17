"""Two or more runs of a study in one report: configs, scores and differences."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from jax_acts.experiments.config.errors import RunError
from jax_acts.experiments.report.builders import NOTES, paired_test_sections
from jax_acts.experiments.report.charts import dot_chart
from jax_acts.experiments.report.comparisons import Comparison, describe_difference
from jax_acts.experiments.report.export import flatten
from jax_acts.experiments.report.files import Studies, load_run
from jax_acts.experiments.report.format import join
from jax_acts.experiments.report.model import (
    Column,
    Metric,
    Report,
    Scores,
    Section,
    Table,
    to_rows,
)
from jax_acts.experiments.report.render import RunInfo
from jax_acts.experiments.report.tables import interval_column
from jax_acts.experiments.stats import mean_ci, paired_tests


def compare_directories(
    directories: Sequence[Path], studies: Studies
) -> tuple[Report, list[RunInfo]]:
    """Return the report on several runs of one study, and the runs.

    Raises:
        RunError: There are fewer than two, or they are of different studies.
        ConfigError: The config of a run cannot be read.
    """
    if len({path.resolve() for path in directories}) < max(len(directories), 2):
        raise RunError("compare: expected two or more different run directories")
    runs = [load_run(directory, studies) for directory in directories]
    if len(kinds := dict.fromkeys(run.config.study for run in runs)) > 1:
        raise RunError(f"compare: expected runs of one study, got {join([*kinds])}")
    report = compare_reports(
        [str(directory) for directory in directories],
        [run.report for run in runs],
        [run.config.model_dump(mode="json") for run in runs],
    )
    return report, [run.info for run in runs]


def compare_reports(
    names: Sequence[str],
    reports: Sequence[Report],
    configs: Sequence[Mapping[str, Any]],
) -> Report:
    """Return the report on several runs of one study.

    Args:
        names: The names of the runs.
        reports: The report of each run.
        configs: The config of each run, as from `model_dump`.

    Raises:
        RunError: The study has no scores by seed.
    """
    scores = [report.scores for report in reports if report.scores]
    if len(scores) < len(reports):
        raise RunError("compare: expected a study with scores by seed, got none")
    metric = scores[0].metric
    table = pd.concat(
        [
            one.frame.rename(columns=lambda group, name=name: f"{group} · {name}")
            for name, one in zip(names, scores, strict=True)
        ],
        axis=1,
    )
    groups = list(dict.fromkeys(str(group) for one in scores for group in one.frame))
    label = lambda group, name: f"{group} · {name}"
    shared = [
        (group, name)
        for name in names[1:]
        for group in groups
        if {label(group, name), label(group, names[0])} <= {*table}
    ]
    pairs = [(label(group, name), label(group, names[0])) for group, name in shared]
    tests = paired_tests(table, pairs, bounds=metric.bounds)
    tests[["name", "series"]] = pd.DataFrame(shared, columns=["name", "series"])
    different = tests[tests["p_holm"] < 0.05]
    conclusion = f"{len(different)} of {len(tests)} groups differ significantly"
    details = [
        f"{row['group']} from {row['baseline']} {describe_difference(row, metric)}"
        for row in to_rows(different.head(3))
    ]
    conclusion += f": {join(details)}." if details else "."
    comparison = _comparison(names, scores, groups)
    return Report(
        reports[0].question,
        conclusion,
        f"{len(names)} runs: {join(names)}.",
        (_side_by_side(names, comparison, tests, metric),),
        (dot_chart(comparison, metric),),
        tuple(names),
        (*NOTES, PAIRS),
        (
            _config_differences(names, configs),
            *paired_test_sections(tests, metric, f"Tests against {names[0]}"),
            *(
                Section(f"{table.title} of {name}", (report.conclusion,), table)
                for name, report in zip(names, reports, strict=True)
                for table in report.tables[:1]
            ),
        ),
        tuple(dict.fromkeys(data for report in reports for data in report.data)),
        Scores(table, metric),
        any(report.is_quick for report in reports),
        comparison.colors,
    )


def _comparison(
    names: Sequence[str], scores: Sequence[Scores], groups: Sequence[str]
) -> Comparison:
    """Return the scores of all runs as groups in the color of their run."""
    frames = [
        one.frame.melt(var_name="name", value_name=one.metric.name, ignore_index=False)
        .reset_index(names="seed")
        .assign(series=run)
        for run, one in zip(names, scores, strict=True)
    ]
    runs = pd.concat(frames, ignore_index=True).dropna()
    runs["group"] = runs["name"] + " · " + runs["series"]
    runs["status"] = "finished"
    runs[scores[0].metric.name] /= scores[0].metric.scale
    order = tuple(f"{group} · {name}" for group in groups for name in names)
    return Comparison(runs, runs[:0], order, tuple(names), (order,), "group", len(runs))


def _side_by_side(
    names: Sequence[str], comparison: Comparison, tests: pd.DataFrame, metric: Metric
) -> Table:
    """Return one row per group: its score in each run, and Δ vs the first run."""
    unit = f" ({metric.difference_unit})" if metric.difference_unit else ""
    summary = comparison.values(metric)
    summary = mean_ci(summary, ["name", "series"], bounds=metric.bounds)
    tests = tests.rename(columns={"mean_diff": "mean"})
    wide = pd.concat({"score": summary, "change": tests}, names=["kind"])
    wide = wide.pivot_table(
        index="name", columns=["kind", "series"], values=["mean", "ci_low", "ci_high"]
    )
    frame = wide.reindex(summary["name"].unique())
    frame.columns = [" ".join(column) for column in frame.columns]
    column = lambda kind, name, title: interval_column(
        f"mean {kind} {name}",
        f"{title}, {name}",
        metric.digits,
        low=f"ci_low {kind} {name}",
        high=f"ci_high {kind} {name}",
        sign=kind == "change",
    )
    columns = [column("score", name, metric.label) for name in names]
    columns += [column("change", name, f"Δ{unit}") for name in names[1:]]
    first = f"mean score {names[0]}"
    frame = frame.sort_values(first, ascending=metric.lower_is_better)
    return Table(frame.reset_index(), (Column("name", "group"), *columns))


def _config_differences(
    names: Sequence[str], configs: Sequence[Mapping[str, Any]]
) -> Section:
    """Return the keys in which the configs differ, one row each."""
    flat = [flatten(config) for config in configs]
    frame = pd.DataFrame(flat, index=list(names)).T.map(str).replace("nan", "–")
    frame = frame[frame.nunique(axis=1) > 1].rename_axis("key").reset_index()
    title = "Differences of the configs"
    if frame.empty:
        return Section(title, ("The configs are equal.",))
    columns = (Column("key", "key"), *(Column(name, name) for name in names))
    return Section(title, (), Table(frame, columns))


PAIRS = (
    "Groups of one name are paired over equal seeds, which determine the initial "
    "parameters and the order of the examples. Where a config changes what a seed "
    "draws, such as a width, the pairs are uncorrelated; the test stays valid."
)
