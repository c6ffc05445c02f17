import csv
import sys

import pandas
import pytest
from typer.testing import CliRunner

from experiments.cli import app


@pytest.fixture
def ran(count, tmp_path):
    out = tmp_path / "run"
    assert (
        CliRunner().invoke(app, ["run", str(count), "--out", str(out)]).exit_code == 0
    )
    return out


def export(folder, to):
    return CliRunner().invoke(app, ["export", str(folder), "--to", to])


def test_csv_has_a_row_a_member_with_its_config_and_its_environment(ran):
    assert export(ran, "csv").exit_code == 0
    rows = [*csv.DictReader((ran / "members.csv").read_text().splitlines())]
    assert [row["metric.value"] for row in rows] == ["0", "1", "4", "9"]
    assert {row["config.members"] for row in rows} == {"4"}
    assert all(row["environment.jax"] for row in rows)
    assert "environment.revision" in rows[0]


def test_pandas_reads_the_parquet(ran):
    why = "needs pyarrow: pip install 'jax-acts[parquet]'"
    pytest.importorskip("pyarrow", reason=why)
    assert export(ran, "parquet").exit_code == 0
    found = pandas.read_parquet(ran / "members.parquet")
    assert found["metric.value"].tolist() == [0, 1, 4, 9]


@pytest.mark.parametrize(
    ("to", "package"), [("mlflow", "mlflow"), ("tensorboard", "tensorboardX")]
)
def test_a_missing_package_is_one_line_with_the_command(ran, to, package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    result = export(ran, to)
    assert result.exit_code == 1
    said = f"error: {package} is not installed: pip install 'jax-acts[{to}]'\n"
    assert result.stderr == said
