"""Charts as SVG elements that take their colours and their font from the page."""

import io
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.summary import Spread

COLORS = 10
"""How many series colours the page has; after them they begin again."""

# Colours that matplotlib draws with and that `_element` makes variables of the page.
_INK, _GRID, _SURFACE = "#fe10ff", "#fe11ff", "#fe12ff"
_HEIGHT = 3.0
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.size": 10,
    "text.color": _INK,
    "axes.labelcolor": _INK,
    "axes.edgecolor": _GRID,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": _GRID,
    "grid.linewidth": 0.6,
    "xtick.color": _GRID,
    "ytick.color": _GRID,
    "xtick.labelcolor": _INK,
    "ytick.labelcolor": _INK,
    "lines.linewidth": 1.6,
}


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
) -> str:
    """Returns lines with bands over a common axis."""

    def draw(axes: Axes) -> None:
        for curve in series:
            color = _series(curve.color)
            gid = f"series-{curve.color}"
            axes.fill_between(
                curve.x, curve.low, curve.high, color=color, alpha=0.15, lw=0, gid=gid
            )
            axes.plot(curve.x, curve.middle, color=color, gid=gid)
        if log:
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.set(xlabel=x_label, ylabel=y_label)
        axes.margins(x=0.01)

    return _element(name, draw, _HEIGHT)


def intervals(
    name: str, rows: Sequence[Row], x_label: str, *, percent: bool = False
) -> str:
    """Returns every value as a small dot, with the mean and its interval over them.

    Args:
        name: The name of the chart, for its ids.
        rows: What is drawn, from the top.
        x_label: What is on the x-axis.
        percent: Whether to draw what is missing to 100 on a logarithmic axis, so that
            98 and 99 are as far from each other as 60 and 80.
    """

    def draw(axes: Axes) -> None:
        for y, row in enumerate(rows):
            color, gid = _series(row.color), f"series-{row.color}"
            heights = [y] * len(row.values)
            axes.scatter(
                row.values, heights, s=18, color=color, alpha=0.5, lw=0, gid=gid
            )
            if row.spread is None:
                continue
            ends = [row.spread.low, row.spread.high]
            axes.plot(ends, [y, y], color=color, lw=2, solid_capstyle="butt", gid=gid)
            axes.plot(
                row.spread.mean,
                y,
                marker="o",
                ms=8,
                color=color,
                mec=_SURFACE,
                mew=1.5,
                gid=gid,
            )
        axes.set_xlabel(x_label)
        if percent:
            _stretch(axes)
        _name_rows(axes, rows)

    return _element(name, draw, height=_height(rows))


def _stretch(axes: Axes) -> None:
    """Makes the x-axis logarithmic in what is missing to 100, from 100 on at 99.9."""
    axes.set_xscale(
        "function",
        functions=(
            lambda x: -np.log10(np.maximum(100 - x, 0.1)),
            lambda y: 100 - 10**-y,
        ),
    )
    low, high = axes.get_xlim()
    marks = [0, 40, 60, 70, 80, 85, 90, 92, 94, 96, 97, 98, 99, 99.5, 99.8]
    axes.set_xticks([m for m in marks if low <= m <= high] or [low, high])
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")


def changes(name: str, rows: Sequence[Row], x_label: str) -> str:
    """Returns a ring at the first of two values and a full dot at the second."""

    def draw(axes: Axes) -> None:
        for y, row in enumerate(rows):
            color, gid = _series(row.color), f"series-{row.color}"
            start, end = row.values
            axes.plot([start, end], [y, y], color=color, alpha=0.5, gid=gid)
            axes.plot(start, y, "o", ms=6, mec=color, mfc=_SURFACE, mew=1.5, gid=gid)
            axes.plot(end, y, "o", ms=7, color=color, mec=_SURFACE, gid=gid)
        axes.set_xlabel(x_label)
        _name_rows(axes, rows)

    return _element(name, draw, height=_height(rows))


def _height(rows: Sequence[Row]) -> float:
    return max(0.8 + 0.29 * len(rows), _HEIGHT)


def _name_rows(axes: Axes, rows: Sequence[Row]) -> None:
    axes.set_yticks(range(len(rows)), [row.name for row in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.margins(x=0.06)


def _series(color: int) -> str:
    return f"#fe00{color % COLORS:02x}"


def _element(name: str, draw: Callable[[Axes], Any], height: float) -> str:
    """Returns what `draw` draws, as an SVG element without outside references.

    The same drawing gives the same bytes: no date, and ids from a fixed salt.
    """
    with matplotlib.rc_context({**_STYLE, "svg.hashsalt": name}):
        figure = Figure(figsize=(5.0, height), layout="constrained")
        draw(figure.add_subplot())
        file = io.StringIO()
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(file, format="svg", transparent=True, metadata=nothing)
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :]
    for pattern, replacement in (
        (r' (width|height)="[\d.]+pt"', ""),
        (r' (xmlns|xmlns:xlink|version)="[^"]*"', ""),
        (r'xlink:href="#', 'href="#'),
        (r'id="(series-\d+)"', r'class="\1"'),
        (r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-"),
        (r"#fe00([0-9a-f]{2})", lambda m: f"var(--series-{int(m[1], 16)})"),
        (_INK, "var(--ink)"),
        (_GRID, "var(--grid)"),
        (_SURFACE, "var(--surface)"),
        (r"font-family: [^;\"]*", "font-family: var(--font)"),
    ):
        svg = re.sub(pattern, replacement, svg)
    return svg
