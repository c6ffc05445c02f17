"""The command line: `jax-acts list`, `show`, `plot` and `table`."""

import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich.text import Text

from jax_acts._core.bound import Bound
from jax_acts._core.curves import curve, evaluate_vector
from jax_acts._core.errors import did_you_mean
from jax_acts._registry.dialects import DIALECTS
from jax_acts._registry.lookup import FUNCTIONS, aliases, get, names
from jax_acts.cli import tables
from jax_acts.cli.describe import argument_descriptions, describe, measure, prose
from jax_acts.cli.references import format_reference
from jax_acts.experiments.cli import app as experiments

app = typer.Typer(
    help="Inspect the activation functions of jax_acts.",
    epilog="NAME is a spec: silu, torch:gelu, 'elu(alpha=0.5)', nn.relu.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
Name = Annotated[str, typer.Argument(metavar="NAME", show_default=False)]
Names = Annotated[list[str], typer.Argument(metavar="NAME...", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

_DTYPES = ("float16", "bfloat16", "float32", "float64")
_MAX_POINTS = 100_000


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn an expected exception into one line on stderr and exit status 2."""
    try:
        yield
    except (ValueError, TypeError, OSError, ImportError) as error:
        text = str(error)
        if isinstance(error, OSError) and error.strerror:
            text = f"{error.strerror}: {error.filename}"
        typer.echo(f"jax-acts: {' '.join(text.split())}", err=True)
        raise typer.Exit(2) from None


@app.command("list")
@one_line_errors()
def list_functions(
    family: Annotated[
        str | None, typer.Option(help="Only one family, such as rectified.")
    ] = None,
    dialect: Annotated[
        str | None, typer.Option(help="Show the names in a library, such as torch.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the functions with formula, range, kinks, arguments and citation."""
    rows = [describe(name) for name in names()]
    _check_option("--family", family, sorted({row["family"] for row in rows}))
    _check_option("--dialect", dialect, DIALECTS)
    rows = [row for row in rows if family in (None, row["family"])]
    rows.sort(key=lambda row: row["family"])
    if dialect is not None:
        for row in rows:
            calls = [a.call for a in aliases(row["name"]) if a.dialect == dialect]
            row["names"] = calls
        rows = [row for row in rows if row["names"]]
    if as_json:
        tables.print_json(rows)
    else:
        table = tables.names_table if dialect else tables.function_table
        tables.print_renderables(table(rows))


@app.command()
@one_line_errors()
def show(name: Name, as_json: AsJson = False) -> None:
    """Show the description of one function, with the arguments that NAME gives."""
    bound = get(name)
    function = FUNCTIONS[bound.name]
    row = {"spec": str(bound), **describe(bound.name), **measure(bound)}
    row["argument_descriptions"] = argument_descriptions(function)
    row["references"] = {key: format_reference(key) for key in row["cite"]}
    row["names"] = [alias._asdict() for alias in aliases(bound.name)]
    if as_json:
        tables.print_json(row)
    else:
        title = Text(str(bound), style="bold")
        sheet = tables.description_table(row)
        tables.print_renderables(title, "", prose(function), "", sheet)


@app.command()
@one_line_errors()
def plot(
    activations: Names,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="A .png, .svg or .pdf file; default: NAME.png."
        ),
    ] = None,
    range: Annotated[
        str | None, typer.Option(metavar="LOW:HIGH", help="Of x, as in --range=-6:6.")
    ] = None,
    derivatives: Annotated[
        bool, typer.Option(help="Draw the first two derivatives.")
    ] = True,
) -> None:
    """Plot functions and their first two derivatives on the same axes."""
    from jax_acts.plotting import plot as draw  # requires Matplotlib

    limits = None
    if range is not None:
        low, high = _parse_numbers("--range", range, "-6:6")
        limits = low, high
    bounds = [get(name) for name in activations]
    path = output or Path(f"{'-'.join(map(_slug, bounds[:4]))}.png")
    draw(bounds, path, range=limits, derivatives=derivatives)
    typer.echo(path)


@app.command()
@one_line_errors()
def table(
    activations: Names,
    grid: Annotated[
        str,
        typer.Option(
            metavar="LOW:HIGH:COUNT|X,X,…",
            help="Of x, which functions along an axis take as one vector.",
        ),
    ] = "-3:3:7",
    derivatives: Annotated[
        bool, typer.Option("--derivatives", help="With the first two derivatives.")
    ] = False,
    dtype: Annotated[
        str, typer.Option(help=f"One of {', '.join(_DTYPES)}.")
    ] = "float32",
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    as_json: AsJson = False,
    as_markdown: Annotated[
        bool, typer.Option("--markdown", help="Print Markdown.")
    ] = False,
) -> None:
    """Print the values of functions on a grid."""
    if as_csv + as_json + as_markdown > 1:
        raise ValueError("table: expected one of --csv, --json and --markdown")
    _check_option("--dtype", dtype, _DTYPES)
    x = _parse_grid(grid)
    columns = {"x": evaluate_vector(get("identity"), x, dtype)}
    for name in activations:
        columns |= _columns(get(name), x, dtype, derivatives)
    if as_json:
        values = {n: [float(str(v)) for v in c] for n, c in columns.items()}
        tables.print_json(values)
    elif as_csv:
        tables.print_csv(columns)
    elif as_markdown:
        tables.print_markdown(columns)
    else:
        tables.print_columns(columns)


def _columns(
    bound: Bound, x: NDArray[Any], dtype: str, derivatives: bool
) -> dict[str, NDArray[Any]]:
    """Return the values on a grid, optionally with two derivatives, by heading."""
    if not derivatives:
        return {str(bound): evaluate_vector(bound, x, dtype)}
    return {
        f"{bound}{chr(39) * order}": curve(bound, order, dtype)(x)
        for order in (0, 1, 2)
    }


def _parse_grid(text: str) -> NDArray[Any]:
    """Return the points of `LOW:HIGH:COUNT` or of a list separated by commas."""
    if ":" not in text:
        example = "2,1,0.1" if "," in text else "-3:3:7"
        return np.array(_parse_numbers("--grid", text, example, ","))
    low, high, count = _parse_numbers("--grid", text, "-3:3:7")
    if not (count.is_integer() and 1 <= count <= _MAX_POINTS):
        raise ValueError(f"--grid: expected 1 to {_MAX_POINTS} points, got {count:g}")
    return np.linspace(low, high, int(count))


def _parse_numbers(
    option: str, text: str, example: str, separator: str = ":"
) -> list[float]:
    """Return the numbers of an option; with colons, as many as in the example."""
    try:
        numbers = [float(number) for number in text.split(separator)]
    except ValueError:
        numbers = []
    is_complete = separator == "," or len(numbers) == len(example.split(separator))
    if not numbers or not is_complete or not np.isfinite(numbers).all():
        raise ValueError(f"{option}: expected numbers as in {example}, got {text!r}")
    return numbers


def _check_option(option: str, value: str | None, valid: Collection[str]) -> None:
    if value is not None and value not in valid:
        near = did_you_mean(value, valid)
        raise ValueError(f"{option}: expected {', '.join(valid)}, got {value!r}{near}")


def _slug(bound: Bound) -> str:
    """Return a spec as part of a file name: leaky_relu_negative_slope_0.2."""
    return re.sub(r"[^\w.-]+", "_", str(bound)).strip("_")


# Commands of jax_acts.experiments, which import it when called.
app.add_typer(experiments)
