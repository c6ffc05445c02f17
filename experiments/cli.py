"""`python -m experiments`: the commands of `jax-acts`, and `all` and `list`."""

import sys
import time
import traceback
from pathlib import Path
from typing import Annotated

import jax
import typer

from experiments.catalogue import STUDIES
from jax_acts.experiments import cli, commands
from jax_acts.experiments.cli import Quick
from jax_acts.experiments.commands import exit_on_errors, log, show
from jax_acts.experiments.config.errors import MissingDataError
from jax_acts.experiments.config.escape import one_line
from jax_acts.experiments.config.load import Source
from jax_acts.experiments.report.files import write_report

PROGRAM = "python -m experiments"
CONFIGS = Path("configs")

commands.register(STUDIES, PROGRAM)

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Compare activations by experiments that configs describe.",
)
app.add_typer(cli.app)


@app.command(name="all")
def run_all(
    configs: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[CONFIG]...", help="Default: all of configs/."),
    ] = None,
    quick: Quick = False,
) -> None:
    """Run configs in succession; print one line per config, with its report.

    A config that fails does not stop the others; the exit status is then 1. A config
    whose data are missing is skipped, with the command that installs them.
    """
    with exit_on_errors():
        chosen = configs or sorted(CONFIGS.rglob("*.toml"))
        if not chosen:
            log(f"error: {CONFIGS}: expected configs, got none")
            raise typer.Exit(commands.CONFIG_ERROR)
        failed = sum(not _run(path, quick) for path in chosen)
        if failed:
            log(f"error: {failed} of {len(chosen)} configs failed")
            raise typer.Exit(commands.RUN_ERROR)


def _run(path: Path, quick: bool) -> bool:
    """Run a config and print a line; return whether it did not fail."""
    begin = time.perf_counter()
    outcome = "failed"
    try:
        with exit_on_errors():
            directory = commands.run(Source(path), quick=quick, quiet=True)
            outcome = str(write_report(directory, commands.STUDIES).path)
    except typer.Exit as stop:
        if stop.exit_code == commands.INTERRUPTED:
            raise
        if isinstance(stop.__cause__, MissingDataError):
            outcome = "skipped"
    except Exception:  # an error in one study does not stop the others
        log(traceback.format_exc())
    seconds = time.perf_counter() - begin
    show(f"{one_line(path)}: {one_line(outcome)} ({seconds:.0f} s)")
    sys.stdout.flush()
    jax.clear_caches()  # studies share no programs, and programs take memory
    return outcome != "failed"


@app.command(name="list")
def list_all() -> None:
    """List the studies, the configs under configs/, and the datasets."""
    with exit_on_errors():
        _list_all()


def _list_all() -> None:
    questions = {name: study.question for name, study in commands.STUDIES.items()}
    configs = {str(p): _first_comment(p) for p in sorted(CONFIGS.rglob("*.toml"))}
    commands.show_names("studies", questions)
    commands.show_names("configs", configs)
    commands.list_datasets()


def _first_comment(path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            line = file.readline(1000).rstrip("\n")
    except (OSError, UnicodeDecodeError) as error:
        return f"not readable: {error}"
    return line.removeprefix("#").strip() if line.startswith("#") else ""
