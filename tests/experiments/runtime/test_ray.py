import contextlib
import sys
from dataclasses import replace
from typing import Any

import psutil
import pytest

from jax_acts.experiments.config.errors import RunError
from jax_acts.experiments.runtime import devices
from jax_acts.experiments.runtime.fingerprint import Fingerprint
from jax_acts.experiments.runtime.ray_executor import (
    _prepare_trainer,
    import_ray,
    import_study,
)
from jax_acts.experiments.runtime.run_directory import RECORDS
from tests.experiments.runtime import count_study, line_study
from tests.experiments.runtime.helpers import (
    PATIENCE,
    count_lines,
    finish,
    metrics,
    run,
    start,
    wait_until,
)

RAY = {"executor": "ray"}

# Ray would start its workers at a low priority, and wait long for what is killed.
IMPATIENT = {
    "RAY_worker_niceness": "0",
    "RAY_gcs_rpc_server_reconnect_timeout_s": "5",
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "1000",
}


def node(address: str) -> dict[str, Any]:
    """Return the arguments of a node with one worker, at an address of loopback."""
    store = 80 * 2**20  # bytes, the minimum of Ray
    return {"num_cpus": 1, "node_ip_address": address, "object_store_memory": store}


def workers(node: Any) -> list[psutil.Process]:
    """Return the workers of a node that train a trial batch."""
    result = []
    raylet = psutil.Process(node.all_processes["raylet"][0].process.pid)
    for child in raylet.children():
        with contextlib.suppress(psutil.Error):
            if "ray::_train" in " ".join(child.cmdline()):
                result.append(child)
    return result


@pytest.mark.slow
@pytest.mark.usefixtures("quickly_compiled")
def test_a_killed_worker_node_and_cluster_leave_equal_records(tmp_path, monkeypatch):
    reason = "ray is an extra: pip install 'jax-acts[ray]'"
    ray = pytest.importorskip("ray.cluster_utils", reason=reason)
    for name, value in IMPATIENT.items():
        monkeypatch.setenv(name, value)
    # Enough steps that each kill comes between two trial batches, each of one run.
    training = {"steps": 200_000, "num_evals": 2}
    keys = {"training": training, "trial_batch": {"size": 1}}
    killed, again, local = (tmp_path / name for name in ("killed", "again", "local"))

    cluster = ray.Cluster(True, head_node_args=node("127.0.0.2"))
    try:
        other = cluster.add_node(**node("127.0.0.3"))
        monkeypatch.setenv("RAY_ADDRESS", cluster.address)
        process = start(killed, line_study, RAY, **keys)
        wait_until(lambda: workers(cluster.head_node) and workers(other), process)
        workers(cluster.head_node)[0].kill()
        wait_until(lambda: count_lines(killed / RECORDS) and workers(other), process)
        before = (killed / RECORDS).read_bytes()
        assert count_lines(killed / RECORDS) < 9
        cluster.remove_node(other, allow_graceful=False)
        finish(process)
        assert (killed / RECORDS).read_bytes().startswith(before)

        process = start(again, line_study, RAY, **keys)
        wait_until(lambda: count_lines(again / RECORDS) > 0, process)
        cluster.head_node.kill_all_processes(check_alive=False, allow_graceful=False)
        process.communicate(timeout=PATIENCE)
        assert process.returncode != 0
    finally:
        cluster.shutdown()
    before, saved = (again / RECORDS).read_bytes(), count_lines(again / RECORDS)
    assert 1 <= saved < 10
    monkeypatch.delenv("RAY_ADDRESS")
    output = finish(start(again, line_study, RAY, **keys))
    assert f"resumes: {saved} of 10 runs finished" in output
    assert "compiling" in output, "workers report their progress"
    assert (again / RECORDS).read_bytes().startswith(before)

    run(local, line_study, **keys)
    assert len(metrics(local)) == 10
    assert metrics(killed) == metrics(again) == metrics(local)


def test_a_worker_with_other_data_refuses_to_train(monkeypatch):
    monkeypatch.setattr(devices, "configure_cpu_devices", lambda cores: None)
    config = line_study.Config()
    current = Fingerprint.of(config, line_study.prepare(config))
    arguments = "tests.experiments.runtime.line_study:STUDY", config.model_dump_json()
    _prepare_trainer(*arguments, current)
    with pytest.raises(RunError, match="the data changed"):
        _prepare_trainer(*arguments, current.model_copy(update={"data": "cccc"}))


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("tests.experiments.gone:STUDY", "No module named 'tests.experiments.gone'"),
        ("tests.experiments.runtime.count_study:GONE", "no attribute 'GONE'"),
        ("tests.experiments.runtime.count_study:Config", "expected a Study, got"),
        ("count", "expected the import path of a study"),
    ],
)
def test_a_path_without_a_study_is_an_error(path, reason):
    with pytest.raises(RunError, match=reason):
        import_study(path)


def test_the_import_path_of_a_study_leads_to_it():
    assert import_study(count_study.STUDY.import_path) is count_study.STUDY
    moved = replace(count_study.STUDY, config=int)
    with pytest.raises(RunError, match="builtins:STUDY"):
        import_study(moved.import_path)


def test_without_ray_the_message_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(RunError, match=r"pip install 'jax-acts\[ray\]'"):
        import_ray()
    with pytest.raises(RunError, match=r"pip install 'jax-acts\[ray\]'"):
        run(tmp_path / "run", options=RAY)
    assert not (tmp_path / "run").exists()
