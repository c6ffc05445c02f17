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

COLORS = {
    "page": ("#f6f5f2", "#131312"),
    "surface": ("#ffffff", "#1c1c1a"),
    "ink": ("#52514e", "#b8b6ae"),
    "strong": ("#14130f", "#f4f3ee"),
    "grid": ("#e4e2dc", "#34332f"),
    "accent": ("#2a67c4", "#7fb0ff"),
    "mark": ("#eef3fb", "#22293a"),
    "alert": ("#b42318", "#b42318"),
    "series-0": ("#2a67c4", "#6fa5f7"),
    "series-1": ("#12906a", "#34c495"),
    "series-2": ("#d9480f", "#ff8552"),
    "series-3": ("#7a4fd0", "#ad8cf5"),
    "series-4": ("#c2255c", "#f26a9b"),
    "series-5": ("#1098ad", "#3fc5da"),
    "series-6": ("#b58100", "#e0af2c"),
    "series-7": ("#6b7280", "#9aa1ac"),
    "series-8": ("#5c940d", "#94cc46"),
    "series-9": ("#9c5a3c", "#d29a7b"),
}
"""(light, dark) by the name of the CSS variable."""


def page_svg(chart: alt.TopLevelMixin, num_series: int) -> str:
    """Return a chart as an SVG element that takes its colors from the page.

    A mark of series n is painted with `var(--line-n)`, by which the legend finds it.
    """
    colors = {name: f"var(--{name})" for name in COLORS}
    lines = [f"var(--line-{n})" for n in range(num_series)]
    spec = _spec(chart, colors, lines, font="var(--font)", legend={"disable": True})
    return vl_convert.vegalite_to_svg(spec, vl_version=VEGA_LITE)


def file_svg(chart: alt.TopLevelMixin) -> str:
    """Return a chart as an SVG file in light colors, with its legend."""
    return vl_convert.vegalite_to_svg(_light_spec(chart), vl_version=VEGA_LITE)


def png(chart: alt.TopLevelMixin) -> bytes:
    """Return a chart as PNG in light colors, at twice the size."""
    spec = _light_spec(chart)
    return vl_convert.vegalite_to_png(spec, vl_version=VEGA_LITE, scale=2)


def _light_spec(chart: alt.TopLevelMixin) -> dict[str, Any]:
    colors = {name: light for name, (light, _) in COLORS.items()}
    series = [colors[f"series-{n}"] for n in range(NUM_COLORS)]
    return _spec(chart, colors, series, background=colors["surface"])


def _spec(
    chart: alt.TopLevelMixin,
    colors: Mapping[str, str],
    series: Sequence[str],
    **overrides: Any,
) -> dict[str, Any]:
    """Return the Vega-Lite specification of a chart with the theme."""
    ink = colors["ink"]
    text = {
        "labelColor": ink,
        "labelFontSize": 12,
        "titleColor": ink,
        "titleFontWeight": "normal",
    }
    theme = {
        "font": "sans-serif",
        "background": None,
        "padding": 4,
        "autosize": {"type": "fit", "contains": "padding"},
        "range": {"category": list(series)},
        "view": {"stroke": None},
        "title": {"anchor": "start", "fontSize": 13, "color": colors["strong"]},
        "axis": text
        | {
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
            "orient": "bottom",
            "columns": 4,
            "symbolType": "circle",
            "symbolOpacity": 1,
        },
        "mark": {"color": colors["series-0"]},
        # A style of charts.py: the outline of a dot has the color of the background.
        "style": {"outline": {"stroke": colors["surface"], "strokeWidth": 1.5}},
    }
    return chart.to_dict() | {"config": theme | overrides}
