from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jax_acts.experiments.models import MLP
from jax_acts.experiments.train.layer_metrics import hidden, log10_norms
from jax_acts.experiments.train.loop import Problem, fit

pytestmark = pytest.mark.usefixtures("quickly_compiled")

SLOPE = jnp.array([2.0, -1.0])


def draw(key):
    x = jax.random.normal(key, (8, 2))
    return x, x @ SLOPE


LINE = Problem(
    lambda key: jax.random.normal(key, (2,)),
    draw,
    lambda params, batch: ((batch[0] @ params - batch[1]) ** 2).mean(),
    lambda params: jnp.abs(params - SLOPE).max(),
)


def trained(key, rate=0.1, steps=60, parts=3):
    return fit(LINE, optax.sgd(rate), key, steps=steps, parts=parts)


def test_a_training_learns_and_is_measured_before_and_after_each_part():
    found = trained(jax.random.key(0))
    assert found.losses.shape == (3,)
    assert found.scores.shape == (4,)
    begin, _ = jax.random.split(jax.random.key(0))
    np.testing.assert_array_equal(found.scores[0], LINE.score(LINE.start(begin)))
    assert found.scores[-1] < 1e-2 < found.scores[0]
    assert (jnp.diff(found.losses) < 0).all()
    assert found.finite


def test_the_steps_are_those_of_a_plain_loop():
    key = jax.random.key(3)
    begin, order = jax.random.split(key)
    params, losses = LINE.start(begin), []
    for n in range(6):
        batch = draw(jax.random.fold_in(order, n))
        value, gradient = jax.value_and_grad(LINE.loss)(params, batch)
        params, losses = params - 0.1 * gradient, [*losses, value]
    found = trained(key, steps=6, parts=2)
    # A loop that is compiled may fuse the products and the sums.
    np.testing.assert_allclose(found.params, params, rtol=1e-5)
    expected = jnp.array(losses).reshape(2, 3).mean(1)
    np.testing.assert_allclose(found.losses, expected, rtol=1e-5)


def test_a_training_that_overflows_says_so_and_leaves_its_neighbours():
    keys, rates = jax.random.split(jax.random.key(0), 2), jnp.array([0.1, 1e9])
    found = jax.vmap(trained)(keys, rates)
    assert jax.vmap(lambda fit: fit.finite)(found).tolist() == [True, False]
    assert found.scores[0, -1] < 1e-2


def test_parts_that_are_not_equally_long_are_refused():
    with pytest.raises(ValueError, match="60 steps do not divide into 7"):
        trained(jax.random.key(0), parts=7)


@pytest.mark.slow
def test_the_measures_by_layer_are_those_of_the_definition():
    x = jax.random.normal(jax.random.key(0), (9, 3))
    model = MLP("relu", 3, 4, 2)
    params = jax.jit(model.init)(jax.random.key(1), x)["params"]
    params["layers"]["dense"]["bias"] = jnp.zeros((2, 4)).at[1, 2].set(-99.0)
    found = jax.jit(partial(hidden, model))(params, x)
    assert found.dead.shape == found.rms.shape == (3,)
    assert found.dead[2] >= 0.25
    first = params["first"]["dense"]
    z = x @ first["kernel"] + first["bias"]
    np.testing.assert_allclose(found.rms[0], jnp.sqrt((z**2).mean()), rtol=1e-5)
    assert found.dead[0] == (z <= 0).all(0).mean()
    gradient = jax.jit(jax.grad(lambda p: model.apply({"params": p}, x).sum()))(params)
    norms = log10_norms(gradient)
    assert norms.shape == (4,)
    kernel = np.asarray(gradient["layers"]["dense"]["kernel"])[0]
    np.testing.assert_allclose(norms[1], np.log10(np.linalg.norm(kernel)), atol=1e-5)
