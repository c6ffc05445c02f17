"""The report of a run, from its directory alone: a page of HTML, Markdown, a table."""

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
from rich import box
from rich.table import Table
from rich.text import Text

from experiments.config import Source, read as read_config
from experiments.figures import COLORS
from experiments.page import Page
from experiments.records import CONFIG, environments, read
from experiments.study import Study

_TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
)


class Report(NamedTuple):
    """A report that is written."""

    page: Page
    path: Path
    """Of the HTML file."""
    notices: tuple[str, ...]


def write(folder: Path, studies: Mapping[str, Study[Any, Any]]) -> Report:
    """Writes `report.html` and `report.md` of a run, and returns the report.

    The same records, config and environments give the same bytes.

    Raises:
        ConfigError: The config of the run cannot be read.
    """
    schemas = {name: study.config for name, study in studies.items()}
    config = read_config(Source(folder / CONFIG), schemas)
    study = studies[config.study]
    records, notices = read(folder, study.record)
    page = study.page(config, records)
    text = (folder / CONFIG).read_text(encoding="utf-8")
    sessions = distinct(environments(folder))
    path = folder / "report.html"
    _replace(path, html(page, config.name, text, sessions))
    _replace(folder / "report.md", markdown(page, text, sessions))
    return Report(page, path, notices)


def html(page: Page, name: str, config: str, sessions: list[dict[str, Any]]) -> str:
    """Returns the page as one HTML file that refers to no other."""
    colors = {series: n % COLORS for n, series in enumerate(page.series)}
    return _TEMPLATES.get_template("report.html").render(
        page=page, name=name, config=config, environments=sessions, colors=colors
    )


def markdown(
    page: Page,
    config: str,
    sessions: list[dict[str, Any]],
    charts: str = "The charts are in `report.html`.",
) -> str:
    """Returns the page as Markdown, with what is said in place of its charts."""
    titles = [column.title for column in page.table.columns]
    rows = [
        [f"{c.text} ({c.detail})" if c.detail else c.text for c in row]
        for row in page.table.rows
    ]
    rule = ["---", *["---:"] * (len(titles) - 1)]
    lines = [f"| {' | '.join(cells)} |" for cells in (titles, rule, *rows)]
    notes = [f"- {note}" for note in page.notes]
    ran = [
        ", ".join(f"{key} {value}" for key, value in session.items())
        for session in sessions
    ]
    parts = [
        f"# {page.question}",
        page.answer,
        page.setting,
        "\n".join(lines),
        charts,
        "\n".join(notes),
        f"Data: {page.origin}.",
        *(f"Ran on: {session}." for session in ran),
        f"```toml\n{config.strip()}\n```",
    ]
    return "\n\n".join(parts) + "\n"


def terminal(page: Page, width: int) -> Table:
    """Returns the table for a terminal of so many columns."""
    wide = width >= 110
    shown = [n for n, c in enumerate(page.table.columns) if wide or c.narrow]
    table = Table(
        box=box.SIMPLE_HEAD, padding=(0, 1 if wide else 0, 0, 1), show_edge=False
    )
    for n in shown:
        column = page.table.columns[n]
        title = textwrap.fill(column.title, 10)  # cells stay in one line, titles not
        table.add_column(
            title,
            justify="right" if n else "left",
            overflow="ellipsis" if n else "fold",
            no_wrap=n > 0,
            min_width=0 if n else 11,
        )
    for row in page.table.rows:
        cells = [row[n] for n in shown]
        table.add_row(
            *(
                Text.assemble(c.text, "\n", (c.detail, "dim")) if c.detail else c.text
                for c in cells
            )
        )
    return table


def distinct(sessions: tuple[dict[str, Any], ...]) -> list[dict[str, Any]]:
    """Returns the environments that differ in more than the time they started."""
    found: dict[str, dict[str, Any]] = {}
    for session in sessions:
        rest = {k: v for k, v in session.items() if k != "started"}
        found.setdefault(str(rest), session)
    return list(found.values())


def _replace(path: Path, text: str) -> None:
    """Writes a file whole: whoever reads it meanwhile gets the old one or the new."""
    draft = path.with_suffix(f"{path.suffix}.draft")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
