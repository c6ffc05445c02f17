"""Two or more runs of a study in one page: their configs, tables and differences."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jax_acts.experiments.config.errors import RunError
from jax_acts.experiments.config.load import Source, read as read_config
from jax_acts.experiments.report.charts import Row, intervals
from jax_acts.experiments.report.contrasts import PAIRED, contrasts, section, sentence
from jax_acts.experiments.report.format import gap_cell, listed, mean
from jax_acts.experiments.report.frames import flat
from jax_acts.experiments.report.model import (
    Cell,
    Chart,
    Column,
    Page,
    Scores,
    Section,
    Table,
)
from jax_acts.experiments.report.render import Ran, noted, ran
from jax_acts.experiments.runtime.records import CONFIG, read
from jax_acts.experiments.stats import spread
from jax_acts.experiments.study import Study


def compare(
    folders: Sequence[Path], studies: Mapping[str, Study[Any, Any]]
) -> tuple[Page, list[Ran]]:
    """Returns the page of several runs, and the runs.

    Raises:
        RunError: There are fewer than two, or they are of different studies.
        ConfigError: The config of a run cannot be read.
    """
    if len({folder.resolve() for folder in folders}) < max(len(folders), 2):
        raise RunError("compare needs two or more runs, each once")
    schemas = {name: study.config for name, study in studies.items()}
    configs = [read_config(Source(folder / CONFIG), schemas) for folder in folders]
    kinds = dict.fromkeys(config.study for config in configs)
    if len(kinds) > 1:
        raise RunError(f"runs of different studies, {listed([*kinds])}: nothing pairs")
    study = studies[configs[0].study]
    names = [str(folder) for folder in folders]
    pages = [
        study.page(config, read(folder, study.record)[0])
        for config, folder in zip(configs, folders, strict=True)
    ]
    dumps = [flat(config.model_dump(mode="json"), "config") for config in configs]
    runs = [ran(f, c.name) for f, c in zip(folders, configs, strict=True)]
    return noted(_page(names, pages, dumps), configs), runs


def _page(
    names: Sequence[str], pages: Sequence[Page], configs: Sequence[Mapping[str, Any]]
) -> Page:
    first = pages[0]
    scores = _joined(names, pages)
    rows = [*dict.fromkeys(row for p in pages if p.scores for row in p.scores.of)]
    pairs = [
        (_called(row, names[0]), _called(row, name))
        for name in names[1:]
        for row in rows
    ]
    found = contrasts(scores, pairs)
    apart = [c for c in found if c.difference.shows()]
    said = [sentence(c, scores) for c in apart[:3]]
    answer = f"Of {len(found)} pairs of rows {len(apart)} differ measurably" + (
        f": {listed(said)}" if said else ""
    )
    return Page(
        first.question,
        f"{answer}.",
        f"{len(pages)} runs: {listed(list(names))}.",
        first.origin,
        _side_by_side(names, rows, scores),
        _chart(names, rows, scores),
        tuple(names),
        (PAIRED, _NOTE),
        (
            _settings(names, configs),
            *section("Each row in the first run against the others", found, scores),
            *(
                Section(f"The table of {name}", (page.answer,), page.table)
                for name, page in zip(names, pages, strict=True)
            ),
        ),
        scores,
    )


def _called(row: str, run: str) -> str:
    return f"{row} · {run}"


def _joined(names: Sequence[str], pages: Sequence[Page]) -> Scores:
    """Returns the scores of all runs, by row and run."""
    known = [(n, p.scores) for n, p in zip(names, pages, strict=True) if p.scores]
    if not known:
        raise RunError("this study has nothing that is compared seed by seed")
    of = {_called(row, n): v for n, scores in known for row, v in scores.of.items()}
    return Scores(*known[0][1])._replace(of=of)


def _side_by_side(names: Sequence[str], rows: Sequence[str], scores: Scores) -> Table:
    """Returns the scores of each row in every run, and the change from the first."""
    reference = names[0]
    gaps = {
        (row, name): found[0].difference
        for name in names[1:]
        for row in rows
        if (found := contrasts(scores, [(_called(row, name), _called(row, reference))]))
    }
    columns = [Column("row"), *(Column(f"{scores.title}, {name}") for name in names)]
    columns += [
        Column(f"change in {name}", "from the first run; p of this row alone")
        for name in names[1:]
    ]
    lines = []
    for row in rows:
        values = [scores.of.get(_called(row, name), {}) for name in names]
        cells = [mean(spread([*v.values()]), scores.digits) for v in values]
        changes = [
            gap_cell(gaps[row, name], scores.digits)
            if (row, name) in gaps
            else Cell("–")
            for name in names[1:]
        ]
        lines.append((Cell(row, row), *cells, *changes))
    return Table(tuple(columns), tuple(lines))


def _chart(
    names: Sequence[str], rows: Sequence[str], scores: Scores
) -> tuple[Chart, ...]:
    lines = []
    for row in rows:
        for color, name in enumerate(names):
            values = [*scores.of.get(_called(row, name), {}).values()]
            if values:
                lines.append(Row(color, row, values, spread(values)))
    drawn = intervals("runs", lines, scores.title)
    caption = "Small dots: the seeds; large dot: their mean; bar: its 95 % interval."
    return (Chart(scores.title, caption, drawn),)


def _settings(names: Sequence[str], configs: Sequence[Mapping[str, Any]]) -> Section:
    """Returns what differs in the configs, a row for each key."""
    keys = dict.fromkeys(key for config in configs for key in config)
    lines = []
    for key in keys:
        values = [str(config.get(key, "–")) for config in configs]
        if len(set(values)) > 1:
            name = key.removeprefix("config.")
            lines.append((Cell(name, name), *(Cell(v, v) for v in values)))
    columns = (Column("key"), *(Column(name) for name in names))
    said = () if lines else ("Their configs are the same.",)
    return Section("What differs in their configs", said, Table(columns, tuple(lines)))


_NOTE = (
    "Rows of one name are paired over equal seeds, which decide the initial weights "
    "and the order of the examples. Where a config changes what a seed draws, such as "
    "a width, pairs are no closer than others, and the test is still right."
)
