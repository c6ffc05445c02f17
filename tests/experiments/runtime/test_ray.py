import contextlib
import sys
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from jax_acts.experiments.config.errors import RunError
from jax_acts.experiments.runtime import devices, ray_executor
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


@pytest.mark.slow
@pytest.mark.parametrize("victim", ["raylet", "gcs_server"])
def test_the_death_of_an_own_cluster_costs_no_record(tmp_path, monkeypatch, victim):
    pytest.importorskip("ray", reason="ray is an extra: pip install 'jax-acts[ray]'")
    for name, value in IMPATIENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    keys = {
        "training": {"steps": 200_000, "num_evals": 2},
        "trial_batch": {"size": 1},
        "losses": ("square",),
    }
    process = start(tmp_path / "a", line_study, RAY, **keys)
    wait_until(lambda: count_lines(tmp_path / "a" / RECORDS) > 0, process)
    family = psutil.Process(process.pid).children(recursive=True)
    (killed,) = [p for p in family if p.name() == victim]
    killed.kill()
    _, output = process.communicate(timeout=PATIENCE)
    if process.returncode == 0:
        assert b"connects again" in output or count_lines(tmp_path / "a" / RECORDS) == 5
    else:  # Ray ends the driver; the records remain
        assert count_lines(tmp_path / "a" / RECORDS) > 0, output.decode()
    _, alive = psutil.wait_procs(family, timeout=30)
    if victim == "raylet":
        assert not alive
    for agent in alive:  # Ray leaves agents of the raylet when the GCS has died
        agent.kill()
    finish(start(tmp_path / "a", line_study, RAY, **keys))
    run(tmp_path / "b", line_study, **keys)
    assert metrics(tmp_path / "a") == metrics(tmp_path / "b")


def test_lost_connections_are_tried_again_and_then_an_error(monkeypatch):
    config = count_study.Config()
    batches = count_study.prepare(config).trainer.batches(count_study.list_runs(config))
    messages: list[str] = []
    reporter = SimpleNamespace(notify=messages.append)

    class RayError(Exception):
        pass

    class RayTaskError(RayError):
        cause = None

    errors = SimpleNamespace(RayError=RayError, RayTaskError=RayTaskError)
    ray = SimpleNamespace(exceptions=errors)
    outcomes = iter([1, 0, 2, 0, 0])  # trial batches before a connection is lost

    def train(ray, source, missing, *_):
        for batch in missing[: next(outcomes)]:
            yield batch, []
        raise RayError("the raylet died\ndetails")

    monkeypatch.setattr(ray_executor, "import_ray", lambda: ray)
    monkeypatch.setattr(ray_executor, "_connect", lambda ray: contextlib.nullcontext())
    monkeypatch.setattr(ray_executor, "_train_on_cluster", train)
    current = Fingerprint.of(config, count_study.prepare(config))
    trained = ray_executor.train_batches(
        count_study.STUDY, config, current, batches, reporter, lambda: None
    )
    assert [next(trained)[0] for _ in range(3)] == batches[:3]
    with pytest.raises(RunError, match="Ray: the raylet died; the records so far"):
        next(trained)
    assert len(messages) == 4
    assert messages[0] == "Ray: the raylet died; connects again for 3 trial batches"


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
