import signal
import threading
import time

import pytest
from typer.testing import CliRunner

from experiments.cli import app
from jax_acts.experiments.runtime.locking import LAUNCHERS, PAUSE, Process, shares
from jax_acts.experiments.runtime.records import RECORDS, environments, opened, read
from jax_acts.experiments.study import Prepared
from tests.experiments.conftest import (
    COUNT,
    PATIENCE,
    Counted,
    learned,
    lines,
    started,
    until,
)

pytestmark = pytest.mark.usefixtures("quickly_compiled")

SECOND = "records-1.jsonl"


def as_process(id: object, of: object) -> tuple[str, ...]:
    said = "--process-id", str(id), "--num-processes", str(of)
    return "--executor", "distributed", *said


def run(*arguments: object):
    return CliRunner().invoke(app, ["run", *map(str, arguments)])


@pytest.mark.slow
def test_of_two_processes_the_one_that_is_left_ends_the_run_with_equal_records(
    slopes, tmp_path, monkeypatch
):
    both, alone = tmp_path / "both", tmp_path / "alone"
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path / "programs"))
    monkeypatch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
    # Enough steps that the kill comes between two chunks of the second process.
    longer = ("--set", "chunks.members=2", "--set", "training.steps=2000")
    second = started(slopes, *longer, *as_process(1, 2), "--out", both)
    until(lambda: (both / SECOND).exists(), second)
    second.send_signal(signal.SIGSTOP)
    assert 1 <= lines(both / SECOND) < 4
    first = started(slopes, *longer, *as_process(0, 2), "--out", both)
    until(lambda: lines(both / RECORDS) == 6, first)
    time.sleep(3 * PAUSE)
    assert first.poll() is None, "it waits for a process that lives"
    second.kill()
    second.communicate()
    _, said = first.communicate(timeout=PATIENCE)
    assert first.returncode == 0, said.decode()
    assert lines(both / SECOND) + lines(both / RECORDS) == 10
    assert (both / "report.html").is_file()
    assert run(slopes, *longer, "--out", alone).exit_code == 0
    assert len(environments(both)) == 2
    assert learned(both) == learned(alone)


def test_what_processes_left_is_finished_by_another_number_of_them(
    count, tmp_path, monkeypatch
):
    trained, prepared = [], COUNT.prepare(None)

    def train(member, tick, folder):
        trained.append(member.name)
        if len(trained) == 3:
            raise KeyboardInterrupt
        return prepared.train(member, tick, folder)

    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        broken = Prepared("", 1, train)
        patch.setitem(COUNT.__dict__, "prepare", lambda config: broken)
        assert run(count, *as_process(1, 2), "--out", out).exit_code == 130
    assert trained == ["number 1", "number 3", "number 0"], "its own share first"
    with (out / SECOND).open("ab") as file:
        file.write(b'{"member": "number 0", "sta')
    result = run(count, *as_process(2, 3), "--out", out)
    assert "2 of 4 members are done already" in result.stderr
    assert run(count, "--out", out).exit_code == 0
    assert {p.name for p in out.glob("records*")} == {SECOND, "records-2.jsonl"}
    squares = {f"number {n}": n * n for n in range(4)}
    assert {r.member: r.value for r in read(out, Counted)[0]} == squares


def test_a_share_is_trained_by_one_process_at_a_time_and_each_share_by_someone(
    tmp_path,
):
    of = 3
    trained: list[tuple[int, int]] = []
    held: list[int] = []
    together: list[list[int]] = []
    all_hold_one = threading.Barrier(of)

    def process(id: int) -> None:
        for owner in shares(tmp_path, Process(id, of)):
            held.append(owner.id)
            trained.append((id, owner.id))
            if owner.id == id:
                all_hold_one.wait()
            together.append(held.copy())
            held.remove(owner.id)

    threads = [threading.Thread(target=process, args=(id,)) for id in range(of)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(trained) == [(id, owner) for id in range(of) for owner in range(of)]
    assert sorted(trained[:of]) == [(id, id) for id in range(of)]
    assert all(len({*ids}) == len(ids) for ids in together)


def test_a_share_whose_process_is_gone_is_taken_by_another(tmp_path):
    dead, left = (shares(tmp_path, Process(id, 2)) for id in (0, 1))
    assert next(dead) == Process(0, 2)
    assert next(left) == Process(1, 2)
    dead.close()
    assert [*left] == [Process(0, 2)]


@pytest.mark.parametrize(
    ("process", "said"),
    [
        (as_process(1, 2), "another process is working on this run as process 1 of 2"),
        (as_process(1, 3), "another process is working on this run as process 1 of 2"),
        ((), "another process is working on this run as process 1 of 2"),
    ],
)
def test_one_process_of_an_id_and_one_number_of_processes_are_let_in(
    process, said, count, tmp_path
):
    config = COUNT.config(study="count", name="count")
    with opened(tmp_path, config, COUNT.record, {}, Process(1, 2)):
        result = run(count, *process, "--out", tmp_path)
        assert result.exit_code == 1
        assert result.stderr.endswith(f"error: {tmp_path}: {said}\n")
        assert run(count, *as_process(0, 2), "--out", tmp_path).exit_code == 0
    with opened(tmp_path, config, COUNT.record, {}):
        assert run(count, *as_process(1, 2), "--out", tmp_path).exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (as_process(2, 2), "there is no process 2 of 2: they are 0 to 1"),
        (as_process(-1, 2), "there is no process -1 of 2: they are 0 to 1"),
        (
            ("--executor", "distributed", "--process-id", "0"),
            "needs --process-id and --num-processes, or OMPI_COMM_WORLD_RANK",
        ),
        (("--executor", "distributed"), "needs --process-id and --num-processes"),
        (("--num-processes", "2"), "are for --executor distributed"),
    ],
)
def test_a_process_that_cannot_be_is_a_config_error(
    arguments, said, count, tmp_path, monkeypatch
):
    for name in (name for names in LAUNCHERS for name in names):
        monkeypatch.delenv(name, raising=False)
    result = run(count, *arguments, "--out", tmp_path / "run")
    assert result.exit_code == 2
    assert said in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("names", LAUNCHERS)
def test_a_launcher_says_which_process_it_is(names, count, tmp_path, monkeypatch):
    for name, value in zip(names, "12", strict=True):
        monkeypatch.setenv(name, value)
    assert run(count, "--executor", "distributed", "--out", tmp_path).exit_code == 0
    assert (tmp_path / SECOND).read_text().count("\n") == 4
    assert not (tmp_path / RECORDS).exists()
