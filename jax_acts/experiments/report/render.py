"""The report of a run, from its directory alone: a page of HTML, Markdown, a table."""

import secrets
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import replace as replaced
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
from rich import box
from rich.table import Table
from rich.text import Text

from jax_acts.experiments.config.load import Source, read as read_config
from jax_acts.experiments.config.schema import StudyConfig
from jax_acts.experiments.report.charts import of, svg
from jax_acts.experiments.report.model import Page, Table as Shown
from jax_acts.experiments.report.png import sheet
from jax_acts.experiments.report.theme import DARK, FONT, LIGHT, variables
from jax_acts.experiments.runtime.records import CONFIG, environments, read
from jax_acts.experiments.study import Study

QUICK = "The quick form: it shows that all of it runs, and is too small for an answer."

TEMPLATES = Path(__file__).parent / "templates"
_TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(TEMPLATES),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
)
_TEMPLATES.filters |= {
    "color": of,
    "first_upper": lambda text: text[:1].upper() + text[1:],
    "svg": svg,
}


class Ran(NamedTuple):
    """A run as a page names it: what it needs to be run again, and where it ran."""

    name: str
    config: str
    """As TOML."""
    environments: list[dict[str, Any]]
    """Those of its sessions that differ."""

    @property
    def revision(self) -> str | None:
        """The commit of the sources, if all its sessions had the same."""
        found = {session.get("revision") for session in self.environments}
        return found.pop() if len(found) == 1 else None


class Report(NamedTuple):
    """A report that is written."""

    page: Page
    path: Path
    """Of the HTML file."""
    notices: tuple[str, ...]


def write(
    folder: Path, studies: Mapping[str, Study[Any, Any]], *, png: bool = False
) -> Report:
    """Writes `report.html`, `report.md` and maybe `report.png`; returns the report.

    The same records, config and environments give the same bytes.

    Raises:
        ConfigError: The config of the run cannot be read.
    """
    schemas = {name: study.config for name, study in studies.items()}
    config = read_config(Source(folder / CONFIG), schemas)
    study = studies[config.study]
    records, notices = read(folder, study.record)
    page = noted(study.page(config, records), [config])
    run = ran(folder, config.name)
    path = folder / "report.html"
    replace(path, html(page, [run]))
    replace(folder / "report.md", markdown(page, [run]))
    if png:
        replace(folder / "report.png", sheet(page.question, page.charts, page.series))
    return Report(page, path, notices)


def noted(page: Page, configs: Sequence[StudyConfig]) -> Page:
    """Returns the page, which says so if a config is the quick form of another."""
    if not any(config.is_quick for config in configs):
        return page
    return replaced(page, setting=f"{QUICK} {page.setting}")


def ran(folder: Path, name: str) -> Ran:
    """Returns the run of a directory."""
    text = (folder / CONFIG).read_text(encoding="utf-8")
    return Ran(name, text, distinct(environments(folder)))


def html(page: Page, runs: Sequence[Ran]) -> str:
    """Returns the page as one HTML file that refers to no other."""
    return _TEMPLATES.get_template("report.html").render(
        page=page,
        name=runs[0].name,
        runs=runs,
        colors={series: n for n, series in enumerate(page.series)},
        font=FONT,
        light=variables(LIGHT),
        dark=variables(DARK),
        script=(TEMPLATES / "report.js").read_text(encoding="utf-8"),
    )


def markdown(
    page: Page,
    runs: Sequence[Ran],
    charts: str = "The charts are in `report.html`.",
) -> str:
    """Returns the page as Markdown, with what is said in place of its charts."""
    sections = []
    for section in page.sections:
        sections.append(f"## {section.title[:1].upper()}{section.title[1:]}")
        sections += ["\n".join(f"- {said}" for said in section.said)] * bool(
            section.said
        )
        sections.append(_lines(section.table))
    where = []
    for run in runs:
        for session in run.environments:
            spec = ", ".join(f"{key} {value}" for key, value in session.items())
            where.append(f"{run.name} ran on: {spec}.")
    parts = [
        f"# {page.question}",
        page.answer,
        page.setting,
        _lines(page.table),
        *sections,
        charts,
        "\n".join(f"- {note}" for note in page.notes),
        f"Data: {page.origin}.",
        *where,
        *(f"```toml\n{run.config.strip()}\n```" for run in runs),
    ]
    return "\n\n".join(parts) + "\n"


def _lines(table: Shown) -> str:
    """Returns a table as Markdown."""
    titles = [column.title for column in table.columns]
    rows = [
        [f"{c.text} ({c.detail})" if c.detail else c.text for c in row]
        for row in table.rows
    ]
    rule = ["---", *["---:"] * (len(titles) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (titles, rule, *rows))


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


def replace(path: Path, content: str | bytes) -> None:
    """Writes a file whole: whoever reads it meanwhile gets the old one or the new.

    Several processes may write it at once: each has a draft of its own.
    """
    draft = path.with_suffix(f"{path.suffix}.{secrets.token_hex(4)}.draft")
    if isinstance(content, str):
        content = content.encode()
    draft.write_bytes(content)
    draft.replace(path)
