"""Training of one run: functions that initialize, advance and evaluate its state.

Each is compiled as a program of its own. `advance` has dynamic bounds, so one program
trains any range of steps, and the driver may stop anywhere to report progress, to
evaluate or to save a checkpoint without changing a bit of the result.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array

from jax_acts.experiments.config.errors import ConfigError, ConfigIssue
from jax_acts.experiments.config.schema import AdamConfig, TrainingConfig

Params = Any
Batch = Any
Metrics = dict[str, Array]


class EpochSampler(NamedTuple):
    """Batches without replacement: the examples are shuffled for each epoch."""

    num_steps: int
    """Steps of an epoch."""
    shuffle: Callable[[Array], Any]
    """Return the order of an epoch from its key."""
    batch: Callable[[Any, Array], Batch]
    """Return the batch at a step of the epoch from its order."""


class Task(NamedTuple):
    """What a run learns."""

    init: Callable[[Array], Params]
    """Return initial parameters from a key."""
    sampler: Callable[[Array], Batch] | EpochSampler
    """Return the batch of a step from a key, or the sampler of epochs."""
    loss: Callable[[Params, Batch], Array]
    metrics: Callable[[Params], Metrics]
    """Return the metrics of parameters: scalars, or one value per layer."""
    learning_rate: Any = None
    """Overrides that of the config; it may be traced."""


class TrainState(NamedTuple):
    """Everything that training changes."""

    params: Params
    opt_state: optax.OptState
    loss_sums: Array
    """Sum of the training losses, before their updates, in each loss interval."""


class Schedule(NamedTuple):
    """Length of the training, and where metrics and mean losses are recorded."""

    total_steps: int
    eval_steps: tuple[int, ...]
    """Steps completed at each evaluation: from 0 to `total_steps`."""
    num_losses: int
    """Number of loss intervals, whose lengths differ by at most one step."""

    @property
    def loss_lengths(self) -> np.ndarray:
        """Number of steps of each loss interval, longer ones first."""
        length, longer = divmod(self.total_steps, self.num_losses)
        return length + (np.arange(self.num_losses) < longer)

    def loss_interval(self, step: Array) -> Array:
        """Return the index of the loss interval of a step."""
        length, longer = divmod(self.total_steps, self.num_losses)
        start = longer * (length + 1)
        later = longer + (step - start) // length
        return jnp.where(step < start, step // (length + 1), later)


LOSSES_PER_RUN = 60
"""Maximum number of loss intervals of a training that is given in epochs."""


def make_schedule(training: TrainingConfig, num_train: int = 0) -> Schedule:
    """Return the schedule of a config on `num_train` examples.

    Raises:
        ConfigError: Its epochs have no step: the study generates its examples.
    """
    total, evals = training.num_steps(num_train), training.num_evals or 1
    if not total:
        message = "training.epochs: expected training.steps for generated examples"
        raise ConfigError(ConfigIssue("training.epochs", message))
    num_losses = min(LOSSES_PER_RUN, total) if training.epochs else evals
    eval_steps = tuple(n * total // evals for n in range(evals + 1))
    return Schedule(total, eval_steps, num_losses)


def make_optimizer(
    training: TrainingConfig, total_steps: int, learning_rate: Any = None
) -> optax.GradientTransformation:
    """Return the optimizer of a config, with another learning rate if one is given."""
    config = training.optimizer
    rate = config.learning_rate if learning_rate is None else learning_rate
    if training.schedule == "cosine":
        rate = optax.cosine_decay_schedule(rate, total_steps)
    update = (
        optax.adamw(rate, config.b1, config.b2, weight_decay=config.weight_decay)
        if isinstance(config, AdamConfig)
        else optax.sgd(rate, config.momentum)
    )
    if training.clip_norm is None:
        return update
    return optax.chain(optax.clip_by_global_norm(training.clip_norm), update)


class RunFunctions(NamedTuple):
    """The functions of one run, to be compiled."""

    init: Callable[[Array], TrainState]
    """Return the initial state from the key of the run."""
    advance: Callable[[Array, TrainState, Array, Array], TrainState]
    """Train steps start..stop - 1: `(key, state, start, stop)`."""
    evaluate: Callable[[TrainState], tuple[Metrics, Array]]
    """Return the metrics, and whether all losses and parameters are finite."""


def make_functions(
    task: Task, training: TrainingConfig, schedule: Schedule
) -> RunFunctions:
    """Return the functions of a run.

    Runs with equal keys have equal initial parameters and equal batches, whatever
    their activation.
    """
    optimizer = make_optimizer(training, schedule.total_steps, task.learning_rate)

    def init(key: Array) -> TrainState:
        params = task.init(jax.random.split(key)[0])
        return TrainState(
            params, optimizer.init(params), jnp.zeros(schedule.num_losses, jnp.float32)
        )

    def train_step(state: TrainState, step: Array, batch: Batch) -> TrainState:
        value, gradient = jax.value_and_grad(task.loss)(state.params, batch)
        updates, opt_state = optimizer.update(gradient, state.opt_state, state.params)
        loss = value.astype(state.loss_sums.dtype)
        sums = state.loss_sums.at[schedule.loss_interval(step)].add(loss)
        params = optax.apply_updates(state.params, updates)
        # With jax_enable_x64 float64 constants of a task would change the loop carry.
        cast = lambda new, old: jnp.asarray(new).astype(old.dtype)
        return jax.tree.map(cast, TrainState(params, opt_state, sums), state)

    def advance(key: Array, state: TrainState, start: Array, stop: Array) -> TrainState:
        order = jax.random.split(key)[1]
        sampler = task.sampler
        if not isinstance(sampler, EpochSampler):
            draw = lambda n: sampler(jax.random.fold_in(order, n))
            body = lambda n, state: train_step(state, n, draw(n))
            return jax.lax.fori_loop(start, stop, body, state)
        length = sampler.num_steps

        def epoch(n: Array, state: TrainState) -> TrainState:
            indices = sampler.shuffle(jax.random.fold_in(order, n))
            begin = n * length
            body = lambda n, s: train_step(s, n, sampler.batch(indices, n - begin))
            ends = jnp.maximum(start, begin), jnp.minimum(stop, begin + length)
            return jax.lax.fori_loop(*ends, body, state)

        return jax.lax.fori_loop(start // length, -(-stop // length), epoch, state)

    def evaluate(state: TrainState) -> tuple[Metrics, Array]:
        leaves = [state.loss_sums, *jax.tree.leaves(state.params)]
        finite = jnp.stack([jnp.isfinite(leaf).all() for leaf in leaves]).all()
        return task.metrics(state.params), finite

    return RunFunctions(init, advance, evaluate)
