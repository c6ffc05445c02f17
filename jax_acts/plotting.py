"""Plots of activations and their first two derivatives.

Requires Matplotlib: `pip install 'jax-acts[plots]'`.
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
    raise ImportError("plot: pip install 'jax-acts[plots]'") from error

# The colors of Okabe and Ito that have contrast on white and on black, and that readers
# with color vision deficiency can tell apart.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
INK = "#767676"  # equal contrast on white and on black
_PAPER = "#FFFFFF"

STYLE: dict[Any, Any] = {
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
    "svg.hashsalt": "jax_acts",  # makes the bytes of an SVG deterministic
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}
_DASHES = ("-", "--", ":")
_MIN_HALF_WIDTH = 6.0  # of the default range of x


def plot(
    activations: Describable | list[Any],
    path: str | Path | None = None,
    *,
    range: tuple[float, float] | None = None,
    derivatives: bool = True,
    axes: Sequence[Axes] = (),
) -> Figure:
    """Return a figure of activations and their derivatives; write it to `path`.

    A dot on f marks a kink. At a discontinuity open circles mark the limits, a dot the
    value.

    >>> figure = plot(["relu", "silu", "leaky_relu(negative_slope=0.2)"])
    >>> [axes.get_title("left") for axes in figure.axes]
    ['$f(x)$', "$f'(x)$", "$f''(x)$"]

    Args:
        activations: Anything that `get` accepts, or a list of such.
        path: A file to write; its suffix is the format: png, svg, pdf.
        range: The limits of x.
        derivatives: Whether to draw the first two derivatives.
        axes: The axes for f and its derivatives, instead of those of a new figure.

    Raises:
        ValueError: An activation is not elementwise, or the range is empty.
    """
    specs = activations if isinstance(activations, list) else [activations]
    bounds = [get(spec) for spec in specs]
    if not bounds:
        raise ValueError("plot: expected at least one activation, got none")
    low, high = range or _default_range(bounds)
    if not -np.inf < low < high < np.inf:
        raise ValueError(f"plot: range: expected low < high, got {(low, high)}")
    x = np.linspace(low, high, POINTS)
    lines = [[_line(bound, order, x) for order in (0, 1, 2)] for bound in bounds]
    with rc_context(STYLE):
        panels = axes or _panels(derivatives)
        figure = _root_figure(panels[0].figure)
        for order, panel in enumerate(panels):
            for i, bound in enumerate(bounds):
                style = _line_style(i)
                _draw(panel, lines[i][order], label=_label(bound), **style)
                if order == 0:
                    _mark_kinks(panel, *lines[i][:2], **style)
            _frame(panel, low, high, order)
        if axes:
            panels[0].legend()
        else:
            _add_title(figure, bounds)
        if path is not None:
            _write(figure, Path(path))
    return figure


def _default_range(bounds: list[Bound]) -> tuple[float, float]:
    """Return a symmetric range of x that shows every kink."""
    functions = [b.function for b in bounds if isinstance(b.function, Function)]
    farthest = max((abs(kink) for f in functions for kink in f.spec.kinks), default=0.0)
    half_width = max(_MIN_HALF_WIDTH, 1.25 * farthest)
    return -half_width, half_width


def _panels(derivatives: bool) -> list[Axes]:
    """Return the axes of a new figure: f on the left, its derivatives on the right."""
    size = (7.6, 3.8) if derivatives else (5, 4)
    figure = Figure(figsize=size, layout="constrained")
    if not derivatives:
        return [figure.add_subplot()]
    panels = figure.subplot_mosaic("01;02", sharex=True, width_ratios=(1.3, 1))
    return [panels[order] for order in "012"]


def _line_style(i: int) -> dict[str, Any]:
    """Return the color of the i-th curve, with dashes after the last color."""
    dashes, color = divmod(i, len(COLORS))
    return {"color": COLORS[color], "linestyle": _DASHES[dashes % len(_DASHES)]}


class _Line(NamedTuple):
    """A curve as points, with NaN at discontinuities."""

    f: Curve
    x: F64
    y: F64
    jumps: list[Jump]


def _line(bound: Bound, order: int, x: F64) -> _Line:
    """Evaluate a derivative of an activation on a grid."""
    f = curve(bound, order)
    jumps = find_jumps(f, x)
    y = f(x)
    for jump in jumps:
        i = int(np.searchsorted(x, jump.x))
        x = np.insert(x, i, [jump.x] * 3)
        y = np.insert(y, i, [jump.left, np.nan, jump.right])
    return _Line(f, x, np.where(np.isfinite(y), y, np.nan), jumps)


def _draw(axes: Axes, line: _Line, label: str, **style: Any) -> None:
    """Draw a curve, with circles and dots at discontinuities."""
    axes.plot(line.x, line.y, linewidth=1.7, label=label, **style)
    for jump in line.jumps:
        limits = [jump.left, jump.right]
        axes.plot([jump.x] * 2, limits, **_dot(style), markerfacecolor=_PAPER)
        axes.plot([jump.x], [jump.value], **_dot(style))


def _mark_kinks(axes: Axes, line: _Line, derivative: _Line, **style: Any) -> None:
    """Draw a dot where the curve is continuous and its derivative is not."""
    jumps = {jump.x for jump in line.jumps}
    for kink in [jump.x for jump in derivative.jumps if jump.x not in jumps]:
        axes.plot([kink], line.f([kink]), **_dot(style))


def _dot(style: dict[str, Any]) -> dict[str, Any]:
    return {"color": style["color"], "ls": "none", "marker": "o", "markersize": 3.5}


def _frame(axes: Axes, low: float, high: float, order: int) -> None:
    """Set the limits and the title of a panel."""
    axes.axhline(0, color=INK, linewidth=0.5, alpha=0.5, zorder=0)
    axes.axvline(0, color=INK, linewidth=0.5, alpha=0.5, zorder=0)
    axes.set_title(f"$f{chr(39) * order}(x)$", loc="left")
    axes.set_xlim(low, high)
    limit = (high - low) / (2 if order == 0 else 4)  # clips steep curves
    bottom, top = np.clip(axes.dataLim.intervaly, -limit, limit)
    margin = max(0.05 * (top - bottom), 0.5 * (top - bottom < 0.1))  # around a constant
    axes.set_ylim(bottom - margin, top + margin)


def _add_title(figure: Figure, bounds: list[Bound]) -> None:
    """Write the formula above a single function, a legend below several."""
    if len(bounds) > 1:
        handles = figure.axes[0].get_legend_handles_labels()
        figure.legend(*handles, loc="outside lower center", ncols=min(4, len(bounds)))
        return
    (bound,) = bounds
    text = formula(bound.function) if isinstance(bound.function, Function) else ""
    title = f"{bound}:  {_mathtext(text)}" if text else _label(bound)
    figure.suptitle(title, fontsize=11)


def _label(bound: Bound) -> str:
    """Return the spec of a function of this library, else the name."""
    if isinstance(bound.function, Function):
        return str(bound)
    return getattr(bound.function, "__name__", str(bound))


def _mathtext(latex: str) -> str:
    """Return LaTeX for Matplotlib; Unicode if Matplotlib cannot parse it."""
    text = re.sub(r"\\([gl])e\b", r"\\\1eq", latex)
    try:
        MathTextParser("path").parse(text)
    except ValueError:
        return to_unicode(latex)
    return text


def _write(figure: Figure, path: Path) -> None:
    """Write the figure without a date, so that equal plots are equal files."""
    dates = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
    figure.savefig(path, dpi=200, metadata=dates.get(path.suffix.lower()))


def _root_figure(figure: Figure | SubFigure) -> Figure:
    return figure.figure if isinstance(figure, SubFigure) else figure
