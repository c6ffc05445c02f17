"""How accurate are values and derivatives?

    python -m benchmarks accuracy                     this library, on this device
    python -m benchmarks accuracy torch keras jax     others, where they are installed
    python -m benchmarks accuracy --only silu,gelu    some functions
    python -m benchmarks accuracy --limits            ±inf and subnormals only

Every 16-bit input, a million float32 and a thousand float64 inputs are evaluated in
every mode: eager, compiled, under vmap, forward, reverse. The float64 results of this
library are compared with mpmath; all other results are compared with these, whose own
error is below 2^-20 ulp of float32.
"""

from collections.abc import Iterator
from typing import Annotated, Any

import jax
import ml_dtypes
import numpy as np
import typer
from numpy.typing import NDArray
from rich.progress import track

from benchmarks import limits
from benchmarks.libraries import DTYPES, LIBRARIES, Program, catalogue
from benchmarks.results import ROWS, AccuracyRow, load_rows, store_rows
from jax_acts._core.spec import ActivationSpec
from jax_acts.testing import (
    all_values,
    derivatives,
    off_kinks,
    sample_inputs,
    to_float64,
    ulps,
)
from jax_acts.testing.reference import reference_values

POINTS = {"float32": 1_000_000, "float64": 1_000}


def points(dtype: Any, spec: ActivationSpec) -> NDArray[Any]:
    """Return the inputs of a dtype: all values of a 16-bit dtype."""
    if np.dtype(dtype).itemsize == 2:
        return off_kinks(all_values(dtype), spec)
    xs = sample_inputs(dtype, POINTS[np.dtype(dtype).name], spec)
    # Branches of formulas are at multiples of 1/32 and halfway between those of ln 2.
    multiples = np.arange(-320, 321) / 32
    halfway = (np.arange(-40, 40) + 0.5) * np.log(2)
    near = np.concatenate([multiples, halfway, list(spec.kinks)]).astype(dtype)
    below, above = np.nextafter(near, -np.inf), np.nextafter(near, np.inf)
    more = np.concatenate([near, below, above]).astype(dtype).astype(np.float64)
    xs = np.unique(np.concatenate([xs, more]))
    # Many devices flush subnormal inputs to 0: `limits` measures those.
    tiny = float(ml_dtypes.finfo(dtype).tiny)
    return off_kinks(xs[(xs == 0) | (np.abs(xs) >= tiny)], spec)


def measure(name: str, program: Program, dtype: Any) -> Iterator[AccuracyRow]:
    """Yield the errors of a function and of its first two derivatives."""
    f = catalogue()[name]
    xs = points(dtype, f.spec)
    xs = xs[to_float64(xs) != 0]  # a second derivative may jump at 0
    exact = derivatives(f, xs, np.float64)
    for order, results in enumerate(program(xs, dtype)):
        want, lo = exact[order], 0.0
        formula = f.spec.reference_of(order)
        if dtype is np.float64 and formula is not None:
            want, lo = reference_values(formula, xs, order)
        errors = {mode: ulps(got, want, lo) for mode, got in results.items()}
        mode = max(errors, key=lambda m: errors[m].max())
        yield _row(name, dtype, order, mode, xs, results[mode], want, errors[mode])


def _row(
    name: str,
    dtype: Any,
    order: int,
    mode: str,
    xs: Any,
    got: Any,
    want: Any,
    error: Any,
) -> AccuracyRow:
    info = ml_dtypes.finfo(dtype)
    tiny = float(info.tiny)
    i, got = int(np.argmax(error)), to_float64(got)
    wrong_sign = (np.sign(got) * want < 0) & (np.abs(want) > tiny)
    return AccuracyRow(
        function=name,
        dtype=np.dtype(dtype).name,
        order=order,
        mode=mode,
        max=round(float(error[i]), 3),
        mean=round(float(np.mean(error[np.isfinite(error)])), 4),
        x=float(xs[i]),
        got=float(got[i]),
        want=float(want[i]),
        nonfinite=int(np.sum(~np.isfinite(got) & (np.abs(want) < float(info.max)))),
        vanished=int(np.sum((got == 0) & (np.abs(want) >= 2 * tiny))),
        wrong_sign=int(np.sum(wrong_sign)),
    )


def main(
    libraries: Annotated[
        list[str] | None, typer.Argument(help=f"Of {', '.join(LIBRARIES)}.")
    ] = None,
    only: Annotated[str, typer.Option(help="Functions, separated by commas.")] = "",
    only_limits: Annotated[
        bool, typer.Option("--limits", help="Measure ±inf and subnormals only.")
    ] = False,
) -> None:
    """Measure and store errors; `pages accuracy` writes docs/accuracy.md."""
    measures = {"accuracy": measure, "limits": limits.measure}
    if only_limits:
        del measures["accuracy"]
    for library in libraries or ["jax_acts"]:
        if library not in LIBRARIES:
            expected = ", ".join(LIBRARIES)
            raise typer.BadParameter(f"expected one of {expected}, got {library!r}")
        version, programs = LIBRARIES[library]()
        names = [n for n in only.split(",") if n] or list(programs)
        if missing := [n for n in names if n not in programs]:
            raise typer.BadParameter(f"{library} has no {', '.join(missing)}")
        for name in track(names, f"{library} {version}"):
            for kind, measured in measures.items():
                rows = [
                    row
                    for dtype in DTYPES.values()
                    for row in measured(name, programs[name], dtype)
                ]
                # Stored after each function, which may take a minute.
                backend = jax.default_backend()
                _, stored = load_rows(kind, ROWS[kind], library, backend)
                others = [r for r in stored if r[0] in programs.keys() - {name}]
                head: Any = {"points": POINTS} if kind == "accuracy" else {}
                new = sorted([*others, *rows])
                store_rows(kind, new, library, version=version, **head)
