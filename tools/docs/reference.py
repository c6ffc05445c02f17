"""The API reference of the site: a page per function and per public module."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from types import ModuleType

import jax_acts
from benchmarks.pages import TITLES, error_cell, markdown_table
from benchmarks.results import AccuracyRow, load_rows
from jax_acts._core.function import Function
from jax_acts._registry import lookup as registry
from jax_acts.cli.describe import Description, describe
from jax_acts.cli.references import format_reference
from tools.docs import curves
from tools.docs.doctests import fence_doctests

FUNCTIONS = "reference/functions"
MODULES = "reference"
_SKIPPED = {"cli", "functional"}  # commands; the functions have pages of their own
_ORDERS = ("value", "first derivative", "second derivative")
_LIBRARIES = ("jax_acts", "jax", "torch", "keras")

GALLERY = """
- Elementwise functions: the value over [-6, 6]. A dot is the value at a kink.
- Gated units: output over the gate, for several values.
- Functions along an axis: outputs for the vector (x, 0, 1), over x.
"""


def gallery() -> str:
    """Return a plot of every function by family, each linked to its page."""
    parts = [GALLERY]
    for family, names in curves.families().items():
        module = importlib.import_module(f"jax_acts.functional.{family}")
        cards = "".join(
            f'<a class="card" href="{FUNCTIONS}/{name}.html">{name}'
            f"{curves.svg(name, thumbnail=True)}</a>"
            for name in names
        )
        text = fence_doctests(inspect.getdoc(module) or "")
        parts.append(f'\n## {family}\n\n{text}\n\n<div class="cards">{cards}</div>\n')
    return "".join(parts)


def function_page(name: str) -> str:
    """Return plot, docstring, metadata, accuracy, names and references."""
    function, row = registry.FUNCTIONS[name], describe(name)
    spec = curves.SPECS.get(name)
    parts = [
        f"# {name}",
        f"<figure>{curves.svg(name)}</figure>",
        f"Plot of `{spec or name}`: x from -6 to 6, in brackets the range of y.",
        f"::: {function.__module__}.{name}\n    options:\n      heading: Definition",
        *_properties(row),
        *_accuracy(name),
        *_aliases(name),
        "## References",
        "\n".join(f"- {format_reference(key)}" for key in row["cite"]),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _properties(row: Description) -> list[str]:
    """Return the family, range, domain and kinks of a function."""
    interval = lambda ends: f"({ends[0]:g}, {ends[1]:g})".replace("inf", "∞")
    kinks = ", ".join(f"{x} ({dy:g})" for x, dy in row["kinks"].items())
    cells = [("family", f"[{row['family']}](../../gallery.md#{row['family']})")]
    if row["range"]:
        cells += [("range (infimum, supremum)", interval(row["range"]))]
        cells += [("domain", interval(row["domain"]))]
        cells += [("kinks (derivative there)", kinks or "none")]
    table = markdown_table(("property", "value"), cells)
    return ["## Properties", "\n".join(table)]


def _accuracy(name: str) -> list[str]:
    """Return the stored maximum errors of a function in every library that has it."""
    stored = {n: load_rows("accuracy", AccuracyRow, n) for n in _LIBRARIES}
    errors = {
        library: {(r.dtype, r.order): error_cell(r) for r in rows if r.function == name}
        for library, (_, rows) in stored.items()
    }
    errors = {library: cells for library, cells in errors.items() if cells}
    if "jax_acts" not in errors:
        return []
    table = markdown_table(
        ("dtype", "order", *(TITLES[library] for library in errors)),
        [
            (
                dtype,
                _ORDERS[order],
                *(e.get((dtype, order), "") for e in errors.values()),
            )
            for dtype, order in errors["jax_acts"]
        ],
    )
    head = stored["jax_acts"][0]
    versions = ", ".join(f"{TITLES[n]} {stored[n][0]['version']}" for n in errors)
    note = (
        f"Maximum error in ulp on {head['device']} ({head['machine']}): {versions}. "
        "Inputs and notation: [accuracy](../../accuracy.md)."
    )
    return ["## Accuracy", note, "\n".join(table)]


def _aliases(name: str) -> list[str]:
    """Return the names of a function in other libraries."""
    rows = [
        (alias.dialect, f"`{alias.call}`", f"`{alias.meaning}`")
        for alias in registry.aliases(name)
    ]
    if not rows:
        return []
    columns = ("library", "name", "meaning")
    return ["## Names in other libraries", "\n".join(markdown_table(columns, rows))]


def function_pages() -> Iterator[tuple[str, str]]:
    """Yield path and text of the page of every function."""
    for name in sorted(registry.names()):
        yield f"{FUNCTIONS}/{name}.md", function_page(name)


def public_modules() -> list[str]:
    """Return the names of the documented modules, `jax_acts` first."""
    names = [m.name for m in pkgutil.iter_modules(jax_acts.__path__)]
    public = [n for n in names if not n.startswith("_") and n not in _SKIPPED]
    return ["jax_acts", *(f"jax_acts.{name}" for name in public)]


def module_pages() -> Iterator[tuple[str, str]]:
    """Yield path and text of the page of every public module."""
    for name in public_modules():
        module = importlib.import_module(name)
        objects = "\n\n".join(f"::: {path}" for path in public_objects(module))
        text = fence_doctests(inspect.getdoc(module) or "")
        yield f"{MODULES}/{name}.md", f"# {name}\n\n{text}\n\n{objects}\n"


def public_objects(module: ModuleType) -> list[str]:
    """Return the paths of the functions and classes that belong to a module.

    >>> public_objects(importlib.import_module("jax_acts.fitting"))
    ['jax_acts.fitting.fit']
    """
    names = getattr(module, "__all__", [n for n in vars(module) if n[0] != "_"])
    objects = [getattr(module, name) for name in names]
    return [
        f"{o.__module__}.{o.__qualname__}"
        for o in objects
        if callable(o) and not isinstance(o, Function) and _home(o) == module.__name__
    ]


def _home(item: object) -> str:
    """Return the public module that an object belongs to."""
    parts = str(getattr(item, "__module__", "")).split(".")
    if parts[0] != "jax_acts" or len(parts) == 1 or parts[1][0] == "_":
        return parts[0]
    return ".".join(parts[:2])
