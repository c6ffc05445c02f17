"""The tables and files that other programs read."""

import json
import struct
import sys

import pandas as pd
import pytest

from jax_acts.experiments.config.errors import RunError
from jax_acts.experiments.report.export import Sink, export_records
from tests.experiments.report.synthetic import FAR, STUDIES, records, write_run


@pytest.fixture
def directory(tmp_path):
    return write_run(tmp_path, records(relu=[0.9, None]))


def export(directory, sink):
    return export_records(directory, STUDIES, sink)


def test_csv_has_one_row_per_run_with_config_and_environment(directory):
    assert export(directory, Sink.CSV).endswith("runs.csv and metrics.csv")
    runs = pd.read_csv(directory / "runs.csv")
    assert runs["run"].tolist() == [
        "activation relu, seed 0",
        "activation relu, seed 1",
    ]
    assert runs["status"].tolist() == ["finished", "diverged"]
    assert runs["final.accuracy"].tolist() == pytest.approx([0.9, 0])
    assert runs["final.dead_fraction.2"].tolist() == pytest.approx([0.273] * 2)
    assert runs["final.train_loss"].isna().tolist() == [False, True]
    assert runs["config.rate"].tolist() == [0.1, 0.1]
    assert [*map(json.loads, runs["config.depths"])] == [[1, 2], [1, 2]]
    assert runs["environment.jax"].tolist() == [1, 1]
    assert "environment.revision" in runs


def test_metrics_are_at_the_steps_of_the_records(directory):
    export(directory, Sink.CSV)
    metrics = pd.read_csv(directory / "metrics.csv")
    first = metrics[metrics["run"] == "activation relu, seed 0"]
    steps = first.groupby("metric")["step"].unique().map(list)
    assert steps["accuracy"] == [0, 30, 60, 90]
    assert steps["train_loss"] == [30, 60, 90]
    assert set(first.loc[first["metric"] == "dead_fraction", "layer"]) == {0, 1, 2}


def test_parquet_holds_the_same_tables(directory):
    pytest.importorskip("pyarrow", reason="needs pip install 'jax-acts[parquet]'")
    export(directory, Sink.PARQUET)
    export(directory, Sink.CSV)
    metrics = pd.read_parquet(directory / "metrics.parquet")
    expected = pd.read_csv(directory / "metrics.csv")
    pd.testing.assert_frame_equal(metrics, expected, check_dtype=False)


def events(content: bytes):
    """Yield the events of a TensorBoard file: length, checksum, event, checksum."""
    from tensorboardX.proto.event_pb2 import Event

    while content:
        (length,) = struct.unpack("<Q", content[:8])
        yield Event.FromString(content[12 : 12 + length])
        content = content[16 + length :]


def test_tensorboard_has_the_finite_values_of_each_run(directory):
    why = "needs pip install 'jax-acts[tensorboard]'"
    pytest.importorskip("tensorboardX", reason=why)
    for _ in range(2):  # the second export replaces the first
        export(directory, Sink.TENSORBOARD)
    diverged = directory / "tensorboard" / "activation relu, seed 1"
    (file,) = diverged.glob("events.*")
    values = [
        (value.tag, event.step)
        for event in events(file.read_bytes())
        for value in event.summary.value
    ]
    assert ("train_loss", 60) in values
    assert ("train_loss", 90) not in values
    assert ("dead_fraction/2", 90) in values
    assert len(values) == len(set(values))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the package itself
def test_mlflow_has_the_parameters_and_finite_values_of_each_run(
    directory, monkeypatch
):
    why = "needs pip install 'jax-acts[mlflow]'"
    flow = pytest.importorskip("mlflow", reason=why)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    for _ in range(2):  # the second export replaces the first
        export(directory, Sink.MLFLOW)
    matches = flow.search_runs(search_all_experiments=True, output_format="list")
    runs = {run.info.run_name: run for run in matches}
    assert len(matches) == 2
    finished = runs["activation relu, seed 0"]
    assert finished.data.params["config.rate"] == "0.1"
    assert finished.data.metrics["final/accuracy"] == pytest.approx(0.9)
    client = flow.MlflowClient()
    history = client.get_metric_history(finished.info.run_id, "dead_fraction/2")
    assert [point.step for point in history] == [0, 30, 60, 90]
    diverged = runs["activation relu, seed 1"].info.run_id
    losses = client.get_metric_history(diverged, "train_loss")
    assert [point.step for point in losses] == [30, 60]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the package itself
def test_wandb_has_the_finite_values_of_each_run(directory, monkeypatch):
    pytest.importorskip("wandb", reason="needs pip install 'jax-acts[wandb]'")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    export(directory, Sink.WANDB)
    written = list(directory.glob("wandb/offline-run-*/*.wandb"))
    assert len(written) == 2
    content = b"".join(path.read_bytes() for path in written)
    for text in (b"train_loss", b"dead_fraction/2", b"final/accuracy", b"config.rate"):
        assert text in content
    assert b"NaN" not in content


@pytest.mark.parametrize(
    ("sink", "package"), [(Sink.MLFLOW, "mlflow"), (Sink.TENSORBOARD, "tensorboardX")]
)
def test_missing_package_is_named_with_its_command(
    directory, sink, package, monkeypatch
):
    monkeypatch.setitem(sys.modules, package, None)
    message = rf"^{package} is not installed: pip install 'jax-acts\[{sink}\]'$"
    with pytest.raises(RunError, match=message):
        export(directory, sink)


def test_run_without_records_is_an_error(tmp_path):
    with pytest.raises(RunError, match="at least one finished run"):
        export(write_run(tmp_path, []), Sink.CSV)


def test_records_of_several_sessions_have_their_environment(tmp_path):
    write_run(tmp_path, FAR[:1])
    export(write_run(tmp_path, FAR[1:]), Sink.CSV)
    runs = pd.read_csv(tmp_path / "runs.csv")
    assert runs["session"].tolist() == [0, 1, 1, 1, 1, 1]
    assert runs["environment.jax"].notna().all()
