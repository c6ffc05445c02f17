"""Commands print correct tables, or an error of one line."""

import csv
import io
import json
import math
import re
import subprocess
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

from jax_acts import ActivationFunction, get
from jax_acts._registry.dialects import DIALECTS
from jax_acts._registry.lookup import FUNCTIONS, aliases, names
from jax_acts.cli.main import app

ELEMENTWISE = [n for n in names() if isinstance(FUNCTIONS[n], ActivationFunction)]


@pytest.fixture(autouse=True)
def _no_terminal_width(monkeypatch):
    """Print as to a file; the workers of pytest-xdist set a width."""
    monkeypatch.delenv("COLUMNS", raising=False)


def run(*arguments):
    """Return the output of a command that must succeed."""
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.stderr
    assert result.stderr == ""
    return result.stdout


def test_list_has_a_line_for_every_function_within_100_columns():
    lines = run("list").splitlines()
    assert max(map(len, lines)) <= 100
    printed = [
        line.split()[0] for line in lines if line[1:2].strip() and "—" not in line
    ]
    assert set(names()) <= set(printed)
    line = next(line for line in lines if line.startswith(" hard_sigmoid"))
    for cell in ("min(max(k x + c, 0), 1)", "0 … 1", "−3, 3", "howard2019"):
        assert cell in line
    assert any(line.startswith("   slope=0.167") for line in lines)


def test_list_prints_one_family():
    rows = json.loads(run("list", "--family=logistic", "--json"))
    modules = {FUNCTIONS[row["name"]].__module__ for row in rows}
    assert modules == {"jax_acts.functional.logistic"}


@pytest.mark.slow
@pytest.mark.parametrize("dialect", DIALECTS)
def test_list_prints_the_names_of_a_library(dialect):
    rows = {
        r["name"]: r["names"]
        for r in json.loads(run("list", f"--dialect={dialect}", "--json"))
    }
    assert rows == {
        name: calls
        for name in names()
        if (calls := [a.call for a in aliases(name) if a.dialect == dialect])
    }
    printed = run("list", f"--dialect={dialect}")
    assert all(name in printed for name in rows)


def test_list_prints_strict_json():
    rows = json.loads(run("list", "--json"), parse_constant=pytest.fail)
    relu = next(row for row in rows if row["name"] == "relu")
    assert relu["range"] == [0, "inf"]
    assert relu["formula"] == "max(x, 0)"
    assert relu["kinks"] == {"0": 0}


@pytest.mark.slow
@pytest.mark.parametrize("name", names())
def test_show_describes_every_function(name):
    printed = run("show", name)
    assert printed.startswith(f"{name}\n")
    assert max(map(len, printed.splitlines())) <= 100
    spec = json.loads(run("show", name, "--json"), parse_constant=pytest.fail)
    assert spec["spec"] == name
    assert ("limits" in spec) != ("curve" in spec)
    for argument in spec["arguments"]:
        assert re.search(f"^argument +{argument} = ", printed, re.M)
    for alias in spec["names"]:
        assert alias["dialect"] in printed


def test_show_evaluates_at_the_arguments_of_the_spec():
    spec = json.loads(run("show", "torch:LeakyReLU(negative_slope=1)", "--json"))
    assert spec["spec"] == "leaky_relu(negative_slope=1.0)"
    assert spec["limits"] == ["-inf", "inf"]
    assert spec["at_0"] == [0, 1]
    assert spec["gain"] == pytest.approx(1)


def test_show_prints_the_derivatives_at_kinks():
    assert "f′(0) is defined as 1" in run("show", "leaky_relu")
    assert "f′(−3) is defined as 0; f′(3) is defined as 1" in run("show", "hard_swish")


def test_table_prints_values_in_every_format():
    command = ("table", "relu", "leaky_relu(0.5)", "--grid=-2:2:5")
    columns = {
        "x": [-2, -1, 0, 1, 2],
        "relu": [0, 0, 0, 1, 2],
        "leaky_relu(negative_slope=0.5)": [-1, -0.5, 0, 1, 2],
    }
    assert json.loads(run(*command, "--json")) == columns
    heading, *rows = csv.reader(io.StringIO(run(*command, "--csv")))
    assert heading == list(columns)
    assert np.array(rows, float).T.tolist() == list(columns.values())
    heading, line, *rows = run(*command, "--markdown").splitlines()
    assert heading == f"| {' | '.join(columns)} |"
    assert line == "| ---: | ---: | ---: |"
    assert rows[0] == "| -2.0 | 0.0 | -1.0 |"
    assert "  -2.0    0.0" in run(*command).replace("\n ", "\n  ")


def test_table_prints_two_derivatives():
    columns = json.loads(
        run("table", "silu", "--derivatives", "--json", "--grid=-1:1:3")
    )
    assert list(columns) == ["x", "silu", "silu'", "silu''"]
    assert columns["silu'"][1] == columns["silu''"][1] == 0.5


def test_table_computes_in_the_dtype_and_prints_all_digits():
    for dtype, third in {
        "bfloat16": 0.333984,
        "float16": 0.3333,
        "float32": 0.33333334,
        "float64": 1 / 3,
    }.items():
        grid = f"--grid={1 / 3}:1:1"
        x = json.loads(run("table", "relu", grid, "--json", f"--dtype={dtype}"))["relu"]
        assert x == [pytest.approx(third, rel=1e-16)], dtype


def test_table_prints_nan_and_infinity():
    columns = json.loads(run("table", "relu", "--grid=-1:1:3", "--json"))
    assert all(map(math.isfinite, columns["relu"]))
    command = ("table", "log1mexp", "--grid=-1:0:2", "--json")
    assert json.loads(run(*command))["log1mexp"] == ["nan", "-inf"]


def test_table_never_wraps_or_crops_a_number():
    wide = run("table", *ELEMENTWISE[:12], "--derivatives", "--grid=-1:1:3")
    rows = [line for line in wide.splitlines() if line.strip()]
    assert len(rows) == 5
    assert "…" not in wide


def test_table_takes_a_list_of_points_as_one_vector():
    columns = json.loads(run("table", "softmax", "--grid=2,1,0.1", "--json"))
    assert columns["softmax"] == pytest.approx([0.659, 0.2424, 0.0986], abs=1e-4)
    assert json.loads(run("table", "relu", "--grid=2", "--json"))["relu"] == [2]


def test_narrow_terminals_show_every_name(monkeypatch):
    for width in (45, 60, 80):
        monkeypatch.setenv("COLUMNS", str(width))
        for command in (["list"], ["list", "--dialect=torch"], ["show", "gelu"]):
            lines = run(*command).splitlines()
            assert max(map(len, lines)) <= width, (width, command)
        words = {line.split()[0] for line in run("list").splitlines() if line.strip()}
        assert set(names()) <= words


def test_narrow_terminals_show_tables_in_blocks(monkeypatch):
    monkeypatch.setenv("COLUMNS", "45")
    specs = ["silu", "gelu_tanh", "leaky_relu(negative_slope=0.25)", "mish"]
    printed = run("table", *specs, "--grid=-1:1:3")
    assert max(map(len, printed.splitlines())) <= 45
    assert all(spec in printed for spec in specs)
    assert "…" not in printed
    long = "b_spline(coefficients=(0.0, 1.0, 2.0, 3.0), grid=(-2.0, 2.0))"
    heading = run("table", long, "--grid=-1:1:3").splitlines()[1]
    assert "b_spline(coefficients=" in heading
    assert heading.rstrip().endswith("…")


def test_show_prints_the_full_citation():
    assert "Searching for Activation Functions. arXiv:1710.05941" in " ".join(
        run("show", "silu").split()
    )
    references = json.loads(run("show", "silu", "--json"))["references"]
    assert list(references) == ["hendrycks2016", "elfwing2017", "ramachandran2017"]


def test_plot_without_output_names_the_file_by_the_functions(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run("plot", "relu") == "relu.png\n"
    path = run("plot", "relu", "leaky_relu(0.2)").strip()
    assert path == "relu-leaky_relu_negative_slope_0.2.png"
    assert {p.name for p in tmp_path.iterdir()} == {"relu.png", path}


def test_plot_writes_the_file_and_prints_its_path(tmp_path):
    for ending, start in {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}.items():
        path = tmp_path / f"relu.{ending}"
        assert run("plot", "relu", "torch:hardtanh", "-o", str(path)) == f"{path}\n"
        assert path.read_bytes().startswith(start)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "sliu"], "unknown activation 'sliu'; did you mean 'silu'"),
        (
            ["show", "torch:sliu"],
            "torch: unknown activation 'sliu'; did you mean 'silu'",
        ),
        (["show", "hard_shrink(lambd=1)"], "did you mean 'torch:hardshrink(lambd=…)'"),
        (["show", "relu(" + "(" * 99], "is not a spec of an activation"),
        (["show", "keras:leakyrelu"], "expected 'leaky_relu', which is"),
        (["list", "--family=logstic"], "--family: expected "),
        (["list", "--dialect=trch"], "--dialect: expected jax, numpy"),
        (["table", "relu", "--grid=1:2"], "--grid: expected numbers as in -3:3:7, got"),
        (["table", "relu", "--grid=a:b:c"], "--grid: expected numbers as in"),
        (["table", "relu", "--grid=0:inf:3"], "--grid: expected numbers as in"),
        (
            ["table", "relu", "--grid=0:1:0"],
            "--grid: expected 1 to 100000 points, got 0",
        ),
        (["table", "relu", "--grid=0:1:1e9"], "--grid: expected 1 to 100000 points"),
        (["table", "relu", "--grid=0:1:2.5"], "--grid: expected 1 to 100000 points"),
        (
            ["table", "relu", "--dtype=float8"],
            "--dtype: expected float16, bfloat16, float32, float64, got",
        ),
        (
            ["table", "relu", "--csv", "--json"],
            "table: expected one of --csv, --json and --markdown",
        ),
        (["plot", "sliu", "-o", "new.png"], "did you mean 'silu'"),
        (["plot", "relu", "sliu", "-o", "new.png"], "did you mean 'silu'"),
        (["plot", "relu", "-o", "new.jpgg"], "'jpgg' is not supported"),
        (["plot", "relu", "-o", "absent/new.png"], "No such file or directory: absent"),
        (
            ["plot", "relu", "-o", "new.png", "--range=6"],
            "--range: expected numbers as in -6:6",
        ),
        (
            ["plot", "relu", "-o", "new.png", "--range=6:-6"],
            "plot: range: expected low < high",
        ),
        (
            ["plot", "relu", "-o", "new.png", "--range=-inf:0"],
            "--range: expected numbers as in",
        ),
    ],
)
def test_an_error_is_one_line_and_leaves_no_file(
    arguments, message, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("jax-acts: ")
    assert result.stderr.count("\n") == 1
    assert message in result.stderr, result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in names() if n not in ELEMENTWISE])
def test_plot_of_another_function_succeeds_or_is_an_error_with_the_reason(
    name, tmp_path
):
    path = tmp_path / "f.png"
    result = CliRunner().invoke(app, ["plot", name, "-o", str(path)])
    assert (result.exit_code == 0) == path.exists()
    if result.exit_code:
        assert result.exit_code == 2
        assert f"{name}: expected a" in result.stderr
        assert result.stderr.count("\n") == 1


def test_the_package_runs_as_a_module():
    ran = subprocess.run(
        [sys.executable, "-m", "jax_acts", "show", "sliu"],
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 2
    assert ran.stdout == ""
    assert ran.stderr.startswith("jax-acts: unknown activation 'sliu'")


def test_help_lists_every_command():
    printed = run("--help")
    for command in ("list", "show", "plot", "table"):
        assert f"\n  {command}" in printed
        assert "--help" in run(command, "--help")
    assert get("relu") == get("nn.relu")  # stated in the help
