"""The charts of a report, as Altair charts.

Altair (Vega-Lite) rather than Matplotlib: log axes, label overlap, text measurement
and escaped descriptions are its own, and its SVG takes CSS variables as colors, so the
page needs no edited SVG and no JavaScript library. `theme` renders it, offline.

Every mark that a pointer can find has a `description`, which becomes the `aria-label`
that the page shows as a tooltip.
"""

import textwrap
from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from jax_acts.experiments.report.comparisons import Comparison, at_end
from jax_acts.experiments.report.format import interval, number
from jax_acts.experiments.report.model import Chart, Metric, Row, to_rows
from jax_acts.experiments.report.theme import DASHES, NUM_COLORS
from jax_acts.experiments.stats import Bounds

WIDTH, HEIGHT, ROW_HEIGHT = 400, 230, 22

DOTS = "Small dots: seeds; large dot: mean; bar: 95 % CI."
BAND = "Line: mean over the seeds; band: lowest to highest seed."

MAX_TARGETS = 80
"""The most positions of a line chart that have a tooltip."""


def dot_chart(
    comparison: Comparison, metric: Metric, title: str = "", note: str = ""
) -> Chart:
    """Return every seed of every group with the mean and its interval, best first.

    Percentages above 90 have a logarithmic axis of what is missing to 100, so that 98
    and 99 are as far apart as 80 and 90.
    """
    values = comparison.values(metric).dropna(subset=["value"])
    table = comparison.summary(metric).dropna(subset=["mean"])
    table = table.sort_values("mean", ascending=metric.lower_is_better)
    table = table.merge(values[["group", "series"]].drop_duplicates(), on="group")
    seeds = values.groupby("group")["value"].agg(list)
    table["description"] = [
        _describe_seeds(row, seeds[row["group"]], metric) for row in to_rows(table)
    ]
    positions = table[["mean", "ci_low", "ci_high"]].rename(columns={"mean": "value"})
    rows = pd.concat([positions, values[["value"]]], ignore_index=True)
    rows, x, note_axis = _score_axis(rows, metric)
    means = table[["group", "series", "description"]].join(rows)
    dots = values[["group", "series"]].reset_index(drop=True)
    dots = dots.assign(value=rows["value"].to_numpy()[len(table) :])
    y, color = _group_axis(table["group"]), _color(comparison.series)
    spec = _row_chart(
        means,
        _chart(dots).mark_circle(size=26, opacity=0.45).encode(x=x, y=y, color=color),
        _chart(means.dropna().assign(value=means["ci_low"]))
        .mark_rule(strokeWidth=2)
        .encode(x=x, x2="ci_high:Q", y=y, color=color),
        _chart(means)
        .mark_circle(size=70, opacity=1, style="outline")
        .encode(x=x, y=y, color=color),
    )
    caption = " ".join(filter(None, (DOTS, note_axis, note)))
    return Chart(title or _capitalize(metric.title), caption, spec)


def _row_chart(frame: pd.DataFrame, *layers: alt.Chart) -> alt.LayerChart | alt.Chart:
    """Return layers with one row per group, each with the text of its `description`."""
    if frame.empty:
        return _empty()
    y = _group_axis(frame["group"])
    targets = _chart(frame[["group", "description"]]).mark_rect(opacity=0)
    targets = targets.encode(y=y, description="description:N")
    height = max(ROW_HEIGHT * len(frame) + 50, 110)
    return _layer(targets, *layers, height=height)


def change_chart(
    comparison: Comparison, metric: Metric, title: str = "", note: str = ""
) -> Chart:
    """Return a metric before training (ring) and after it (dot), means over seeds."""
    ends = [
        comparison.summary(metric._replace(at=at)).set_index("group")["mean"]
        for at in ("first", "last")
    ]
    frame = pd.DataFrame({"value": ends[0], "last": ends[1]}).dropna()
    frame = frame.reindex([g for g in comparison.groups if g in frame.index])
    frame = frame.rename_axis("group").reset_index()
    series = comparison.runs[["group", "series"]].drop_duplicates()
    frame = frame.merge(series, on="group")
    frame["description"] = [
        f"{row['group']}\n{number(row['value'], metric.digits)} before training\n"
        f"{number(row['last'], metric.digits)} after"
        for row in to_rows(frame)
    ]
    scale = _padded(frame[["value", "last"]], metric.bounds)
    x = alt.X("value:Q", title=metric.label, scale=scale, axis=alt.Axis(tickCount=6))
    y, color = _group_axis(frame["group"]), _color(comparison.series)
    spec = _row_chart(
        frame,
        _chart(frame).mark_rule(opacity=0.5).encode(x=x, x2="last:Q", y=y, color=color),
        _chart(frame).mark_point(size=50).encode(x=x, y=y, color=color),
        _chart(frame.assign(value=frame["last"]))
        .mark_circle(size=70, opacity=1)
        .encode(x=x, y=y, color=color),
    )
    caption = "Ring: before training; dot: after it; means over the seeds."
    return Chart(title or _capitalize(metric.title), f"{caption} {note}".strip(), spec)


def curve_chart(
    comparison: Comparison,
    metric: Metric,
    title: str = "",
    note: str = "",
    *,
    log: bool = False,
) -> Chart:
    """Return a metric by optimizer steps; every value is at the step of its record."""
    title = title or f"{_capitalize(metric.title)} by step"
    rows = comparison.curve(metric)
    return _lines(rows, "step", "step", comparison, metric, title, note, log=log)


def axis_chart(
    comparison: Comparison,
    metric: Metric,
    axis: str,
    title: str = "",
    note: str = "",
    *,
    x_title: str = "",
    log: bool = False,
) -> Chart:
    """Return a metric by a numeric axis of the study, such as the depth."""
    x_title = x_title or axis.replace("_", " ")
    title = title or f"{_capitalize(metric.title)} by {x_title}"
    rows = comparison.values(metric).assign(group=lambda frame: frame["series"])
    return _lines(rows, axis, x_title, comparison, metric, title, note, log=log)


def layer_chart(
    comparison: Comparison,
    metric: Metric,
    title: str = "",
    note: str = "",
    *,
    log: bool = False,
) -> Chart:
    """Return a metric per layer, counted from 1, at `metric.at`."""
    rows = at_end(comparison.curve(metric), metric.at)
    rows = rows.assign(layer=rows["layer"] + 1)
    title = title or f"{_capitalize(metric.title)} by layer"
    return _lines(rows, "layer", "layer", comparison, metric, title, note, log=log)


def _lines(
    rows: pd.DataFrame,
    x_name: str,
    x_title: str,
    comparison: Comparison,
    metric: Metric,
    title: str,
    note: str,
    *,
    log: bool,
) -> Chart:
    """Return the mean line and min-max band of each group over x."""
    rows = rows.dropna(subset=["value"]).assign(x=rows[x_name].astype(float))
    table = rows.groupby(["group", "series", "x"], sort=False)["value"]
    table = table.agg(value="mean", low="min", high="max").reset_index()
    caption = f"{BAND} {note}".strip()
    if table.empty:
        return Chart(title, caption, _empty())
    if log and (table["low"] > 0).all():
        y_scale, y_axis = _log_axis(
            0.95 * table["low"].min(), 1.05 * table["high"].max()
        )
    else:
        y_scale, y_axis = _padded(table[["low", "high"]], metric.bounds), alt.Axis()
    y = alt.Y(
        "value:Q", title=textwrap.wrap(metric.label, 36), scale=y_scale, axis=y_axis
    )
    scale, ticks = _x_scale(table["x"])
    x = alt.X("x:Q", title=x_title, scale=scale, axis=ticks)
    color = _color(comparison.series)
    repeats = table["series"].map(comparison.series.index) // NUM_COLORS
    table["repeat"] = repeats % len(DASHES)
    dashes = alt.Scale(domain=list(range(len(DASHES))), range=DASHES)
    dash = alt.StrokeDash("repeat:N", scale=dashes, legend=None)
    sparse = table["x"].nunique() <= 12
    return Chart(
        title,
        caption,
        _layer(
            _chart(_targets(table, x_title, metric))
            .mark_rect(opacity=0)
            .encode(x=alt.X("left:Q"), x2="right:Q", description="description:N"),
            _chart(table.assign(value=table["low"]))
            .mark_area(opacity=0.15)
            .encode(x=x, y=y, y2="high:Q", color=color, detail="group:N"),
            _chart(table)
            .mark_line(strokeWidth=1.8)
            .encode(x=x, y=y, color=color, strokeDash=dash, detail="group:N"),
            *(
                [
                    _chart(table)
                    .mark_circle(size=24, opacity=1)
                    .encode(x=x, y=y, color=color)
                ]
                if sparse
                else []
            ),
            height=HEIGHT,
        ),
    )


def _targets(table: pd.DataFrame, x_title: str, metric: Metric) -> pd.DataFrame:
    """Return bands of the x-axis, each with the values of all series as its text."""
    places = np.sort(table["x"].unique())
    places = places[:: -(-len(places) // MAX_TARGETS)]
    middle = (places[1:] + places[:-1]) / 2
    rows = []
    for n, x in enumerate(places):
        here = table[table["x"] == x].sort_values("value", ascending=False)
        lines = [f"{x_title} {x:,.6g}"]
        for row in to_rows(here):
            low, high = row["low"], row["high"]
            ends = "" if low == high else f" {interval(low, high, metric.digits)}"
            lines.append(f"{row['group']}: {number(row['value'], metric.digits)}{ends}")
        left = middle[n - 1] if n else x
        right = middle[n] if n < len(middle) else x
        rows.append({"left": left, "right": right, "description": "\n".join(lines)})
    return pd.DataFrame(rows)


def _describe_seeds(row: Row, values: Sequence[float], metric: Metric) -> str:
    """Return the text of a group: mean, interval and seeds."""
    lines = [row["group"], f"mean {number(row['mean'], metric.digits)}"]
    if ci := interval(row["ci_low"], row["ci_high"], metric.digits):
        lines.append(f"95 % CI {ci}")
    each = ", ".join(number(value, metric.digits) for value in values[:10])
    lines.append(f"seeds {each}{', …' if len(values) > 10 else ''}")
    return "\n".join(lines)


CLOSEST = 0.1
"""What is missing to 100 at the end of the logarithmic axis of percentages."""


def _score_axis(frame: pd.DataFrame, metric: Metric) -> tuple[pd.DataFrame, alt.X, str]:
    """Return the positions of scores, their axis and a note on it."""
    if metric.bounds != (0, 100) or not frame["value"].max() > 90:
        scale, axis, note = _padded(frame, metric.bounds), alt.Axis(tickCount=6), ""
    else:
        frame = (100 - frame).clip(lower=CLOSEST)
        scale, axis = _log_axis(frame.min().min() / 1.1, frame.max().max() * 1.1)
        scale.reverse = True
        axis.labelExpr = "format(100 - datum.value, '.4~g')"
        note = "The axis is logarithmic in what is missing to 100 %."
    return frame, alt.X("value:Q", title=metric.label, scale=scale, axis=axis), note


def _padded(frame: pd.DataFrame, bounds: Bounds) -> alt.Scale:
    """Return a linear scale with room at both ends, within the possible range."""
    low, high = frame.min().min(), frame.max().max()
    margin = 0.04 * (high - low)
    if margin < 1e-9 * max(1.0, abs(high)):
        margin = 0.5  # equal values have no scale of their own
    lowest, highest = bounds
    domain = [
        max(low - margin, min(low, lowest)),
        min(high + margin, max(high, highest)),
    ]
    return alt.Scale(domain=domain, nice=False, zero=False)


def _log_axis(low: float, high: float) -> tuple[alt.Scale, alt.Axis]:
    """Return a log scale with at least 4 ticks, of round numbers where possible."""
    decades = 10.0 ** np.arange(np.floor(np.log10(low)), np.log10(high) + 1)
    axis = alt.Axis(format="~g", tickCount=5)
    for digits in ([1], [1, 2, 5], [1, 1.5, 2, 3, 5, 7]):
        ticks = np.outer(decades, digits).round(12).ravel()
        ticks = ticks[(low <= ticks) & (ticks <= high)]
        if len(ticks) >= 4:
            axis.values = ticks.tolist()
            break
    return alt.Scale(type="log", domain=[low, high], nice=False), axis


def _x_scale(values: pd.Series) -> tuple[alt.Scale, alt.Axis]:
    """Return the scale and ticks of a numeric axis.

    It is symmetric-logarithmic where most of the values crowd at its small end. Few
    values are all marked; whole numbers have no ticks between them.
    """
    places = sorted(values.unique())
    crowded = places[0] >= 0 and places[-1] > 10 * float(np.median(places))
    scale = alt.Scale(zero=False, nice=False, padding=6)
    if crowded:
        constant = min(place for place in places if place > 0)
        scale = alt.Scale(type="symlog", constant=constant, nice=False, padding=6)
    options: dict[str, Any] = {"format": ",.6~g"}
    if len(places) <= 12 or crowded:
        options["values"] = places
    elif all(float(place).is_integer() for place in places):
        options["tickMinStep"] = 1
    return scale, alt.Axis(**options)


def _color(series: Sequence[str]) -> alt.Color:
    return alt.Color("series:N", scale=alt.Scale(domain=list(series)), title=None)


def _group_axis(groups: pd.Series) -> alt.Y:
    axis = alt.Axis(domain=False, ticks=False, labelLimit=170, labelPadding=8)
    return alt.Y("group:N", sort=list(groups), title=None, axis=axis)


def _chart(frame: pd.DataFrame) -> alt.Chart:
    return alt.Chart(alt.Data(values=to_rows(frame)))


def _layer(targets: alt.Chart, *layers: alt.Chart, height: int) -> alt.LayerChart:
    """Return the layers over the targets of the pointer, which alone are described."""
    for layer in layers:
        layer.mark.aria = False
    chart = alt.LayerChart(layer=[targets, *layers])
    return chart.properties(width=WIDTH, height=height)


def _empty() -> alt.Chart:
    return (
        _chart(pd.DataFrame({"text": ["no finished run"]}))
        .mark_text()
        .encode(text="text:N")
        .properties(width=WIDTH, height=110)
    )


def _capitalize(text: str) -> str:
    return text[:1].upper() + text[1:]
