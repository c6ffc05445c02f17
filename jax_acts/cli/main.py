"""The command line of the catalogue: `jax-acts list`, `show`, `plot` and `table`."""

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
from jax_acts.cli.describe import describe, meanings, measure, prose
from jax_acts.cli.main import tables as _terminal

app = typer.Typer(
    help="The activation functions of jax_acts: what there is, and what it does.",
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
_ROWS = 100_000  # of a table, at most


@app.command("list")
def list_(
    family: Annotated[
        str | None, typer.Option(help="Only one family, such as rectified.")
    ] = None,
    dialect: Annotated[
        str | None, typer.Option(help="The names that a library has for them.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the functions with formula, range, kinks, arguments and citation."""
    with _errors_in_one_line():
        rows = [describe(name) for name in names()]
        _among("family", family, sorted({row["family"] for row in rows}))
        _among("dialect", dialect, [*DIALECTS])
        rows = [row for row in rows if family in (None, row["family"])]
        rows.sort(key=lambda row: row["family"])
        if dialect is not None:
            for row in rows:
                spelled = aliases(row["name"])
                row["names"] = [a.call for a in spelled if a.dialect == dialect]
            rows = [row for row in rows if row["names"]]
        if as_json:
            _terminal.show_json(rows)
        else:
            show_table = _terminal.translation if dialect else _terminal.listing
            _terminal.show(show_table(rows))


@app.command()
def show(name: Name, as_json: AsJson = False) -> None:
    """Show everything about one function, at the arguments that NAME gives it."""
    with _errors_in_one_line():
        bound = get(name)
        function = FUNCTIONS[bound.name]
        spec = {"spec": str(bound), **describe(bound.name), **measure(bound)}
        spec["meanings"] = meanings(function)
        spec["names"] = [alias._asdict() for alias in aliases(bound.name)]
        if as_json:
            _terminal.show_json(spec)
        else:
            heading = Text(str(bound), style="bold")
            _terminal.show(heading, "", prose(function), "", _terminal.sheet(spec))


@app.command()
def plot(
    activations: Names,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="A file: .png, .svg or .pdf.")
    ],
    range: Annotated[
        str | None, typer.Option(metavar="LOW:HIGH", help="Of x, as in --range=-6:6.")
    ] = None,
    derivatives: Annotated[
        bool, typer.Option(help="Draw the first two derivatives.")
    ] = True,
) -> None:
    """Draw functions and their first two derivatives, on the same axes."""
    with _errors_in_one_line():
        from jax_acts.plotting import plot as draw  # which needs matplotlib

        limits = _numbers("--range", range, "-6:6") if range else None
        bounds = [get(name) for name in activations]
        draw(
            bounds,
            output,
            range=(limits[0], limits[1]) if limits else None,
            derivatives=derivatives,
        )
        typer.echo(output)


@app.command()
def table(
    activations: Names,
    grid: Annotated[
        str, typer.Option(metavar="LOW:HIGH:COUNT", help="Of x.")
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
    with _errors_in_one_line():
        if as_csv + as_json + as_markdown > 1:
            raise ValueError("a table has one format: --csv, --json or --markdown")
        _among("dtype", dtype, _DTYPES)
        low, high, count = _numbers("--grid", grid, "-3:3:7")
        if not (count.is_integer() and 1 <= count <= _ROWS):
            raise ValueError(f"--grid has from 1 to {_ROWS} points, not {count:g}")
        x = np.linspace(low, high, int(count))
        columns = {"x": evaluate_vector(get("identity"), x, dtype)}
        for name in activations:
            columns |= _columns(get(name), x, dtype, derivatives)
        if as_json:
            numbers = {n: [float(str(v)) for v in c] for n, c in columns.items()}
            _terminal.show_json(numbers)
        elif as_csv or as_markdown:
            _terminal.show_rows(columns, markdown=as_markdown)
        else:
            _terminal.show_wide(_terminal.grid(columns))


def _columns(
    bound: Bound, x: NDArray[Any], dtype: str, derivatives: bool
) -> dict[str, NDArray[Any]]:
    """Returns the values on a grid, and those of two derivatives if wanted."""
    if not derivatives:
        return {str(bound): evaluate_vector(bound, x, dtype)}
    return {
        f"{bound}{chr(39) * order}": curve(bound, order, dtype)(x)
        for order in (0, 1, 2)
    }


def _numbers(option: str, text: str, example: str) -> list[float]:
    """Returns the numbers between colons, as many as in the example."""
    try:
        numbers = [float(part) for part in text.split(":")]
    except ValueError:
        numbers = []
    if len(numbers) != example.count(":") + 1 or not np.isfinite(numbers).all():
        raise ValueError(f"{option} is like {option}={example}, not {text!r}")
    return numbers


def _among(option: str, value: str | None, known: Collection[str]) -> None:
    if value is not None and value not in known:
        listed = list(known)
        near = did_you_mean(value, listed)
        raise ValueError(f"no {option} {value!r}{near}; there are {', '.join(listed)}")


@contextmanager
def _errors_in_one_line() -> Iterator[None]:
    """Ends with a line on stderr and status 2, where the request cannot be met."""
    try:
        yield
    except (ValueError, TypeError, OSError, ImportError) as error:
        text = str(error)
        if isinstance(error, OSError) and error.strerror:
            text = f"{error.strerror}: {error.filename}"
        typer.echo(f"jax-acts: {' '.join(text.split())}", err=True)
        raise typer.Exit(2) from None
