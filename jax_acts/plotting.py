"""Pictures of activations with their first two derivatives.

This module needs matplotlib: `jax-acts[plots]`.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jax_acts._core.bound import Bound
from jax_acts._core.curves import F64, POINTS, Curve, Jump, curve, find_jumps
from jax_acts._core.function import Function
from jax_acts._core.latex import formula, to_unicode
from jax_acts._registry.lookup import Describable, get

try:
    from matplotlib import rc_context
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure
    from matplotlib.mathtext import MathTextParser
except ImportError as error:
    raise ImportError(
        "pictures need matplotlib: pip install 'jax-acts[plots]'"
    ) from error

# Okabe and Ito's colours that show on white and on black, and differ to any eye.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
INK = "#767676"  # as far from white as from black
_PAPER = "#FFFFFF"

_STYLE: dict[Any, Any] = {
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.6,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": INK,
    "axes.titlesize": 10,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "font.size": 9,
    "legend.frameon": False,
    "mathtext.fontset": "cm",
    "savefig.facecolor": "none",
    "svg.hashsalt": "jax_acts",  # for the same plot to be the same file
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}
_DASHES = ("-", "--", ":")
_REACH = 6.0  # of x, at least, to both sides


def plot(
    activations: Describable | list[Any],
    path: str | Path | None = None,
    *,
    range: tuple[float, float] | None = None,
    derivatives: bool = True,
    axes: Sequence[Axes] = (),
) -> Figure:
    """Returns a figure of one activation or several, and writes it if given a path.

    A dot on f is a kink. Where a curve find_jumps, open circles are its limits, and a dot is
    the value that it has.

    >>> figure = plot(["relu", "silu", "leaky_relu(negative_slope=0.2)"])
    >>> [axes.get_title("left") for axes in figure.axes]
    ['$f(x)$', "$f'(x)$", "$f''(x)$"]

    Args:
        activations: What `get` takes, or a list of such.
        path: A file to write, whose ending says the format: png, svg, pdf.
        range: The least and the greatest x.
        derivatives: Whether to draw the first two derivatives.
        axes: Where to draw f and its derivatives, instead of in a figure of their own.

    Raises:
        ValueError: An activation is not elementwise, or the range is empty.
    """
    listed = activations if isinstance(activations, list) else [activations]
    bounds = [get(activation) for activation in listed]
    low, high = range or _reach(bounds)
    if not (bounds and -np.inf < low < high < np.inf):
        raise ValueError(f"there is nothing to draw of {listed} from {low} to {high}")
    x = np.linspace(low, high, POINTS)
    lines = [[_line(bound, order, x) for order in (0, 1, 2)] for bound in bounds]
    with rc_context(_STYLE):
        panels = axes or _panels(derivatives)
        figure = _whole(panels[0].figure)
        for order, panel in enumerate(panels):
            for number, bound in enumerate(bounds):
                look = _look(number)
                _draw(panel, lines[number][order], label=str(bound), **look)
                if order == 0:
                    _mark_kinks(panel, *lines[number][:2], **look)
            _frame(panel, low, high, order)
        if axes:
            panels[0].legend()
        else:
            _name(figure, bounds)
        if path is not None:
            _write(figure, Path(path))
    return figure


def _reach(bounds: list[Bound]) -> tuple[float, float]:
    """Returns a range of x that shows every kink."""
    functions = [b.function for b in bounds if isinstance(b.function, Function)]
    far = max((abs(kink) for f in functions for kink in f.spec.kinks), default=0.0)
    reach = max(_REACH, 1.25 * far)
    return -reach, reach


def _panels(derivatives: bool) -> list[Axes]:
    """Returns the axes of a new figure: f at the left, its derivatives at the right."""
    figure = Figure(figsize=(7.6, 3.8) if derivatives else (5, 4))
    figure.set_layout_engine("constrained")
    if not derivatives:
        return [figure.add_subplot()]
    grid = figure.add_gridspec(2, 2, width_ratios=(1.3, 1))
    f = figure.add_subplot(grid[:, 0])
    slopes = [figure.add_subplot(grid[i, 1], sharex=f) for i in (0, 1)]
    slopes[0].tick_params(labelbottom=False)  # the panel below has the same numbers
    return [f, *slopes]


def _look(number: int) -> dict[str, Any]:
    """Returns the colour of a curve, and dashes when the colours are used up."""
    dashes, colour = divmod(number, len(COLOURS))
    return {"color": COLOURS[colour], "linestyle": _DASHES[dashes % len(_DASHES)]}


class _Line(NamedTuple):
    """A curve as points, broken by NaN where it jumps."""

    f: Curve
    x: F64
    y: F64
    jumps: list[Jump]


def _line(bound: Bound, order: int, x: F64) -> _Line:
    """Returns a derivative of an activation as a line."""
    f = curve(bound, order)
    found = find_jumps(f, x)
    y = f(x)
    for jump in found:
        at = int(np.searchsorted(x, jump.x))
        x = np.insert(x, at, [jump.x] * 3)
        y = np.insert(y, at, [jump.left, np.nan, jump.right])
    return _Line(f, x, np.where(np.isfinite(y), y, np.nan), found)


def _draw(axes: Axes, line: _Line, label: str, **look: Any) -> None:
    """Draws a line, with circles and dots where it jumps."""
    axes.plot(line.x, line.y, linewidth=1.7, label=label, **look)
    for jump in line.jumps:
        limits = [jump.left, jump.right]
        axes.plot([jump.x] * 2, limits, **_dot(look), markerfacecolor=_PAPER)
        axes.plot([jump.x], [jump.value], **_dot(look))


def _mark_kinks(axes: Axes, line: _Line, slope: _Line, **look: Any) -> None:
    """Draws a dot where a line does not jump, but its slope does."""
    broken = {jump.x for jump in line.jumps}
    for kink in [jump.x for jump in slope.jumps if jump.x not in broken]:
        axes.plot([kink], line.f([kink]), **_dot(look))


def _dot(look: dict[str, Any]) -> dict[str, Any]:
    return {"color": look["color"], "ls": "none", "marker": "o", "markersize": 3.5}


def _frame(axes: Axes, low: float, high: float, order: int) -> None:
    """Sets the limits and the labels of a panel."""
    axes.axhline(0, color=INK, linewidth=0.5, alpha=0.5, zorder=0)
    axes.axvline(0, color=INK, linewidth=0.5, alpha=0.5, zorder=0)
    axes.set_title(f"$f{chr(39) * order}(x)$", loc="left")
    axes.set_xlim(low, high)
    most = (high - low) / (2 if order == 0 else 4)  # what is steeper, is cut off
    bottom, top = np.clip(axes.dataLim.intervaly, -most, most)
    margin = max(0.05 * (top - bottom), 0.5 * (top - bottom < 0.1))  # around a constant
    axes.set_ylim(bottom - margin, top + margin)


def _name(figure: Figure, bounds: list[Bound]) -> None:
    """Writes the formula over a single function, and a legend under several."""
    if len(bounds) > 1:
        handles = figure.axes[0].get_legend_handles_labels()
        figure.legend(*handles, loc="outside lower center", ncols=min(4, len(bounds)))
        return
    (bound,) = bounds
    text = formula(bound.function) if isinstance(bound.function, Function) else ""
    heading = f"{bound}:  {_mathtext(text)}" if text else str(bound)
    figure.suptitle(heading, fontsize=11)


def _mathtext(latex: str) -> str:
    """Returns LaTeX as matplotlib can set it, or else as plain text."""
    text = re.sub(r"\\([gl])e\b", r"\\\1eq", latex)
    try:
        MathTextParser("path").parse(text)
    except ValueError:
        return to_unicode(latex)
    return text


def _write(figure: Figure, path: Path) -> None:
    """Writes the figure, without the date, so that the same plot is the same file."""
    dates = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
    figure.savefig(path, dpi=200, metadata=dates.get(path.suffix.lower()))


def _whole(figure: Figure | SubFigure) -> Figure:
    return figure.figure if isinstance(figure, SubFigure) else figure
