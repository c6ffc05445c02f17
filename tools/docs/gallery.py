"""Write docs/gallery.md: plots of every function, by family.

    python -m tools.docs.gallery

An elementwise function has three panels: value, first and second derivative. A gated
unit or a function along an axis has one. Requires matplotlib.
"""

import itertools
import textwrap
from collections.abc import Iterator
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jax_acts._core.curves import curve
from jax_acts._registry import lookup as registry
from jax_acts.cli.describe import Description, describe
from jax_acts.plotting import COLORS, plot

PAGE = Path(__file__).parents[2] / "docs" / "gallery.md"
IMAGES = PAGE.with_suffix("")

HEAD = """# Gallery

Written by `python -m tools.docs.gallery`: every function, by family, with the arguments
in the panel title, defaults otherwise. References:
[references.bib](../jax_acts/references.bib).

- Elementwise functions: value, first and second derivative. A dot marks a kink, or the
  value at a jump, whose limits are circles.
- Gated units: output over the gate, for several values.
- Functions along an axis: outputs for the vector (x, 0, 1), over x.
"""

VALUES = (-1.0, 1.0, 4.0)
"""Values of a gated unit."""
OTHERS = (0.0, 1.0)
"""Entries of the vector after the first."""
X = np.linspace(-6, 6, 601, dtype=np.float32)
ACROSS = 3  # panels per row

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


def main() -> None:
    """Write the page and its images."""
    IMAGES.mkdir(exist_ok=True)
    for family, rows in families().items():
        draw([row["name"] for row in rows], IMAGES / f"{family}.png")
        print(family)
    PAGE.write_text(page(), encoding="utf-8")


def families() -> dict[str, list[Description]]:
    """Return the descriptions of the functions of each family."""
    rows = [describe(name) for name in registry.names()]
    rows.sort(key=lambda row: (row["family"], row["name"]))
    grouped = itertools.groupby(rows, key=lambda row: row["family"])
    return {family: list(rows) for family, rows in grouped}


def page() -> str:
    """Return the page."""
    return HEAD + "".join(section(*item) for item in families().items())


def section(family: str, rows: list[Description]) -> str:
    """Return the image of a family, and one table row per function."""
    lines = [
        f"| `{row['name']}` | {cell(row['latex'] or row['summary'])} "
        f"| {' '.join(row['cite'])} |"
        for row in rows
    ]
    image = f"![{family}](gallery/{family}.png)"
    table = "\n".join(["| function | formula | references |", "|---|---|---|", *lines])
    return f"\n## {family}\n\n{image}\n\n{table}\n"


def cell(text: str) -> str:
    """Return text with vertical bars escaped for a table cell."""
    return text.replace(r"\|", r"\Vert ").replace("|", r"\vert ")


def draw(names: list[str], path: Path) -> None:
    """Draw the elementwise functions, one per row, then the panels of the others."""
    curves = [name for name in names if is_curve(name)]
    others = [name for name in names if name not in curves]
    rows = len(curves) + -(-len(others) // ACROSS)
    height = 1.5 * len(curves) + 2 * (rows - len(curves))
    figure = Figure(figsize=(7.6, height), layout="constrained")
    panels = figure.subplots(rows, ACROSS, squeeze=False)
    for name, axes in zip(curves, panels, strict=False):
        plot(SPECS.get(name, name), axes=list(axes))
        legend = axes[0].get_legend()
        if legend is not None:
            legend.remove()
        finish(name, axes[0])
    rest = panels[len(curves) :].ravel()
    for name, panel in zip(others, rest, strict=False):
        for (label, y), color in zip(lines(name), COLORS, strict=False):
            panel.plot(X, y, label=label, color=color, linewidth=1.2)
        panel.legend(frameon=False, fontsize=6)
        finish(name, panel)
    for panel in panels.ravel():
        panel.tick_params(labelsize=6)
        panel.spines[["top", "right"]].set_visible(False)
    for panel in rest[len(others) :]:
        panel.remove()
    figure.savefig(path, dpi=80)


def finish(name: str, panel: Axes) -> None:
    """Set the spec as the title of a panel."""
    spec = SPECS.get(name, name)
    title = "\n".join(textwrap.wrap(spec, 42))
    panel.set_title(title, loc="left", fontsize=9 if spec == name else 7.5)


def is_curve(name: str) -> bool:
    """Return whether the function is elementwise."""
    try:
        curve(registry.get(SPECS.get(name, name)))
    except ValueError:
        return False
    return True


def lines(name: str) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the labeled curves of a gated unit or of the outputs of a vector."""
    bound = registry.get(SPECS.get(name, name))
    parameters = registry.FUNCTIONS[name].parameters
    if "value" in parameters:
        for value in VALUES:
            yield (
                f"value {value:g}",
                np.asarray(bound(X, value=jnp.full_like(X, value))),
            )
        return
    arguments = {"key": jax.random.key(0)} if "key" in parameters else {}
    row = jax.vmap(
        lambda x: jnp.atleast_1d(bound(jnp.stack([x, *OTHERS]), **arguments))
    )
    outputs = np.asarray(row(X)).T
    for number, y in enumerate(outputs):
        yield f"output {number + 1}" if len(outputs) > 1 else "output", y


if __name__ == "__main__":
    main()
