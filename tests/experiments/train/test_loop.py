"""The functions of one run: initialize, advance over any range of steps, evaluate."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_acts.experiments.config.errors import ConfigError
from jax_acts.experiments.config.schema import (
    AdamConfig,
    SGDConfig,
    TrainingConfig,
)
from jax_acts.experiments.train.classification import make_sampler
from jax_acts.experiments.train.loop import (
    EpochSampler,
    Schedule,
    Task,
    make_functions,
    make_schedule,
)

SLOPE = jnp.array([2.0, -1.0])


def draw(key):
    x = jax.random.normal(key, (8, 2))
    return x, x @ SLOPE


LINE = Task(
    lambda key: jax.random.normal(key, (2,)),
    draw,
    lambda params, batch: ((batch[0] @ params - batch[1]) ** 2).mean(),
    lambda params: {"distance": jnp.abs(params - SLOPE).max()},
)


def config(steps=60, num_evals=3, rate=0.1, **options) -> TrainingConfig:
    optimizer = SGDConfig(learning_rate=rate, momentum=0.0)
    return TrainingConfig(
        steps=steps,
        num_evals=num_evals,
        schedule="constant",
        optimizer=optimizer,
        **options,
    )


def train(key, training=None, task=LINE, stops=None):
    training = training or config()
    schedule = make_schedule(training, 8)
    functions = make_functions(task, training, schedule)
    state, start = jax.jit(functions.init)(key), 0
    advance = jax.jit(functions.advance)
    for stop in stops or schedule.eval_steps[1:]:
        state = advance(key, state, start, stop)
        start = stop
    return state, functions


def test_a_run_learns_and_records_a_mean_loss_per_interval():
    state, functions = train(jax.random.key(0))
    assert state.loss_sums.shape == (3,)
    assert (jnp.diff(state.loss_sums) < 0).all()
    metrics, finite = functions.evaluate(state)
    assert metrics["distance"] < 1e-2
    assert finite


def test_the_steps_are_those_of_a_plain_loop():
    key = jax.random.key(3)
    begin, order = jax.random.split(key)
    params, losses = LINE.init(begin), []
    for n in range(6):
        batch = draw(jax.random.fold_in(order, n))
        value, gradient = jax.value_and_grad(LINE.loss)(params, batch)
        params, losses = params - 0.1 * gradient, [*losses, value]
    state, _ = train(key, config(steps=6, num_evals=2))
    # A compiled loop may fuse products and sums.
    np.testing.assert_allclose(state.params, params, rtol=1e-5)
    expected = jnp.array(losses).reshape(2, 3).sum(1)
    np.testing.assert_allclose(state.loss_sums, expected, rtol=1e-5)


@pytest.mark.parametrize("epochs", [False, True])
def test_the_ranges_of_steps_change_no_bit(epochs):
    task, training = LINE, config()
    if epochs:
        x = jax.random.normal(jax.random.key(1), (8, 2))
        training = TrainingConfig(epochs=5, batch_size=3)
        sampler = make_sampler(8, training, lambda index: (x[index], x[index] @ SLOPE))
        task = LINE._replace(sampler=sampler)
    total = make_schedule(training, 8).total_steps
    whole, _ = train(jax.random.key(0), training, task, [total])
    for stops in ([1, 2, 7, total], [5, total]):
        parts, _ = train(jax.random.key(0), training, task, stops)
        jax.tree.map(np.testing.assert_array_equal, parts, whole)


def test_an_epoch_has_every_example_once():
    training = TrainingConfig(epochs=3, batch_size=2)
    sampler = make_sampler(7, training, lambda index: index)
    assert isinstance(sampler, EpochSampler)
    assert sampler.num_steps == 3
    epochs = []
    for n in range(2):
        order = sampler.shuffle(jax.random.key(n))
        batches = [sampler.batch(order, jnp.int32(step)) for step in range(3)]
        epochs.append(jnp.concatenate(batches).tolist())
        assert len(set(epochs[-1])) == 6, "the seventh fills no batch"
    assert epochs[0] != epochs[1]


def test_a_run_in_epochs_sees_its_examples_in_shuffled_epochs():
    """The loss is linear in the indices of the batch, so the sums show which."""
    training = TrainingConfig(epochs=4, batch_size=3)
    sampler = make_sampler(9, training, lambda index: index)
    task = LINE._replace(
        sampler=sampler, loss=lambda params, index: 0.0 * params[0] + index.sum()
    )
    schedule = make_schedule(training, 9)
    assert schedule == Schedule(12, (0, 3, 6, 9, 12), 12)
    functions = make_functions(task, training, schedule)
    key = jax.random.key(0)
    state = functions.advance(key, functions.init(key), jnp.int32(0), jnp.int32(12))
    sums = np.asarray(state.loss_sums).reshape(4, 3)
    assert (sums.sum(1) == sum(range(9))).all()
    assert len(np.unique(sums, axis=0)) > 1


@pytest.mark.parametrize(("total", "intervals"), [(12, 3), (13, 5), (7, 7), (61, 60)])
def test_loss_intervals_are_those_of_array_split(total, intervals):
    schedule = Schedule(total, (0, total), intervals)
    parts = np.array_split(np.arange(total), intervals)
    assert schedule.loss_lengths.tolist() == [len(part) for part in parts]
    expected = [n for n, part in enumerate(parts) for _ in part]
    assert schedule.loss_interval(jnp.arange(total)).tolist() == expected


def test_an_overflow_is_reported_and_leaves_the_neighbors_of_a_vmap():
    keys, rates = jax.random.split(jax.random.key(0), 2), jnp.array([0.1, 1e9])

    def run(key, rate):
        task = LINE._replace(learning_rate=rate)
        functions = make_functions(task, config(), make_schedule(config()))
        state = functions.advance(key, functions.init(key), 0, 60)
        return functions.evaluate(state)

    metrics, finite = jax.jit(jax.vmap(run))(keys, rates)
    assert finite.tolist() == [True, False]
    assert metrics["distance"][0] < 1e-2


def test_a_clipped_gradient_has_at_most_the_norm():
    steep = LINE._replace(loss=lambda params, batch: 1e3 * params.sum())
    training = config(steps=1, num_evals=1, clip_norm=1.0)
    key = jax.random.key(0)
    state, functions = train(key, training, steep)
    step = state.params - functions.init(key).params
    np.testing.assert_allclose(jnp.linalg.norm(step), 0.1, rtol=1e-5)


def test_the_cosine_schedule_ends_at_zero():
    training = TrainingConfig(steps=50, num_evals=1, optimizer=AdamConfig())
    frozen = partial(train, jax.random.key(0), training)
    last = frozen(stops=[49])[0].params - frozen(stops=[50])[0].params
    first = frozen(stops=[1])[0].params - frozen(stops=[2])[0].params
    assert jnp.abs(last).max() < 0.01 * jnp.abs(first).max()


def test_epochs_of_generated_examples_are_refused():
    with pytest.raises(ConfigError, match=r"expected training\.steps"):
        make_schedule(TrainingConfig(epochs=2))
