"""Two or more runs of a study in one report: configs, scores and differences."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from jax_acts.experiments.config.errors import RunError
from jax_acts.experiments.report import model
from jax_acts.experiments.report.builders import NOTES, paired_test_sections
from jax_acts.experiments.report.charts import dot_chart
from jax_acts.experiments.report.comparisons import Comparison, describe_difference
from jax_acts.experiments.report.files import Studies, load_run
from jax_acts.experiments.report.format import join
from jax_acts.experiments.report.render import RunInfo
from jax_acts.experiments.report.tables import interval_column
from jax_acts.experiments.stats import mean_ci, paired_tests

PAIRS = (
    "Groups of one name are paired over equal seeds, which determine the initial "
    "parameters and the order of the examples. Where a config changes what a seed "
    "draws, such as a width, the pairs are uncorrelated; the test stays valid."
)


def compare_directories(
    directories: Sequence[Path], studies: Studies
) -> tuple[model.Report, list[RunInfo]]:
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
    reports: Sequence[model.Report],
    configs: Sequence[Mapping[str, Any]],
) -> model.Report:
    """Return the report on several runs of one study, with the config of each.

    Raises:
        RunError: The study has no scores by seed.
    """
    scores = {n: r.scores for n, r in zip(names, reports, strict=True) if r.scores}
    if len(scores) < len(reports):
        raise RunError("compare: expected a study with scores by seed, got none")
    first, *others = names
    metric = scores[first].metric
    comparison = _comparison(scores, metric)
    table = comparison.scores(metric)
    groups = comparison.runs["name"].unique()
    changes = [
        (group, name)
        for name in others
        for group in groups
        if {_label(group, name), _label(group, first)} <= {*table}
    ]
    pairs = [(_label(group, name), _label(group, first)) for group, name in changes]
    tests = paired_tests(table, pairs, bounds=metric.bounds)
    tests[["name", "series"]] = pd.DataFrame(changes, columns=["name", "series"])
    different = tests[tests["p_holm"] < 0.05]
    details = [
        f"{row['group']} from {row['baseline']} {describe_difference(row, metric)}"
        for row in model.to_rows(different.head(3))
    ]
    conclusion = f"{len(different)} of {len(tests)} groups differ significantly"
    return model.Report(
        reports[0].question,
        f"{conclusion}: {join(details)}." if details else f"{conclusion}.",
        f"{len(names)} runs: {join(names)}.",
        (_side_by_side(names, comparison, tests, metric),),
        (dot_chart(comparison, metric),),
        tuple(names),
        (*NOTES, PAIRS),
        (
            _config_differences(names, configs),
            *paired_test_sections(tests, metric, f"Tests against {first}"),
            *(
                model.Section(f"{table.title} of {name}", (report.conclusion,), table)
                for name, report in zip(names, reports, strict=True)
                for table in report.tables[:1]
            ),
        ),
        tuple(dict.fromkeys(data for report in reports for data in report.data)),
        model.Scores(table, metric),
        any(report.is_quick for report in reports),
        comparison.colors,
    )


def _label(group: str, name: str) -> str:
    return f"{group} · {name}"


def _comparison(scores: Mapping[str, model.Scores], metric: model.Metric) -> Comparison:
    """Return the scores of all runs as groups in the color of their run."""
    frames = {name: one.frame.rename_axis("seed") for name, one in scores.items()}
    wide = pd.concat(frames, names=["series"]).rename_axis(columns="name")
    runs = (wide / metric.scale).melt(value_name=metric.name, ignore_index=False)
    runs = runs.dropna().reset_index()
    runs["group"] = runs["name"] + " · " + runs["series"]
    runs["status"] = "finished"
    order = tuple(_label(str(group), name) for group in wide for name in scores)
    return Comparison(
        runs, runs[:0], order, tuple(scores), (order,), "group", len(runs)
    )


def _side_by_side(
    names: Sequence[str],
    comparison: Comparison,
    tests: pd.DataFrame,
    metric: model.Metric,
) -> model.Table:
    """Return one row per group: its score in each run, and Δ vs the first run."""
    summary = comparison.values(metric)
    summary = mean_ci(summary, ["name", "series"], bounds=metric.bounds)
    frame = pd.DataFrame(index=pd.Index(summary["name"].unique(), name="name"))
    columns = [model.Column("name", "group")]
    label = metric.difference_label()
    kinds = [("score", summary, metric.label, name) for name in names]
    kinds += [("change", tests, label, name) for name in names[1:]]
    for kind, table, title, name in kinds:
        own = table[table["series"] == name].set_index("name")
        own = own.rename(columns={"mean_diff": "mean"})[["mean", "ci_low", "ci_high"]]
        prefix = f"{kind} {name} "
        frame = frame.join(own.add_prefix(prefix))
        column = interval_column(
            f"{prefix}mean",
            f"{title}, {name}",
            metric.digits,
            low=f"{prefix}ci_low",
            high=f"{prefix}ci_high",
            sign=kind == "change",
        )
        columns.append(column)
    by = f"score {names[0]} mean"
    frame = frame.sort_values(by, ascending=metric.lower_is_better)
    return model.Table(frame.reset_index(), tuple(columns))


def _config_differences(
    names: Sequence[str], configs: Sequence[Mapping[str, Any]]
) -> model.Section:
    """Return the keys in which the configs differ, one row each."""
    frame = model.flatten(configs).set_axis(list(names)).T.map(str).replace("nan", "–")
    frame = frame[frame.nunique(axis=1) > 1].rename_axis("key").reset_index()
    title = "Differences of the configs"
    if frame.empty:
        return model.Section(title, ("The configs are equal.",))
    columns = (
        model.Column("key", "key"),
        *(model.Column(name, name) for name in names),
    )
    return model.Section(title, (), model.Table(frame, columns))
