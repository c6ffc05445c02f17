"""Train time per run by the layout of its trial batch: `python -m benchmarks sweep`.

Runs differ in the slope of a leaky relu and in their seeds. Each layout trains the same
runs, after compilation and in turns; the fastest turn counts.

    one call per run    trial batches of one run
    fori_loop           one trial batch, whose runs are trained in a loop
    lax.map             the same by `jax.lax.map`, which knows the number of runs
    vmap × n            the loop with n runs per `vmap`; all of them use one device

Trial batches are divided among the devices, which are the cores of a CPU. The times go
into docs/performance.md, by `python -m benchmarks pages`.
"""

import time
from collections.abc import Callable
from typing import Annotated, Any, NamedTuple
from unittest.mock import patch

import jax
import typer
from jax.sharding import Mesh
from rich.progress import track

from benchmarks.results import store
from experiments.parameter_sweep import STUDY, Config, Sweep
from jax_acts.experiments.config.schema import (
    DataConfig,
    TrainingConfig,
    TrialBatch,
)
from jax_acts.experiments.runtime import devices
from jax_acts.experiments.study import BatchedTrainer, RunSpec
from jax_acts.experiments.train import vectorized
from jax_acts.experiments.train.vectorized import REPLICATED, SPLIT, over_runs

SIZES = ((16, 16), (64, 64), (100, 100), (256, 64))
"""Widths of the hidden layers, and batches."""


class Way(NamedTuple):
    """How the runs of a trial batch are divided."""

    trial_batch: TrialBatch
    over: Callable[..., Any] = over_runs
    """Return the program of a trial batch from that of a run."""


def map_runs(function: Callable[..., Any], *, mesh: Mesh, **_: Any) -> Any:
    """Return the program of a trial batch by `lax.map`; see `vectorized.over_runs`."""

    def on_device(counts: Any, numbers: Any, state: Any, shared: Any) -> Any:
        own = jax.tree.map(lambda x: x[:, 0], (numbers, state))
        result = jax.lax.map(lambda own: function(*own, *shared), own)
        return jax.tree.map(lambda x: x[:, None], result)

    return jax.shard_map(
        on_device,
        mesh=mesh,
        in_specs=(SPLIT, SPLIT, SPLIT, REPLICATED),
        out_specs=SPLIT,
        check_vma=False,
    )


def main(
    runs: Annotated[int, typer.Option(min=4, help="A multiple of 4.")] = 32,
    steps: int = 300,
    turns: int = 3,
    data: Annotated[str, typer.Option(help="A dataset of the experiments.")] = "digits",
) -> None:
    """Print the train time per run, and store it."""
    devices.configure_cpu_devices(devices.available_cores())
    ways = {
        "one call per run": Way(TrialBatch(size=1)),
        "fori_loop": Way(TrialBatch(size=runs)),
        "lax.map": Way(TrialBatch(size=runs), map_runs),
        "vmap × 4": Way(TrialBatch(size=runs, vmap_width=4)),
        f"vmap × {runs}": Way(TrialBatch(size=runs, vmap_width=runs)),
    }
    rows = {
        f"{width}, {batch}": measure(
            ways, make_config(runs, steps, width, batch, data), turns
        )
        for width, batch in track(SIZES, "sweep")
    }
    store("sweep", runs=runs, steps=steps, data=data, seconds=rows)
    for size, times in rows.items():
        cells = [f"{w}: {1e3 * a:.1f} ms ({b:.1f} s)" for w, (a, b) in times.items()]
        print(f"{size:10}{', '.join(cells)}")


def make_config(runs: int, steps: int, width: int, batch: int, data: str) -> Config:
    """Return a sweep of four slopes."""
    slopes = (0.0, 0.1, 0.3, 0.5)
    slope = Sweep(activation="leaky_relu", argument="negative_slope", values=slopes)
    return Config(
        study="parameter_sweep",
        name="ways",
        sweeps=(slope,),
        data=DataConfig(name=data),
        width=width,
        seeds=runs // len(slopes),
        training=TrainingConfig(steps=steps, num_evals=1, batch_size=batch),
    )


def measure(
    ways: dict[str, Way], config: Config, turns: int
) -> dict[str, tuple[float, float]]:
    """Return the train time per run and the compile time of each way, in seconds."""
    runs = STUDY.runs(config)
    trainers: list[BatchedTrainer] = []
    compile_seconds: list[float] = []
    for trial_batch, over in ways.values():
        update = {"trial_batch": trial_batch}
        trainer = STUDY.prepare(config.model_copy(update=update)).trainer
        trainers.append(trainer)
        with patch.object(vectorized, "over_runs", over):  # compiles once, here
            first, *_ = trainer.train(trainer.batches(runs)[0], _ignore, None)
        compile_seconds.append(first.compile_seconds)
    seconds = [[_turn(trainer, runs) for trainer in trainers] for _ in range(turns)]
    least = [min(turn) / len(runs) for turn in zip(*seconds, strict=True)]
    return dict(zip(ways, zip(least, compile_seconds, strict=True), strict=True))


def _turn(trainer: BatchedTrainer, runs: tuple[RunSpec, ...]) -> float:
    begin = time.perf_counter()
    for batch in trainer.batches(runs):
        trainer.train(batch, _ignore, None)
    return time.perf_counter() - begin


def _ignore(step: int, total_steps: int, loss: float | None) -> None:
    """Report no progress."""


if __name__ == "__main__":
    typer.run(main)
