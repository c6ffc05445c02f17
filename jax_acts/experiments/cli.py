"""The commands `run`, `validate`, `report`, `compare-runs`, `export` and `datasets`.

`jax-acts` has them with the study `custom`; `python -m experiments` adds the studies of
the repository. The engine is imported when a command is called, so that `jax-acts`
starts fast, and without the extra `experiments`.
"""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
)

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


@contextmanager
def _engine() -> Iterator[Any]:
    """Yield the module `commands`, whose errors end the program with one line."""
    try:
        commands: Any = importlib.import_module("jax_acts.experiments.commands")
    except ImportError as error:
        typer.echo(f"error: {error}; pip install 'jax-acts[experiments]'", err=True)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        typer.echo("interrupted", err=True)
        raise typer.Exit(130) from None
    with commands.exit_on_errors():
        yield commands


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
    with _engine() as engine:
        directory = engine.run(
            engine.Source(config, tuple(overrides or ())),
            out,
            quick=quick,
            fresh=fresh,
            quiet=quiet,
            executor=executor,
            process_id=process_id,
            num_processes=num_processes,
        )
        engine.show_report(directory)


@app.command()
def validate(
    config: ConfigFile, overrides: Overrides = None, quick: Quick = False
) -> None:
    """Check a config with its data and model; nothing is compiled or written."""
    with _engine() as engine:
        engine.validate(engine.Source(config, tuple(overrides or ())), quick)


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
    with _engine() as engine:
        engine.verify(directory)
        engine.show_report(directory, png=png)


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
    with _engine() as engine:
        engine.compare_runs(directories, out)


@app.command()
def export(
    directory: RunDirectory,
    to: Annotated[
        str, typer.Option("--to", help="csv, parquet, tensorboard, mlflow or wandb.")
    ] = "csv",
) -> None:
    """Write the records of a run as tables, or for TensorBoard, MLflow or W&B."""
    with _engine() as engine:
        engine.export(directory, to)


@app.command()
def datasets() -> None:
    """List the datasets that `data.name` of a config can be."""
    with _engine() as engine:
        engine.list_datasets()
