"""Writes docs/gallery.md: a picture of every elementwise function, family by family.

    python -m tools.gallery

A row of a picture is a function with its first two derivatives. It needs matplotlib.
"""

import itertools
import textwrap
from pathlib import Path

from matplotlib.figure import Figure

from jax_acts import registry
from jax_acts._activation import ActivationFunction
from jax_acts._describe import Description, described
from jax_acts.plot import plot

PAGE = Path(__file__).parents[1] / "docs" / "gallery.md"
PICTURES = PAGE.with_suffix("")

HEAD = """# Gallery

Written by `python -m tools.gallery`: every elementwise function, by family, at its
default arguments, or with those that stand over its row. A row of a picture is the
function, its derivative and its second derivative; a dot on a curve is a kink, or the
value at a jump, with its limits as circles. The sources are in
[references.bib](../references.bib).
"""

SHOWN = {
    "affine": "affine(scale=2.0, rate=1.5, shift=-1.0, offset=0.5, of=tanh)",
    "blend": "blend(weight=0.7, first=relu, second=sine)",
    "capped": "capped(cap=2.0, of=relu)",
    "piecewise": "piecewise(breakpoints=(-2.0, 2.0), parts=(tanh, sine, relu))",
    "residual": "residual(scale=0.5, of=sine)",
    "self_gated": "self_gated(of=tanh)",
    "sugar": "sugar(surrogate=bsilu)",
    "step": "step(surrogate='arctan')",
    "sign": "sign(at_zero=1.0, surrogate='triangle')",
    "round": "round(surrogate='straight_through')",
    "gabor": "gabor(omega=5.0, scale=0.5)",
}
"""The specs of what would look like another function, or flat, by default."""


def main() -> None:
    """Writes the page and its pictures."""
    PICTURES.mkdir(exist_ok=True)
    for family, rows in families().items():
        draw([row["name"] for row in rows], PICTURES / f"{family}.png")
        print(family)
    PAGE.write_text(page(), encoding="utf-8")


def families() -> dict[str, list[Description]]:
    """Returns what there is to say of the elementwise functions of each family."""
    rows = [
        described(name)
        for name in registry.names()
        if isinstance(registry.FUNCTIONS[name], ActivationFunction)
    ]
    rows.sort(key=lambda row: (row["family"], row["name"]))
    grouped = itertools.groupby(rows, key=lambda row: row["family"])
    return {family: list(members) for family, members in grouped}


def page() -> str:
    """Returns the page."""
    return HEAD + "".join(section(*item) for item in families().items())


def section(family: str, rows: list[Description]) -> str:
    """Returns the picture of a family, and a line for each of its functions."""
    lines = [
        f"| `{row['name']}` | {cell(row['latex'] or row['summary'])} "
        f"| {' '.join(row['cite'])} |"
        for row in rows
    ]
    picture = f"![{family}](gallery/{family}.png)"
    table = "\n".join(["| function | formula | sources |", "|---|---|---|", *lines])
    return f"\n## {family}\n\n{picture}\n\n{table}\n"


def cell(text: str) -> str:
    """Returns text as a cell of a table, where a bar would end it."""
    return text.replace(r"\|", r"\Vert ").replace("|", r"\vert ")


def draw(names: list[str], path: Path) -> None:
    """Draws the functions, one below the other."""
    figure = Figure(figsize=(7.6, 1.5 * len(names)))
    figure.set_layout_engine("constrained")
    for name, axes in zip(
        names, figure.subplots(len(names), 3, squeeze=False), strict=True
    ):
        spec = SHOWN.get(name, name)
        plot(spec, axes=list(axes))
        for panel in axes:
            panel.tick_params(labelsize=6)
            panel.spines[["top", "right"]].set_visible(False)
        legend = axes[0].get_legend()
        if legend is not None:
            legend.remove()
        title = "\n".join(textwrap.wrap(spec, 42))
        axes[0].set_title(title, loc="left", fontsize=9 if spec == name else 7.5)
    figure.savefig(path, dpi=80)


if __name__ == "__main__":
    main()
