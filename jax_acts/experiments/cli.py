"""The commands `run`, `validate`, `report`, `compare-runs`, `export` and `datasets`.

`jax-acts` has them with the study `custom`; `python -m experiments` registers the
studies of the repository as well. The engine is imported inside the commands, so that
`jax-acts` starts without the extra `experiments`.
"""

import os
import shlex
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from jax_acts.experiments.config.load import Source
    from jax_acts.experiments.config.schema import StudyConfig
    from jax_acts.experiments.runtime.locking import Process
    from jax_acts.experiments.runtime.runner import Executor
    from jax_acts.experiments.study import PreparedStudy, Study

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
)

CONFIG_ERROR, RUN_ERROR, INTERRUPTED = 2, 1, 130

ConfigFile = Annotated[Path, typer.Argument(metavar="CONFIG", help="A TOML file.")]
RunDirectory = Annotated[
    Path, typer.Argument(metavar="RUN", help="The directory of a run.")
]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Override a key of the config; repeatable. "
        "Example: --set training.steps=100",
    ),
]
Quick = Annotated[
    bool, typer.Option("--quick", help="Run a small version, to see that it works.")
]

_program = "jax-acts"
_registered: dict[str, "Study[Any]"] = {}


def register(studies: Mapping[str, "Study[Any]"], program: str) -> None:
    """Add studies to the commands, and set the program name in messages."""
    global _program
    _program = program
    _registered.update(studies)


def load_studies() -> dict[str, "Study[Any]"]:
    """Return every study by name: `custom` and the registered ones."""
    from jax_acts.experiments import custom

    return {custom.STUDY.name: custom.STUDY, **_registered}


@app.command()
def run(
    config: ConfigFile,
    overrides: Overrides = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Default: runs/NAME-HASH_OF_THE_CONFIG."),
    ] = None,
    quick: Quick = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Archive earlier results and train again.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", help="Print one line per run, no progress bar.")
    ] = False,
    executor: Annotated[
        str, typer.Option(help="Where to train: local, distributed or ray.")
    ] = "local",
    process_id: Annotated[
        int | None, typer.Option(help="Of --executor distributed: 0, 1, …")
    ] = None,
    num_processes: Annotated[
        int | None, typer.Option(help="Of --executor distributed.")
    ] = None,
) -> None:
    """Train the runs of a config and write the report.

    Finished trial batches are recorded: the same command resumes an interrupted run.
    """
    with exit_on_errors():
        from jax_acts.experiments.config.load import Source

        source = Source(config, tuple(overrides or ()))
        with exit_on_config_errors(source):
            chosen, process = _executor(executor, process_id, num_processes)
        directory = train(
            source,
            out,
            quick=quick,
            fresh=fresh,
            quiet=quiet,
            executor=chosen,
            process=process,
        )
        _show_report(directory)


@app.command()
def validate(
    config: ConfigFile, overrides: Overrides = None, quick: Quick = False
) -> None:
    """Check a config with its data and model; nothing is compiled or written."""
    with exit_on_errors():
        from jax_acts.experiments.config.load import Source
        from jax_acts.experiments.runtime.run_directory import run_directory

        typed, prepared = _prepare(Source(config, tuple(overrides or ())), quick)
        directory = run_directory(typed)
        print(f"{config}: valid\n{_describe(prepared)}\nrun directory: {directory}")


@app.command()
def report(
    directory: RunDirectory,
    png: Annotated[
        bool, typer.Option("--png", help="Write the charts as report.png as well.")
    ] = False,
) -> None:
    """Write the report of a run from its records.

    It is refused where data or model changed since the run.
    """
    with exit_on_errors():
        _verify(_check_run(directory))
        _show_report(directory, png=png)


@app.command("compare-runs")
def compare_runs(
    directories: Annotated[
        list[Path], typer.Argument(metavar="RUN RUN…", help="Two or more runs.")
    ],
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="FILE", help="An .html or .md file.")
    ] = Path("comparison.html"),
) -> None:
    """Compare runs of one study: configs, tables, and differences at equal seeds."""
    with exit_on_errors():
        from jax_acts.experiments.config.errors import RunError
        from jax_acts.experiments.report.files import compare_directories
        from jax_acts.experiments.report.render import html, markdown
        from jax_acts.experiments.runtime.files import write_atomic

        if out.suffix not in (".html", ".md"):
            raise RunError(f"--out: expected an .html or .md file, got {out}")
        for directory in directories:
            _check_run(directory)
        page, runs = compare_directories(directories, load_studies())
        render = html if out.suffix == ".html" else markdown
        write_atomic(out, render(page, runs))
        print(f"{page.conclusion}\n{out}")


@app.command()
def export(
    directory: RunDirectory,
    to: Annotated[
        str, typer.Option("--to", help="csv, parquet, tensorboard, mlflow or wandb.")
    ] = "csv",
) -> None:
    """Write the records of a run as tables, or for TensorBoard, MLflow or W&B."""
    with exit_on_errors():
        from jax_acts.experiments.report.export import Sink
        from jax_acts.experiments.report.files import export_records

        sink = _choice("--to", to, Sink)
        print(export_records(_check_run(directory), load_studies(), sink))


@app.command()
def datasets() -> None:
    """List the datasets that `data.name` of a config can be."""
    with exit_on_errors():
        from jax_acts.experiments.datasets.registry import DATASETS

        show_names(
            "datasets",
            {
                name: f"{info.content}. Origin: {info.origin}. {info.install}."
                for name, info in DATASETS.items()
            },
        )


def show_names(title: str, entries: Mapping[str, str]) -> None:
    """Print names with a description of each."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    for name, description in entries.items():
        table.add_row(f"  {name}", escape(description))
    Console().print(f"[bold]{title}[/]", table, "")


def train(
    source: "Source",
    out: Path | None = None,
    *,
    quick: bool = False,
    fresh: bool = False,
    quiet: bool = False,
    executor: "Executor | None" = None,
    process: "Process | None" = None,
) -> Path:
    """Train the missing runs of a config and return the run directory."""
    from rich.console import Console

    from jax_acts.experiments.runtime.locking import SINGLE_PROCESS
    from jax_acts.experiments.runtime.run_directory import run_directory
    from jax_acts.experiments.runtime.runner import Executor, run_study

    typed, prepared = _prepare(source, quick)
    directory = out or run_directory(typed)
    log(f"{_describe(prepared)}\nrun directory: {directory}")
    study = load_studies()[typed.study]
    try:
        with exit_on_config_errors(source):
            run_study(
                study,
                typed,
                prepared,
                directory,
                Console(stderr=True),
                quiet=quiet,
                executor=executor or Executor.LOCAL,
                process=process or SINGLE_PROCESS,
                fresh=fresh,
            )
    except KeyboardInterrupt:
        _log_interrupt(directory, len(study.runs(typed)))
        raise typer.Exit(INTERRUPTED) from None
    return directory


def _describe(prepared: "PreparedStudy") -> str:
    data = [f"{name}: {content}" for name, content in prepared.data_contents.items()]
    return "\n".join([prepared.summary, *data])


def _log_interrupt(directory: Path, total: int) -> None:
    """Print how to resume."""
    from jax_acts.experiments.runtime.run_directory import read_records

    recorded = len(read_records(directory)[0])
    arguments = [a for a in sys.argv[1:] if a != "--fresh"]  # it would train again
    log(
        f"interrupted: {recorded} of {total} runs are recorded in {directory}\n"
        f"resume: {_program} {shlex.join(arguments)}"
    )
    if recorded:
        log(f"report: {_program} report {shlex.quote(str(directory))}")


def _prepare(source: "Source", quick: bool) -> "tuple[StudyConfig, PreparedStudy]":
    """Return the config and its study with the data loaded; nothing is compiled."""
    from jax_acts.experiments.config.load import load_config

    studies = load_studies()
    with exit_on_config_errors(source):
        schemas = {name: study.config for name, study in studies.items()}
        typed = load_config(source, schemas)
        typed = typed.to_quick() if quick else typed
        study = studies[typed.study]
        study.runs(typed)  # checks their number before data are loaded
        return typed, study.prepare(typed)


def _verify(directory: Path) -> None:
    """Check data and model against the fingerprint, where they can be loaded."""
    from jax_acts.experiments.config.errors import ConfigError
    from jax_acts.experiments.config.load import Source, load_config
    from jax_acts.experiments.runtime.fingerprint import Fingerprint, verify_fingerprint
    from jax_acts.experiments.runtime.run_directory import CONFIG

    source, studies = Source(directory / CONFIG), load_studies()
    with exit_on_config_errors(source):
        typed = load_config(source, {n: s.config for n, s in studies.items()})
    try:
        prepared = studies[typed.study].prepare(typed)
    except ConfigError as error:
        log(f"note: data and model are not compared with those of the run: {error}")
        return
    verify_fingerprint(directory, Fingerprint.of(typed, prepared))


def _show_report(directory: Path, *, png: bool = False) -> None:
    """Write the report; print its table and conclusion, and its path last."""
    from rich.console import Console

    from jax_acts.experiments.config.load import Source
    from jax_acts.experiments.report.files import write_report
    from jax_acts.experiments.report.render import terminal
    from jax_acts.experiments.runtime.run_directory import CONFIG

    with exit_on_config_errors(Source(directory / CONFIG)):
        written = write_report(directory, load_studies(), png=png)
    for notice in written.notices:
        log(notice)
    console = Console()
    console.print(terminal(written.report, console.width), highlight=False)
    print(f"\n{written.path}")


def _check_run(directory: Path) -> Path:
    """Return the directory of a run, or exit."""
    from jax_acts.experiments.config.errors import did_you_mean
    from jax_acts.experiments.runtime.run_directory import CONFIG

    if not (directory / CONFIG).is_file():
        runs = [str(p.parent) for p in sorted(directory.parent.glob(f"*/{CONFIG}"))]
        near = did_you_mean(str(directory), runs)
        log(f"error: {directory}: expected a run directory with {CONFIG}{near}")
        raise typer.Exit(CONFIG_ERROR)
    return directory


def _executor(
    name: str, process_id: int | None, num_processes: int | None
) -> "tuple[Executor, Process]":
    from jax_acts.experiments.config.errors import ConfigError, ConfigIssue
    from jax_acts.experiments.runtime.locking import SINGLE_PROCESS, detect_rank
    from jax_acts.experiments.runtime.runner import Executor

    executor = _choice("--executor", name, Executor)
    if executor is Executor.DISTRIBUTED:
        return executor, detect_rank(process_id, num_processes, os.environ)
    if process_id is not None or num_processes is not None:
        message = (
            "--process-id, --num-processes: expected --executor distributed, "
            f"got {name}"
        )
        raise ConfigError(ConfigIssue("", message))
    return executor, SINGLE_PROCESS


def _choice(option: str, name: str, choices: Any) -> Any:
    names: Iterable[str] = [choice.value for choice in choices]
    if name not in names:
        log(f"error: {option} {name}: expected one of {', '.join(names)}")
        raise typer.Exit(CONFIG_ERROR)
    return choices(name)


@contextmanager
def exit_on_config_errors(source: "Source") -> Iterator[None]:
    """Print each fault of a config as one line and exit."""
    from jax_acts.experiments.config.errors import ConfigError

    try:
        yield
    except ConfigError as error:
        for issue in error.issues:
            log(source.line(issue))
        raise typer.Exit(CONFIG_ERROR) from error


@contextmanager
def exit_on_errors() -> Iterator[None]:
    """Print one line instead of a traceback where a command cannot proceed."""
    try:
        from jax_acts.experiments.config.errors import RunError
        from jax_acts.experiments.runtime import devices
    except ImportError as error:
        log(f"error: {error}; pip install 'jax-acts[experiments]'")
        raise typer.Exit(RUN_ERROR) from None
    with suppress(RuntimeError):  # JAX is initialized already: called from Python
        devices.configure_cpu_devices(devices.available_cores())
    try:
        yield
    except RunError as error:
        log(f"error: {error}")
        raise typer.Exit(RUN_ERROR) from None
    except OSError as error:
        log(f"error: {error}; earlier records are kept")
        raise typer.Exit(RUN_ERROR) from None
    except KeyboardInterrupt:
        log("interrupted")
        raise typer.Exit(INTERRUPTED) from None


def log(message: str) -> None:
    """Print to standard error."""
    print(message, file=sys.stderr)
