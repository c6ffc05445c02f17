import errno
import io
import os
import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from jax_acts.experiments.config.errors import RunError
from jax_acts.experiments.records import RunRecord
from jax_acts.experiments.runtime.checkpoint import checkpoint_directory
from jax_acts.experiments.runtime.run_directory import (
    CHECKPOINTS,
    RECORDS,
    open_journal,
)
from jax_acts.experiments.study import PreparedStudy
from tests.experiments.runtime import count_study, line_study
from tests.experiments.runtime.helpers import (
    ROOT,
    count_lines,
    finish,
    limit_file_size,
    metrics,
    run,
    start,
    values,
    wait_until,
)

LONG = {"training": {"steps": 200_000, "num_evals": 2}, "losses": ("square",)}
"""A trial batch of it takes a second or more."""


def prepared_with(train, **keys) -> PreparedStudy:
    """Return the count study with another function that trains a trial batch."""
    prepared = count_study.prepare(count_study.Config(**keys))
    return replace(prepared, trainer=prepared.trainer._replace(train=train))


def test_a_run_returns_its_records_in_the_order_of_the_study(tmp_path):
    config = count_study.Config(batch_size=3)
    assert "resumes" not in run(tmp_path, batch_size=3)
    assert values(tmp_path) == [0, 1, 4, 9]
    before = (tmp_path / RECORDS).read_bytes()
    assert "resumes: 4 of 4 runs finished" in run(tmp_path, batch_size=3)
    assert (tmp_path / RECORDS).read_bytes() == before
    assert len(count_study.list_runs(config)) == 4


def test_runs_with_a_damaged_record_are_trained_again(tmp_path):
    run(tmp_path)
    expected = metrics(tmp_path)
    lines = (tmp_path / RECORDS).read_text().splitlines(keepends=True)
    (tmp_path / RECORDS).write_text("".join([lines[0], "#\n", lines[2], lines[3][:9]]))
    output = run(tmp_path)
    assert "dropped a torn last line" in output
    assert f"{RECORDS}:2: skipped a damaged record" in output
    assert metrics(tmp_path) == expected


def test_a_trial_batch_is_trained_whole_when_some_of_its_runs_are_missing(tmp_path):
    batches = []

    def train(runs, progress, directory):
        batches.append([run.name for run in runs])
        return count_study.train(runs, progress, directory)

    run(tmp_path, batch_size=2)
    path = tmp_path / RECORDS
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:3]))
    run(tmp_path, prepared=prepared_with(train, batch_size=2), batch_size=2)
    assert batches == [["number 2", "number 3"]]
    assert count_lines(path) == 4
    assert values(tmp_path) == [0, 1, 4, 9]


def test_the_data_and_the_model_of_a_run_do_not_change(tmp_path):
    run(tmp_path)
    prepared = count_study.prepare(count_study.Config())
    for name, key in (("data", "data_hash"), ("model", "model_hash")):
        changed = replace(prepared, **{key: "cccc0000"})
        with pytest.raises(
            RunError, match=f"the {name} changed .*got cccc0000.*--fresh"
        ):
            run(tmp_path, prepared=changed)
    assert "resumes" not in run(tmp_path, prepared=changed, options={"fresh": True})
    assert values(tmp_path) == values(tmp_path / "previous" / "1")


def test_a_run_that_another_process_trains_is_refused(tmp_path):
    config, run_options = count_study.Config(), {"fresh": True}
    from tests.experiments.runtime.test_run_directory import hashes

    with (
        open_journal(tmp_path, config, hashes(config), {}),
        pytest.raises(RunError, match=f"{tmp_path}: another process is training"),
    ):
        run(tmp_path, options=run_options)


def test_ctrl_c_stops_between_ranges_of_steps_and_keeps_finished_batches(tmp_path):
    steps = []

    def train(runs, progress, directory):
        for step in range(1, 4):
            if runs[0].name == "number 2" and step == 2:
                os.kill(os.getpid(), signal.SIGINT)
                steps.append("the range ends")
            progress(step, 3, None)
            steps.append(step)
        return [count_study.make_record(run) for run in runs]

    output = io.StringIO()
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, prepared=prepared_with(train), output=output)
    assert steps == [1, 2, 3, 1, 2, 3, 1, "the range ends"]
    assert "interrupted: stops after the current range of steps" in output.getvalue()
    assert values(tmp_path) == [0, 1]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert "resumes: 2 of 4 runs finished" in run(tmp_path)
    assert values(tmp_path) == [0, 1, 4, 9]


def test_ctrl_c_without_progress_keeps_the_trial_batch_that_ends(tmp_path):
    def train(runs, progress, directory):
        os.kill(os.getpid(), signal.SIGINT)
        return [count_study.make_record(run) for run in runs]

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, prepared=prepared_with(train, batch_size=3), batch_size=3)
    assert values(tmp_path) == [0, 1, 4]


def test_ctrl_c_in_the_last_range_of_steps_keeps_the_trial_batch(tmp_path):
    def train(runs, progress, directory):
        for step in range(1, 4):
            if step == 3:
                os.kill(os.getpid(), signal.SIGINT)
            progress(step, 3, None)
        return [count_study.make_record(run) for run in runs]

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, prepared=prepared_with(train, batch_size=3), batch_size=3)
    assert values(tmp_path) == [0, 1, 4]


@pytest.mark.parametrize("replaced", [False, True])
def test_an_interrupted_program_ends_before_its_teardown(replaced):
    code = (
        "import atexit, io, os, sys\n"
        "from jax_acts.experiments.runtime.interrupt import exit_without_teardown\n"
        "atexit.register(os._exit, 77)\n"
        f"sys.stdout = io.StringIO() if {replaced} else sys.stdout\n"
        "exit_without_teardown(130)\n"
        "print('flushed')\n"
        "sys.exit(1)\n"
    )
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, cwd=ROOT
    )
    assert process.returncode == (77 if replaced else 130), process.stderr
    assert process.stdout == (b"" if replaced else b"flushed\n")


IMPORT = """
import os, runpy, signal, sys

class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupt())
sys.argv = ["program", "list"]
runpy.run_module({program!r}, run_name="__main__", alter_sys=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("program", "module"),
    [
        ("experiments", "jax._src.core"),
        ("experiments", "pandas"),
        ("jax_acts", "typer"),
    ],
)
def test_an_interrupt_of_the_imports_prints_no_traceback(program, module):
    code = IMPORT.format(program=program, module=module)
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True
    )
    assert (result.returncode, result.stderr) == (130, "")


def test_a_second_ctrl_c_stops_at_once(tmp_path):
    def train(runs, progress, directory):
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)
        raise AssertionError("it goes on")

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, prepared=prepared_with(train))


def test_a_full_disk_costs_only_the_records_that_it_refuses(tmp_path):
    many, output = {"num_runs": 100}, io.StringIO()
    with limit_file_size(8000), pytest.raises(RunError) as error:
        run(tmp_path, output=output, options={"quiet": True}, **many)
    content = (tmp_path / RECORDS).read_bytes()
    assert content.endswith(b"}\n"), "a part of a line is truncated"
    assert 7500 < len(content) <= 8000
    saved = content.count(b"\n")
    assert f"{100 - saved} runs are not recorded, from 'number {saved}' on" in str(
        error.value
    )
    assert "[100/100]" in output.getvalue(), "the other runs are trained"
    assert f"resumes: {saved} of 100 runs finished" in run(tmp_path, **many)
    assert values(tmp_path) == [n * n for n in range(100)]


def test_a_disk_that_is_full_for_a_while_costs_nothing(tmp_path, monkeypatch):
    sync, refused = os.fsync, iter([False, True, True])

    def fail_twice(descriptor: int) -> None:
        is_records = os.readlink(f"/proc/self/fd/{descriptor}").endswith(RECORDS)
        if is_records and next(refused, False):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(descriptor)

    monkeypatch.setattr("jax_acts.experiments.runtime.files.os.fsync", fail_twice)
    output = run(tmp_path, options={"quiet": True})
    assert output.count("not saved yet: [Errno 28] No space left on device") == 2
    assert values(tmp_path) == [0, 1, 4, 9]


def test_checkpoints_are_removed_when_their_records_are_on_the_disk(tmp_path):
    seen = []

    def train(runs, progress, directory):
        assert directory == checkpoint_directory(tmp_path / CHECKPOINTS, runs)
        directory.mkdir(parents=True)
        seen.append(directory)
        if len(seen) == 2:
            raise KeyboardInterrupt
        return [count_study.make_record(run) for run in runs]

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, prepared=prepared_with(train))
    assert [directory.exists() for directory in seen] == [False, True]
    run(tmp_path)
    assert not (tmp_path / CHECKPOINTS).exists()


def test_quiet_prints_a_line_per_run(tmp_path):
    output = run(tmp_path, options={"quiet": True})
    assert output.startswith("[1/4] number 0: finished\n[2/4] number 1: finished\n")
    assert output.count("\n") == 4


def test_records_are_returned_in_the_order_of_the_study(tmp_path):
    from rich.console import Console

    from jax_acts.experiments.runtime.runner import run_study

    config = count_study.Config(num_runs=12, batch_size=5)
    records = run_study(
        count_study.STUDY,
        config,
        count_study.prepare(config),
        tmp_path,
        Console(file=io.StringIO()),
    )
    assert all(isinstance(record, RunRecord) for record in records)
    assert [record.axes["number"] for record in records] == [*range(12)]


@pytest.mark.slow
def test_a_killed_run_resumes_with_equal_records(tmp_path):
    """Kill a process at its first record, and compares with an uninterrupted run."""
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    process = start(killed, line_study, **LONG)
    wait_until(lambda: count_lines(killed / RECORDS) > 0, process)
    process.kill()
    process.communicate()
    before = (killed / RECORDS).read_bytes()
    saved = before.count(b"\n")
    assert 1 <= saved < 5
    assert f"resumes: {saved} of 5 runs finished" in run(killed, line_study, **LONG)
    assert (killed / RECORDS).read_bytes().startswith(before)
    run(whole, line_study, **LONG)
    assert metrics(killed) == metrics(whole)


@pytest.mark.slow
def test_ctrl_c_stops_a_process_within_a_trial_batch(tmp_path):
    process = start(tmp_path, line_study, **LONG)
    wait_until(lambda: count_lines(tmp_path / RECORDS) > 0, process)
    process.send_signal(signal.SIGINT)
    _, output = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"interrupted: stops after the current range of steps" in output
    saved = count_lines(tmp_path / RECORDS)
    assert saved in (2, 4), "trial batches are recorded whole"
    finish(start(tmp_path, line_study, **LONG))
    assert count_lines(tmp_path / RECORDS) == 5
