"""Reports of run directories.

`studies` maps the key `study` of a config to its study.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from jax_acts.experiments.config.load import Source, load_config
from jax_acts.experiments.config.schema import StudyConfig
from jax_acts.experiments.report.model import DataSummary, Report
from jax_acts.experiments.report.render import RunInfo, html, markdown, png_sheet
from jax_acts.experiments.runtime import run_directory
from jax_acts.experiments.runtime.files import write_atomic
from jax_acts.experiments.study import Study

Studies = Mapping[str, Study[Any]]


class LoadedRun(NamedTuple):
    """A run directory in memory."""

    path: Path
    """The HTML file of the report."""
    config: StudyConfig
    report: Report
    info: RunInfo
    notices: tuple[str, ...]
    """One sentence for each damaged line."""


def load_run_config(directory: Path, studies: Studies) -> StudyConfig:
    """Return the config of a run directory.

    Raises:
        ConfigError: It cannot be read.
    """
    schemas = {name: study.config for name, study in studies.items()}
    return load_config(Source(directory / run_directory.CONFIG), schemas)


def load_run(directory: Path, studies: Studies) -> LoadedRun:
    """Return a run with its report, which is a pure function of the directory.

    Raises:
        ConfigError: The config of the run cannot be read.
    """
    config = load_run_config(directory, studies)
    records, notices = run_directory.read_records(directory)
    environments, damaged = run_directory.read_environments(directory)
    report = studies[config.study].report(config, records)
    data = {one.name: one for one in report.data}  # only the run knows the contents
    for name, content in run_directory.read_data_contents(directory).items():
        data[name] = data.get(name, DataSummary(name))._replace(content=content)
    report = replace(report, is_quick=bool(config.quick), data=tuple(data.values()))
    # The environments that differ in more than the time they started.
    distinct: dict[str, dict[str, Any]] = {}
    for session in filter(None, environments):
        key = json.dumps(session | {"started": None})
        distinct.setdefault(key, session)
    text = (directory / run_directory.CONFIG).read_text("utf-8")
    info = RunInfo(config.name, text, [*distinct.values()])
    path = directory / "report.html"
    notices = (*notices, *damaged)
    return LoadedRun(path, config, report, info, notices)


def write_report(directory: Path, studies: Studies, *, png: bool = False) -> LoadedRun:
    """Write `report.html`, `report.md` and, if asked for, `report.png`.

    Equal records, config and environments give equal bytes.

    Raises:
        ConfigError: The config of the run cannot be read.
    """
    run = load_run(directory, studies)
    write_atomic(run.path, html(run.report, [run.info]))
    write_atomic(directory / "report.md", markdown(run.report, [run.info]))
    if png:
        write_atomic(directory / "report.png", png_sheet(run.report))
    return run
