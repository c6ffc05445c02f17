"""The axes of charts: nothing is cut, nothing is printed over something else."""

from itertools import pairwise

import pytest
from matplotlib.figure import Figure

from jax_acts.experiments.report import charts as figures
from jax_acts.experiments.report.charts import (
    Curve,
    Picture,
    Row,
    changes,
    curves,
    intervals,
)
from jax_acts.experiments.report.theme import LIGHT
from jax_acts.experiments.stats import spread


def line(*x: float, color: int = 0) -> Curve:
    middle = [1 + value for value in x]
    return Curve(color, x, middle, middle, middle)


def drawn(picture: Picture):
    """Returns the axes with a picture on them, and what draws them."""
    figure = Figure((figures.WIDTH, picture.height), dpi=72, layout="constrained")
    axes = figure.add_subplot()
    picture.draw(axes, LIGHT)
    figure.draw_without_rendering()
    return axes


def shown(axis) -> list[str]:
    low, high = sorted(axis.get_view_interval())
    marks = [*axis.get_major_ticks(), *axis.get_minor_ticks()]
    seen = [m for m in marks if low <= m.get_loc() <= high]
    return [m.label1.get_text() for m in seen if m.label1.get_text()]


WIDE = [spread([25.0, 41.0]), spread([99.2, 99.9])]


@pytest.mark.parametrize(
    "picture",
    [
        intervals("i", [Row(0, "a", [25, 41], WIDE[0])], "%", percent=True),
        intervals(
            "i",
            [Row(n, "a", [50, 99], s) for n, s in enumerate(WIDE)],
            "%",
            percent=True,
        ),
        curves("c", [line(0, 0.1, 0.25, 0.5, 1, 1.5, 2, 3, 5, 10, 20)], "β", "y"),
        curves("c", [line(2, 5, 10, 20, 50)], "depth", "y"),
        curves("c", [line(*range(0, 2001, 100))], "step", "y"),
    ],
)
def test_numbers_at_marks_do_not_touch(picture):
    axes = drawn(picture)
    labels = [m.label1 for m in axes.xaxis.get_major_ticks() if m.label1.get_text()]
    boxes = sorted((label.get_window_extent() for label in labels), key=lambda b: b.x0)
    assert len(boxes) >= 2
    for left, right in pairwise(boxes):
        assert left.x1 < right.x0, shown(axes.xaxis)


def test_epochs_and_layers_have_whole_marks():
    for count in (3, 12):
        marks = shown(drawn(curves("c", [line(*range(count))], "epoch", "y")).xaxis)
        assert len(marks) >= 3
        assert all(mark.isdigit() for mark in marks), marks


@pytest.mark.parametrize(("low", "high"), [(2.2, 2.5), (0.29, 2.4), (0.02, 3.0)])
def test_a_logarithmic_axis_has_plain_numbers_that_do_not_touch(low, high):
    curve = Curve(0, [0, 1], [low, high], [low, high], [low, high])
    axis = drawn(curves("c", [curve], "step", "loss", log=True)).yaxis
    marks = shown(axis)
    assert len(marks) >= 2
    assert all(low / 2 < float(mark) < 2 * high for mark in marks), marks
    labels = [m.label1 for m in (*axis.get_major_ticks(), *axis.get_minor_ticks())]
    boxes = [b.get_window_extent() for b in labels if b.get_text() in marks]
    boxes.sort(key=lambda box: box.y0)
    for below, above in pairwise(boxes):
        assert below.y1 < above.y0, marks


def test_one_point_is_seen():
    (drawn_line,) = drawn(curves("c", [line(2)], "depth", "y")).lines
    assert drawn_line.get_marker() == "o"


def test_a_chart_of_nothing_says_so():
    (text,) = drawn(curves("c", [], "depth", "y")).texts
    assert text.get_text() == "no member is finished"


def test_equal_values_have_an_axis_of_a_size_that_means_something():
    low, high = drawn(changes("d", [Row(0, "a", [0.0, 0.0])], "%")).get_xlim()
    assert high - low > 1


def test_a_percentage_is_not_drawn_beyond_0_and_100():
    axes = drawn(intervals("i", [Row(0, "a", [25, 41], WIDE[0])], "%", percent=True))
    assert WIDE[0].low < 0, "else this tests nothing"
    assert WIDE[0].high > 100
    assert [*axes.lines[0].get_xdata()] == [0, 100]
