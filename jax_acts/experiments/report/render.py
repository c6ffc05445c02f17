"""A report as HTML, Markdown, a table in the terminal, or PNG."""

import re
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import altair as alt
import jinja2
from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table as RichTable
from rich.text import Text

from jax_acts.experiments.config.escape import (
    escape_controls,
    markdown_text,
    one_line,
)
from jax_acts.experiments.report.model import Report, Table, to_rows
from jax_acts.experiments.report.theme import COLORS, FONT, NUM_COLORS, page_svg, png

QUICK = "Quick run: not a result."
QUICK_DETAIL = "It is too small for a conclusion and only shows that everything runs."

TEMPLATES = Path(__file__).parent / "templates"


class RunInfo(NamedTuple):
    """Name, config and environments of a run."""

    name: str
    config: str
    """As TOML."""
    environments: Sequence[Mapping[str, Any]]
    """Those of its sessions that differ."""

    @property
    def revision(self) -> str | None:
        """The commit of the sources, if all sessions had the same."""
        revisions = {session.get("revision") for session in self.environments}
        return revisions.pop() if len(revisions) == 1 else None


class Cell(NamedTuple):
    """A rendered cell."""

    text: str
    detail: str
    key: str
    """The sort key of the page; empty where there is no value."""


def cells(table: Table) -> list[list[Cell]]:
    """Return the cells of a table, row by row."""
    return [
        [
            Cell(
                column.format(row[column.name]),
                column.detail(row) if column.detail else "",
                "" if row[column.name] != row[column.name] else str(row[column.name]),
            )
            for column in table.columns
        ]
        for row in to_rows(table.frame)
    ]


def html(report: Report, runs: Sequence[RunInfo] = ()) -> str:
    """Return the report as one HTML file that loads nothing."""
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    lines = {name: n for n, name in enumerate(report.series)}
    lines |= {group: lines[series] for group, series in report.colors.items()}
    count = len(report.series)
    return templates.get_template("report.html").render(
        report=report,
        runs=runs,
        cells=cells,
        lines=lines,
        charts=[(chart, page_svg(chart.spec, count)) for chart in report.charts],
        quick=(QUICK, QUICK_DETAIL),
        font=FONT,
        colors=COLORS,
        num_colors=NUM_COLORS,
    )


def markdown(
    report: Report,
    runs: Sequence[RunInfo] = (),
    charts: str = "The charts are in `report.html`.",
) -> str:
    """Return the report as Markdown, with `charts` in place of the charts."""
    text = markdown_text
    quick = f"> [!CAUTION]\n> **{QUICK}** {QUICK_DETAIL}"
    parts = [f"# {text(report.question)}", *([quick] if report.is_quick else [])]
    parts += [text(report.conclusion), text(report.setup)]
    for table in report.tables:
        parts += [f"## {text(table.title)}", _markdown_table(table)]
    for section in report.sections:
        parts += [f"## {text(section.title)}", *map(text, section.text)]
        parts += [_markdown_table(section.table)] if section.table else []
    notes = "\n".join(f"- {text(note)}" for note in report.notes)
    parts += [charts, "## Notes", notes]
    parts += ["## Data"] if report.data else []
    for data in report.data:
        details = map(text, data[1:])
        parts.append(" ".join(filter(None, (f"**{text(data.name)}**.", *details))))
    for run in runs:
        for session in run.environments:
            spec = ", ".join(f"{key} {value}" for key, value in session.items())
            parts.append(f"Environment of {text(run.name)}: {text(spec)}.")
        parts.append(_code_block(run.config.strip(), "toml"))
    return "\n\n".join(filter(None, parts)) + "\n"


def _code_block(code: str, language: str) -> str:
    """Return a block whose fence is longer than any run of backticks in the code."""
    longest = max(map(len, re.findall("`+", code)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{escape_controls(code)}\n{fence}"


def _markdown_table(table: Table) -> str:
    titles = [markdown_text(column.title) for column in table.columns]
    rule = ["---", *["---:"] * (len(titles) - 1)]
    rows = [
        [markdown_text(f"{c.text} {c.detail}".strip()) for c in row]
        for row in cells(table)
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in (titles, rule, *rows))


def terminal(report: Report, width: int) -> RenderableType:
    """Return the conclusion and the first table, for a terminal of that many columns.

    Columns that do not fit are left out, the less essential first; the names of the
    rows never are.
    """
    parts: list[RenderableType] = []
    if report.is_quick:
        banner = Text(f"{QUICK} {QUICK_DETAIL}", style="bold white")
        parts.append(Panel(banner, style="white on red", box=box.SQUARE))
    if report.tables:
        parts.append(_terminal_table(report.tables[0], width))
    return Group(*parts, "", Text(one_line(report.conclusion)))


def _terminal_table(table: Table, width: int) -> RichTable:
    columns = table.columns
    grid = [
        [
            Text.assemble(
                one_line(c.text), (f"\n{one_line(c.detail)}" if c.detail else "", "dim")
            )
            for c in row
        ]
        for row in cells(table)
    ]
    titles = [textwrap.fill(one_line(column.title), 10) for column in columns]
    widths = [
        max(len(line) for text in (title, *cell) for line in str(text).split("\n"))
        for title, *cell in zip(titles, *grid, strict=True)
    ]
    widths[0] = max(min(widths[0], width - 14), 8)
    shown, left = [0], width - widths[0] - 1
    for n in sorted(range(1, len(columns)), key=lambda n: not columns[n].essential):
        left -= widths[n] + 2
        if left < 0:
            break
        shown.append(n)
    dropped = [one_line(c.title) for n, c in enumerate(columns) if n not in shown]
    result = RichTable(
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        show_edge=False,
        caption=Text(f"not shown: {', '.join(dropped)}") if dropped else None,
        caption_justify="left",
    )
    shown.sort()
    for n in shown:
        result.add_column(
            Text(titles[n]),
            justify="right" if n else "left",
            overflow="ellipsis",
            no_wrap=True,
            width=widths[n],
        )
    for row in grid:
        result.add_row(*(row[n] for n in shown))
    return result


def png_sheet(report: Report) -> bytes:
    """Return all charts as one PNG, two in a row, with a legend."""
    charts = [chart.spec.properties(title=chart.title) for chart in report.charts]
    title = alt.TitleParams(textwrap.wrap(report.question, 90), fontSize=16)
    sheet = alt.concat(*charts, columns=2).properties(title=title)
    return png(sheet)
