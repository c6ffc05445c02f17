"""How accurate are values and derivatives on a GPU, as far as its manual says?

    python -m benchmarks gpu_accuracy                    jax_acts and jax.nn
    python -m benchmarks gpu_accuracy --only silu,mish   some functions
    python -m benchmarks gpu_accuracy --compiler /path/to/python
    python -m benchmarks gpu_accuracy --models worst,reciprocal --only tanh   printed

No GPU is needed. XLA compiles each function for an H100, and `tools.ptx` interprets the
PTX: exactly, except for divisions, square roots and the like, whose errors the manual
only bounds. They are measured with two models. "best" rounds the reciprocal once; in
"worst" the errors are as large as the manual allows, with random signs. A real GPU is
expected between them. "reciprocal" is the worst case of a * (1 / b) in place of a / b.
The inputs are those of `python -m benchmarks accuracy`: all 16-bit values, and float32
values of every magnitude.

The compiler is that of an environment with the CUDA plugin of JAX, by default the
current one: `pip install jax[cuda12-local] nvidia-cuda-nvcc-cu12`. Results are stored
after each function; a second run measures those that are missing, or all of them if
the sources of jax_acts have changed.
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import typer
from rich.progress import track

from benchmarks.accuracy import error_row, points
from benchmarks.libraries import DTYPES, LIBRARIES as ALL_LIBRARIES, catalogue
from benchmarks.results import AccuracyRow, load_rows, store_rows
from jax_acts.testing import derivatives, ulps, zero_tolerance
from tools.ptx import BEST, Model, Program, parse_program, worst
from tools.ptx.compile import SIZE

ROOT = Path(__file__).parents[1]
LIBRARIES = {name: ALL_LIBRARIES[name] for name in ("jax_acts", "jax")}
CONSTANT = ("identity",)
"""Functions of JAX whose derivative is a constant, without a kernel."""
BACKEND = "gpu-emulated"
DEVICE = "NVIDIA H100 80GB HBM3"
DRAWS = 3
"""Runs of the worst model, each with other signs of the errors."""
POINTS = 200_000
MODELS: dict[str, Callable[[], Model]] = {
    "best": lambda: BEST,
    "worst": worst,
    "reciprocal": lambda: worst(by_reciprocal=True),
}
STORED = "best,worst"


class Kernel(NamedTuple):
    """A line of `benchmarks.gpu_kernels`."""

    function: str
    dtype: str
    order: int
    jax: str
    """Version of JAX, and so of the compiler."""
    text: str


Compiler = Callable[[list[str]], Iterator[list[Kernel]]]
"""Maps names of functions to their kernels."""


def evaluate(program: Program, xs: Any, model: Model) -> Any:
    """Return the results of a program at any number of inputs."""
    blocks = np.resize(xs, (-(-xs.size // SIZE), SIZE))
    return np.concatenate([program(block, model) for block in blocks])[: xs.size]


def measure(
    kernels: Iterable[Kernel], count: int, models: str = STORED
) -> Iterator[AccuracyRow]:
    """Yield the errors of the kernels of one function, by model."""
    for dtype_name, group in groupby(kernels, lambda k: k.dtype):
        orders = list(group)
        dtype, f = DTYPES[dtype_name], catalogue()[orders[0].function]
        xs = points(dtype, f.spec, count).astype(dtype)
        exact = derivatives(f, xs, np.float64)
        for kernel in orders:
            program = parse_program(kernel.text)
            want = exact[kernel.order]
            tolerance = zero_tolerance(f, f.spec, kernel.order, xs, dtype)
            for model in (MODELS[name]() for name in models.split(",")):
                yield error_row(
                    kernel.function,
                    dtype,
                    kernel.order,
                    model.name,
                    xs,
                    *largest_errors(program, xs, want, tolerance, model),
                )


def largest_errors(
    program: Program, xs: Any, want: Any, tolerance: Any, model: Model
) -> Any:
    """Return results, exact values and errors: the largest of some draws."""
    draws = 1 if model is BEST else DRAWS
    runs = [evaluate(program, xs, model) for _ in range(draws)]
    errors = np.array([ulps(got, want, 0.0, tolerance) for got in runs])
    largest = errors.argmax(axis=0), np.arange(xs.size)
    return np.array(runs)[largest], want, errors[largest]


def compiled(library: str, names: list[str], compiler: str) -> Iterator[list[Kernel]]:
    """Yield the kernels of each function, from a process of the compiler."""
    command = [compiler, "-m", "benchmarks.gpu_kernels", library, *names]
    environment = os.environ | {"JAX_PLATFORMS": "cpu"}
    with (
        tempfile.TemporaryFile("w+") as log,  # XLA warns that there is no GPU
        subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as process,
    ):
        assert process.stdout is not None
        lines = (Kernel(**json.loads(line)) for line in process.stdout)
        for _, kernels in groupby(lines, lambda k: k.function):
            yield list(kernels)
        if process.wait():
            log.seek(0)
            raise RuntimeError(f"{compiler}: the compiler failed:\n{log.read()}")


def sources(library: str) -> str:
    """Return a digest of the sources of the functions and of the interpreter."""
    folders = ["tools/ptx"]
    if library == "jax_acts":
        folders += ["jax_acts/_numerics", "jax_acts/_core", "jax_acts/functional"]
    digest = hashlib.sha256()
    for folder in folders:
        for path in sorted((ROOT / folder).glob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def commit() -> str:
    """Return the commit of the checkout, with "-dirty" if sources have changed."""
    git = lambda *arguments: subprocess.run(
        ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()
    changes = git("status", "--porcelain", "jax_acts", "tools")
    return git("rev-parse", "--short", "HEAD") + ("-dirty" if changes else "")


def main(
    only: Annotated[str, typer.Option(help="Functions, separated by commas.")] = "",
    library: Annotated[str, typer.Option(help="jax_acts or jax; default both.")] = "",
    compiler: Annotated[
        str,
        typer.Option(
            envvar="GPU_PYTHON",
            help="Python of an environment with the CUDA plugin of JAX.",
        ),
    ] = sys.executable,
    count: Annotated[int, typer.Option("--points", help="float32 inputs.")] = POINTS,
    models: Annotated[str, typer.Option(help=f"Of {', '.join(MODELS)}.")] = STORED,
) -> None:
    """Measure and store errors; print those of some functions or of other models."""
    for name in [library] if library else LIBRARIES:
        kernels = lambda names, name=name: compiled(name, names, compiler)
        names = [n for n in only.split(",") if n]
        if names or models != STORED:
            print_errors(name, names, kernels, count, models)
        else:
            store_errors(name, kernels, count)


def functions_of(library: str) -> tuple[str, list[str]]:
    """Return the version of a library, and its functions that have kernels."""
    version, programs = LIBRARIES[library]()
    constant = () if library == "jax_acts" else CONSTANT
    return version, [n for n in programs if n not in constant]


def print_errors(
    library: str, only: list[str], kernels: Compiler, count: int, models: str
) -> None:
    """Print the errors of some functions, or of all."""
    _, names = functions_of(library)
    if unknown := {*only} - {*names}:
        raise typer.BadParameter(f"{library} has no {', '.join(sorted(unknown))}")
    for group in kernels(only or names):
        print(*measure(group, count, models), sep="\n", flush=True)


def store_errors(library: str, kernels: Compiler, count: int) -> None:
    """Measure and store the errors of the functions that are not stored."""
    version, names = functions_of(library)
    head = {"version": version, "points": count, "sources": sources(library)}
    stored_head, stored = load_rows("accuracy", AccuracyRow, library, BACKEND)
    if any(stored_head.get(key) != value for key, value in head.items()):
        stored = []
    complete = {row.function for row in stored}
    missing = [n for n in names if n not in complete]
    if not missing:
        return
    for group in track(kernels(missing), f"{library} {version}", len(missing)):
        stored = sorted([*stored, *measure(group, count)])
        store_rows(
            "accuracy",
            stored,
            library,
            BACKEND,
            **head,
            jax=group[0].jax,
            device=DEVICE,
            commit=commit(),
        )
