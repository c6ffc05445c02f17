"""Groups, scores and the wording of conclusions."""

import pytest

from jax_acts.experiments.records import Curve
from jax_acts.experiments.report.builders import compare_report, default_charts
from jax_acts.experiments.report.comparisons import (
    ACCURACY,
    NO_CONCLUSION,
    TRAIN_LOSS,
    conclude,
    group_runs,
)
from jax_acts.experiments.report.model import Metric, to_rows
from jax_acts.experiments.report.tables import score_table, summarize
from jax_acts.experiments.study import grid
from tests.experiments.report.synthetic import FAR, TIED, record, records, report

TRAIN_TIME = Metric("train_seconds", "train time", "s")
DEAD = Metric("dead_fraction", "dead units", "%", 100, bounds=(0, 100), layer=-1)


def deep(depths=(2, 5), activations=("relu", "tanh"), seeds=(0, 1)):
    return [
        record(0.9 - 0.1 * n - 0.01 * seed, activation=activation, depth=d, seed=seed)
        for d in depths
        for n, activation in enumerate(activations)
        for seed in seeds
    ]


def test_the_best_and_the_next_are_named():
    assert conclude(group_runs(FAR), ACCURACY) == (
        "relu has the highest mean test accuracy, 95.00 % (95 % CI [92.52, 97.48], "
        "3 seeds); the next is sigmoid, by −14.67 pp (95 % CI [−16.10, −13.23], "
        "p < 0.001)."
    )


def test_ties_are_no_victory():
    assert conclude(group_runs(TIED), ACCURACY).startswith(
        "No significant differences: gelu has the highest mean test accuracy, 94.67 %"
    )
    text = conclude(group_runs([*TIED, *FAR[:3]]), ACCURACY)
    assert "; relu is not significantly different; the next is sigmoid, by" in text


def test_a_single_seed_allows_no_test():
    text = conclude(group_runs(records(relu=[0.9], tanh=[0.8])), ACCURACY)
    assert text == (
        "relu has the highest test accuracy, 90.00 %, from a single seed: no test of a "
        "difference is possible."
    )
    rows = to_rows(summarize(group_runs(records(relu=[0.9], tanh=[0.8])), [ACCURACY]))
    assert [row["delta_remark"] for row in rows] == ["best", ""]


def test_of_losses_the_lowest_is_the_best():
    assert "relu has the lowest mean training loss" in conclude(
        group_runs(FAR), TRAIN_LOSS
    )


@pytest.mark.parametrize("runs", [[], records(exp=[None, None])])
def test_without_finished_runs_there_is_no_conclusion(runs):
    result = report(runs)
    assert result.conclusion == NO_CONCLUSION
    assert result.sections == ()


def test_diverged_and_missing_runs_are_noted_and_not_averaged():
    runs = records(relu=[0.9, None, 0.9], exp=[None] * 3)
    comparison = group_runs(runs, grid(activation=["exp", "relu"], seed=range(5)))
    result = compare_report("?", "", comparison)
    assert result.notes[0].startswith(
        "4 of 6 runs diverged and are left out: activation"
    )
    assert result.notes[1] == "The study is not finished: 6 of 10 runs."
    rows = {row["activation"]: row for row in to_rows(result.tables[0].frame)}
    assert rows["relu"]["accuracy_mean"] == pytest.approx(90)
    assert (rows["relu"]["finished"], rows["relu"]["diverged"]) == (2, 1)
    assert rows["exp"]["finished"] == 0


def test_rows_are_sorted_by_score_and_colors_follow_the_config():
    comparison = group_runs(FAR, grid(activation=["sigmoid", "relu"], seed=range(3)))
    assert comparison.series == ("sigmoid", "relu")
    frame = score_table(comparison, ACCURACY).frame
    assert frame["activation"].tolist() == ["relu", "sigmoid"]
    assert frame["delta_remark"].tolist() == ["best", ""]


def test_differences_are_between_equal_seeds():
    runs = records(relu=[0.9, None, 0.7], tanh=[0.6, 0.1, 0.5])
    (row,) = to_rows(group_runs(runs).tests(ACCURACY))
    assert (row["n"], row["mean_diff"]) == (2, pytest.approx(-25))


def test_families_are_compared_within_equal_axes():
    comparison = group_runs(deep(), by=("activation", "depth"), within=("depth",))
    assert comparison.series == ("relu", "tanh")
    assert comparison.families == (
        ("relu, depth 2", "tanh, depth 2"),
        ("relu, depth 5", "tanh, depth 5"),
    )
    assert comparison.tests(ACCURACY)["baseline"].tolist() == [
        "relu, depth 2",
        "relu, depth 5",
    ]


def test_select_keeps_the_runs_at_a_position():
    comparison = group_runs(deep(), by=("activation", "depth"), within=("depth",))
    selected = comparison.select(depth=5)
    assert selected.groups == ("relu, depth 5", "tanh, depth 5")
    assert set(selected.curve(ACCURACY)["depth"]) == {5}
    assert selected.series == comparison.series, "the colors stay"


def test_labels_are_those_of_the_study():
    comparison = group_runs(
        deep(),
        by=("activation", "depth"),
        label=lambda a: f"{a['activation']}@{a['depth']}",
    )
    assert comparison.groups[0] == "relu@2"


def test_metrics_of_layers_and_of_runs():
    comparison = group_runs(FAR)
    values = lambda metric: comparison.values(metric)["value"].tolist()
    assert values(DEAD) == pytest.approx([27.3] * 6)
    assert values(DEAD._replace(layer=0)) == pytest.approx([9.1] * 6)
    assert values(DEAD._replace(layer="mean", at="first")) == pytest.approx([0.2] * 6)
    assert values(TRAIN_TIME) == pytest.approx([1.5, 1.51, 1.52] * 2)


def test_the_last_layer_is_that_of_each_run():
    layers = {2: [[1.0, 2.0]], 3: [[3.0, 4.0, 5.0]]}
    runs = [
        run.model_copy(
            update={"curves": {"rms": Curve(steps=[0], values=layers[depth])}}
        )
        for depth in layers
        for run in [record(0.5, depth=depth, seed=0)]
    ]
    values = group_runs(runs, by=("depth",)).values(Metric("rms", "RMS", layer=-1))
    assert values["value"].tolist() == [2.0, 5.0]


def test_a_group_with_one_finished_run_is_not_called_tied():
    runs = records(relu=[0.9, 0.91, 0.9], tanh=[0.8, None, None], elu=[0.5, 0.52, 0.5])
    text = conclude(group_runs(runs), ACCURACY)
    assert "tanh" not in text
    assert "the next is elu" in text


def test_derived_metrics():
    comparison = group_runs(FAR).derive(
        "dead_fraction", "ratio", lambda layers: layers[0] / layers[2]
    )
    values = comparison.values(Metric("ratio", "ratio"))["value"]
    assert values.tolist() == pytest.approx([1 / 3] * 6)


def test_interval_is_clipped_to_the_possible_range():
    (row,) = to_rows(group_runs(records(relu=[0.2, 0.99])).summary(ACCURACY))
    assert (row["ci_low"], row["ci_high"]) == (0, 100)


def test_default_charts_are_scores_curve_and_loss():
    titles = [chart.title for chart in default_charts(group_runs(FAR), ACCURACY)]
    assert titles == ["Test accuracy", "Test accuracy by step", "Training loss by step"]
