import csv
import struct
import sys

import pandas
import pytest
from typer.testing import CliRunner

from experiments import parameter_sweep as slope_sweep
from experiments.cli import app
from jax_acts.experiments.report.export import Sink, export as export_to
from jax_acts.experiments.runtime.records import opened
from jax_acts.experiments.train.trial import Learned

SWEEP = slope_sweep.Sweep(activation="elu", argument="alpha", values=(0.5,))


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


def events(content: bytes):
    """Yields the events of a file of TensorBoard's: length, check, event, check."""
    from tensorboardX.proto.event_pb2 import Event

    while content:
        (length,) = struct.unpack("<Q", content[:8])
        yield Event.FromString(content[12 : 12 + length])
        content = content[16 + length :]


def test_tensorboard_has_the_curves_of_each_member(tmp_path):
    why = "needs tensorboardX: pip install 'jax-acts[tensorboard]'"
    pytest.importorskip("tensorboardX", reason=why)
    config = slope_sweep.Config(study="slope_sweep", name="s", sweeps=[SWEEP])
    record = Learned(
        member="value 0.5, seed 0",
        status="done",
        axes={"value": 0.5, "seed": 0},
        parameters=3,
        loss=[0.5, 0.25],
        measures={"accuracy": [0.1, None, 0.75], "rms": [[1.0, 2.0], [3.0, 4.0]]},
        run_seconds=1.0,
        compile_seconds=1.0,
    )
    with opened(tmp_path, config, Learned, {}) as journal:
        journal.append(record)
    for _ in range(2):  # a second export replaces the first
        export_to(tmp_path, config, slope_sweep.STUDY, Sink.TENSORBOARD)
    (folder,) = (tmp_path / "tensorboard").iterdir()
    assert folder.name == record.member
    (file,) = folder.glob("events.*")
    found = [
        (value.tag, event.step, value.simple_value)
        for event in events(file.read_bytes())
        for value in event.summary.value
    ]
    # Of 1,000 steps; a number that is not finite is left out.
    assert sorted(found) == [
        ("accuracy", 0, pytest.approx(0.1)),
        ("accuracy", 1000, 0.75),
        ("loss", 500, 0.5),
        ("loss", 1000, 0.25),
        ("rms/0", 0, 1.0),
        ("rms/0", 1000, 3.0),
        ("rms/1", 0, 2.0),
        ("rms/1", 1000, 4.0),
    ]


@pytest.mark.parametrize(
    ("to", "package"), [("mlflow", "mlflow"), ("tensorboard", "tensorboardX")]
)
def test_a_missing_package_is_one_line_with_the_command(ran, to, package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    result = export(ran, to)
    assert result.exit_code == 1
    said = f"error: {package} is not installed: pip install 'jax-acts[{to}]'\n"
    assert result.stderr == said
