"""Training as compiled programs: an epoch is one `lax.scan` over its steps."""

import math
import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array

from jax_acts.experiments.config.schema import Adam, Training
from jax_acts.experiments.datasets.registry import Images
from jax_acts.experiments.runtime import checkpoint
from jax_acts.experiments.runtime.checkpoint import Keep
from jax_acts.experiments.study import Tick
from jax_acts.experiments.train.metrics import Batch, Measures, Params, loss, measure


class Arrays(NamedTuple):
    """A data set on the device, as bytes: they become numbers in the step itself."""

    train: Batch
    test: Batch
    mean: float
    deviation: float

    def scaled(self, images: Array) -> Array:
        """Returns the images with mean 0 and deviation 1, or nearly so."""
        return (images.astype(jnp.float32) - self.mean) / self.deviation


class State(NamedTuple):
    """What a step of the training changes."""

    params: Params
    optimizer: optax.OptState


class Programs(NamedTuple):
    """The compiled programs of one network; each takes the arrays it works on."""

    start: Callable[[Array], State]
    epoch: Callable[[State, Array, Batch], tuple[State, Array]]
    """Trains on batches of indices; returns the new state and the losses."""
    measure: Callable[[Params, Batch, Batch], Measures]
    compile_seconds: float
    """The time to trace and compile `epoch`."""


class History(NamedTuple):
    """What a training leaves behind."""

    losses: np.ndarray
    """The loss of every step, before its update."""
    measures: list[Measures]
    """Those at the start and after each epoch."""
    step_seconds: float
    """The median over the epochs of the time of a step, compiling left out."""
    params: Params


def on_device(images: Images) -> Arrays:
    """Returns the data set on the default device."""
    pixels = images.train.images[:10_000]  # enough for two numbers
    return Arrays(
        Batch(*jax.device_put(tuple(images.train))),
        Batch(*jax.device_put(tuple(images.test))),
        float(pixels.mean()),
        float(pixels.std()) or 1.0,
    )


def optimizer(training: Training, steps: int) -> optax.GradientTransformation:
    """Returns the optimizer of the section, with its schedule over all the steps."""
    section = training.optimizer
    rate = (
        optax.cosine_decay_schedule(section.learning_rate, steps)
        if training.schedule == "cosine"
        else section.learning_rate
    )
    if isinstance(section, Adam):
        return optax.adamw(
            rate, section.b1, section.b2, weight_decay=section.weight_decay
        )
    return optax.sgd(rate, section.momentum)


def programs(model: Any, training: Training, arrays: Arrays) -> Programs:
    """Returns the compiled programs that start, train and measure a model."""
    transform = optimizer(training, steps(training, arrays) * training.epochs)

    # Not compiled as one: its parts are the same for all activations, and compile once.
    def start(key: Array) -> State:
        params = model.init(key, arrays.scaled(arrays.train.images[:1]))["params"]
        return State(params, transform.init(params))

    def step(state: State, indices: Array, *, train: Batch) -> tuple[State, Array]:
        batch = Batch(train.images[indices], train.labels[indices])
        value, gradient = jax.value_and_grad(loss, argnums=2)(
            model, arrays.scaled, state.params, batch
        )
        updates, optimizer = transform.update(gradient, state.optimizer, state.params)
        return State(optax.apply_updates(state.params, updates), optimizer), value

    def epoch(state: State, batches: Array, train: Batch) -> tuple[State, Array]:
        return jax.lax.scan(partial(step, train=train), state, batches)

    key = jax.random.key(0)
    inputs = jax.eval_shape(start, key), batches(key, 0, training, arrays), arrays.train
    begin = time.perf_counter()
    compiled = jax.jit(epoch, donate_argnums=0).lower(*inputs).compile()
    seconds = time.perf_counter() - begin
    return Programs(
        start, compiled, jax.jit(partial(measure, model, arrays.scaled)), seconds
    )


def steps(training: Training, arrays: Arrays) -> int:
    """Returns the steps of an epoch; images that do not fill a batch are left out."""
    return len(arrays.train.labels) // training.batch_size


def batches(key: Array, epoch: int, training: Training, arrays: Arrays) -> Array:
    """Returns which images are in which step, of shape `(steps, batch_size)`."""
    return _shuffled(
        key,
        epoch,
        len(arrays.train.labels),
        (steps(training, arrays), training.batch_size),
    )


# Apart from the epoch, as it is the same program for all activations: it compiles once.
@partial(jax.jit, static_argnums=(2, 3))
def _shuffled(key: Array, epoch: int, count: int, shape: tuple[int, int]) -> Array:
    order = jax.random.permutation(jax.random.fold_in(key, epoch), count)
    return order[: math.prod(shape)].reshape(shape)


def train(
    programs: Programs,
    training: Training,
    arrays: Arrays,
    key: Array,
    tick: Tick = lambda loss: None,
    keep: Keep | None = None,
) -> History:
    """Returns the history of a training; it stops early when the loss is not finite.

    Args:
        programs: The programs of the network.
        training: How to train; what the programs were compiled for.
        arrays: The data.
        key: It alone decides the start and the order of the batches.
        tick: Called after each epoch with its mean loss.
        keep: Where its state is kept on the way, and where it goes on from. An epoch
            is the same program and the same numbers, whether it was cut or not.
    """
    probe = Batch(arrays.train.images[:256], arrays.train.labels[:256])
    start, order = jax.random.split(key)
    state = programs.start(start)
    measured = [programs.measure(state.params, probe, arrays.test)]
    losses, seconds = [], []
    if keep and (found := checkpoint.latest(keep.folder)):
        state, losses, seconds, measured = _unpacked(found[1], state, measured[0])
        for values in losses:
            tick(float(values.mean()))
    for epoch in range(len(losses), training.epochs):
        jax.block_until_ready(measured[-1])
        begin = time.perf_counter()
        places = batches(order, epoch, training, arrays)
        state, values = programs.epoch(state, places, arrays.train)
        losses.append(np.asarray(values))
        seconds.append((time.perf_counter() - begin) / len(losses[-1]))
        measured.append(programs.measure(state.params, probe, arrays.test))
        tick(float(losses[-1].mean()))
        if not np.isfinite(losses[-1]).all():
            break
        if keep and (epoch + 1) % keep.every == 0:
            packed = _packed(state, losses, seconds, measured)
            checkpoint.save(keep.folder, epoch + 1, packed)
    return History(
        np.concatenate(losses),
        jax.device_get(measured),
        float(np.median(seconds)),
        state.params,
    )


def _packed(
    state: State,
    losses: list[np.ndarray],
    seconds: list[float],
    measured: list[Measures],
) -> dict[str, Any]:
    """Returns a training after some epochs as dicts of arrays."""
    named = lambda tree: {str(n): x for n, x in enumerate(jax.tree.leaves(tree))}
    return {
        "state": named(state),
        "losses": np.stack(losses),
        "seconds": np.array(seconds),
        "measured": named(jax.tree.map(lambda *x: np.stack(x), *measured)),
    }


def _unpacked(
    packed: dict[str, Any], state: State, measures: Measures
) -> tuple[State, list[np.ndarray], list[float], list[Measures]]:
    """Returns what was packed, in the trees of a state and of measures."""
    leaves = lambda name: [packed[name][str(n)] for n in range(len(packed[name]))]
    filled = lambda like, found: jax.tree.unflatten(jax.tree.structure(like), found)
    found = [np.asarray(leaf) for leaf in leaves("measured")]
    return (
        jax.device_put(filled(state, leaves("state"))),
        [*np.asarray(packed["losses"])],
        np.asarray(packed["seconds"]).tolist(),
        [filled(measures, [x[n] for x in found]) for n in range(len(found[0]))],
    )
