import shutil
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from jax_acts.experiments.runtime import checkpoint
from jax_acts.experiments.runtime.run_directory import CHECKPOINTS
from jax_acts.experiments.study import grid
from jax_acts.experiments.train import trial
from tests.experiments.runtime import line_study
from tests.experiments.runtime.helpers import limit_file_size, metrics, run

STATE = {"params": {"0": np.arange(3.0)}, "seconds": np.float64(2.0)}


def assert_is_latest(directory, step: int) -> None:
    result = checkpoint.latest(directory)
    assert result is not None
    assert result[0] == step
    np.testing.assert_array_equal(result[1]["params"]["0"], STATE["params"]["0"])


@pytest.mark.slow  # importing Orbax takes seconds
def test_the_latest_checkpoint_is_restored(tmp_path):
    directory = tmp_path / "a"
    assert checkpoint.latest(directory) is None
    checkpoint.save(directory, 1, STATE)
    checkpoint.save(directory, 12, STATE)
    assert_is_latest(directory, 12)
    assert [path.name for path in directory.iterdir()] == ["12"]
    checkpoint.remove(directory)
    assert checkpoint.latest(directory) is None


# Orbax leaves a failed task of asyncio behind.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.slow
def test_a_full_disk_keeps_the_checkpoint_before(tmp_path):
    checkpoint.save(tmp_path, 1, STATE)
    large = STATE | {"large": np.random.default_rng(0).random(100_000)}
    with (
        limit_file_size(4000),
        pytest.warns(UserWarning, match="checkpoint not saved"),
    ):
        checkpoint.save(tmp_path, 2, large)
    assert_is_latest(tmp_path, 1)
    checkpoint.save(tmp_path, 3, STATE)
    assert_is_latest(tmp_path, 3)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    for position in range(0, len(content), 7):
        content[position] ^= 1
    path.write_bytes(content)


DAMAGES = {
    "empty": lambda path: path.write_bytes(b""),
    "zeros": lambda path: path.write_bytes(b"\0" * path.stat().st_size),
    "other JSON": lambda path: path.write_text("[]"),
    "missing": lambda path: path.unlink(),
    "truncated": truncate,
    "flipped": flip,
}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_of_a_checkpoint_never_blocks_or_changes_a_run(tmp_path, damage):
    whole = tmp_path / "whole"
    checkpoint.save(whole, 1, STATE)
    files = [p.relative_to(whole) for p in whole.rglob("*") if p.is_file()]
    assert len(files) > 4
    for number, name in enumerate(files):
        copy = tmp_path / str(number)
        shutil.copytree(whole, copy)
        DAMAGES[damage](copy / name)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            result = checkpoint.latest(copy)
        messages = [w for w in caught if w.category is checkpoint.CheckpointWarning]
        if result is None:
            assert messages or not copy.exists() or not any(copy.iterdir()), name
            checkpoint.save(copy, 2, STATE)
            assert_is_latest(copy, 2)
        else:  # the file is metadata that the values do not depend on
            assert not messages
            assert_is_latest(copy, 1)


@pytest.mark.slow
def test_a_file_in_place_of_a_checkpoint_is_dropped(tmp_path):
    (tmp_path / "a").write_text("x")
    with pytest.warns(checkpoint.CheckpointWarning, match="dropped a damaged"):
        assert checkpoint.latest(tmp_path / "a") is None
    checkpoint.save(tmp_path / "a", 1, STATE)
    assert_is_latest(tmp_path / "a", 1)


@pytest.mark.slow
@pytest.mark.parametrize(
    "packed",
    [{}, {"0": np.zeros(3)}, {str(n): np.zeros((2, n)) for n in range(1, 9)}],
    ids=["empty", "too few leaves", "other shapes"],
)
def test_a_checkpoint_that_does_not_fit_the_programs_is_dropped(tmp_path, packed):
    keys = {"losses": ("square",), "seeds": 2}
    config = line_study.Config(**keys)
    (batch,) = line_study.prepare(config).trainer.batches(line_study.list_runs(config))
    run(tmp_path / "whole", line_study, **keys)
    directory = checkpoint.checkpoint_directory(tmp_path / "a" / CHECKPOINTS, batch)
    run(tmp_path / "a", line_study, prepared=untrained(config), **keys)
    checkpoint.save(directory, 10, packed)
    output = run(tmp_path / "a", line_study, **keys)
    assert "dropped a damaged checkpoint" in output
    assert "checkpoint.py" not in output
    assert metrics(tmp_path / "a") == metrics(tmp_path / "whole")


def untrained(config):
    """Return the study with a trainer that trains nothing."""
    prepared = line_study.prepare(config)
    trainer = prepared.trainer._replace(train=lambda *_: [])
    return replace(prepared, trainer=trainer)


def test_trial_batches_have_directories_of_their_own(tmp_path):
    runs = grid(activation=["relu", "re/lu"], seed=range(2))
    batches = [runs[:1], runs[:2], runs[2:3]]
    names = {checkpoint.checkpoint_directory(tmp_path, batch) for batch in batches}
    assert len(names) == 3
    assert all(name.parent == tmp_path for name in names)


@pytest.mark.slow
@pytest.mark.parametrize("limit", ["CHECKPOINT_SECONDS", "INTERRUPT_SECONDS"])
def test_a_trial_batch_resumes_from_its_checkpoint_with_equal_records(
    tmp_path, monkeypatch, limit
):
    monkeypatch.setattr(trial, limit, -1.0)
    keys = {"losses": ("square",), "seeds": 2}
    prepared = line_study.prepare(line_study.Config(**keys))
    steps: list[int] = []

    def train(runs, progress, directory):
        def interrupt(step, total_steps, loss):
            progress(step, total_steps, loss)
            steps.append(step)
            if len(steps) == 3:
                raise KeyboardInterrupt

        return prepared.trainer.train(runs, interrupt, directory)

    trainer = prepared.trainer._replace(train=train)
    interrupted = replace(prepared, trainer=trainer)
    resumed, whole = tmp_path / "resumed", tmp_path / "whole"
    with pytest.raises(KeyboardInterrupt):
        run(resumed, line_study, interrupted, **keys)
    assert len([*(resumed / CHECKPOINTS).iterdir()]) == 1
    assert metrics(resumed) == {}
    run(resumed, line_study, interrupted, **keys)
    assert steps[3] > steps[1], "the steps before the checkpoint are not repeated"
    assert steps[-1] == 20
    assert not (resumed / CHECKPOINTS).exists()
    run(whole, line_study, **keys)
    assert metrics(resumed) == metrics(whole)
