"""Runs compared over seeds: groups, scores, tests and the conclusion.

Runs that differ only in the seed are a group; groups that are compared with each other
are a family. A study with several axes says which make a group, a family and a color:

    group_runs(records, runs, by=("activation", "depth"), within=("depth",))

compares activations at equal depth, in the color of the activation.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import pandas as pd

from jax_acts.experiments.records import RunRecord, Value, metrics_frame, runs_frame
from jax_acts.experiments.report.format import interval, join, number, p_value
from jax_acts.experiments.report.model import Metric, Row, to_rows
from jax_acts.experiments.stats import NON_NEGATIVE, difference_to_best, mean_ci
from jax_acts.experiments.study import RunSpec

ACCURACY = Metric("accuracy", "test accuracy", "%", 100, bounds=(0, 100))
TRAIN_LOSS = Metric(
    "train_loss",
    "training loss",
    digits=3,
    lower_is_better=True,
    bounds=NON_NEGATIVE,
)

NO_CONCLUSION = "No conclusion: no run has finished without diverging."

Label = Callable[[Mapping[str, Value]], str]
"""Returns the display name of a group from its axes."""


@dataclass(frozen=True)
class Comparison:
    """The runs of a study in groups over seeds.

    Attributes:
        runs: `runs_frame` with the columns `group` and `series`.
        metrics: `metrics_frame` with the same.
        groups: All groups in the order of the config.
        series: The names in the legend, in the order of their colors.
        families: The groups that are compared with each other.
        title: The heading of the column of groups: "activation".
        num_planned: How many runs the study has.
    """

    runs: pd.DataFrame
    metrics: pd.DataFrame
    groups: tuple[str, ...]
    series: tuple[str, ...]
    families: tuple[tuple[str, ...], ...]
    title: str
    num_planned: int

    @property
    def colors(self) -> dict[str, str]:
        """The series of each group with a run."""
        return dict(self.runs[["group", "series"]].itertuples(index=False, name=None))

    def values(self, metric: Metric) -> pd.DataFrame:
        """Return one row per finished run, with the scaled `value` of the metric."""
        runs = self.runs[self.runs["status"] == "finished"]
        if metric.name in runs:
            return runs.assign(value=metric.scale * runs[metric.name])
        values = at_end(self.curve(metric), metric.at).set_index("run")["value"]
        return runs.assign(value=runs["run"].map(values).astype(float))

    def curve(self, metric: Metric) -> pd.DataFrame:
        """Return one row per finished run and step, with the scaled `value`."""
        rows = self.metrics[
            (self.metrics["metric"] == metric.name)
            & (self.metrics["status"] == "finished")
        ]
        if metric.layer == "mean":
            keys = [c for c in rows if c not in ("layer", "value")]
            rows = rows.groupby(keys, sort=False, as_index=False)["value"].mean()
        elif metric.layer is not None:
            counts = rows.groupby("run")["layer"].transform("max") + 1
            rows = rows[rows["layer"] == metric.layer + (metric.layer < 0) * counts]
        return rows.assign(value=metric.scale * rows["value"])

    def scores(self, metric: Metric) -> pd.DataFrame:
        """Return the values with one row per seed and one column per group."""
        values = self.values(metric)
        table = values.pivot(index="seed", columns="group", values="value")
        return table[[group for group in self.groups if group in table]]

    def summary(self, metric: Metric) -> pd.DataFrame:
        """Return n, mean, sd and interval of each group: see `stats.mean_ci`."""
        return mean_ci(self.values(metric), "group", bounds=metric.bounds)

    def tests(self, metric: Metric) -> pd.DataFrame:
        """Return the tests against the best: see `stats.difference_to_best`."""
        return difference_to_best(
            self.scores(metric),
            self.families,
            lower_is_better=metric.lower_is_better,
            bounds=metric.bounds,
        )

    def select(self, **axes: Value) -> "Comparison":
        """Return the comparison of the runs at these positions on the axes."""
        keep = lambda frame: frame[(frame[[*axes]] == pd.Series(axes)).all(axis=1)]
        runs = keep(self.runs)
        names = set(runs["group"])
        present = lambda groups: tuple(g for g in groups if g in names)
        return replace(
            self,
            runs=runs,
            metrics=keep(self.metrics),
            groups=present(self.groups),
            families=tuple(filter(None, map(present, self.families))),
        )

    def derive(
        self, source: str, name: str, function: Callable[[pd.DataFrame], pd.Series]
    ) -> "Comparison":
        """Return the comparison with one more metric.

        Args:
            source: A metric per layer.
            name: The new metric, one value per run and step.
            function: Takes a DataFrame with one column per layer and returns the value
                of each row: `lambda layers: layers[0] - layers.iloc[:, -1]`.
        """
        rows = self.metrics[self.metrics["metric"] == source]
        keys = [c for c in rows if c not in ("layer", "value", "metric")]
        layers = rows.pivot(index=keys, columns="layer", values="value")
        new = function(layers).rename("value").reset_index()
        new = new.assign(metric=name, layer=None)
        new = new.astype(self.metrics.dtypes.to_dict())[list(self.metrics)]
        return replace(self, metrics=pd.concat([self.metrics, new], ignore_index=True))


def at_end(rows: pd.DataFrame, at: Literal["first", "last"]) -> pd.DataFrame:
    """Return the rows of the first or the last step of each run."""
    end = rows.groupby("run")["step"].transform("min" if at == "first" else "max")
    return rows[rows["step"] == end]


def group_runs(
    records: Iterable[RunRecord],
    planned: Sequence[RunSpec] | None = None,
    *,
    by: Sequence[str] = ("activation",),
    within: Sequence[str] = (),
    series: Sequence[str] | None = None,
    label: Label | None = None,
    series_label: Label | None = None,
    title: str | None = None,
) -> Comparison:
    """Return the records in groups over seeds; all records need an axis "seed".

    Args:
        records: The records so far.
        planned: All runs of the config, which decide the order of groups and colors;
            the records if left out.
        by: The axes that make a group.
        within: Those of `by` that must be equal in a family; none if left out.
        series: Those of `by` that make a color; if left out those not in `within`.
        label: The display name of a group; "relu, depth 5" if left out.
        series_label: The display name of a color.
        title: The heading of the column of groups; the axes if left out.
    """
    records, by, within = list(records), list(by), list(within)
    series = [a for a in by if a not in within] if series is None else list(series)
    places = [dict(run.axes) for run in (records if planned is None else planned)]
    table = pd.DataFrame(places, columns=by).drop_duplicates(ignore_index=True)
    axes = to_rows(table)
    table["group"] = list(map(label or _label, axes))
    table["series"] = [
        (series_label or _label)({axis: row[axis] for axis in series}) for row in axes
    ]
    one_family = [0] * len(table)
    families = table.groupby(within or one_family, sort=False)["group"].agg(tuple)

    def tag(frame: pd.DataFrame) -> pd.DataFrame:
        if not records:
            return frame.reindex(columns=[*frame, *by, "seed", "group", "series"])
        return frame.merge(table, on=by, how="left")

    return Comparison(
        tag(runs_frame(records)),
        tag(metrics_frame(records)),
        tuple(table["group"]),
        tuple(table["series"].unique()),
        tuple(families),
        title or join([axis.replace("_", " ") for axis in by]),
        len(places),
    )


def _label(axes: Mapping[str, Value]) -> str:
    """Return strings as they are and numbers with the name of their axis.

    >>> _label({"activation": "relu", "depth": 5, "learning_rate": 1e-3})
    'relu, depth 5, learning rate 0.001'
    """
    return ", ".join(
        value if isinstance(value, str) else f"{axis.replace('_', ' ')} {value:g}"
        for axis, value in axes.items()
    )


def conclude(comparison: Comparison, metric: Metric) -> str:
    """Return which group of one family is the best, no more surely than its tests."""
    means = comparison.summary(metric).dropna(subset=["mean"])
    if means.empty:
        return NO_CONCLUSION
    means = means.sort_values("mean", ascending=metric.lower_is_better, kind="stable")
    best = to_rows(means)[0]
    extreme = "lowest" if metric.lower_is_better else "highest"
    value = f"{number(best['mean'], metric.digits)} {metric.unit}".strip()
    name = best["group"]
    if best["n"] < 2:
        return (
            f"{name} has the {extreme} {metric.title}, {value}, from a single seed: "
            "no test of a difference is possible."
        )
    ci = interval(best["ci_low"], best["ci_high"], metric.digits)
    text = (
        f"{name} has the {extreme} mean {metric.title}, {value} (95 % CI {ci}, "
        f"{best['n']} seeds)"
    )
    tests = comparison.tests(metric).dropna(subset=["p"])
    tied = list(tests.loc[tests["tied"], "group"])
    if len(tied) == len(tests) > 0:
        return f"No significant differences: {text}."
    if tied:
        verb = "is" if len(tied) == 1 else "are"
        text += f"; {join(tied)} {verb} not significantly different"
    for row in to_rows(tests[~tests["tied"]].head(1)):
        text += f"; the next is {row['group']}, {describe_difference(row, metric)}"
    return f"{text}."


def describe_difference(test: Row, metric: Metric) -> str:
    """Return a row of `paired_tests` in words.

    >>> row = {"mean_diff": -0.83, "ci_low": -1.59, "ci_high": -0.07, "p_holm": 0.042}
    >>> describe_difference(row, ACCURACY)
    'by −0.83 pp (95 % CI [−1.59, −0.07], p = 0.042)'
    """
    size = number(test["mean_diff"], metric.digits, sign=True)
    size = f"{size} {metric.difference_unit}".strip()
    ci = interval(test["ci_low"], test["ci_high"], metric.digits, sign=True)
    p = p_value(test["p_holm"])
    return f"by {size} (95 % CI {ci}, p {p if p.startswith('<') else f'= {p}'})"
