"""How far values and derivatives are from the truth, function by function.

    python -m benchmarks.accuracy                     this library, on this device
    python -m benchmarks.accuracy torch keras jax     others, where they are installed
    python -m benchmarks.accuracy --only silu,gelu    some functions anew
    python -m benchmarks.accuracy --ends              what they give at ±inf alone
    python -m benchmarks.accuracy --page              writes docs/accuracy.md only

Every 16-bit input, a million of float32 and a thousand of float64 are tried, in every
mode: eager, compiled, under vmap, forward and reverse. The float64 results of this
library are compared with mpmath, and all others with these, which are right to 2^-20 of
a place of float32.
"""

from collections.abc import Iterator
from typing import Annotated, Any, NamedTuple

import jax
import ml_dtypes
import numpy as np
import typer
from numpy.typing import NDArray
from rich.progress import track

from benchmarks import limits, stored
from benchmarks.peers import DTYPES, LIBRARIES, Program, catalogue
from jax_acts._core.spec import ActivationSpec
from jax_acts.testing import derivatives, every, off_kinks, telling, ulps, widened
from jax_acts.testing.reference import reference_values

POINTS = {"float32": 1_000_000, "float64": 1_000}


class Row(NamedTuple):
    """The errors of one derivative of one function in one dtype."""

    function: str
    dtype: str
    order: int
    mode: str
    """The mode that is worst."""
    max: float
    """In units in the last place; infinite where a number should be and NaN is."""
    mean: float
    x: float
    got: float
    want: float
    """The worst input, what is computed there, and the truth."""
    nonfinite: int
    """How many results are NaN or infinite that should be numbers."""
    vanished: int
    """How many are 0 that should be normal numbers."""
    wrong_sign: int


def points(dtype: Any, spec: ActivationSpec) -> NDArray[Any]:
    """Returns the inputs of a dtype: all, if it has 16 bits."""
    if np.dtype(dtype).itemsize == 2:
        return off_kinks(every(dtype), spec)
    xs = telling(dtype, POINTS[np.dtype(dtype).name], spec)
    tiny = float(ml_dtypes.finfo(dtype).tiny)
    # Thresholds of formulas are round numbers, or halfway between multiples of ln 2.
    round_numbers = np.arange(-320, 321) / 32
    seams = (np.arange(-40, 40) + 0.5) * np.log(2)
    near = np.concatenate([round_numbers, seams, list(spec.kinks)]).astype(dtype)
    below, above = np.nextafter(near, -np.inf), np.nextafter(near, np.inf)
    more = np.concatenate([near, below, above]).astype(dtype).astype(np.float64)
    xs = np.unique(np.concatenate([xs, more]))
    # Subnormal numbers are 0 to many devices, or not.
    return off_kinks(xs[(xs == 0) | (np.abs(xs) >= tiny)], spec)


def measure(name: str, program: Program, dtype: Any) -> Iterator[Row]:
    """Yields the errors of a function and its first two derivatives."""
    f = catalogue()[name]
    xs = points(dtype, f.spec)
    xs = xs[widened(xs) != 0]  # where a second derivative may jump
    exact = derivatives(f, xs, np.float64)
    for order, results in enumerate(program(xs, dtype)):
        want, rest = exact[order], 0.0
        formula = f.spec.reference_of(order)
        if dtype is np.float64 and formula is not None:
            want, rest = reference_values(formula, xs, order)
        errors = {mode: ulps(got, want, rest) for mode, got in results.items()}
        mode = max(errors, key=lambda m: errors[m].max())
        yield row(name, dtype, order, mode, xs, results[mode], want, errors[mode])


def row(
    name: str,
    dtype: Any,
    order: int,
    mode: str,
    xs: Any,
    got: Any,
    want: Any,
    error: Any,
) -> Row:
    """Returns the errors, summed up."""
    info = ml_dtypes.finfo(dtype)
    i, got = int(np.argmax(error)), widened(got)
    inside = np.abs(want) < float(info.max)
    return Row(
        function=name,
        dtype=np.dtype(dtype).name,
        order=order,
        mode=mode,
        max=round(float(error[i]), 3),
        mean=round(float(np.mean(error[np.isfinite(error)])), 4),
        x=float(xs[i]),
        got=float(got[i]),
        want=float(want[i]),
        nonfinite=int(np.sum(~np.isfinite(got) & inside)),
        vanished=int(np.sum((got == 0) & (np.abs(want) >= 2 * float(info.tiny)))),
        wrong_sign=int(
            np.sum((np.sign(got) * want < 0) & (np.abs(want) > float(info.tiny)))
        ),
    )


def main(
    libraries: Annotated[
        list[str] | None, typer.Argument(help=f"Of {', '.join(LIBRARIES)}.")
    ] = None,
    only: Annotated[str, typer.Option(help="Functions, with commas between.")] = "",
    ends: Annotated[bool, typer.Option(help="Measure ±inf and subnormals alone.")] = (
        False
    ),
    page: Annotated[bool, typer.Option(help="Write docs/accuracy.md alone.")] = False,
) -> None:
    """Measures, stores the results with the platform's name, and writes the page."""
    from benchmarks import accuracy_page

    measures = {"accuracy": (Row, measure), "limits": (limits.Ends, limits.measure)}
    if ends:
        del measures["accuracy"]
    for library in [] if page else libraries or ["jax_acts"]:
        if library not in LIBRARIES:
            raise typer.BadParameter(f"{library!r} is none of {', '.join(LIBRARIES)}")
        version, programs = LIBRARIES[library]()
        chosen = [n for n in only.split(",") if n] or list(programs)
        if missing := [n for n in chosen if n not in programs]:
            raise typer.BadParameter(f"{library} has no {', '.join(missing)}")
        for name in track(chosen, f"{library} {version}"):
            for kind, (row, measured) in measures.items():
                rows = [
                    r
                    for dtype in DTYPES.values()
                    for r in measured(name, programs[name], dtype)
                ]
                # Each function is kept as soon as it is measured: it may take a minute.
                _, before = stored.load(kind, row, library, jax.default_backend())
                others = [r for r in before if r.function in programs.keys() - {name}]
                spec = {"points": POINTS} if kind == "accuracy" else {}
                stored.store(kind, library, version, sorted([*others, *rows]), **spec)
    accuracy_page.write()


def load(library: str) -> tuple[dict[str, Any], list[Row]]:
    """Returns what is stored of a library: its head, and the rows."""
    return stored.load("accuracy", Row, library)


if __name__ == "__main__":
    typer.run(main)
