"""The command line prints what is right, or one line that says what is wrong."""

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


def run(*arguments):
    """Returns what a command prints; it must succeed."""
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
    assert [
        row["name"] for row in json.loads(run("list", "--family=logistic", "--json"))
    ]
    for row in json.loads(run("list", "--family=logistic", "--json")):
        assert FUNCTIONS[row["name"]].__module__ == "jax_acts.functional.logistic"


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
def test_show_tells_of_every_function(name):
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


def test_show_measures_at_the_arguments_of_the_spec():
    spec = json.loads(run("show", "torch:LeakyReLU(negative_slope=1)", "--json"))
    assert spec["spec"] == "leaky_relu(negative_slope=1.0)"
    assert spec["limits"] == ["-inf", "inf"]
    assert spec["at_0"] == [0, 1]
    assert spec["gain"] == pytest.approx(1)


def test_show_says_which_derivative_is_taken_at_a_kink():
    assert "f′(0) is taken as 1" in run("show", "leaky_relu")
    assert "f′(−3) is taken as 0; f′(3) is taken as 1" in run("show", "hard_swish")


def test_table_prints_values_in_every_format():
    asked = ("table", "relu", "leaky_relu(0.5)", "--grid=-2:2:5")
    columns = {
        "x": [-2, -1, 0, 1, 2],
        "relu": [0, 0, 0, 1, 2],
        "leaky_relu(negative_slope=0.5)": [-1, -0.5, 0, 1, 2],
    }
    assert json.loads(run(*asked, "--json")) == columns
    heading, *rows = csv.reader(io.StringIO(run(*asked, "--csv")))
    assert heading == list(columns)
    assert np.array(rows, float).T.tolist() == list(columns.values())
    heading, line, *rows = run(*asked, "--markdown").splitlines()
    assert heading == f"| {' | '.join(columns)} |"
    assert line == "| ---: | ---: | ---: |"
    assert rows[0] == "| -2.0 | 0.0 | -1.0 |"
    assert "  -2.0    0.0" in run(*asked).replace("\n ", "\n  ")


def test_table_prints_two_derivatives():
    columns = json.loads(
        run("table", "silu", "--derivatives", "--json", "--grid=-1:1:3")
    )
    assert list(columns) == ["x", "silu", "silu'", "silu''"]
    assert columns["silu'"][1] == columns["silu''"][1] == 0.5


def test_table_computes_in_the_dtype_and_prints_all_its_digits():
    for dtype, third in {
        "bfloat16": 0.333984,
        "float16": 0.3333,
        "float32": 0.33333334,
        "float64": 1 / 3,
    }.items():
        grid = f"--grid={1 / 3}:1:1"
        x = json.loads(run("table", "relu", grid, "--json", f"--dtype={dtype}"))["relu"]
        assert x == [pytest.approx(third, rel=1e-16)], dtype


def test_table_prints_what_is_not_a_number():
    columns = json.loads(run("table", "relu", "--grid=-1:1:3", "--json"))
    assert all(map(math.isfinite, columns["relu"]))
    asked = ("table", "log1mexp", "--grid=-1:0:2", "--json")
    assert json.loads(run(*asked))["log1mexp"] == ["nan", "-inf"]


def test_table_never_breaks_a_number():
    wide = run("table", *ELEMENTWISE[:12], "--derivatives", "--grid=-1:1:3")
    rows = [line for line in wide.splitlines() if line.strip()]
    assert len(rows) == 5
    assert "…" not in wide


def test_plot_writes_the_file_and_prints_its_name(tmp_path):
    for ending, start in {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}.items():
        path = tmp_path / f"relu.{ending}"
        assert run("plot", "relu", "torch:hardtanh", "-o", str(path)) == f"{path}\n"
        assert path.read_bytes().startswith(start)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["show", "sliu"], "there is no activation 'sliu'; did you mean 'silu'"),
        (["show", "torch:sliu"], "torch has no 'sliu'; did you mean 'silu'"),
        (["show", "hard_shrink(lambd=1)"], "there is 'torch:hardshrink(lambd=…)'"),
        (["show", "relu(" + "(" * 99], "does not describe an activation"),
        (["show", "keras:leakyrelu"], "may be 'leaky_relu', which is"),
        (["list", "--family=logstic"], "did you mean 'logistic'?; there are"),
        (["list", "--dialect=trch"], "did you mean 'torch'?; there are jax, flax"),
        (["table", "relu", "--grid=1"], "--grid is like --grid=-3:3:7, not '1'"),
        (["table", "relu", "--grid=a:b:c"], "--grid is like"),
        (["table", "relu", "--grid=0:inf:3"], "--grid is like"),
        (
            ["table", "relu", "--grid=0:1:0"],
            "--grid has from 1 to 100000 points, not 0",
        ),
        (["table", "relu", "--grid=0:1:1e9"], "--grid has from 1 to 100000 points"),
        (["table", "relu", "--grid=0:1:2.5"], "--grid has from 1 to 100000 points"),
        (["table", "relu", "--dtype=float8"], "no dtype 'float8'; did you mean"),
        (["table", "relu", "--csv", "--json"], "a table has one format"),
        (["plot", "sliu", "-o", "new.png"], "did you mean 'silu'"),
        (["plot", "relu", "sliu", "-o", "new.png"], "did you mean 'silu'"),
        (["plot", "relu", "-o", "new.jpgg"], "'jpgg' is not supported"),
        (["plot", "relu", "-o", "absent/new.png"], "No such file or directory: absent"),
        (
            ["plot", "relu", "-o", "new.png", "--range=6"],
            "--range is like --range=-6:6",
        ),
        (["plot", "relu", "-o", "new.png", "--range=6:-6"], "nothing to draw"),
        (["plot", "relu", "-o", "new.png", "--range=-inf:0"], "--range is like"),
    ],
)
def test_an_error_is_one_line_and_leaves_no_file(
    arguments, complaint, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("jax-acts: ")
    assert result.stderr.count("\n") == 1
    assert complaint in result.stderr, result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in names() if n not in ELEMENTWISE])
def test_what_is_not_elementwise_is_plotted_or_refused_with_the_reason(name, tmp_path):
    path = tmp_path / "f.png"
    result = CliRunner().invoke(app, ["plot", name, "-o", str(path)])
    assert (result.exit_code == 0) == path.exists()
    if result.exit_code:
        assert result.exit_code == 2
        assert f"{name} is not" in result.stderr
        assert result.stderr.count("\n") == 1


def test_the_package_runs_as_a_module():
    ran = subprocess.run(
        [sys.executable, "-m", "jax_acts", "show", "sliu"],
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 2
    assert ran.stdout == ""
    assert ran.stderr.startswith("jax-acts: there is no activation 'sliu'")


def test_help_tells_of_every_command():
    printed = run("--help")
    for command in ("list", "show", "plot", "table"):
        assert f"\n  {command}" in printed
        assert "--help" in run(command, "--help")
    assert get("relu") == get("nn.relu")  # which the help promises
