"""Plots of every function as SVG elements, in the colors of the page around them.

An elementwise function has three panels: value, first and second derivative. A gated
unit or a function along an axis has one panel with several curves.
"""

import functools
import html
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from jax_acts._core.activation import ActivationFunction
from jax_acts._core.bound import Bound
from jax_acts._core.curves import nth
from jax_acts._registry import lookup as registry
from jax_acts.testing.evaluation import QUICK

VALUES = (-1.0, 1.0, 4.0)
"""Values of a gated unit."""
OTHERS = (0.0, 1.0)
"""Entries of the vector after the first."""
LOW, HIGH = -6.0, 6.0
GRID = np.linspace(LOW, HIGH, 241, dtype=np.float32)
WIDTH, HEIGHT, MARGIN = 240, 160, 22

SPECS = {
    "affine": "affine(scale=2.0, rate=1.5, shift=-1.0, offset=0.5, of=tanh)",
    "blend": "blend(weight=0.7, first=relu, second=sine)",
    "capped": "capped(cap=2.0, of=relu)",
    "piecewise": "piecewise(breakpoints=(-2.0, 2.0), functions=(tanh, sine, relu))",
    "product": "product(functions=(tanh, sine))",
    "residual": "residual(scale=0.5, of=sine)",
    "self_gated": "self_gated(of=tanh)",
    "sum": "sum(functions=(relu, sine))",
    "sugar": "sugar(surrogate=bsilu)",
    "step": "step(surrogate='arctan')",
    "sign": "sign(at_zero=1.0, surrogate='triangle')",
    "round": "round(surrogate='straight_through')",
    "gabor": "gabor(omega=5.0, scale=0.5)",
    "situ_glu": "situ_glu(gate_cap=2.0, value_cap=2.0)",
    "swiglu_clamped": "swiglu_clamped(limit=3.0)",
    "swiglu_oai": "swiglu_oai(limit=3.0)",
    "entmax": "entmax(alpha=1.2)",
    "maxout": "maxout(pieces=3)",
    "apl": "apl(slopes=(-0.5, 0.8), hinges=(-2.0, 2.0))",
    "b_spline": "b_spline(coefficients=(0, 0, -1, 1, 0, -1, 2, 0, 1, 2, 3))",
    "chebyshev": "chebyshev(coefficients=(0.0, 1.0, 0.5, 0.0, -0.5))",
    "polyrelu": "polyrelu(coefficients=(0.0, 0.5, 0.1, 0.02))",
    "rational": "rational(numerator=(0.0, 1.0, 1.0), denominator=(0.0, 1.0))",
}
"""Specs of functions whose defaults equal another function or are constant."""

Curve = NDArray[np.floating[Any]]


class Panel(NamedTuple):
    """Curves over `x`, with a label each, and points where a value is ambiguous."""

    title: str
    x: Curve
    curves: dict[str, Curve]
    points: tuple[tuple[float, float], ...] = ()


@functools.cache
def panels(name: str) -> tuple[Panel, ...]:
    """Evaluate a function for its plot."""
    bound = registry.get(SPECS.get(name, name))
    if isinstance(bound.function, ActivationFunction) and not _is_gated(name):
        return _elementwise(bound, bound.function)
    return (_several(name, bound),)


def _is_gated(name: str) -> bool:
    return "value" in registry.FUNCTIONS[name].signature.parameters


def _elementwise(bound: Bound, function: ActivationFunction[...]) -> tuple[Panel, ...]:
    """Return value and derivatives; lines are interrupted at kinks."""
    kinks = [k for k in function.spec.kinks if LOW < k < HIGH]
    sides = [s for k in kinks for s in (k - 1e-3, k, k + 1e-3)]
    x = np.unique(np.concatenate([GRID, np.asarray(sides, np.float32)]))
    orders = [Bound(nth(function, n), **bound.arguments) for n in range(3)]
    evaluate = jax.jit(lambda x: [f(x) for f in orders], compiler_options=QUICK)
    results = [np.array(y) for y in evaluate(jnp.asarray(x))]
    at_kink = np.isin(x, np.asarray(kinks, np.float32))
    panels = []
    for order, y in enumerate(results):
        points = tuple(zip(x[at_kink].tolist(), y[at_kink].tolist(), strict=True))
        line = np.where(at_kink, np.nan, y)
        panels.append(Panel(f"f{chr(8242) * order}(x)", x, {"": line}, points))
    return tuple(panels)


def _several(name: str, bound: Bound) -> Panel:
    """Return the curves of a gated unit, or of the outputs of the vector (x, 0, 1)."""
    if _is_gated(name):
        value = lambda v: np.asarray(bound(GRID, value=jnp.full_like(GRID, v)))
        curves = {f"value {v:g}": value(v) for v in VALUES}
        return Panel("output over the gate", GRID, curves)
    parameters = registry.FUNCTIONS[name].signature.parameters
    arguments = {"key": jax.random.key(0)} if "key" in parameters else {}
    row = jax.vmap(
        lambda x: jnp.atleast_1d(bound(jnp.stack([x, *OTHERS]), **arguments))
    )
    outputs = np.asarray(row(GRID)).T
    label = "output {}" if len(outputs) > 1 else "output"
    curves = {label.format(n): y for n, y in enumerate(outputs, 1)}
    return Panel("f(x, 0, 1)", GRID, curves)


def svg(name: str, *, thumbnail: bool = False) -> str:
    """Return the plot of a function; as a thumbnail only its first panel."""
    drawn = panels(name)[: 1 if thumbnail else None]
    width = WIDTH * len(drawn)
    groups = "".join(
        f'<g transform="translate({WIDTH * i} 0)">{_panel(panel, thumbnail)}</g>'
        for i, panel in enumerate(drawn)
    )
    label = html.escape(f"Plot of {SPECS.get(name, name)}")
    return (
        f'<svg class="plot" viewBox="0 0 {width} {HEIGHT}" role="img" '
        f'aria-label="{label}">{groups}</svg>'
    )


def _panel(panel: Panel, thumbnail: bool) -> str:
    """Return axes, curves, points and labels of one panel."""
    low, high = _limits(panel)
    to_x = lambda x: 4 + (WIDTH - 8) * (x - LOW) / (HIGH - LOW)
    to_y = lambda y: HEIGHT - 6 - (HEIGHT - MARGIN - 6) * (y - low) / (high - low)
    parts = [_line("axis", [(to_x(0), MARGIN), (to_x(0), HEIGHT - 6)])]
    if low <= 0 <= high:
        parts.append(_line("axis", [(to_x(LOW), to_y(0)), (to_x(HIGH), to_y(0))]))
    for i, y in enumerate(panel.curves.values()):
        inside = np.isfinite(y) & (y >= low) & (y <= high)
        for run in np.split(np.arange(len(y)), np.flatnonzero(~inside)):
            points = [(to_x(panel.x[k]), to_y(y[k])) for k in run if inside[k]]
            parts.append(_line(f"c{i % 6}", points) if len(points) > 1 else "")
    for x, y in panel.points:
        if low <= y <= high:
            parts.append(f'<circle cx="{to_x(x):.1f}" cy="{to_y(y):.1f}" r="3"/>')
    if not thumbnail:
        parts.append(_text(6, 12, f"{panel.title}  [{low:.3g}, {high:.3g}]"))
        for i, label in enumerate(label for label in panel.curves if label):
            y = MARGIN + 12 + 13 * i
            parts += [_line(f"c{i % 6}", [(6, y - 4), (18, y - 4)])]
            parts += [_text(22, y, label)]
    return "".join(parts)


def _limits(panel: Panel) -> tuple[float, float]:
    """Return the limits of y: those of the curves, at most ±6, with a margin."""
    values = np.concatenate([y[np.isfinite(y)] for y in panel.curves.values()])
    low, high = np.clip([values.min(), values.max()], LOW, HIGH).tolist()
    margin = 0.06 * (high - low) or 0.5
    return low - margin, high + margin


def _line(kind: str, points: Sequence[tuple[float, float]]) -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in simplify(points))
    return f'<polyline class="{kind}" points="{path}"/>'


def simplify(
    points: Sequence[tuple[float, float]], tolerance: float = 0.15
) -> Sequence[tuple[float, float]]:
    """Drop points that lie within a vertical distance of a chord (Douglas–Peucker).

    >>> simplify([(0, 0), (1, 1), (2, 2.1), (3, 0)])
    [(0, 0), (2, 2.1), (3, 0)]
    """
    (x0, y0), (x1, y1) = points[0], points[-1]
    slope = (y1 - y0) / (x1 - x0) if x1 != x0 else 0.0
    distances = [abs(y - y0 - slope * (x - x0)) for x, y in points[1:-1]]
    if max(distances, default=0.0) <= tolerance:
        return [points[0], points[-1]]
    farthest = 1 + distances.index(max(distances))
    head, tail = points[: farthest + 1], points[farthest:]
    return [*simplify(head, tolerance)[:-1], *simplify(tail, tolerance)]


def _text(x: float, y: float, text: str) -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}">{html.escape(text)}</text>'


def families() -> dict[str, list[str]]:
    """Return the functions of each family, by its module in `jax_acts.functional`."""
    grouped: dict[str, list[str]] = {}
    for name in sorted(registry.names()):
        family = registry.FUNCTIONS[name].__module__.rpartition(".")[2]
        grouped.setdefault(family, []).append(name)
    return dict(sorted(grouped.items()))
