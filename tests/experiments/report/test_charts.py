"""Charts: values where they belong, ticks that do not run together, visible marks."""

import re
from dataclasses import replace
from itertools import pairwise
from xml.etree import ElementTree

import pandas as pd
import pytest

from jax_acts.experiments.report.charts import (
    axis_chart,
    change_chart,
    curve_chart,
    dot_chart,
    layer_chart,
)
from jax_acts.experiments.report.comparisons import ACCURACY, TRAIN_LOSS, group_runs
from jax_acts.experiments.report.model import Chart, Metric
from jax_acts.experiments.report.theme import file_svg, page_svg
from tests.experiments.report.synthetic import FAR, record, records

DEAD = Metric("dead_fraction", "dead units", "%", 100, bounds=(0, 100), layer="mean")
NAMESPACE = "{http://www.w3.org/2000/svg}"
WIDE = records(relu=[0.25, 0.41], gelu=[0.992, 0.999])


def by_axis(*values: float, end: float = 0.9):
    """Return runs of one activation at each value of an axis."""
    axes = [
        {"activation": "elu", "alpha": x, "seed": s} for x in values for s in (0, 1)
    ]
    runs = [record(end - 0.01 * n, **place) for n, place in enumerate(axes)]
    return group_runs(runs, by=("activation", "alpha"), within=("activation",))


def draw(chart: Chart) -> ElementTree.Element:
    return ElementTree.fromstring(page_svg(chart.spec, 12))


def tick_labels(svg: ElementTree.Element, axis: str) -> list[tuple[float, str]]:
    """Return position along the axis and text of each visible tick label."""
    labels = []
    for group in svg.iter(f"{NAMESPACE}g"):
        if not group.get("aria-label", "").startswith(f"{axis}-axis"):
            continue
        for ticks in group.iter(f"{NAMESPACE}g"):
            if "role-axis-label" in ticks.get("class", ""):
                for text in ticks:
                    if text.get("opacity") == "1" and text.text:
                        x, y = re.findall(r"-?[\d.]+", text.get("transform", ""))[:2]
                        labels.append((float(x if axis == "X" else y), text.text))
    return sorted(labels)


def descriptions(svg: ElementTree.Element) -> list[str]:
    return [
        mark.get("aria-label", "")
        for mark in svg.iter()
        if mark.get("aria-roledescription") == "rect mark"
    ]


def points(chart: Chart) -> list[dict]:
    """Return the rows of the line or the dots of a chart."""
    layers = chart.spec.to_dict()["layer"]
    (line,) = [x for x in layers if x["mark"]["type"] == "line"]
    return line["data"]["values"]


@pytest.mark.parametrize(
    "chart",
    [
        dot_chart(group_runs(WIDE[:2]), ACCURACY),
        dot_chart(group_runs(WIDE), ACCURACY),
        dot_chart(group_runs(records(relu=[0.995, 0.998, 0.9985])), ACCURACY),
        axis_chart(by_axis(0.1, 0.25, 0.5, 1, 1.5, 2, 3, 5, 10, 20), ACCURACY, "alpha"),
        axis_chart(by_axis(2, 5, 10, 20, 50), ACCURACY, "alpha"),
        axis_chart(by_axis(*range(0, 2001, 100), end=0.95), ACCURACY, "alpha"),
        curve_chart(group_runs(FAR), ACCURACY),
    ],
)
def test_tick_labels_do_not_run_together(chart):
    labels = tick_labels(draw(chart), "X")
    assert len(labels) >= 2
    width = lambda text: 0.6 * 11 * len(text)  # of a digit, in a font of 11 px
    for (x, text), (next_x, next_text) in pairwise(labels):
        assert x + width(text) / 2 < next_x - width(next_text) / 2, labels


@pytest.mark.parametrize("count", [3, 15])
def test_layers_have_whole_ticks(count):
    labels = tick_labels(
        draw(axis_chart(by_axis(*range(count)), ACCURACY, "alpha")), "X"
    )
    assert len(labels) >= 3
    assert all(text.isdigit() for _, text in labels), labels


@pytest.mark.parametrize("end", [0.05, 0.5, 0.99])
def test_log_axis_has_plain_numbers(end):
    chart = curve_chart(group_runs(records(relu=[end] * 2)), TRAIN_LOSS, log=True)
    labels = tick_labels(draw(chart), "Y")
    assert len(labels) >= 3
    assert all(re.fullmatch(r"[\d.]+", text) for _, text in labels), labels
    assert all(y - x > 11 for (x, _), (y, _) in pairwise(labels))


def test_curves_are_placed_at_their_steps():
    comparison = group_runs(FAR)
    assert {p["x"] for p in points(curve_chart(comparison, ACCURACY))} == {
        0,
        30,
        60,
        90,
    }
    assert {p["x"] for p in points(curve_chart(comparison, TRAIN_LOSS))} == {30, 60, 90}
    svg = draw(curve_chart(comparison, TRAIN_LOSS))
    assert descriptions(svg)[0].startswith("step 30\n")


def test_layers_are_counted_from_one():
    chart = layer_chart(group_runs(FAR), DEAD._replace(layer=None))
    assert {p["x"] for p in points(chart)} == {1, 2, 3}
    last = {p["x"]: p["value"] for p in points(chart)}
    assert last[3] == pytest.approx(27.3)


def test_single_point_is_visible():
    svg = draw(axis_chart(by_axis(2), ACCURACY, "alpha"))
    assert any("mark-symbol" in g.get("class", "") for g in svg.iter())


@pytest.mark.parametrize("make", [dot_chart, curve_chart, change_chart])
def test_chart_without_runs_says_so(make):
    diverged = group_runs(records(exp=[None, None]))
    svg = ElementTree.tostring(draw(make(diverged, ACCURACY)), "unicode")
    assert "no finished run" in svg


def test_equal_values_have_a_readable_axis():
    same = group_runs(records(relu=[0.5, 0.5], gelu=[0.5, 0.5]))
    labels = [
        float(text) for _, text in tick_labels(draw(dot_chart(same, ACCURACY)), "X")
    ]
    assert max(labels) - min(labels) > 0.1


def test_interval_of_a_percentage_stays_in_its_range():
    chart = dot_chart(group_runs(records(relu=[0.2, 0.8])), ACCURACY)
    (text,) = descriptions(draw(chart))
    assert "95 % CI [0.00, 100.00]" in text
    labels = [float(text) for _, text in tick_labels(draw(chart), "X")]
    assert (min(labels), max(labels)) == (0, 100)


def test_best_row_is_on_top():
    chart = dot_chart(group_runs(FAR), ACCURACY)
    names = [text for _, text in tick_labels(draw(chart), "Y")]
    assert names == ["relu", "sigmoid"]
    losses = dot_chart(group_runs(FAR), TRAIN_LOSS)
    assert descriptions(draw(losses))[0].startswith("relu\n")


def test_percentages_near_100_are_spread():
    runs = records(a=[0.80] * 2, b=[0.90] * 2, c=[0.98] * 2, d=[0.99] * 2)
    labels = dict(
        map(reversed, tick_labels(draw(dot_chart(group_runs(runs), ACCURACY)), "X"))
    )
    assert labels["99"] - labels["98"] == pytest.approx(labels["90"] - labels["80"])


def test_change_shows_both_ends():
    (text, _) = descriptions(draw(change_chart(group_runs(FAR), DEAD)))
    assert text == "sigmoid\n0.20 before training\n18.20 after"


def test_page_svg_takes_its_colors_from_the_page():
    runs = records(**{f"f{n:02}": [0.5, 0.6] for n in range(12)})
    svg = page_svg(curve_chart(group_runs(runs), ACCURACY).spec, 12)
    assert {f"var(--line-{n})" for n in range(12)} <= set(
        re.findall(r"var\([^)]*\)", svg)
    )
    assert not re.search(r"#[0-9a-f]{3,6}\b", svg), "a fixed color"
    assert " id=" not in svg
    assert "stroke-dasharray" in svg, "series 10 has the color of series 0"


def test_file_svg_has_its_colors_and_a_legend():
    svg = file_svg(curve_chart(group_runs(FAR), ACCURACY).spec)
    assert "var(" not in svg
    assert {"relu", "sigmoid"} <= {e.text for e in ElementTree.fromstring(svg).iter()}


def test_missing_values_are_not_drawn():
    comparison = group_runs(FAR)
    metrics = comparison.metrics.copy()
    metrics.loc[metrics["step"] == 60, "value"] = pd.NA
    metrics = metrics.astype({"value": float})
    chart = curve_chart(replace(comparison, metrics=metrics), ACCURACY)
    assert {p["x"] for p in points(chart)} == {0, 30, 90}


def test_a_chart_of_many_seeds_samples_them_from_the_lowest_to_the_highest():
    many = [record(0.5 + n / 9000, activation="relu", seed=n) for n in range(3000)]
    few = [record(0.9, activation="gelu", seed=n) for n in range(3)]
    comparison = group_runs([*many, *few])
    chart = dot_chart(comparison, ACCURACY)
    assert (
        "Small dots: 1,003 of 3,003 seeds, at equal distances of rank" in chart.caption
    )
    rows = next(
        layer["data"]["values"]
        for layer in chart.spec.to_dict()["layer"]
        if "value" in layer.get("data", {}).get("values", [{}])[0]
    )
    values = sorted(row["value"] for row in rows if row["group"] == "relu")
    assert len(values) == 1000
    assert values[0] == pytest.approx(50.0)
    assert values[-1] == pytest.approx(100 * (0.5 + 2999 / 9000))
    assert sum(row["group"] == "gelu" for row in rows) == 3
    assert "Small dots: seeds; large" in dot_chart(group_runs(few), ACCURACY).caption
