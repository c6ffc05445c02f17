"""Training of trial batches: the driver of the compiled programs, and its records."""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import jax_acts
from jax_acts.experiments.config.schema import TrainingConfig, TrialBatch
from jax_acts.experiments.records import Curve, RunRecord, Value
from jax_acts.experiments.runtime import checkpoint as store
from jax_acts.experiments.runtime.array_hash import hash_arrays
from jax_acts.experiments.runtime.source_hash import hash_source
from jax_acts.experiments.study import (
    BatchedTrainer,
    PreparedStudy,
    ProgressCallback,
    RunSpec,
)
from jax_acts.experiments.train import loop, vectorized
from jax_acts.experiments.train.vectorized import CompiledTrialBatch, Numbers

MakeTask = Callable[[Numbers, Any], loop.Task]


class Trial(NamedTuple):
    """What a study provides so that its runs can be trained."""

    summary: str
    """The setup in one sentence."""
    data: Any
    """Arrays that all runs share."""
    make_task: Callable[[Mapping[str, Value]], MakeTask]
    """Return the task of a group from its axes that are not numeric.

    The result takes the numeric axes as arrays, and the data.
    """
    numeric: tuple[str, ...] = ()
    """Axes that are arguments of the programs; others select the program."""
    num_train: int = 0
    """Number of training examples, for a length that is given in epochs."""
    activations: Sequence[str] = ()
    """Activations of the runs, whose source is part of the model hash."""
    source: Any = None
    """What the model hash is of; `make_task` if left out."""
    data_contents: Mapping[str, str] = MappingProxyType({})
    """The content of each dataset by its title, in one sentence."""


def prepare_trial(
    trial: Trial, training: TrainingConfig, trial_batch: TrialBatch
) -> PreparedStudy:
    """Return a study whose programs are compiled when they are first needed."""
    axes = {"seed": jnp.uint32} | dict.fromkeys(trial.numeric, jnp.float32)
    schedule = loop.make_schedule(training, trial.num_train)
    init_programs: vectorized.InitPrograms = {}

    @lru_cache(maxsize=1)  # trial batches come by group, and programs take memory
    def compile_group(fixed: tuple[tuple[str, Value], ...]) -> CompiledTrialBatch:
        make_task = trial.make_task(dict(fixed))
        functions = lambda numbers, data: loop.make_functions(
            make_task(numbers, data), training, schedule
        )
        return vectorized.compile_trial_batch(
            functions, axes, trial.data, trial_batch, init_programs
        )

    def group_key(run: RunSpec) -> tuple[tuple[str, Value], ...]:
        return run.without(*axes)

    def train(
        runs: Sequence[RunSpec], progress: ProgressCallback, directory: Path | None
    ) -> list[RunRecord]:
        compiled = compile_group(group_key(runs[0]))
        return train_trial_batch(compiled, schedule, runs, progress, directory)

    return PreparedStudy(
        trial.summary,
        schedule.total_steps,
        BatchedTrainer(trial_batch.size, group_key, train),
        hash_arrays(trial.data),
        hash_source(
            trial.source or trial.make_task,
            *(jax_acts.get(name).function for name in trial.activations),
        ),
        trial.data_contents,
    )


REPORT_SECONDS = 2.0
"""Target time between two calls of the progress callback."""
CHECKPOINT_SECONDS = 60.0
"""Minimum time between two checkpoints."""
INTERRUPT_SECONDS = 10.0
"""Training since the last checkpoint that an interrupt saves in another one."""


def train_trial_batch(
    compiled: CompiledTrialBatch,
    schedule: loop.Schedule,
    runs: Sequence[RunSpec],
    progress: ProgressCallback,
    directory: Path | None,
) -> list[RunRecord]:
    """Train one trial batch and return its records, in the order of its runs.

    Args:
        compiled: The programs of the group of the runs.
        schedule: The length of the training.
        runs: At most as many runs as a trial batch has.
        progress: Called about every two seconds.
        directory: Where checkpoints are saved, and from where training resumes. The
            programs are the same for any range of steps, so a resumed run has the
            records of an uninterrupted one.
    """
    batch = compiled.load([dict(run.axes) for run in runs])
    start = _resume(compiled, directory)
    start = start or _Progress(0, compiled.init(batch), [], 0.0)
    step, state, evaluations, seconds = start
    get_sums = lambda state: compiled.layout.gather(state.loss_sums)[: len(runs)]
    sums = get_sums(state)
    num_steps, saved = 1, time.monotonic()
    for next_eval in schedule.eval_steps[len(evaluations) :]:
        while step < next_eval:
            stop = min(next_eval, step + num_steps)
            begin = time.perf_counter()
            state = compiled.advance(batch, state, step, stop)
            jax.block_until_ready(state)
            elapsed = time.perf_counter() - begin
            before, sums = sums, get_sums(state)
            with np.errstate(invalid="ignore"):
                added = sums.astype(np.float64) - before
            loss = float(added.sum(1).mean()) / (stop - step)
            shown = loss if np.isfinite(loss) else None
            pace = (stop - step) * REPORT_SECONDS / elapsed
            num_steps = max(1, min(8 * num_steps, int(pace)))
            step, seconds = stop, seconds + elapsed
            here = _Progress(step, state, evaluations, seconds)
            limit, interrupt = CHECKPOINT_SECONDS, None
            try:
                progress(step, schedule.total_steps, shown)
            except KeyboardInterrupt as error:
                limit, interrupt = INTERRUPT_SECONDS, error
            if directory and time.monotonic() - saved > limit:
                store.save(directory, step, _pack(compiled, here))
                saved = time.monotonic()
            if interrupt:
                raise interrupt
        evaluations.append(compiled.layout.gather(compiled.evaluate(batch, state)))
    return _records(compiled, schedule, runs, sums, evaluations, seconds)


def _records(
    compiled: CompiledTrialBatch,
    schedule: loop.Schedule,
    runs: Sequence[RunSpec],
    sums: np.ndarray,
    evaluations: Sequence[tuple[dict[str, np.ndarray], np.ndarray]],
    seconds: float,
) -> list[RunRecord]:
    lengths = schedule.loss_lengths
    losses = sums * (np.float32(1) / lengths.astype(np.float32))
    metrics = [metrics for metrics, _ in evaluations]
    finite = evaluations[-1][1]
    steps = schedule.eval_steps
    return [
        RunRecord(
            run=run.name,
            axes=dict(run.axes),
            status="finished" if finite[n] else "diverged",
            num_params=compiled.num_params,
            steps=schedule.total_steps,
            curves={"train_loss": Curve.from_array(lengths.cumsum(), losses[n])}
            | {
                name: Curve.from_array(steps, np.stack([m[name][n] for m in metrics]))
                for name in metrics[0]
            },
            train_seconds=seconds / len(runs),
            compile_seconds=compiled.compile_seconds,
        )
        for n, run in enumerate(runs)
    ]


class _Progress(NamedTuple):
    """A trial batch after some steps."""

    step: int
    state: loop.TrainState
    evaluations: list[tuple[dict[str, np.ndarray], np.ndarray]]
    seconds: float


def _pack(compiled: CompiledTrialBatch, progress: _Progress) -> dict[str, Any]:
    """Return the progress as a dict of host arrays, independent of the devices."""
    state = compiled.layout.gather(progress.state)
    tree = state, progress.evaluations, np.float64(progress.seconds)
    return {str(n): leaf for n, leaf in enumerate(jax.tree.leaves(tree))}


def _resume(compiled: CompiledTrialBatch, directory: Path | None) -> _Progress | None:
    """Return the progress of the latest checkpoint, None where there is none.

    A checkpoint that does not fit the programs is dropped.
    """
    latest = store.latest(directory) if directory else None
    if directory is None or latest is None:
        return None
    step, packed = latest
    try:
        *leaves, seconds = (np.asarray(packed[str(n)]) for n in range(len(packed)))
        state = compiled.programs.init.out_tree
        evaluation = compiled.programs.evaluate.out_tree
        count, size = state.num_leaves, evaluation.num_leaves
        evaluations = [
            evaluation.unflatten(leaves[n : n + size])
            for n in range(count, len(leaves), size)
        ]
        live_state = compiled.layout.scatter(state.unflatten(leaves[:count]))
        _check_shapes(compiled, live_state)
        return _Progress(step, live_state, evaluations, float(seconds))
    except (KeyError, TypeError, ValueError) as error:
        store.drop(directory, str(error))
        return None


def _check_shapes(compiled: CompiledTrialBatch, state: Any) -> None:
    """Raise ValueError unless the state is as `init` returns it."""
    expected = jax.tree.leaves(compiled.programs.init.out_info)
    for leaf, info in zip(jax.tree.leaves(state), expected, strict=True):
        if (leaf.shape, leaf.dtype) != (info.shape, info.dtype):
            raise ValueError(
                f"expected {info.dtype} {info.shape}, got {leaf.dtype} {leaf.shape}"
            )
