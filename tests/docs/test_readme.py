"""The tables, commands and links of the README; its Python blocks run as doctests."""

import math
import os
import pickle
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest
from typer.testing import CliRunner

import experiments.cli
import jax_acts
import jax_acts.cli.main
from benchmarks.results import AccuracyRow, load_rows
from jax_acts._registry.dialects import DIALECTS

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `(.+)` \| (.+) \| (.+) \|$", TEXT, re.M)
COMMANDS = [
    shlex.split(line, comments=True)
    for block in re.findall(r"^```sh\n(.*?)^```", TEXT, re.M | re.S)
    for line in block.splitlines()
    if line.strip()
]
NAMES = {
    "array": jnp.array,
    "bfloat16": jnp.bfloat16,
    "float16": jnp.float16,
    "float32": jnp.float32,
    "grad": jax.grad,
    "inf": math.inf,
    "int32": jnp.int32,
    "leaves": jax.tree.leaves,
    "pickle": pickle,
    "vjp": jax.vjp,
}


def evaluate(expression, library):
    """Return the value of an expression as the table prints it, or the error name."""
    try:
        value = eval(expression, {**vars(library), **NAMES})
    except Exception as error:
        return type(error).__name__
    if isinstance(value, bool | jnp.dtype):
        return str(value)
    return f"{float(value):.3g}"


def test_differences_from_jax_nn_are_as_tabulated():
    # Results of jax.nn depend on optimizations: a process has those of users.
    program = "from tests.docs import test_readme; test_readme.print_results()"
    command = [sys.executable, "-c", program]
    environment = os.environ | {"XLA_FLAGS": "", "PYTHONPATH": str(ROOT)}
    output = subprocess.check_output(command, cwd=ROOT, env=environment, text=True)
    for row, result in zip(ROWS, output.splitlines(), strict=True):
        assert result == " | ".join(row)
        assert row[1] != row[2]


def print_results():
    """Print the rows of the table with the results of both libraries."""
    for expression, *_ in ROWS:
        results = [evaluate(expression, library) for library in (jax.nn, jax_acts)]
        print(expression, *results, sep=" | ")


def test_every_table_row_is_tested():
    lines = [line for line in TEXT.splitlines() if line.startswith("| `")]
    assert len(ROWS) == len(lines) > 20


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_command_runs(command, tmp_path, monkeypatch):
    match command:
        case ["make", target]:
            assert re.search(rf"^{target}:.*##", (ROOT / "Makefile").read_text(), re.M)
        case ["pip", "install", requirement]:
            project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
            extras = re.findall(r"\w+", requirement.partition("[")[2])
            assert set(extras) <= set(project["optional-dependencies"])
        case ["python", "-m", "experiments", *rest]:
            monkeypatch.chdir(ROOT)
            check = ["validate" if word == "run" else word for word in rest]
            result = CliRunner().invoke(experiments.cli.app, check)
            assert result.exit_code == 0, result.output
        case ["jax-acts", "run", *rest]:
            monkeypatch.chdir(ROOT)
            app = jax_acts.cli.main.app
            result = CliRunner().invoke(app, ["validate", *rest])
            assert result.exit_code == 0, result.output
        case ["jax-acts", *rest]:
            monkeypatch.chdir(tmp_path)
            Path("docs").mkdir()
            result = CliRunner().invoke(jax_acts.cli.main.app, rest)
            assert result.exit_code == 0, result.output
            assert result.output
        case _:
            raise AssertionError(f"untested command: {shlex.join(command)}")


def test_errors_are_counted_from_the_measurements():
    table = re.findall(
        r"^\| (\w.+?) \| (\d+) \| (\d+) \| (\d+) \| (\d+) \|$", TEXT, re.M
    )
    counts = [error_counts(n) for n in ("jax_acts", "jax", "torch", "keras")]
    assert [tuple(map(int, row[1:])) for row in table] == list(
        zip(*counts, strict=True)
    )


def error_counts(library):
    """Return the numbers of functions in the order of the table."""
    rows = load_rows("accuracy", AccuracyRow, library)[1]
    results = {(r.function, r.dtype, r.order): r for r in rows}

    def count(condition, dtypes, orders=(0, 1)):
        names = {r.function for r in rows}
        of = lambda name: [results[name, d, o] for d in dtypes for o in orders]
        return sum(condition(*of(name)) for name in names)

    return (
        count(lambda *_: True, ()),
        count(lambda value, dx: value.max <= 3 and dx.max <= 4, ["float32"]),
        count(lambda value, dx: max(value.max, dx.max) <= 0.51, ["bfloat16"]),
        count(
            lambda *every: any(r.nonfinite for r in every),
            ["float32", "bfloat16", "float16"],
            (0, 1, 2),
        ),
        count(lambda *both: any(r.vanished for r in both), ["float32"]),
    )


def test_linked_files_exist():
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", TEXT):
        assert (ROOT / target).is_file(), target


def test_every_dialect_is_listed():
    (sentence,) = re.findall(r"The dialects are ([^.]*)\.", TEXT)
    assert re.findall(r"\w+", sentence.replace(" and ", " ")) == list(DIALECTS)
