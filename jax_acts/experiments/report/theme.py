"""Colors and fonts of a report, and the Vega-Lite theme of its charts.

The SVG of a page names CSS variables in place of colors, so that one drawing serves
light and dark; files of their own get the light colors.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import vl_convert

VEGA_LITE = ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
"""The version of Vega-Lite that Altair writes: "6.1"."""

FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, sans-serif'

NUM_COLORS = 10
"""Series beyond these repeat the colors, with other dashes."""

DASHES = [[1, 0], [5, 3], [2, 2], [8, 3, 2, 3]]

LIGHT = {
    "page": "#f6f5f2",
    "surface": "#ffffff",
    "ink": "#52514e",
    "strong": "#14130f",
    "grid": "#e4e2dc",
    "accent": "#2a67c4",
    "mark": "#eef3fb",
    "alert": "#b42318",
    "series-0": "#2a67c4",
    "series-1": "#12906a",
    "series-2": "#d9480f",
    "series-3": "#7a4fd0",
    "series-4": "#c2255c",
    "series-5": "#1098ad",
    "series-6": "#b58100",
    "series-7": "#6b7280",
    "series-8": "#5c940d",
    "series-9": "#9c5a3c",
}
"""Colors by the names of the CSS variables."""

DARK = {
    "page": "#131312",
    "surface": "#1c1c1a",
    "ink": "#b8b6ae",
    "strong": "#f4f3ee",
    "grid": "#34332f",
    "accent": "#7fb0ff",
    "mark": "#22293a",
    "alert": "#b42318",
    "series-0": "#6fa5f7",
    "series-1": "#34c495",
    "series-2": "#ff8552",
    "series-3": "#ad8cf5",
    "series-4": "#f26a9b",
    "series-5": "#3fc5da",
    "series-6": "#e0af2c",
    "series-7": "#9aa1ac",
    "series-8": "#94cc46",
    "series-9": "#d29a7b",
}


def css_variables(colors: Mapping[str, str]) -> str:
    """Return colors as CSS declarations.

    >>> css_variables({"ink": "#52514e", "grid": "#e4e2dc"})
    '--ink: #52514e; --grid: #e4e2dc;'
    """
    return " ".join(f"--{name}: {color};" for name, color in colors.items())


def series_color(index: int) -> str:
    """Return the name of the color of a series.

    >>> series_color(13)
    'series-3'
    """
    return f"series-{index % NUM_COLORS}"


def page_svg(chart: alt.Chart | alt.LayerChart, num_series: int) -> str:
    """Return a chart as an SVG element that takes its colors from the page.

    A mark of series n is painted with `var(--line-n)`, by which the legend finds it.
    """
    colors = {name: f"var(--{name})" for name in LIGHT}
    lines = [f"var(--line-{n})" for n in range(num_series)]
    config = _config(colors, lines, font="var(--font)") | {"legend": {"disable": True}}
    spec = chart.to_dict() | {"config": config}
    return vl_convert.vegalite_to_svg(spec, vl_version=VEGA_LITE)


def file_svg(chart: alt.Chart | alt.LayerChart) -> str:
    """Return a chart as an SVG file in light colors, with its legend."""
    return vl_convert.vegalite_to_svg(_light(chart), vl_version=VEGA_LITE)


def png(chart: alt.TopLevelMixin) -> bytes:
    """Return a chart as PNG in light colors, at twice the size."""
    return vl_convert.vegalite_to_png(_light(chart), vl_version=VEGA_LITE, scale=2)


def _light(chart: Any) -> dict[str, Any]:
    series = [LIGHT[f"series-{n}"] for n in range(NUM_COLORS)]
    config = _config(LIGHT, series, font="sans-serif")
    return chart.to_dict() | {"config": config | {"background": LIGHT["surface"]}}


def _config(
    colors: Mapping[str, str], series: Sequence[str], font: str
) -> dict[str, Any]:
    """Return the Vega-Lite theme."""
    ink = colors["ink"]
    text = {"labelColor": ink, "titleColor": ink, "titleFontWeight": "normal"}
    return {
        "font": font,
        "background": None,
        "padding": 4,
        "autosize": {"type": "fit", "contains": "padding"},
        "range": {"category": list(series)},
        "view": {"stroke": None},
        "title": {"anchor": "start", "fontSize": 13, "color": colors["strong"]},
        "axis": text
        | {
            "labelFontSize": 12,
            "titleFontSize": 12,
            "titlePadding": 8,
            "gridColor": colors["grid"],
            "domainColor": colors["grid"],
            "tickColor": colors["grid"],
            "labelOverlap": "greedy",
            "labelSeparation": 5,
        },
        "legend": text
        | {
            "labelFontSize": 12,
            "orient": "bottom",
            "columns": 4,
            "symbolType": "circle",
            "symbolOpacity": 1,
        },
        "mark": {"color": colors["series-0"]},
        # A style of charts.py: the outline of a dot has the color of the background.
        "style": {"outline": {"stroke": colors["surface"], "strokeWidth": 1.5}},
    }
