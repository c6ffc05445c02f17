"""Trial batches: one program per group, equal records on any number of devices."""

import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_acts.experiments.config.errors import ConfigError
from jax_acts.experiments.config.schema import (
    SGDConfig,
    TrainingConfig,
    TrialBatch,
)
from jax_acts.experiments.records import RunRecord
from jax_acts.experiments.runtime import memory
from jax_acts.experiments.runtime.devices import MIN_DEVICES, available_cores
from jax_acts.experiments.runtime.run_directory import (
    read_environments,
    read_records,
)
from jax_acts.experiments.study import BatchedTrainer, grid
from jax_acts.experiments.train import trial as trials
from jax_acts.experiments.train.loop import Task, make_functions, make_schedule
from jax_acts.experiments.train.trial import Trial, prepare_trial
from tests.experiments.conftest import start_cli
from tests.experiments.runtime.helpers import PATIENCE

TRAINING = TrainingConfig(
    steps=4, num_evals=2, schedule="constant", optimizer=SGDConfig(momentum=0.0)
)
LOSSES = {"square": jnp.square, "abs": jnp.abs}


def make_trial(traces: list[str] | None = None) -> Trial:
    """Return a trial that learns a number, and appends the loss of each group."""

    def make_task(fixed):
        if traces is not None:
            traces.append(fixed["function"])
        return lambda numbers, data: Task(
            lambda key: jax.random.normal(key),
            lambda key: data + 0.01 * jax.random.normal(key),
            lambda x, goal: LOSSES[fixed["function"]](x - goal),
            lambda x: {"x": x},
            numbers["rate"],
        )

    return Trial("", jnp.float32(1.0), make_task, ("rate",))


def make_trainer(trial: Trial, **batch: int) -> BatchedTrainer:
    return prepare_trial(trial, TRAINING, TrialBatch(**batch)).trainer


def ignore(step: int, total: int, loss: float | None) -> None:
    pass


def numbers(records: list[RunRecord] | tuple[RunRecord, ...]) -> list[str]:
    """Return the records without times."""
    times = {"train_seconds", "compile_seconds"}
    return [record.model_dump_json(exclude=times) for record in records]


def test_a_group_is_compiled_once():
    runs = grid(rate=[0.1, 0.2, 0.3, 0.4], function=["square", "abs"], seed=range(4))
    groups: list[str] = []
    trainer = make_trainer(make_trial(groups), size=6, vmap_width=2)
    batches = trainer.batches(runs)
    assert [len(batch) for batch in batches] == [6, 6, 4] * 2
    records = [r for batch in batches for r in trainer.train(batch, ignore, None)]
    assert {record.run for record in records} == {run.name for run in runs}
    assert len(records) == 32
    assert groups == ["square", "abs"]


def test_the_names_of_groups_are_their_shared_axes():
    runs = grid(function=["square", "abs"], rate=[0.1], seed=range(2))
    names = make_trainer(make_trial(), size=2).group_names(runs)
    assert names["function abs, rate 0.1, seed 1"] == "abs, rate 0.1"


def test_progress_ends_at_the_last_step_with_the_mean_loss():
    calls = []
    runs = grid(function=["abs"], rate=[0.1], seed=range(3))
    trainer = make_trainer(make_trial(), size=4)
    records = trainer.train(runs, lambda *call: calls.append(call), None)
    steps = [step for step, _, _ in calls]
    assert steps == sorted(set(steps))
    assert calls[-1][:2] == (4, 4)
    losses = [record.curves["train_loss"].values for record in records]
    means = np.diff([0, *steps]) @ [loss for *_, loss in calls] / 4
    np.testing.assert_allclose(means, np.mean(losses), rtol=1e-5)


def test_curves_start_before_training_and_a_mean_loss_is_at_its_last_step():
    runs = grid(function=["square"], rate=[0.1], seed=[0])
    (record,) = make_trainer(make_trial(), size=1).train(runs, ignore, None)
    assert record.curves["x"].steps == [0, 2, 4]
    assert record.curves["train_loss"].steps == [2, 4]
    assert record.steps == 4
    assert record.num_params == 1
    assert record.axes == dict(runs[0].axes)


@pytest.mark.slow
@pytest.mark.parametrize("vmap_width", [1, 4])
def test_a_run_of_a_trial_batch_learns_as_it_does_on_its_own(vmap_width):
    runs = grid(function=["square"], rate=[0.1, 0.3], seed=range(3))
    trial = make_trial()
    trainer = make_trainer(trial, size=8, vmap_width=vmap_width)
    for run, record in zip(runs, trainer.train(runs, ignore, None), strict=True):
        axes = dict(run.axes)
        task = trial.make_task(axes)({"rate": jnp.float32(axes["rate"])}, trial.data)
        functions = make_functions(task, TRAINING, make_schedule(TRAINING))
        key = jax.random.key(axes["seed"])
        state = functions.advance(key, functions.init(key), 0, 4)
        # The widths differ, and so may the rounding of a few sums.
        losses = (state.loss_sums / 2).tolist()
        assert record.curves["train_loss"].values == pytest.approx(losses, rel=1e-5)


@pytest.mark.slow
def test_records_are_bit_equal_on_2_4_and_8_devices(sweep, tmp_path):
    # Five slices, which 2 and 4 devices share unevenly; None: as many as cores.
    # On one device XLA uses other passes: see the head of `vectorized`.
    wide = ("--set", "trial_batch.size=10")
    lines = {}
    for devices in (2, 4, 8, None):
        out = tmp_path / str(devices)
        process = start_cli(sweep, *wide, "--out", out, devices=devices)
        _, output = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, output.decode()
        ((session,), _) = read_environments(out)
        assert session["devices"] == (devices or max(available_cores(), MIN_DEVICES))
        lines[devices] = numbers(read(out))
    for devices in (4, 8, None):
        assert lines[devices] == lines[2], devices


def read(directory: Path) -> list[RunRecord]:
    return [*read_records(directory)[0]]


def test_a_run_whose_loss_is_nan_diverges_and_leaves_its_trial_batch():
    def train(rate: float):
        runs = grid(function=["square"], rate=[0.1, rate, 0.3], seed=range(2))
        trainer = make_trainer(make_trial(), size=6, vmap_width=3)
        return trainer.train(runs, ignore, None)

    fine, broken = train(0.2), train(1e38)
    assert {record.status for record in fine} == {"finished"}
    assert [record.status == "diverged" for record in broken] == [0, 0, 1, 1, 0, 0]
    assert broken[2].last_loss is None
    for n in (0, 1, 4, 5):
        assert broken[n].curves == fine[n].curves


class Cut(Exception):
    """An interruption."""


@pytest.mark.slow
@pytest.mark.parametrize("step", [1, 3])
def test_a_trial_batch_resumes_from_its_checkpoint_with_equal_records(
    step, tmp_path, monkeypatch
):
    monkeypatch.setattr(trials, "CHECKPOINT_SECONDS", -1.0)
    runs = grid(function=["square"], rate=[0.1, 0.3], seed=range(3))
    whole = make_trainer(make_trial(), size=8, vmap_width=2).train(runs, ignore, None)
    steps = []

    def cut(at: int, total: int, loss: float | None) -> None:
        steps.append(at)
        if at > step:
            raise Cut

    train = make_trainer(make_trial(), size=8, vmap_width=2).train
    with pytest.raises(Cut):
        train(runs, cut, tmp_path)
    before = len(steps)
    step = 99
    resumed = train(runs, cut, tmp_path)
    assert steps[before] > steps[before - 2], "trained steps are not trained again"
    assert numbers(resumed) == numbers(whole)


def hungry(size: int) -> Trial:
    """Return a trial each run of which needs `size` bytes."""

    def make_task(fixed):
        def make(numbers, data):
            key = jax.random.key(numbers["seed"])
            values = jax.random.normal(key, (size // 4,))
            return Task(
                lambda key: data,
                lambda key: data,
                jnp.subtract,
                lambda x: {"largest": jnp.sort(values * x)[-1]},
            )

        return make

    return Trial("", jnp.float32(1.0), make_task)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("available", "message"),
    [
        (10_000_000, "size = 8, vmap_width = [124] fits"),
        (1000, "no smaller trial batch fits"),
    ],
)
def test_a_trial_batch_that_does_not_fit_is_refused_with_one_that_does(
    available, message, monkeypatch
):
    monkeypatch.setattr(memory, "available_bytes", lambda device, count: available)
    runs = grid(seed=range(8))

    def train(width: int):
        return make_trainer(hungry(1_000_000), size=8, vmap_width=width).train(
            runs, ignore, None
        )

    with pytest.raises(ConfigError, match=message) as caught:
        train(8)
    assert str(caught.value).startswith("trial_batch: expected at most ")
    if fitting := re.search(r"vmap_width = (\d) fits", str(caught.value)):
        assert len(train(int(fitting[1]))) == 8


@pytest.mark.slow
def test_on_a_cpu_fewer_devices_share_its_memory(monkeypatch):
    """A batch that fits one device of two is trained on one."""
    if len(jax.local_devices()) < 2:
        pytest.skip("a second device is needed")
    monkeypatch.setattr(
        memory, "available_bytes", lambda device, count: 10**9 if count == 1 else 1
    )
    records = make_trainer(hungry(1000), size=4).train(
        grid(seed=range(4)), ignore, None
    )
    assert len(records) == 4
