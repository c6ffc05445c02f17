"""A study that trains one number with JAX: real programs, compiled in a moment."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp

from jax_acts.experiments.config.schema import StudyConfig, TrainingConfig, TrialBatch
from jax_acts.experiments.study import PreparedStudy, RunSpec, Study, Value, grid
from jax_acts.experiments.train.loop import Task
from jax_acts.experiments.train.trial import MakeTask, Trial, prepare_trial

LOSSES = {"square": jnp.square, "abs": jnp.abs}


class Config(StudyConfig):
    study: str = "line"
    name: str = "line"
    losses: tuple[str, ...] = ("square", "abs")
    seeds: int = 5
    training: TrainingConfig = TrainingConfig(steps=20, num_evals=2)
    trial_batch: TrialBatch = TrialBatch(size=2)


def make_task(fixed: Mapping[str, Value]) -> MakeTask:
    loss = LOSSES[str(fixed["loss"])]
    return lambda numbers, data: Task(
        init=jax.random.normal,
        sampler=lambda key: data + jax.random.normal(key),
        loss=lambda x, goal: loss(x - goal),
        metrics=lambda x: {"x": x},
    )


def prepare(config: Config) -> PreparedStudy:
    trial = Trial("a number is trained", jnp.float32(1.0), make_task)
    return prepare_trial(trial, config.training, config.trial_batch)


def list_runs(config: Config) -> tuple[RunSpec, ...]:
    return grid(loss=config.losses, seed=range(config.seeds))


STUDY = Study(
    "line",
    "Where does the number end?",
    Config,
    list_runs,
    prepare,
    lambda config, records: None,
)
