import contextlib
import sys
from typing import Any

import psutil
import pytest
from typer.testing import CliRunner

from experiments.cli import app
from jax_acts.experiments.runtime.records import RECORDS
from tests.experiments.conftest import PATIENCE, learned, lines, started, until

pytestmark = pytest.mark.usefixtures("quickly_compiled")

# Ray would start its workers at a low priority, and wait long for what is killed.
QUICK = {
    "RAY_worker_niceness": "0",
    "RAY_gcs_rpc_server_reconnect_timeout_s": "5",
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "1000",
}


def run(*arguments: object):
    return CliRunner().invoke(app, ["run", *map(str, arguments)])


def node(address: str) -> dict[str, Any]:
    """Returns the arguments of a node with one worker, at an address of loopback."""
    store = 80 * 2**20  # bytes, the least that Ray takes
    return {"num_cpus": 1, "node_ip_address": address, "object_store_memory": store}


def training(node: Any) -> list[psutil.Process]:
    """Returns the workers of a node that train a chunk."""
    found = []
    raylet = psutil.Process(node.all_processes["raylet"][0].process.pid)
    for child in raylet.children():
        with contextlib.suppress(psutil.Error):
            if "ray::_train" in " ".join(child.cmdline()):
                found.append(child)
    return found


def test_a_worker_a_node_and_the_whole_cluster_killed_leave_equal_records(
    slopes, tmp_path, monkeypatch
):
    reason = "ray is an extra: pip install 'jax-acts[ray]'"
    ray = pytest.importorskip("ray.cluster_utils", reason=reason)
    for name, value in QUICK.items():
        monkeypatch.setenv(name, value)
    # Enough steps that each kill comes between two chunks, each of one member.
    sweep = ["chunks.members=1", "chunks.vmapped=1", "training.steps=6000"]
    sweep = [slopes, *(word for key in sweep for word in ("--set", key))]
    on_ray = *sweep, "--executor", "ray", "--out"
    cut, again = tmp_path / "cut", tmp_path / "again"

    cluster = ray.Cluster(True, head_node_args=node("127.0.0.2"))
    try:
        other = cluster.add_node(**node("127.0.0.3"))
        monkeypatch.setenv("RAY_ADDRESS", cluster.address)
        running = started(*on_ray, cut)
        until(lambda: training(cluster.head_node) and training(other), running)
        training(cluster.head_node)[0].kill()
        until(lambda: lines(cut / RECORDS) > 0 and training(other), running)
        before = (cut / RECORDS).read_bytes()
        assert lines(cut / RECORDS) < 9
        cluster.remove_node(other, allow_graceful=False)
        _, said = running.communicate(timeout=PATIENCE)
        assert running.returncode == 0, said.decode()
        assert (cut / RECORDS).read_bytes().startswith(before)

        running = started(*on_ray, again)
        until(lambda: lines(again / RECORDS) > 0, running)
        cluster.head_node.kill_all_processes(check_alive=False, allow_graceful=False)
        running.communicate(timeout=PATIENCE)
        assert running.returncode != 0
    finally:
        cluster.shutdown()
    before, kept = (again / RECORDS).read_bytes(), lines(again / RECORDS)
    assert 1 <= kept < 10
    monkeypatch.delenv("RAY_ADDRESS")
    running = started(*on_ray, again)
    _, said = running.communicate(timeout=PATIENCE)
    assert running.returncode == 0, said.decode()
    assert f"{kept} of 10 members are done already" in said.decode()
    assert (again / RECORDS).read_bytes().startswith(before)

    assert run(*sweep, "--out", tmp_path / "local").exit_code == 0
    assert len(learned(tmp_path / "local")) == 10
    assert learned(cut) == learned(again) == learned(tmp_path / "local")


def test_a_study_that_is_no_sweep_is_refused_on_ray(tiny, tmp_path):
    result = run(tiny, "--executor", "ray", "--out", tmp_path / "run")
    assert result.exit_code == 1
    assert "the members of cnn are trained in one process" in result.stderr
    assert not (tmp_path / "run").exists()


def test_where_ray_is_not_installed_it_is_said_how(slopes, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    result = run(slopes, "--executor", "ray", "--out", tmp_path / "run")
    assert result.exit_code == 1
    assert "there is no Ray: pip install 'jax-acts[ray]'" in result.stderr
    assert not (tmp_path / "run").exists()
