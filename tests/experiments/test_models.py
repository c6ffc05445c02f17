import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.models import CNN


@pytest.mark.parametrize("pool", ["average", "stride"])
def test_the_linear_control_is_linear(pool):
    model = CNN("identity", (3, 4, 5), 10, pool)
    x, y = jax.random.normal(jax.random.key(0), (2, 4, 12, 12, 1))
    variables = jax.jit(model.init)(jax.random.key(1), x)
    apply = jax.jit(lambda x: model.apply(variables, x))
    linear = lambda x: apply(x) - apply(jnp.zeros_like(x))
    np.testing.assert_allclose(
        linear(2 * x - 3 * y),
        2 * linear(x) - 3 * linear(y),
        atol=1e-5,  # sums of some hundred float32 products of order 1
    )


def test_with_an_activation_the_network_is_not_linear():
    model = CNN("relu", (3, 4, 5), 10)
    x = jax.random.normal(jax.random.key(0), (4, 12, 12, 1))
    variables = jax.jit(model.init)(jax.random.key(1), x)
    apply = jax.jit(lambda x: model.apply(variables, x))
    zero = apply(jnp.zeros_like(x))
    assert np.allclose(apply(2 * x), 2 * apply(x) - zero, atol=1e-5)  # homogeneous
    assert not np.allclose(apply(-x), 2 * zero - apply(x), atol=1e-2)  # and not odd


def test_all_activations_start_from_the_same_weights():
    x = jnp.ones((1, 8, 8, 1))
    relu, tanh = (
        jax.jit(CNN(name, (2, 2), 10).init)(jax.random.key(0), x)["params"]
        for name in ("relu", "tanh")
    )
    jax.tree.map(np.testing.assert_array_equal, relu, tanh)
