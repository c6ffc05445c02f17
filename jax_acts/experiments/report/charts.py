"""The charts of a report, as Altair charts.

Altair (Vega-Lite) rather than Matplotlib: log axes, label overlap, text measurement
and escaped descriptions are its own, and its SVG takes CSS variables as colors, so the
page needs no edited SVG and no JavaScript library. `theme` renders it, offline.

Every target of the pointer has a `description`, which becomes the `aria-label` that the
page shows as a tooltip.
"""

import textwrap
from collections.abc import Callable, Sequence
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

MAX_DOTS = 2000
"""The most seeds that a chart of scores draws; above, it samples each group."""
MAX_TARGETS = 80
"""The most positions of a line chart that have a tooltip."""
FEW = 12
"""Up to this many positions of a line chart are marked, each with a tick."""
CLOSEST = 0.1
"""What is missing to 100 at the end of the logarithmic axis of percentages."""


def dot_chart(
    comparison: Comparison, metric: Metric, title: str = "", note: str = ""
) -> Chart:
    """Return every seed of every group with the mean and its interval, best first.

    Percentages above 90 have a logarithmic axis of what is missing to 100, so that 98
    and 99 are as far apart as 80 and 90.
    """
    seeds = comparison.values(metric).dropna(subset=["value"])
    seeds = seeds[["group", "series", "value"]]
    table = comparison.summary(metric).dropna(subset=["mean"])
    table = table.sort_values("mean", ascending=metric.lower_is_better)
    values = seeds.groupby("group")["value"].agg(list)
    seeds, shown = _sample_seeds(seeds)
    table["description"] = [
        _describe_seeds(row, values[row["group"]], metric) for row in to_rows(table)
    ]
    ends = ["mean", "ci_low", "ci_high"]
    if near_100 := metric.bounds == (0, 100) and seeds["value"].max() > 90:
        missing = lambda frame: (100 - frame).clip(lower=CLOSEST)
        seeds = seeds.assign(value=missing(seeds["value"]))
        table[ends] = missing(table[ends])
        note = f"The axis is logarithmic in what is missing to 100 %. {note}".strip()
    x = _score_axis(
        pd.concat([seeds["value"], *map(table.get, ends)]), metric, near_100
    )
    targets, base = _rows(table, comparison)
    spec = _layer(
        targets,
        base.properties(data=_data(seeds))
        .mark_circle(size=26, opacity=0.45)
        .encode(x=x("value")),
        base.mark_rule(strokeWidth=2).encode(x=x("ci_low"), x2="ci_high:Q"),
        base.mark_circle(size=70, opacity=1, style="outline").encode(x=x("mean")),
    )
    caption = f"Small dots: {shown}; large dot: mean; bar: 95 % CI. {note}".strip()
    return Chart(title or _capitalize(metric.title), caption, spec)


def _sample_seeds(seeds: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Return at most `MAX_DOTS` seeds, and their description for the caption.

    The seeds of each group are sampled at equal distances of their ranks, from the
    lowest to the highest. Means and intervals are those of all seeds.
    """
    if len(seeds) <= MAX_DOTS:
        return seeds, "seeds"
    count = max(2, MAX_DOTS // seeds["group"].nunique())
    rank = seeds.groupby("group")["value"].rank(method="first") - 1
    size = seeds.groupby("group")["value"].transform("size")
    # The rank is that of a sample where the scaled rank passes a whole number.
    scale = (count - 1) / (size - 1).clip(lower=1)
    is_sampled = (size <= count) | (rank == 0)
    is_sampled |= np.floor(rank * scale + 1e-9) > np.floor((rank - 1) * scale + 1e-9)
    text = f"{is_sampled.sum():,} of {len(seeds):,} seeds, at equal distances of rank"
    return seeds[is_sampled], text


def _describe_seeds(row: Row, values: Sequence[float], metric: Metric) -> str:
    lines = [row["group"], f"mean {number(row['mean'], metric.digits)}"]
    if ci := interval(row["ci_low"], row["ci_high"], metric.digits):
        lines.append(f"95 % CI {ci}")
    each = ", ".join(number(value, metric.digits) for value in values[:10])
    lines.append(f"seeds {each}{', …' if len(values) > 10 else ''}")
    return "\n".join(lines)


def change_chart(
    comparison: Comparison, metric: Metric, title: str = "", note: str = ""
) -> Chart:
    """Return a metric before training (ring) and after it (dot), means over seeds."""
    table = pd.DataFrame(
        {
            at: comparison.summary(metric._replace(at=at)).set_index("group")["mean"]
            for at in ("first", "last")
        }
    )
    table = table.reindex(comparison.groups).dropna().rename_axis("group").reset_index()
    table["description"] = [
        f"{row['group']}\n{number(row['first'], metric.digits)} before training\n"
        f"{number(row['last'], metric.digits)} after"
        for row in to_rows(table)
    ]
    x = _score_axis(pd.concat([table["first"], table["last"]]), metric)
    targets, base = _rows(table, comparison)
    spec = _layer(
        targets,
        base.mark_rule(opacity=0.5).encode(x=x("first"), x2="last:Q"),
        base.mark_point(size=50).encode(x=x("first")),
        base.mark_circle(size=70, opacity=1).encode(x=x("last")),
    )
    caption = "Ring: before training; dot: after it; means over the seeds."
    return Chart(title or _capitalize(metric.title), f"{caption} {note}".strip(), spec)


def _rows(table: pd.DataFrame, comparison: Comparison) -> tuple[alt.Chart, alt.Chart]:
    """Return the targets of one row per group, and the chart of its layers."""
    table = table.assign(series=table["group"].map(comparison.colors))
    axis = alt.Axis(domain=False, ticks=False, labelLimit=170, labelPadding=8)
    y = alt.Y("group:N", sort=list(table["group"]), title=None, axis=axis)
    height = max(ROW_HEIGHT * len(table) + 50, 110)
    base = alt.Chart(_data(table)).encode(y=y)
    return _targets(base, height), base.encode(color=_color(comparison))


def _targets(chart: alt.Chart, height: int) -> alt.Chart:
    chart = chart.encode(description="description:N").properties(height=height)
    return chart.mark_rect(opacity=0)


def curve_chart(
    comparison: Comparison,
    metric: Metric,
    title: str = "",
    note: str = "",
    *,
    log: bool = False,
) -> Chart:
    """Return a metric by optimizer steps; every value is at the step of its record."""
    rows = comparison.curve(metric).assign(x=lambda frame: frame["step"])
    return _lines(rows, "step", comparison, metric, title, note, log=log)


def axis_chart(
    comparison: Comparison,
    metric: Metric,
    axis: str,
    title: str = "",
    note: str = "",
    *,
    x_title: str = "",
) -> Chart:
    """Return a metric by a numeric axis of the study, such as the depth."""
    rows = comparison.values(metric)
    rows = rows.assign(x=rows[axis], group=rows["series"])
    x_title = x_title or axis.replace("_", " ")
    return _lines(rows, x_title, comparison, metric, title, note)


def layer_chart(
    comparison: Comparison, metric: Metric, title: str = "", note: str = ""
) -> Chart:
    """Return a metric per layer, counted from 1, at `metric.at`."""
    rows = at_end(comparison.curve(metric), metric.at)
    rows = rows.assign(x=rows["layer"] + 1)
    return _lines(rows, "layer", comparison, metric, title, note)


def _lines(
    rows: pd.DataFrame,
    x_title: str,
    comparison: Comparison,
    metric: Metric,
    title: str,
    note: str,
    *,
    log: bool = False,
) -> Chart:
    """Return the mean line and min-max band of each group over the column `x`."""
    rows = rows.dropna(subset=["value"]).astype({"x": float})
    table = rows.groupby(["group", "series", "x"], sort=False)["value"]
    table = table.agg(value="mean", low="min", high="max").reset_index()
    dash = {s: n // NUM_COLORS % len(DASHES) for n, s in enumerate(comparison.series)}
    table["dash"] = table["series"].map(dash)
    low, high = table["low"].min(), table["high"].max()
    if log and low > 0:
        scale, axis = _log_axis(0.95 * low, 1.05 * high)
    else:
        scale, axis = _padded(low, high, metric.bounds), alt.Axis()
    y_title = textwrap.wrap(metric.label, 36)
    y = lambda field: alt.Y(f"{field}:Q", title=y_title, scale=scale, axis=axis)
    dashes = alt.Scale(domain=list(range(len(DASHES))), range=DASHES)
    base = alt.Chart(_data(table)).encode(
        x=_x_axis(table["x"], x_title),
        y=y("value"),
        color=_color(comparison),
        detail="group:N",
    )
    layers = [
        base.mark_area(opacity=0.15).encode(y=y("low"), y2="high:Q"),
        base.mark_line(strokeWidth=1.8).encode(
            strokeDash=alt.StrokeDash("dash:N", scale=dashes, legend=None)
        ),
    ]
    if table["x"].nunique() <= FEW:
        layers.append(base.mark_circle(size=24, opacity=1))
    bands = alt.Chart(_data(_bands(table, x_title, metric)))
    targets = _targets(bands.encode(x="left:Q", x2="right:Q"), HEIGHT)
    return Chart(
        title or f"{_capitalize(metric.title)} by {x_title}",
        f"Line: mean over the seeds; band: lowest to highest seed. {note}".strip(),
        _layer(targets, *layers),
    )


def _bands(table: pd.DataFrame, x_title: str, metric: Metric) -> pd.DataFrame:
    """Return bands of the x-axis, each with the values of all series as its text."""
    positions = np.sort(table["x"].unique())
    positions = positions[:: -(-len(positions) // MAX_TARGETS) or 1]
    middle = (positions[1:] + positions[:-1]) / 2
    texts = []
    for x in positions:
        here = table[table["x"] == x].sort_values("value", ascending=False)
        lines = [f"{x_title} {x:,.6g}"]
        for row in to_rows(here):
            low, high = row["low"], row["high"]
            ends = "" if low == high else f" {interval(low, high, metric.digits)}"
            lines.append(f"{row['group']}: {number(row['value'], metric.digits)}{ends}")
        texts.append("\n".join(lines))
    left = np.concatenate([positions[:1], middle])
    right = np.concatenate([middle, positions[-1:]])
    return pd.DataFrame({"left": left, "right": right, "description": texts})


def _score_axis(
    values: pd.Series, metric: Metric, near_100: bool = False
) -> Callable[[str], alt.X]:
    """Return the x-axis of values, as a function of the field."""
    low, high = values.min(), values.max()
    if near_100:
        scale, axis = _log_axis(low / 1.1, high * 1.1)
        scale.reverse = True
        axis.labelExpr = "format(100 - datum.value, '.4~g')"
    else:
        scale, axis = _padded(low, high, metric.bounds), alt.Axis(tickCount=6)
    return lambda field: alt.X(f"{field}:Q", title=metric.label, scale=scale, axis=axis)


def _padded(low: float, high: float, bounds: Bounds) -> alt.Scale:
    """Return a linear scale with room at both ends, within the possible range."""
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


def _x_axis(values: pd.Series, title: str) -> alt.X:
    """Return a numeric axis.

    It is symmetric-logarithmic where most of the values crowd at its small end. Few
    values are all marked; whole numbers have no ticks between them.
    """
    positions = np.sort(values.unique())
    scale = alt.Scale(zero=False, nice=False, padding=6)
    crowded = len(positions) > 2 and positions[0] >= 0
    if crowded := crowded and positions[-1] > 10 * np.median(positions):
        scale.type, scale.constant = "symlog", positions[positions > 0][0]
    ticks: dict[str, Any] = {"format": ",.6~g"}
    if len(positions) <= FEW or crowded:
        ticks["values"] = positions.tolist()
    elif (positions % 1 == 0).all():
        ticks["tickMinStep"] = 1
    return alt.X("x:Q", title=title, scale=scale, axis=alt.Axis(**ticks))


def _color(comparison: Comparison) -> alt.Color:
    scale = alt.Scale(domain=list(comparison.series))
    return alt.Color("series:N", scale=scale, title=None)


def _data(frame: pd.DataFrame) -> alt.Data:
    return alt.Data(values=to_rows(frame))


def _layer(targets: alt.Chart, *layers: alt.Chart) -> alt.LayerChart | alt.Chart:
    """Draw `layers` over `targets`; only the targets have accessible descriptions."""
    if not targets.data.values:
        empty = alt.Chart(alt.Data(values=[{"text": "no finished run"}])).mark_text()
        return empty.encode(text="text:N").properties(width=WIDTH, height=110)
    for layer in layers:
        layer.mark.aria = False
    return alt.LayerChart(layer=[targets, *layers]).properties(width=WIDTH)


def _capitalize(text: str) -> str:
    return text[:1].upper() + text[1:]
