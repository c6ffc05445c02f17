"""The command line: `run`, `all`, `validate`, `report`, `compare`, `export`, `list`."""

import os
import shlex
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import jax
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from experiments.catalogue import STUDIES
from jax_acts.experiments.config.errors import (
    ConfigError,
    MissingData,
    Problem,
    RunError,
    hint,
)
from jax_acts.experiments.config.load import Source, read
from jax_acts.experiments.config.schema import StudyConfig
from jax_acts.experiments.datasets.registry import SETS
from jax_acts.experiments.report import export as sinks, render as reports
from jax_acts.experiments.report.compare_runs import compare as compared
from jax_acts.experiments.report.export import Sink
from jax_acts.experiments.runtime import records
from jax_acts.experiments.runtime.locking import ALONE, Process, told
from jax_acts.experiments.runtime.records import CONFIG, folder_of
from jax_acts.experiments.runtime.runner import Executor, run as run_members
from jax_acts.experiments.study import Prepared

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Compare activations by experiments that configs describe.",
)

BAD_CONFIG, BAD_RUN, INTERRUPTED = 2, 1, 130
FAILED = "failed"

ConfigFile = Annotated[Path, typer.Argument(metavar="CONFIG", help="A TOML file.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Overrides a key of the config; may be given again. "
        "Example: --set training.epochs=2",
    ),
]
Quick = Annotated[
    bool, typer.Option("--quick", help="The same experiment, very small: for a try.")
]


@app.command()
def run(
    config: ConfigFile,
    overrides: Overrides = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="The directory of the run; else runs/<name>-<hash of the config>.",
        ),
    ] = None,
    quick: Quick = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", help="A line for each member, and no bar.")
    ] = False,
    executor: Annotated[
        Executor, typer.Option(help="Where members are trained.")
    ] = Executor.LOCAL,
    process_id: Annotated[
        int | None,
        typer.Option(help="Of --executor distributed: which process this is, from 0."),
    ] = None,
    num_processes: Annotated[
        int | None,
        typer.Option(help="Of --executor distributed: how many there are."),
    ] = None,
) -> None:
    """Train what a config describes, and write the report.

    Every finished member is kept: the same command goes on where a run was cut.
    """
    source = Source(config, tuple(overrides or ()))
    with _told():
        with _judged(source):
            process = _process(executor, process_id, num_processes)
        _report(
            _trained(
                source,
                out,
                quick=quick,
                quiet=quiet,
                executor=executor,
                process=process,
            )
        )


def _process(executor: Executor, id: int | None, count: int | None) -> Process:
    """Returns which process this is.

    Raises:
        ConfigError: It is not said, or said of an executor that has but one.
    """
    if executor is Executor.DISTRIBUTED:
        return told(id, count, os.environ)
    if id is None and count is None:
        return ALONE
    said = "--process-id and --num-processes are for --executor distributed"
    raise ConfigError(Problem("", said))


@app.command(name="all")
def run_all(
    configs: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[CONFIG]...", help="TOML files; else all of configs/."),
    ] = None,
    quick: Quick = False,
) -> None:
    """Run configs one after the other; print a line for each, with its report's path.

    One that fails does not stop the others, and the status is then 1. One whose data
    are not here is left out, and it is said how to get them.
    """
    chosen = configs or sorted(Path("configs").rglob("*.toml"))
    if not chosen:
        _say("error: there are no configs under configs/")
        raise typer.Exit(BAD_CONFIG)
    failed = 0
    for path in chosen:
        begin = time.perf_counter()
        ended = _attempted(path, quick)
        failed += ended == FAILED
        seconds = time.perf_counter() - begin
        print(f"{path}: {ended} ({seconds:.0f} s)", flush=True)
        jax.clear_caches()  # no two studies share a program, and programs take memory
    if failed:
        _say(f"error: {failed} of {len(chosen)} configs failed")
        raise typer.Exit(BAD_RUN)


def _attempted(path: Path, quick: bool) -> str:
    """Returns the path of a report, or how the run ended, with the reason said."""
    try:
        with _told():
            folder = _trained(Source(path), None, quick=quick, quiet=True)
            return str(reports.write(folder, STUDIES).path)
    except typer.Exit as stop:
        if stop.exit_code == INTERRUPTED:
            raise
        if isinstance(stop.__cause__, MissingData):
            return "left out"
    except Exception:  # a fault of one study, which is no reason to leave out the next
        _say(traceback.format_exc())
    return FAILED


def _trained(
    source: Source,
    out: Path | None,
    *,
    quick: bool,
    quiet: bool,
    executor: Executor = Executor.LOCAL,
    process: Process = ALONE,
) -> Path:
    """Runs a config, and returns the directory of the run."""
    typed, prepared = _prepared(source, quick)
    folder = out or folder_of(typed)
    _say(f"{prepared.summary}\nrecords: {folder}")
    study = STUDIES[typed.study]
    try:
        with _judged(source):
            run_members(
                study,
                typed,
                prepared,
                folder,
                _errors(),
                quiet=quiet,
                executor=executor,
                process=process,
            )
    except KeyboardInterrupt:
        again = shlex.join(["python", "-m", "experiments", *sys.argv[1:]])
        kept = len(records.read(folder, study.record)[0])
        _say(
            f"interrupted: {kept} of {len(study.members(typed))} members are kept "
            f"in {folder}\nto go on: {again}"
        )
        if kept:
            view = shlex.join(["python", "-m", "experiments", "report", str(folder)])
            _say(f"to see them: {view}")
        raise typer.Exit(INTERRUPTED) from None
    return folder


@app.command()
def validate(
    config: ConfigFile, overrides: Overrides = None, quick: Quick = False
) -> None:
    """Check a config and say what it would run; nothing is compiled or written."""
    with _told():
        typed, prepared = _prepared(Source(config, tuple(overrides or ())), quick)
        folder = folder_of(typed)
        print(f"{config} is valid.\n{prepared.summary}\nIt would run in {folder}.")


@app.command()
def report(
    folder: Annotated[
        Path, typer.Argument(metavar="RUN", help="The directory of a run.")
    ],
    png: Annotated[
        bool, typer.Option("--png", help="Write the charts as report.png too.")
    ] = False,
) -> None:
    """Write the report of a run again, from its records alone."""
    with _told():
        _report(_run(folder), png=png)


@app.command()
def export(
    folder: Annotated[
        Path, typer.Argument(metavar="RUN", help="The directory of a run.")
    ],
    to: Annotated[
        Sink, typer.Option("--to", help="What to write the records for.")
    ] = Sink.CSV,
) -> None:
    """Write the records of a run as tables, or for TensorBoard, MLflow or W&B."""
    with _told(), _judged(Source(_run(folder) / CONFIG)):
        typed = read(Source(folder / CONFIG), _schemas())
        print(sinks.export(folder, typed, STUDIES[typed.study], to))


@app.command()
def compare(
    folders: Annotated[
        list[Path], typer.Argument(metavar="RUN RUN…", help="Two runs or more.")
    ],
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="FILE", help="An .html or .md file.")
    ] = Path("comparison.html"),
) -> None:
    """Compare runs of one study: configs, tables, and differences at equal seeds."""
    with _told():
        if out.suffix not in (".html", ".md"):
            raise RunError(f"{out}: write an .html or an .md file")
        for folder in folders:
            with _judged(Source(_run(folder) / CONFIG)):
                read(Source(folder / CONFIG), _schemas())
        page, runs = compared(folders, STUDIES)
        shape = reports.html if out.suffix == ".html" else reports.markdown
        reports.replace(out, shape(page, runs))
        print(f"{page.answer}\n{out}")


@app.command(name="list")
def list_all() -> None:
    """Show the studies, the configs under configs/, and the data sets."""
    configs = sorted(Path("configs").rglob("*.toml"))
    names = {
        "studies": {name: study.question for name, study in STUDIES.items()},
        "configs": {str(path): _first_line(path) for path in configs},
        "data sets": {
            name: f"{data.content}. {data.origin}. To get it: {data.install}."
            for name, data in SETS.items()
        },
    }
    console = Console()
    for title, entries in names.items():
        table = Table.grid(padding=(0, 2))
        table.add_column(no_wrap=True)
        for name, text in entries.items():
            table.add_row(f"  {name}", escape(text))
        console.print(f"[bold]{title}[/]", table, "")


def _first_line(path: Path) -> str:
    """Returns the comment that a config begins with."""
    with path.open(encoding="utf-8") as file:
        line = file.readline()
    return line.removeprefix("#").strip() if line.startswith("#") else ""


def _prepared(source: Source, quick: bool) -> tuple[StudyConfig, Prepared[Any]]:
    """Returns the config and its study with the data loaded.

    Nothing is compiled or written.
    """
    with _judged(source):
        typed = read(source, _schemas())
        typed = typed.quick() if quick else typed
        study = STUDIES[typed.study]
        study.members(typed)  # which says if they are too many
        return typed, study.prepare(typed)


@contextmanager
def _judged(source: Source) -> Iterator[None]:
    """Prints the faults of a config, each in a line, and ends the program."""
    try:
        yield
    except ConfigError as error:
        for problem in error.problems:
            _say(source.line(problem))
        raise typer.Exit(BAD_CONFIG) from error


@contextmanager
def _told() -> Iterator[None]:
    """Makes what stops a run one line, instead of a traceback."""
    try:
        yield
    except RunError as error:
        _say(f"error: {error}")
        raise typer.Exit(BAD_RUN) from None
    except OSError as error:
        _say(f"error: {error}; what was recorded before is kept")
        raise typer.Exit(BAD_RUN) from None
    except KeyboardInterrupt:
        _say("interrupted")
        raise typer.Exit(INTERRUPTED) from None


def _run(folder: Path) -> Path:
    """Returns the directory, if it is that of a run; else ends the program."""
    if not (folder / CONFIG).is_file():
        runs = [str(p.parent) for p in sorted(folder.parent.glob(f"*/{CONFIG}"))]
        _say(f"error: {folder} is no run: no {CONFIG}{hint(str(folder), runs)}")
        raise typer.Exit(BAD_CONFIG)
    return folder


def _schemas() -> dict[str, type[StudyConfig]]:
    return {name: study.config for name, study in STUDIES.items()}


def _report(folder: Path, *, png: bool = False) -> None:
    """Writes the report, prints its table and its answer, and its path last."""
    with _judged(Source(folder / CONFIG)):
        written = reports.write(folder, STUDIES, png=png)
    for notice in written.notices:
        _say(notice)
    console = Console()
    console.print(reports.terminal(written.page, console.width))
    console.print(f"\n{escape(written.page.answer)}\n", highlight=False)
    print(written.path)


def _errors() -> Console:
    return Console(stderr=True)


def _say(text: str) -> None:
    """Prints to the standard error, as it is."""
    print(text, file=sys.stderr)
