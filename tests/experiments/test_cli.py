import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from experiments.catalogue import STUDIES
from experiments.cli import app as repository_app
from jax_acts.experiments import commands
from jax_acts.experiments.cli import app
from jax_acts.experiments.datasets import registry
from jax_acts.experiments.report.model import Column, Report, Table
from tests.experiments.conftest import ROOT
from tests.experiments.runtime import count_study

UNAVAILABLE = sorted((ROOT / "configs" / "cnn").glob("*.toml"))
"""Configs whose data are not installed."""


def make_report(config, records: Sequence) -> Report:
    frame = pd.DataFrame({"run": [record.run for record in records]})
    table = Table(frame, (Column("run", "run"),))
    return Report("How many?", f"{len(records)} runs.", "", (table,))


@pytest.fixture(autouse=True)
def program(monkeypatch):
    """Registers a study with a report, as a program with its own studies does."""
    study = replace(count_study.STUDY, report=make_report)
    monkeypatch.setitem(commands.STUDIES, "count", study)
    monkeypatch.setattr(commands, "_program", "jax-acts")
    return study


def invoke(*arguments: object, app=app):
    return CliRunner().invoke(app, [*map(str, arguments)])


@pytest.fixture
def config(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = Path("count.toml")
    path.write_text('study = "count"\n')
    return path


def test_run_prints_the_table_and_the_path_of_the_report(config):
    result = invoke("run", config)
    assert result.exit_code == 0, result.output
    path = Path(result.stdout.splitlines()[-1])
    assert path.is_file()
    assert path.parent.name.startswith("count-")
    assert "4 runs." in result.stdout
    assert "run directory: runs/count-" in result.stderr


def test_a_resolved_config_runs_as_the_same_run(config):
    first = invoke("run", config, "--set", "num_runs=2")
    (directory,) = Path("runs").iterdir()
    second = invoke("run", directory / "config.toml")
    assert first.stdout == second.stdout
    assert "resumes: 2 of 2 runs finished" in second.stderr


@pytest.mark.parametrize("command", ["run", "validate"])
def test_an_invalid_config_exits_with_2_and_writes_nothing(config, command):
    result = invoke(command, config, "--set", "num_runs=many")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        "config error: count.toml with --set num_runs=many: num_runs = 'many': "
        "expected an integer\n"
    )
    assert [p.name for p in Path().iterdir()] == ["count.toml"]


def test_validate_shows_the_setup_and_writes_nothing(config):
    result = invoke("validate", config)
    assert result.exit_code == 0
    first, second, third = result.stdout.splitlines()
    assert (first, second) == ("count.toml: valid", "numbers are squared")
    assert third.startswith("run directory: runs/count-")
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--executor", "rey"], "error: --executor rey: expected one of local, dist"),
        (["--process-id", "0"], "config error: count.toml: --process-id, --num-pro"),
        (["--out", "count.toml/x"], "config error: count.toml: count.toml/x: expected"),
    ],
)
def test_invalid_options_are_one_line(config, options, expected):
    result = invoke("run", config, *options)
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1].startswith(expected)


def test_a_run_of_changed_data_is_refused_until_fresh(config, program, monkeypatch):
    assert invoke("run", config, "--out", "run").exit_code == 0
    change = lambda typed: replace(count_study.prepare(typed), data_hash="cccc0000")
    monkeypatch.setitem(commands.STUDIES, "count", replace(program, prepare=change))
    for command in (["run", config, "--out", "run"], ["report", "run"]):
        result = invoke(*command)
        assert result.exit_code == 1
        (line,) = [x for x in result.stderr.splitlines() if x.startswith("error")]
        assert "the data changed (expected aaaa0000, got cccc0000)" in line
        assert "--fresh" in line
    assert invoke("run", config, "--out", "run", "--fresh").exit_code == 0
    assert invoke("report", "run").exit_code == 0


def test_a_report_is_a_function_of_the_run_directory(config):
    invoke("run", config, "--out", "run")
    before = Path("run/report.html").read_bytes()
    Path("run/report.html").unlink()
    result = invoke("report", "run")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1] == "run/report.html"
    assert Path("run/report.html").read_bytes() == before


def test_a_report_without_the_data_has_a_note(config, program, monkeypatch):
    invoke("run", config, "--out", "run")

    def prepare(typed):
        raise registry.ConfigError(registry.ConfigIssue("data", "data: no such path"))

    monkeypatch.setitem(commands.STUDIES, "count", replace(program, prepare=prepare))
    result = invoke("report", "run")
    assert result.exit_code == 0
    assert "note: data and model are not compared with those of the run" in (
        result.stderr
    )


@pytest.mark.parametrize("command", [["report"], ["export"], ["compare-runs", "count"]])
def test_a_missing_run_names_the_nearest(config, command):
    invoke("run", config, "--out", "count")
    result = invoke(*command, "cuont")
    assert result.exit_code == 2
    assert result.stderr == (
        "error: cuont: expected a run directory with config.toml; "
        "did you mean 'count'?\n"
    )


def test_a_damaged_config_of_a_run_is_a_config_error(config):
    invoke("run", config, "--out", "run")
    Path("run/config.toml").write_text('study = "gone"')
    result = invoke("report", "run")
    assert result.exit_code == 2
    assert "study = 'gone': expected one of custom, " in result.stderr


def test_export_writes_tables(config):
    invoke("run", config, "--out", "run")
    result = invoke("export", "run")
    assert result.exit_code == 0, result.output
    assert result.stdout.strip()
    assert invoke("export", "run", "--to", "xls").exit_code == 2


def test_an_interrupted_run_prints_the_command_that_resumes(
    config, program, monkeypatch
):
    def train(runs, progress, directory):
        if runs[0].name == "number 2":
            raise KeyboardInterrupt
        return count_study.train(runs, progress, directory)

    def prepare(typed):
        prepared = count_study.prepare(typed)
        return replace(prepared, trainer=prepared.trainer._replace(train=train))

    monkeypatch.setitem(commands.STUDIES, "count", replace(program, prepare=prepare))
    monkeypatch.setattr(sys, "argv", ["jax-acts", "run", "count.toml", "--fresh"])
    result = invoke("run", config, "--out", "run", "--fresh")
    assert result.exit_code == 130
    assert result.stderr.splitlines()[-3:] == [
        "interrupted: 2 of 4 runs are recorded in run",
        "resume: jax-acts run count.toml",
        "report: jax-acts report run",
    ]


def test_datasets_are_listed():
    result = invoke("datasets")
    assert result.exit_code == 0
    for name in registry.DATASETS:
        assert name in result.stdout


def test_the_repository_lists_studies_and_configs(monkeypatch):
    monkeypatch.chdir(ROOT)
    result = invoke("list", app=repository_app)
    assert result.exit_code == 0
    for name in (*STUDIES, "configs/quickstart.toml", "mnist_5k"):
        assert name in result.stdout


def test_all_continues_after_a_config_that_fails(config):
    Path("wrong.toml").write_text('study = "count"\nnum_rums = 3\n')
    result = invoke("all", "wrong.toml", config, "--quick", app=repository_app)
    assert result.exit_code == 1
    first, second = result.stdout.splitlines()
    assert first == "wrong.toml: failed (0 s)"
    assert Path(second.split()[1]).is_file()
    assert "did you mean 'num_runs'?" in result.stderr
    assert result.stderr.endswith("error: 1 of 2 configs failed\n")


def test_all_skips_missing_data_and_says_how_to_install_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JAX_ACTS_DATA", str(tmp_path / "none"))
    monkeypatch.setattr(registry, "DEBIAN_FOLDER", tmp_path / "none")
    result = invoke("all", *UNAVAILABLE, app=repository_app)
    assert result.exit_code == 0, result.output
    skipped = [f"{config}: skipped (0 s)" for config in UNAVAILABLE]
    assert result.stdout.splitlines() == skipped
    assert "apt-get install dataset-fashion-mnist" in result.stderr
    assert "got no such path" in result.stderr


def test_all_takes_the_configs_of_the_folder_and_survives_an_exception(
    config, program, monkeypatch
):
    assert invoke("all", app=repository_app).exit_code == 2
    folder = Path("configs/deep")
    folder.mkdir(parents=True)
    for name in ("a", "b"):
        (folder / f"{name}.toml").write_text('study = "count"\n')
    outcomes = iter([ZeroDivisionError("in a report"), None])

    def report(config, records):
        if error := next(outcomes):
            raise error
        return make_report(config, records)

    monkeypatch.setitem(commands.STUDIES, "count", replace(program, report=report))
    result = invoke("all", app=repository_app)
    assert result.exit_code == 1
    first, second = result.stdout.splitlines()
    assert first.startswith("configs/deep/a.toml: failed")
    assert "ZeroDivisionError: in a report" in result.stderr
    assert "report.html" in second


@pytest.mark.slow
def test_the_commands_start_without_the_engine():
    code = (
        "import sys; import jax_acts.cli.main; "
        "heavy = {'pydantic', 'pandas', 'altair', 'scipy'} & {*sys.modules}; "
        "assert not heavy, heavy"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
