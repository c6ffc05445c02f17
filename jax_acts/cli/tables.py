"""How the catalogue looks in a terminal, and as JSON, CSV and Markdown."""

import csv
import itertools
import json
import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray
from rich import box
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

Row = Mapping[str, Any]
Columns = Mapping[str, NDArray[Any]]

WIDTH = 100  # of what is not printed in a terminal


def show(*parts: RenderableType) -> None:
    """Prints text and tables, to the width of the terminal."""
    _console().print(*parts, sep="\n")


def show_wide(table: Table) -> None:
    """Prints a table as wide as it is, for numbers cannot be broken."""
    console = _console()
    endless = console.options.update(width=10_000)
    console.width = max(console.width, console.measure(table, options=endless).maximum)
    console.print(table)


def show_json(value: Any) -> None:
    """Prints a value as JSON; infinities and NaN as strings, which JSON can have."""
    print(json.dumps(_jsonable(value), indent=1, ensure_ascii=False))


def show_rows(columns: Columns, *, markdown: bool) -> None:
    """Prints a table as CSV or as Markdown."""
    rows = [list(columns), *zip(*columns.values(), strict=True)]
    if not markdown:
        csv.writer(sys.stdout, lineterminator="\n").writerows(rows)
        return
    rows.insert(1, ["---:"] * len(columns))
    for row in rows:
        print("|", " | ".join(str(cell) for cell in row), "|")


def listing(rows: Sequence[Row]) -> Table:
    """Returns a table of functions, family by family."""
    table = _table("name, arguments", "formula", "range", "kinks", "citation")
    for column, width in zip(table.columns[1:], (34, 13, 5, 16), strict=True):
        column.min_width = column.max_width = width  # of the 100 in all
    table.columns[1].max_width = None
    for row, family in zip(rows, _families(rows), strict=True):
        if family:
            table.add_row(Text(f"— {family}", style="italic dim"))
        name = Text(row["name"], style="bold")
        for argument, default in row["arguments"].items():
            text = f"{argument}={_number(default, 3)}"
            short = text if len(text) <= 20 else f"{text[:19]}…"
            name.append(f"\n  {short}", style="not bold")
        table.add_row(
            name,
            row["formula"] or row["summary"],
            _interval(row["range"], 3) if row["range"] else "–",
            _few(row["kinks"]).replace("-", "−"),
            " ".join(row["cite"]),
        )
    return table


def translation(rows: Sequence[Row]) -> Table:
    """Returns a table of functions with their names in a library."""
    table = _table("name", "there", "formula")
    for row in rows:
        name, formula = row["name"], row["formula"] or row["summary"]
        table.add_row(Text(name, style="bold"), "\n".join(row["names"]), formula)
    return table


def sheet(spec: Row) -> Table:
    """Returns what is known of one function, a line for each fact."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    for name, text in _measures(spec).items():
        table.add_row(name, text)
    table.add_row("inputs", ", ".join(spec["inputs"]))
    for name, default in spec["arguments"].items():
        meaning = spec["meanings"].get(name, "")
        table.add_row("argument", f"{name} = {_number(default)}   {meaning}".strip())
    table.add_row("cite", " ".join(spec["cite"]) or "–")
    table.add_row("family", spec["family"])
    for dialect, spellings in _spellings(spec).items():
        table.add_row(f"{dialect}:", ", ".join(spellings))
    return table


def grid(columns: Columns) -> Table:
    """Returns a table of numbers."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)
    for row in zip(*columns.values(), strict=True):
        table.add_row(*map(str, row))
    return table


def _measures(spec: Row) -> dict[str, str]:
    """Returns what is measured of a function and known of its curve, as text."""
    if "limits" not in spec:
        return {"curve": spec["curve"]}
    (low, high), (zero, slope) = spec["limits"], spec["at_0"]
    measures = {
        "limits": f"f(−∞) = {_number(low)}, f(∞) = {_number(high)}",
        "at 0": f"f(0) = {_number(zero)}, f′(0) = {_number(slope)}",
        "gain": _number(spec["gain"]),
    }
    if spec["range"]:
        kinks = [
            f"f′({_number(float(x))}) is taken as {_number(y)}"
            for x, y in spec["kinks"].items()
        ]
        at = "at the default arguments" if spec["arguments"] else ""
        measures["range"] = f"{_interval(spec['range'])} {at}"
        measures["kinks"] = f"{'; '.join(kinks)} {at}" if kinks else "none"
    return measures


def _few(kinks: Mapping[str, float]) -> str:
    """Returns the kinks, of many the ones around 0."""
    if len(kinks) <= 4:
        return ", ".join(kinks)
    near = sorted(kinks, key=lambda x: abs(float(x)))[:2]
    return f"…, {', '.join(sorted(near, key=float))}, …"


def _families(rows: Sequence[Row]) -> list[str]:
    """Returns the family where one begins, and "" in it."""
    families = ["", *(row["family"] for row in rows)]
    return [f if f != before else "" for before, f in itertools.pairwise(families)]


def _spellings(spec: Row) -> dict[str, list[str]]:
    """Returns the spellings by dialect, with what they mean if they do not show it."""
    found: dict[str, list[str]] = {}
    for alias in spec["names"]:
        dialect, call, meaning = alias["dialect"], alias["call"], alias["meaning"]
        told = "(" in call or meaning == spec["name"]
        found.setdefault(dialect, []).append(call if told else f"{call} = {meaning}")
    return found


def _table(*headings: str) -> Table:
    """Returns an empty table with a name that is not broken, and text that is."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    table.add_column(headings[0], no_wrap=True)
    for heading in headings[1:]:
        table.add_column(heading)
    return table


def _console() -> Console:
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = WIDTH
    return console


def _interval(bounds: Sequence[float], digits: int = 5) -> str:
    low, high = bounds
    return f"{_number(low, digits)} … {_number(high, digits)}"


def _number(value: Any, digits: int = 5) -> str:
    """Returns a number for reading; JSON and CSV have all its digits."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if math.isnan(value):
        return "undefined"
    return f"{value + 0.0:.{digits}g}".replace("inf", "∞").replace("-", "−")


def _jsonable(value: Any) -> Any:
    match value:
        case dict():
            return {str(k): _jsonable(v) for k, v in value.items()}
        case list() | tuple():
            return [_jsonable(v) for v in value]
        case float() if not math.isfinite(value):
            return str(value)
        case None | bool() | int() | float() | str():
            return value
        case _:
            return str(value)
