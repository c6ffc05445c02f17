"""Charts, drawn by matplotlib: as SVG that takes its colours from the page, or on axes.

A chart also knows what is at each place of it, for whoever points there.
"""

import html
import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jax_acts.experiments.report import axes as scales
from jax_acts.experiments.report.theme import COLORS
from jax_acts.experiments.stats import Spread

WIDTH, HEIGHT = 5.0, 3.0
"""Of a chart in inches; a chart with many rows is higher."""

# Colours that matplotlib draws with and that `svg` makes variables of the page.
_DRAWN = {
    "ink": "#fe10ff",
    "grid": "#fe11ff",
    "surface": "#fe12ff",
    **{f"series-{n}": f"#fe00{n:02x}" for n in range(COLORS)},
}


def style(colors: Mapping[str, str]) -> dict[Any, Any]:
    """Returns matplotlib's settings for charts in these colours."""
    ink, grid = colors["ink"], colors["grid"]
    return {
        "svg.fonttype": "none",
        "font.size": 10,
        "text.color": ink,
        "axes.labelcolor": ink,
        "axes.edgecolor": grid,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.axisbelow": True,
        "axes.grid": True,
        "axes.facecolor": "none",
        "grid.color": grid,
        "grid.linewidth": 0.6,
        "xtick.color": grid,
        "ytick.color": grid,
        "xtick.labelcolor": ink,
        "ytick.labelcolor": ink,
        "lines.linewidth": 1.6,
    }


class Mark(NamedTuple):
    """What is read at a place of one series."""

    at: float
    """Where it is on the other axis."""
    color: int
    text: str


class Place(NamedTuple):
    """A place on the axis that is pointed along, with all that is there."""

    at: float
    title: str
    marks: tuple[Mark, ...]


class Picture(NamedTuple):
    """A chart that is not drawn yet."""

    name: str
    """What its ids begin with."""
    draw: Callable[[Axes, Mapping[str, str]], object]
    """Draws it on axes in these colours."""
    height: float
    along: Literal["x", "y"]
    places: tuple[Place, ...]


class Curve(NamedTuple):
    """A line, with a band around it."""

    color: int
    x: Sequence[float]
    middle: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]


class Row(NamedTuple):
    """A name on the left, and what is drawn on its line."""

    color: int
    name: str
    values: Sequence[float]
    spread: Spread | None = None


def curves(
    name: str, series: Sequence[Curve], x_label: str, y_label: str, *, log: bool = False
) -> Picture:
    """Returns lines with bands over a common axis."""

    def draw(axes: Axes, colors: Mapping[str, str]) -> None:
        for curve in series:
            color, gid = colors[of(curve.color)], f"series-{curve.color}"
            axes.fill_between(
                curve.x, curve.low, curve.high, color=color, alpha=0.15, lw=0, gid=gid
            )
            alone = "o" if len(curve.x) == 1 else ""
            axes.plot(
                curve.x,
                curve.middle,
                dash(curve.color),
                color=color,
                gid=gid,
                marker=alone,
            )
        axes.set(xlabel=x_label, ylabel=y_label)
        axes.margins(x=0.01)
        if log:
            scales.logarithmic(axes)
        scales.along(axes, sorted({x for curve in series for x in curve.x}))
        if not series:
            _say_nothing_is_there(axes)

    return Picture(name, draw, HEIGHT, "x", _points(series, x_label))


def _say_nothing_is_there(axes: Axes) -> None:
    where = {"ha": "center", "va": "center", "transform": axes.transAxes}
    axes.text(0.5, 0.5, "no member is finished", **where)
    axes.set(xticks=[], yticks=[])


def _points(series: Sequence[Curve], x_label: str) -> tuple[Place, ...]:
    """Returns for each x what the lines are there."""
    found: dict[float, list[Mark]] = {}
    for curve in series:
        for x, middle, low, high in zip(*curve[1:], strict=True):
            if np.isfinite(middle):
                some = "" if low == high else f" ({low:.4g} to {high:.4g})"
                mark = Mark(middle, curve.color, f"{middle:.4g}{some}")
                found.setdefault(float(x), []).append(mark)
    return tuple(Place(x, f"{x_label} {x:.4g}", tuple(found[x])) for x in sorted(found))


def intervals(
    name: str, rows: Sequence[Row], x_label: str, *, percent: bool = False
) -> Picture:
    """Returns every value as a small dot, with the mean and its interval over them.

    Args:
        name: The name of the chart, for its ids.
        rows: What is drawn, from the top.
        x_label: What is on the x-axis.
        percent: Whether to draw what is missing to 100 on a logarithmic axis, so that
            98 and 99 are as far from each other as 60 and 80.
    """

    def draw(axes: Axes, colors: Mapping[str, str]) -> None:
        for y, row in enumerate(rows):
            color, gid = colors[of(row.color)], f"series-{row.color}"
            heights = [y] * len(row.values)
            axes.scatter(
                row.values, heights, s=18, color=color, alpha=0.5, lw=0, gid=gid
            )
            if row.spread is None:
                continue
            ends = [row.spread.low, row.spread.high]
            ends = np.clip(ends, 0, 100) if percent else ends
            axes.plot(ends, [y, y], color=color, lw=2, solid_capstyle="butt", gid=gid)
            axes.plot(
                row.spread.mean,
                y,
                marker="o",
                ms=8,
                color=color,
                mec=colors["surface"],
                mew=1.5,
                gid=gid,
            )
        axes.set_xlabel(x_label)
        _name_rows(axes, rows)
        if percent:
            scales.missing_to_100(axes)
        else:
            scales.room(axes, [value for row in rows for value in row.values])

    return Picture(name, draw, _height(rows), "y", _rows(rows))


def _rows(rows: Sequence[Row]) -> tuple[Place, ...]:
    """Returns for each row what is drawn on it."""
    places = []
    for y, row in enumerate(rows):
        known = row.spread
        if known and known.n:
            lines = [(known.mean, f"mean {known.mean:.4g}")]
            if known.n > 1:
                ends = f"95 % interval {known.low:.4g} to {known.high:.4g}"
                lines += [(known.mean, ends)]
            each = ", ".join(f"{value:.4g}" for value in row.values[:10])
            more = ", …" if len(row.values) > 10 else ""
            lines += [(known.mean, f"seeds {each}{more}")]
        else:
            lines = list(zip(row.values, map("{:.4g}".format, row.values), strict=True))
        marks = [Mark(x, row.color, text) for x, text in lines if np.isfinite(x)]
        places.append(Place(y, row.name, tuple(marks)))
    return tuple(places)


def changes(name: str, rows: Sequence[Row], x_label: str) -> Picture:
    """Returns a ring at the first of two values and a full dot at the second."""

    def draw(axes: Axes, colors: Mapping[str, str]) -> None:
        for y, row in enumerate(rows):
            color, gid = colors[of(row.color)], f"series-{row.color}"
            start, end = row.values
            axes.plot([start, end], [y, y], color=color, alpha=0.5, gid=gid)
            axes.plot(
                start, y, "o", ms=6, mec=color, mfc=colors["surface"], mew=1.5, gid=gid
            )
            axes.plot(end, y, "o", ms=7, color=color, mec=colors["surface"], gid=gid)
        axes.set_xlabel(x_label)
        _name_rows(axes, rows)
        scales.room(axes, [value for row in rows for value in row.values])

    return Picture(name, draw, _height(rows), "y", _rows(rows))


def _height(rows: Sequence[Row]) -> float:
    return max(0.8 + 0.29 * len(rows), HEIGHT)


def _name_rows(axes: Axes, rows: Sequence[Row]) -> None:
    axes.set_yticks(range(len(rows)), [row.name for row in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.margins(x=0.06)


def of(color: int) -> str:
    """Returns the name of the colour of a series."""
    return f"series-{color % COLORS}"


def dash(color: int) -> Literal["-", "--", "-.", ":"]:
    """Returns the dashes of a series, by which those of one colour differ."""
    return ("-", "--", "-.", ":")[color // COLORS % 4]


def svg(picture: Picture, *, apart: str = "", places: bool = True) -> str:
    """Returns a picture as an SVG element without outside references.

    The same drawing gives the same bytes: no date, and ids from a fixed salt.

    Args:
        picture: The picture.
        apart: What its ids begin with, where a page has two of its name.
        places: Whether the element says what is where, in its `data-places`.
    """
    name = f"{apart}{picture.name}"
    with matplotlib.rc_context({**style(_DRAWN), "svg.hashsalt": name}):
        # 72 dots an inch, so that dots are the units of the element.
        size = (WIDTH, picture.height)
        figure = Figure(figsize=size, dpi=72, layout="constrained")
        axes = figure.add_subplot()
        picture.draw(axes, _DRAWN)
        file = io.StringIO()
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(file, format="svg", transparent=True, metadata=nothing)
        told = _located(picture, axes) if places else None
    text = file.getvalue()
    text = text[text.index("<svg") :]
    for pattern, replacement in (
        (r' (width|height)="[\d.]+pt"', ""),
        (r' (xmlns|xmlns:xlink|version)="[^"]*"', ""),
        (r'xlink:href="#', 'href="#'),
        (r'id="(series-\d+)"', r'class="\1"'),
        (r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-"),
        (r"font-family: [^;\"]*", "font-family: var(--font)"),
        *((color, f"var(--{variable})") for variable, color in _DRAWN.items()),
    ):
        text = re.sub(pattern, replacement, text)
    if told is None:
        return text
    return text.replace("<svg", f'<svg data-places="{html.escape(told)}"', 1)


def _located(picture: Picture, axes: Axes) -> str:
    """Returns the places of a picture as JSON, in the coordinates of its element."""
    height = 72 * picture.height

    def located(x: float, y: float) -> tuple[float, float]:
        right, up = axes.transData.transform((x, y))
        return round(float(right), 1), round(height - float(up), 1)

    found = []
    for place in picture.places:
        marks = []
        for mark in place.marks:
            there = (place.at, mark.at) if picture.along == "x" else (mark.at, place.at)
            marks.append([*located(*there), mark.color, mark.text])
        if marks:
            found.append([place.title, marks])
    return json.dumps({"along": picture.along, "places": found}, ensure_ascii=False)
