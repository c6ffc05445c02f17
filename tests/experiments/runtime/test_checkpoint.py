from dataclasses import replace

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


@pytest.mark.slow
def test_a_damaged_checkpoint_is_removed(tmp_path):
    checkpoint.save(tmp_path / "a", 1, STATE)
    for path in (tmp_path / "a" / "1").rglob("*"):
        if path.is_file():
            path.write_bytes(b"\0")
    with pytest.warns(UserWarning, match="damaged checkpoint"):
        assert checkpoint.latest(tmp_path / "a") is None
    assert not (tmp_path / "a").exists()


def test_trial_batches_have_directories_of_their_own(tmp_path):
    runs = grid(activation=["relu", "re/lu"], seed=range(2))
    batches = [runs[:1], runs[:2], runs[2:3]]
    names = {checkpoint.checkpoint_directory(tmp_path, batch) for batch in batches}
    assert len(names) == 3
    assert all(name.parent == tmp_path for name in names)


@pytest.mark.slow
@pytest.mark.usefixtures("quickly_compiled")
def test_a_trial_batch_resumes_from_its_checkpoint_with_equal_records(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(trial, "CHECKPOINT_SECONDS", -1.0)
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
