"""Figures of a diagnosis, and of several side by side. Requires Matplotlib."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from jax_acts.diagnosis.program import Row
from jax_acts.plotting import COLORS, STYLE

MAX_HISTOGRAMS = 6
_SUMMARIES = {
    "fraction": {"saturated": "saturated inputs", "dead": "dead units"},
    "standard deviation": {"pre_std": "input", "post_std": "output"},
    "gradient RMS": {"pre_grad_rms": "input", "post_grad_rms": "output"},
}
_HISTOGRAMS = {
    "input": ("pre_hist", "pre_min", "pre_max"),
    "output": ("post_hist", "post_min", "post_max"),
    "gradient of the input": ("pre_grad_hist", "", "pre_grad_max"),
}


class HasRows(Protocol):
    """A diagnosis."""

    @property
    def rows(self) -> list[Row]:
        """The statistics of the sites."""
        ...


def draw(rows: Sequence[Row], path: str | Path | None = None) -> Figure:
    """Draw the statistics along the sites, and histograms of up to six of them.

    Statistics and histograms of gradients are left out if there is no loss.
    """
    keys = rows[0].values
    histograms = {t: n for t, n in _HISTOGRAMS.items() if n[0] in keys}
    summaries = {t: n for t, n in _SUMMARIES.items() if {*n} <= keys.keys()}
    chosen = np.unique(
        np.linspace(0, len(rows) - 1, MAX_HISTOGRAMS).round().astype(int)
    )
    with rc_context({**STYLE, "axes.titlesize": 8, "font.size": 8}):
        height = 2.4 + 1.3 * len(histograms)
        figure = Figure(figsize=(9, height), layout="constrained")
        ratios = [2.0] + [1.0] * len(histograms)
        top, *below = np.atleast_1d(
            np.array(figure.subfigures(len(ratios), 1, height_ratios=ratios), object)
        )
        panels = np.atleast_1d(np.array(top.subplots(1, len(summaries)), object))
        for panel, (title, names) in zip(panels, summaries.items(), strict=True):
            _draw_summary(panel, rows, title, names)
        for part, (title, names) in zip(below, histograms.items(), strict=True):
            part.suptitle(title, x=0.01, ha="left", fontsize=8)
            axes = np.atleast_1d(np.array(part.subplots(1, len(chosen)), object))
            for panel, i in zip(axes, chosen, strict=True):
                _draw_histogram(panel, rows[i], names, 22)
        if path is not None:
            figure.savefig(path, dpi=100, facecolor="white")
    return figure


def compare(
    results: Mapping[str, HasRows],
    quantity: Literal["pre", "post", "pre_grad"],
    path: str | Path | None = None,
) -> Figure:
    """Draw the histograms of one quantity: a row per model, a column per site.

    Args:
        results: Diagnoses with histograms by the title of their row.
        quantity: "pre", the inputs of the activations, "post", their outputs, or
            "pre_grad", the gradients of the inputs.
        path: A file to write.
    """
    names = next(n for n in _HISTOGRAMS.values() if n[0] == f"{quantity}_hist")
    columns = max(len(result.rows) for result in results.values())
    with rc_context({**STYLE, "axes.titlesize": 8, "font.size": 8}):
        size = (2.2 * columns, 1.2 * len(results))
        figure = Figure(figsize=size, layout="constrained")
        grid = figure.subplots(len(results), columns, squeeze=False)
        for axes, (title, result) in zip(grid, results.items(), strict=True):
            for panel in axes[len(result.rows) :]:
                panel.axis("off")
            for panel, row in zip(axes, result.rows, strict=False):
                _draw_histogram(panel, row, names, 30)
            axes[0].set_ylabel(title)
        if path is not None:
            figure.savefig(path, dpi=100, facecolor="white")
    return figure


def _draw_summary(
    axes: Axes, rows: Sequence[Row], title: str, names: dict[str, str]
) -> None:
    """Draw statistics of all sites over their index."""
    for color, (name, label) in zip(COLORS, names.items(), strict=False):
        y = np.array([row.values[name] for row in rows])
        axes.plot(range(len(rows)), y, "o-", color=color, label=label, markersize=3)
    if title == "fraction":
        axes.set_ylim(-0.03, 1.03)
    elif any(row.values[name] > 0 for row in rows for name in names):
        axes.set_yscale("log")
    axes.set_title(title, loc="left")
    axes.set_xlabel("site")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend()


def _draw_histogram(
    axes: Axes, row: Row, names: tuple[str, str, str], length: int
) -> None:
    """Draw the histogram of one site, whose path is shortened to a length."""
    counts, high = row.values[names[0]], row.values[names[2]]
    low = row.values[names[1]] if names[1] else -high
    if not np.isfinite([low, high]).all():
        low, high = -1.0, 1.0
    edges = np.linspace(low, high if high > low else low + 1, len(counts) + 1)
    axes.stairs(counts, edges, fill=True, color=COLORS[0])
    axes.set_yscale("symlog", linthresh=1.0)
    axes.set_yticks([])
    axes.locator_params(axis="x", nbins=3)
    axes.ticklabel_format(axis="x", scilimits=(-2, 3))
    is_long = len(row.site) > length
    axes.set_title("…" * is_long + row.site[-length + is_long :], loc="left")
