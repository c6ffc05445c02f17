"""The charts of a page as one PNG, in the light colours of the page."""

import io
import textwrap
from collections.abc import Sequence

import matplotlib
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from jax_acts.experiments.report.charts import HEIGHT, WIDTH, dash, of, style
from jax_acts.experiments.report.model import Chart
from jax_acts.experiments.report.theme import LIGHT

COLUMNS = 2


def sheet(heading: str, charts: Sequence[Chart], series: Sequence[str]) -> bytes:
    """Returns a PNG of the charts, two in a row, below the names of the series.

    Args:
        heading: What stands above them.
        charts: The charts.
        series: The names of the series, in the order of their colours.
    """
    rows = [charts[n : n + COLUMNS] for n in range(0, len(charts), COLUMNS)]
    heights = [max(c.picture.height for c in row) + 0.3 for row in rows] or [HEIGHT]
    names = max(1, -(-len(series) // 4)) * 0.22  # inches; four names in a line
    size = (COLUMNS * WIDTH, sum(heights) + 0.6 + names)
    with matplotlib.rc_context(style(LIGHT)):
        figure = Figure(figsize=size, layout="constrained", facecolor=LIGHT["surface"])
        title = textwrap.fill(heading, 80)
        figure.suptitle(title, x=0.01, ha="left", size=14, color=LIGHT["strong"])
        grid = figure.add_gridspec(len(heights), COLUMNS, height_ratios=heights)
        for n, chart in enumerate(charts):
            axes = figure.add_subplot(grid[n // COLUMNS, n % COLUMNS])
            chart.picture.draw(axes, LIGHT)
            axes.set_title(chart.title, size=11, loc="left", color=LIGHT["strong"])
        lines = [
            Line2D([], [], color=LIGHT[of(n)], linestyle=dash(n))
            for n in range(len(series))
        ]
        if lines:
            figure.legend(
                lines,
                series,
                loc="outside lower left",
                ncols=4,
                fontsize=10,
                frameon=False,
            )
        file = io.BytesIO()
        figure.savefig(file, format="png", dpi=120, metadata={"Software": None})
    return file.getvalue()
