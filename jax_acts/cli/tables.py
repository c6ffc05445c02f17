"""Output of the command line: terminal tables, JSON, CSV and Markdown."""

import csv
import json
import math
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray
from rich import box
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

Description = Mapping[str, Any]
Columns = Mapping[str, NDArray[Any]]

WIDTH = 100  # of output that does not go to a terminal
_FULL_WIDTH, _NARROW_WIDTH = 90, 60  # from which all or some of the columns fit


def print_renderables(*renderables: RenderableType) -> None:
    """Print text and tables to the width of the terminal."""
    _console().print(*renderables, sep="\n")


def print_columns(columns: Columns) -> None:
    """Print a table of numbers, in blocks of as many columns as fit.

    Numbers are never broken or cropped. Output that does not go to a terminal is one
    block of any width.
    """
    console = _console()
    if not _fits_terminal(console):
        console.width = 10**6
    x, *rest = columns
    width = {n: max(map(len, map(str, [n, *c]))) + 3 for n, c in columns.items()}
    blocks = [[x]]
    for name in rest:  # a block is as wide as the console, or x and one other column
        used = sum(width[n] for n in blocks[-1]) + 1
        if used + width[name] > console.width and len(blocks[-1]) > 1:
            blocks.append([x])
        blocks[-1].append(name)
    for block in blocks:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for name in block:
            table.add_column(name, justify="right", overflow="ellipsis", no_wrap=True)
        for row in zip(*(columns[name] for name in block), strict=True):
            table.add_row(*map(str, row))
        console.print(table)


def print_json(value: Any) -> None:
    """Print JSON; infinities and NaN become strings, because JSON has none."""
    print(json.dumps(_to_json(value), indent=1, ensure_ascii=False, default=str))


def print_csv(columns: Columns) -> None:
    """Print a table as CSV."""
    csv.writer(sys.stdout, lineterminator="\n").writerows(_rows(columns))


def print_markdown(columns: Columns) -> None:
    """Print a table as Markdown."""
    head, *rows = _rows(columns)
    for row in [head, ["---:"] * len(columns), *rows]:
        print("|", " | ".join(str(cell) for cell in row), "|")


def _rows(columns: Columns) -> list[Sequence[Any]]:
    return [list(columns), *zip(*columns.values(), strict=True)]


def function_table(rows: Sequence[Description]) -> Table:
    """Return a table of functions by family, with the columns that the width allows."""
    width = _console().width
    table = _table("name, arguments", "formula")
    if width >= _NARROW_WIDTH:
        table.add_column("range", min_width=13, max_width=13)
    if width >= _FULL_WIDTH:
        table.columns[1].min_width = 34
        table.add_column("kinks", min_width=5, max_width=5)
        table.add_column("citation", min_width=16, max_width=16)
    family = None
    for row in rows:
        if row["family"] != family:
            family = row["family"]
            table.add_row(Text(f"— {family}", style="italic dim"))
        name = Text(row["name"], style="bold")
        for argument, default in row["arguments"].items():
            text = f"{argument}={_format(default, 3)}"
            name.append(f"\n  {_shorten(text, 20)}", style="not bold")
        cells = [
            name,
            row["formula"] or row["summary"],
            _format_interval(row["range"], 3) if row["range"] else "–",
            _format_kinks(row["kinks"]).replace("-", "−"),
            " ".join(row["cite"]),
        ]
        table.add_row(*cells[: len(table.columns)])
    return table


def names_table(rows: Sequence[Description]) -> Table:
    """Return a table of functions with their names in a library."""
    columns = 3 if _console().width >= _NARROW_WIDTH else 2
    table = _table(*("name", "in the library", "formula")[:columns])
    for row in rows:
        formula = row["formula"] or row["summary"]
        cells = [Text(row["name"], style="bold"), "\n".join(row["names"]), formula]
        table.add_row(*cells[:columns])
    return table


def description_table(row: Description) -> Table:
    """Return the description of one function, a property per row."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    for name, text in _properties(row).items():
        table.add_row(name, text)
    table.add_row("inputs", ", ".join(row["inputs"]))
    for name, default in row["arguments"].items():
        text = row["argument_descriptions"].get(name, "")
        table.add_row("argument", f"{name} = {_format(default)}   {text}".strip())
    for key, reference in row["references"].items() or [("–", "")]:
        table.add_row("reference", f"{reference} [{key}]" if reference else key)
    table.add_row("family", row["family"])
    for dialect, spellings in _spellings(row).items():
        table.add_row(f"{dialect}:", ", ".join(spellings))
    return table


def _properties(row: Description) -> dict[str, str]:
    """Return limits, values at 0, gain, range and kinks as text."""
    if "limits" not in row:
        return {"curve": row["curve"]}
    (low, high), (zero, derivative) = row["limits"], row["at_0"]
    properties = {
        "limits": f"f(−∞) = {_format(low)}, f(∞) = {_format(high)}",
        "at 0": f"f(0) = {_format(zero)}, f′(0) = {_format(derivative)}",
        "gain": _format(row["gain"]),
    }
    if row["range"]:
        kinks = [
            f"f′({_format(float(x))}) is defined as {_format(y)}"
            for x, y in row["kinks"].items()
        ]
        suffix = " (default arguments)" if row["arguments"] else ""
        properties["range"] = _format_interval(row["range"]) + suffix
        properties["kinks"] = "; ".join(kinks) + suffix if kinks else "none"
    return properties


def _format_kinks(kinks: Mapping[str, float]) -> str:
    """Return the kinks; of more than four, the two around 0."""
    if len(kinks) <= 4:
        return ", ".join(kinks)
    near = sorted(kinks, key=lambda x: abs(float(x)))[:2]
    return f"…, {', '.join(sorted(near, key=float))}, …"


def _spellings(row: Description) -> dict[str, list[str]]:
    """Return the names by dialect, with their meaning unless it is evident."""
    spellings: dict[str, list[str]] = {}
    for alias in row["names"]:
        call, meaning = alias["call"], alias["meaning"]
        is_evident = "(" in call or meaning == row["name"]
        text = call if is_evident else f"{call} = {meaning}"
        spellings.setdefault(alias["dialect"], []).append(text)
    return spellings


def _table(*headings: str) -> Table:
    """Return an empty table whose first column is neither wrapped nor cropped."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    table.add_column(headings[0], no_wrap=True)
    for heading in headings[1:]:
        table.add_column(heading, overflow="fold")
    return table


def _console() -> Console:
    console = Console(highlight=False, markup=False, emoji=False)
    if not _fits_terminal(console):
        console.width = WIDTH
    return console


def _fits_terminal(console: Console) -> bool:
    return console.is_terminal or "COLUMNS" in os.environ


def _format_interval(bounds: Sequence[float], digits: int = 5) -> str:
    low, high = bounds
    return f"{_format(low, digits)} … {_format(high, digits)}"


def _format(value: Any, digits: int = 5) -> str:
    """Return a number for reading; JSON and CSV have all digits."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if math.isnan(value):
        return "undefined"
    return f"{value + 0.0:.{digits}g}".replace("inf", "∞").replace("-", "−")


def _shorten(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


def _to_json(value: Any) -> Any:
    match value:
        case dict():
            return {str(k): _to_json(v) for k, v in value.items()}
        case list() | tuple():
            return [_to_json(v) for v in value]
        case float() if not math.isfinite(value):
            return str(value)
        case _:
            return value
