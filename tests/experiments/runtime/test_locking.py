import contextlib
import os
import signal
import threading
import time

import pytest
from filelock import FileLock

from jax_acts.experiments.config.errors import ConfigError, RunError
from jax_acts.experiments.runtime import locking
from jax_acts.experiments.runtime.locking import (
    LAUNCHERS,
    RETRY_SECONDS,
    Process,
    claim_shares,
    detect_rank,
)
from jax_acts.experiments.runtime.run_directory import (
    RECORDS,
    open_journal,
    read_environments,
)
from tests.experiments.runtime import count_study, line_study
from tests.experiments.runtime.helpers import (
    count_lines,
    finish,
    metrics,
    run,
    start,
    values,
    wait_until,
)
from tests.experiments.runtime.test_run_directory import hashes
from tests.experiments.runtime.test_runner import LONG, prepared_with

SECOND = "records-1.jsonl"


def as_process(id: int, num_processes: int) -> dict[str, object]:
    return {"executor": "distributed", "process": Process(id, num_processes)}


@pytest.mark.slow
def test_of_two_processes_the_remaining_one_finishes_with_equal_records(
    tmp_path, monkeypatch
):
    both, single = tmp_path / "both", tmp_path / "single"
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path / "programs"))
    monkeypatch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
    long = {**LONG, "seeds": 8}
    second = start(both, line_study, as_process(1, 2), **long)
    wait_until(lambda: count_lines(both / SECOND) >= 1, second)
    second.send_signal(signal.SIGSTOP)
    saved = count_lines(both / SECOND)
    assert saved < 4
    first = start(both, line_study, as_process(0, 2), **long)
    wait_until(lambda: count_lines(both / RECORDS) == 4, first)
    time.sleep(3 * RETRY_SECONDS)
    assert first.poll() is None, "it waits for a process that is alive"
    second.kill()
    second.communicate()
    finish(first)
    assert count_lines(both / SECOND) == saved
    assert len(metrics(both)) == 8
    assert len(read_environments(both)[0]) == 2
    run(single, line_study, **long)
    assert metrics(both) == metrics(single)


def test_what_processes_left_is_finished_by_another_number_of_them(tmp_path):
    trained = []

    def train(runs, progress, directory):
        trained.append(runs[0].name)
        if len(trained) == 3:
            raise KeyboardInterrupt
        return count_study.train(runs, progress, directory)

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, prepared=prepared_with(train), options=as_process(1, 2))
    assert trained == ["number 1", "number 3", "number 0"], "its own share first"
    with (tmp_path / SECOND).open("ab") as file:
        file.write(b'{"run": "number 0", "sta')
    output = run(tmp_path, options=as_process(2, 3))
    assert "resumes: 2 of 4 runs finished" in output
    run(tmp_path)
    names = {path.name for path in tmp_path.glob("records*")}
    assert names == {SECOND, "records-2.jsonl"}
    assert sorted(values(tmp_path)) == [0, 1, 4, 9]


def test_a_share_is_trained_by_one_process_at_a_time_and_each_share_by_some_process(
    tmp_path,
):
    num_processes = 3
    trained: list[tuple[int, int]] = []
    held: list[int] = []
    at_once: list[list[int]] = []
    all_hold_one = threading.Barrier(num_processes)

    def process(id: int) -> None:
        for owner in claim_shares(tmp_path, Process(id, num_processes)):
            held.append(owner.id)
            trained.append((id, owner.id))
            if owner.id == id:
                all_hold_one.wait()
            at_once.append(held.copy())
            held.remove(owner.id)

    ids = range(num_processes)
    threads = [threading.Thread(target=process, args=(id,)) for id in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(trained) == [(id, owner) for id in ids for owner in ids]
    assert sorted(trained[:num_processes]) == [(id, id) for id in ids]
    assert all(len({*shares}) == len(shares) for shares in at_once)


def test_the_share_of_a_dead_process_is_taken_by_another(tmp_path):
    dead, other = (claim_shares(tmp_path, Process(id, 2)) for id in (0, 1))
    assert next(dead) == Process(0, 2)
    assert next(other) == Process(1, 2)
    dead.close()
    assert [*other] == [Process(0, 2)]


@pytest.mark.parametrize("process", [Process(1, 2), Process(1, 3), Process()])
def test_one_process_per_id_and_one_number_of_processes_are_accepted(process, tmp_path):
    config = count_study.Config()
    current = hashes(config, "aaaa0000", "bbbb0000")
    message = f"{tmp_path}: another process is training this run as process 1 of 2"
    with open_journal(tmp_path, config, current, {}, Process(1, 2)):
        with pytest.raises(RunError, match=message):
            run(tmp_path, options={"process": process})
        run(tmp_path, options=as_process(0, 2))
    with (
        open_journal(tmp_path, config, current, {}),
        pytest.raises(RunError, match=r"another process is training this run$"),
    ):
        run(tmp_path, options=as_process(1, 2))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((2, 2), "--process-id: expected 0 to 1 for --num-processes 2, got 2"),
        ((-1, 2), "--process-id: expected 0 to 1 for --num-processes 2, got -1"),
        ((0, None), "expected --process-id and --num-processes, or OMPI_COMM_WORLD_RA"),
        ((None, None), "expected --process-id and --num-processes"),
    ],
)
def test_a_process_id_out_of_range_is_a_config_error(arguments, message):
    with pytest.raises(ConfigError, match=message):
        detect_rank(*arguments, {"SLURM_PROCID": "1"})


@pytest.mark.parametrize("names", LAUNCHERS)
def test_the_launcher_gives_the_process_id(names, tmp_path):
    environment = dict(zip(names, "12", strict=True))
    process = detect_rank(None, None, environment)
    assert process == Process(1, 2)
    assert detect_rank(0, 3, environment) == Process(0, 3)
    run(tmp_path, options={"process": process})
    assert count_lines(tmp_path / SECOND) == 4
    assert not (tmp_path / RECORDS).exists()
    assert os.path.exists(tmp_path / ".lock-1-of-2")


@pytest.fixture
def stopped_peer(tmp_path, monkeypatch):
    """A process that holds its share and renews nothing, as after SIGSTOP."""
    monkeypatch.setattr(locking, "RETRY_SECONDS", 0.001)
    monkeypatch.setattr(locking, "CHECK_SECONDS", 0.0)
    monkeypatch.setattr(locking, "NOTICE_SECONDS", 0.02)
    peer = Process(1, 2)
    (tmp_path / f".beat-{peer.name}").write_text("host 4711 1")
    with (
        FileLock(tmp_path / f".lock-{peer.name}"),
        FileLock(tmp_path / f".share-{peer.name}"),
    ):
        yield tmp_path


def test_a_stopped_peer_is_named_and_not_waited_for_without_end(
    stopped_peer, monkeypatch
):
    monkeypatch.setattr(locking, "STALE_SECONDS", 0.2)
    messages: list[str] = []
    shares = locking.claim_shares(stopped_peer, Process(0, 2), messages.append)
    assert next(shares) == Process(0, 2)
    with pytest.raises(RunError, match=r"process 1 of 2 \(pid 4711 on host\) shows no"):
        next(shares)
    assert len(messages) > 2
    assert "waiting for other processes" in messages[0]
    assert "process 1 of 2 (pid 4711 on host), last sign of life" in messages[0]


def test_a_peer_that_renews_its_sign_of_life_is_waited_for(stopped_peer, monkeypatch):
    monkeypatch.setattr(locking, "STALE_SECONDS", 0.2)
    path = stopped_peer / ".beat-1-of-2"
    count = 0

    def renew(message: str) -> None:
        nonlocal count
        count += 1
        path.write_text(f"host 4711 {count}")
        if count == 30:
            raise KeyboardInterrupt

    shares = locking.claim_shares(stopped_peer, Process(0, 2), renew)
    next(shares)
    with pytest.raises(KeyboardInterrupt):
        next(shares)


def test_several_processes_renew_their_signs_of_life(tmp_path, monkeypatch):
    monkeypatch.setattr(locking, "BEAT_SECONDS", 0.001)
    path = tmp_path / ".beat-0-of-2"
    with locking.hold_worker_lock(tmp_path, Process(0, 2)):
        seen = set()
        while len(seen) < 3:
            with contextlib.suppress(OSError):
                seen.add(path.read_text())
    assert all(str(os.getpid()) in beat for beat in seen if beat)
    assert not path.exists()
