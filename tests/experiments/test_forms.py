import jax
import jax.numpy as jnp
import pytest

from experiments.activation_forms import (
    APIS,
    FORMS,
    Weights,
    compiled,
    programs,
    same,
    timed,
)

WEIGHTS = Weights(jax.random.normal(jax.random.key(0), (4, 4)), jnp.ones(4))
X = jax.random.normal(jax.random.key(1), (3, 4))


def test_there_are_three_forms_in_both_apis():
    assert [*programs("gelu")] == [(api, form) for api in APIS for form in FORMS]


@pytest.mark.parametrize("form", programs("gelu"), ids="-".join)
def test_every_form_computes_the_activation_of_the_linear_map(form):
    y, (weights, x) = programs("relu")[form](WEIGHTS, X)
    z = X @ WEIGHTS.kernel + WEIGHTS.bias
    assert jnp.allclose(y, jnp.maximum(z, 0), atol=1e-6)
    assert jnp.allclose(weights.bias, (z > 0).sum(0))
    assert jnp.allclose(x, (z > 0) @ WEIGHTS.kernel.T, atol=1e-6)


def test_programs_that_differ_are_told_apart_and_places_in_the_sources_are_not():
    relu, tanh = (programs(name)["linen", "function"] for name in ("relu", "tanh"))
    again = lambda weights, x: relu(weights, x)
    first, second, other = (compiled(p, WEIGHTS, X) for p in (relu, again, tanh))
    assert first.instructions == second.instructions
    assert first.instructions != other.instructions
    assert same(first.run(WEIGHTS, X), second.run(WEIGHTS, X))
    assert not same(first.run(WEIGHTS, X), other.run(WEIGHTS, X))


def test_a_change_of_one_bit_is_seen():
    assert same(X, X + 0)
    assert not same(X, jnp.nextafter(X, X + 1))
    assert not same(jnp.zeros(1), -jnp.zeros(1))


def test_a_program_that_does_more_takes_longer():
    slow = lambda weights, x: (jax.block_until_ready(x @ x.T @ x @ x.T) + 0, None)
    quick = lambda weights, x: (x, None)
    found = timed({"slow": slow, "quick": quick}, WEIGHTS, X, rounds=3, each=2)
    assert found["slow"] > found["quick"] > 0
