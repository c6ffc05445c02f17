"""What the commands of `cli` do, as functions; errors are raised as `typer.Exit`."""

import os
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from jax_acts._core.errors import did_you_mean
from jax_acts.experiments import custom
from jax_acts.experiments.config.errors import ConfigError, ConfigIssue, RunError
from jax_acts.experiments.config.escape import (
    escape_controls,
    make_encodable,
    one_line,
)
from jax_acts.experiments.config.load import Source, load_config
from jax_acts.experiments.config.schema import StudyConfig
from jax_acts.experiments.datasets.registry import DATASETS
from jax_acts.experiments.report.compare_runs import compare_directories
from jax_acts.experiments.report.export import Sink, export_records
from jax_acts.experiments.report.files import write_report
from jax_acts.experiments.report.render import html, markdown, terminal
from jax_acts.experiments.runtime import devices
from jax_acts.experiments.runtime.files import write_atomic
from jax_acts.experiments.runtime.fingerprint import Fingerprint, verify_fingerprint
from jax_acts.experiments.runtime.interrupt import exit_without_teardown
from jax_acts.experiments.runtime.locking import SINGLE_PROCESS, Process, detect_rank
from jax_acts.experiments.runtime.run_directory import (
    CONFIG,
    read_records,
    run_directory,
)
from jax_acts.experiments.runtime.runner import Executor, run_study
from jax_acts.experiments.study import PreparedStudy, Study

CONFIG_ERROR, RUN_ERROR, INTERRUPTED = 2, 1, 130

STUDIES: dict[str, Study[Any]] = {custom.STUDY.name: custom.STUDY}
"""Every study by the name that configs use."""

_program = "jax-acts"
E = TypeVar("E", bound=StrEnum)


def register(studies: Mapping[str, Study[Any]], program: str) -> None:
    """Add studies, and set the name of the program in messages."""
    global _program
    _program = program
    STUDIES.update(studies)


def run(
    source: Source,
    out: Path | None = None,
    *,
    quick: bool = False,
    fresh: bool = False,
    quiet: bool = False,
    executor: str = Executor.LOCAL,
    process_id: int | None = None,
    num_processes: int | None = None,
) -> Path:
    """Train the missing runs of a config and return the run directory."""
    with exit_on_config_errors(source):
        chosen, process = _executor(executor, process_id, num_processes)
    config, prepared = prepare(source, quick)
    directory = out or run_directory(config)
    log(f"{_describe(prepared)}\nrun directory: {one_line(directory)}")
    study = STUDIES[config.study]
    try:
        with exit_on_config_errors(source):
            run_study(
                study,
                config,
                prepared,
                directory,
                Console(stderr=True),
                quiet=quiet,
                executor=chosen,
                process=process,
                fresh=fresh,
            )
    except RunError as error:
        if chosen is not Executor.LOCAL:
            log(f"error: {one_line(error)}\n{_resume_command()}")
            raise typer.Exit(RUN_ERROR) from error
        raise
    except KeyboardInterrupt:
        recorded, total = len(read_records(directory)[0]), len(study.runs(config))
        log(
            f"interrupted: {recorded} of {total} runs are recorded in "
            f"{one_line(directory)}\n{_resume_command()}"
        )
        if recorded:
            log(f"report: {_program} report {one_line(shlex.quote(str(directory)))}")
        exit_without_teardown(INTERRUPTED)
        raise typer.Exit(INTERRUPTED) from None
    return directory


def _resume_command() -> str:
    arguments = [a for a in sys.argv[1:] if a != "--fresh"]  # it trains again
    return f"resume: {_program} {one_line(shlex.join(arguments))}"


def _executor(
    name: str, process_id: int | None, num_processes: int | None
) -> tuple[Executor, Process]:
    executor = choose("--executor", name, Executor)
    if executor is Executor.DISTRIBUTED:
        return executor, detect_rank(process_id, num_processes, os.environ)
    if process_id is not None or num_processes is not None:
        options = "--process-id, --num-processes"
        message = f"{options}: expected --executor distributed, got {name}"
        raise ConfigError(ConfigIssue("", message))
    return executor, SINGLE_PROCESS


def prepare(source: Source, quick: bool) -> tuple[StudyConfig, PreparedStudy]:
    """Return the config and its study with the data loaded; nothing is compiled."""
    with exit_on_config_errors(source):
        config = _load(source)
        config = config.to_quick() if quick else config
        study = STUDIES[config.study]
        study.runs(config)  # checks their number before data are loaded
        return config, study.prepare(config)


def _load(source: Source) -> StudyConfig:
    return load_config(source, {name: s.config for name, s in STUDIES.items()})


def validate(source: Source, quick: bool) -> None:
    """Print what a config would run."""
    config, prepared = prepare(source, quick)
    show(f"{one_line(source.path)}: valid\n{_describe(prepared)}")
    show(f"run directory: {run_directory(config)}")


def _describe(prepared: PreparedStudy) -> str:
    data = [f"{name}: {content}" for name, content in prepared.data_contents.items()]
    return "\n".join(map(one_line, [prepared.summary, *data]))


def verify(directory: Path) -> None:
    """Check data and model against the fingerprint of a run.

    Where they cannot be loaded, as on another machine, a note is printed.

    Raises:
        RunError: They changed since the run.
    """
    config = load_run_config(directory)
    try:
        prepared = STUDIES[config.study].prepare(config)
    except ConfigError as error:
        reason = one_line(error)
        log(f"note: data and model are not compared with those of the run: {reason}")
        return
    verify_fingerprint(directory, Fingerprint.of(config, prepared), trains=False)


def show_report(directory: Path, *, png: bool = False) -> None:
    """Write the report; print its table and conclusion, and its path last."""
    with exit_on_config_errors(Source(directory / CONFIG)):
        written = write_report(directory, STUDIES, png=png)
    for notice in written.notices:
        log(one_line(notice))
    console = Console()
    console.print(terminal(written.report, console.width), highlight=False)
    show(f"\n{one_line(written.path)}")


def compare_runs(directories: Sequence[Path], out: Path) -> None:
    """Write one report on several runs."""
    if out.suffix not in (".html", ".md"):
        raise RunError(f"--out: expected an .html or .md file, got {out}")
    for directory in directories:
        load_run_config(directory)
    report, runs = compare_directories(directories, STUDIES)
    render = html if out.suffix == ".html" else markdown
    write_atomic(out, render(report, runs))
    show(f"{one_line(report.conclusion)}\n{one_line(out)}")


def export(directory: Path, sink: str) -> None:
    """Write the records of a run for a sink; print where they are."""
    chosen = choose("--to", sink, Sink)
    load_run_config(directory)
    show(one_line(export_records(directory, STUDIES, chosen)))


def list_datasets() -> None:
    """Print the datasets with content, origin and the command that installs them."""
    describe = lambda info: f"{info.content}. Origin: {info.origin}. {info.install}."
    show_names("datasets", {name: describe(i) for name, i in DATASETS.items()})


def show_names(title: str, entries: Mapping[str, str]) -> None:
    """Print names with a description of each."""
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    for name, description in entries.items():
        table.add_row(Text(f"  {one_line(name)}"), Text(one_line(description)))
    Console().print(f"[bold]{title}[/]", table, "")


def load_run_config(directory: Path) -> StudyConfig:
    """Return the config of a run directory, or exit."""
    source = Source(directory / CONFIG)
    if not source.path.is_file():
        runs = [str(p.parent) for p in sorted(directory.parent.glob(f"*/{CONFIG}"))]
        near = did_you_mean(str(directory), runs)
        message = f"{directory}: expected a run directory with {CONFIG}{near}"
        log(f"error: {one_line(message)}")
        raise typer.Exit(CONFIG_ERROR)
    with exit_on_config_errors(source):
        return _load(source)


def choose(option: str, name: str, choices: type[E]) -> E:
    """Return the member of an enumeration, or exit."""
    names = [choice.value for choice in choices]
    if name not in names:
        log(f"error: {option} {one_line(name)}: expected one of {', '.join(names)}")
        raise typer.Exit(CONFIG_ERROR)
    return choices(name)


@contextmanager
def exit_on_config_errors(source: Source) -> Iterator[None]:
    """Print each fault of a config as one line and exit."""
    try:
        yield
    except ConfigError as error:
        for issue in error.issues:
            log(one_line(source.line(issue)))
        raise typer.Exit(CONFIG_ERROR) from error


@contextmanager
def exit_on_errors() -> Iterator[None]:
    """Print one line instead of a traceback where a command cannot proceed."""
    for stream in (sys.stdout, sys.stderr):
        make_encodable(stream)
    with suppress(RuntimeError):  # JAX is initialized already: called from Python
        devices.configure_cpu_devices(devices.available_cores())
    try:
        yield
    except (RunError, OSError) as error:
        remain = "; earlier records remain" if isinstance(error, OSError) else ""
        log(f"error: {one_line(error)}{remain}")
        raise typer.Exit(RUN_ERROR) from None
    except KeyboardInterrupt:
        log("interrupted")
        exit_without_teardown(INTERRUPTED)
        raise typer.Exit(INTERRUPTED) from None


def log(message: str) -> None:
    """Print to standard error, without control characters."""
    print(escape_controls(message), file=sys.stderr)


def show(text: str) -> None:
    """Print to standard output, without control characters."""
    print(escape_controls(text))
