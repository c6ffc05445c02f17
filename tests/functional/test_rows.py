"""Hardmax, sparsemax, Gumbel draws, standardize and maxout, by what defines them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_acts import gumbel_softmax, hardmax, maxout, softmax, sparsemax, standardize
from tests.conftest import quickly
from tests.functional.conftest import rows

INF = np.inf
KEY = jax.random.key(0)
axes = pytest.mark.parametrize("axis", [-1, 0, None])


def test_hardmax_is_1_at_the_first_maximum_alone():
    x = jnp.array([[1.0, 3.0, 3.0], [-INF, -INF, -INF]])
    np.testing.assert_array_equal(hardmax(x), [[0, 1, 0], [1, 0, 0]])
    np.testing.assert_array_equal(hardmax(x, None), [[0, 1, 0], [0, 0, 0]])
    np.testing.assert_array_equal(
        jax.grad(lambda x: hardmax(x).sum())(x), jnp.zeros((2, 3))
    )


@axes
def test_hardmax_may_have_the_derivatives_of_softmax(axis):
    x = jnp.asarray(rows(3, 4, 1, np.float32))
    hard = lambda x: hardmax(x, axis, straight_through=True)
    soft = lambda x: softmax(x, axis)
    np.testing.assert_array_equal(hard(x), hardmax(x, axis))
    both = quickly(lambda x: [jax.vjp(f, x)[1](x)[0] for f in (hard, soft)])
    np.testing.assert_allclose(*both(x), rtol=1e-6, atol=1e-8)


def test_a_row_of_infinities_has_the_same_hardmax_straight_through():
    empty = jnp.full(3, -INF)
    np.testing.assert_array_equal(hardmax(empty, straight_through=True), hardmax(empty))


@pytest.mark.parametrize("scale", [1e-4, 0.1, 1, 100])
def test_sparsemax_is_the_nearest_distribution(scale):
    for n in (1, 2, 10, 3000):
        x = rows(20, n, scale, np.float32)
        got = np.asarray(sparsemax(x), np.float64)
        # tau is found again by bisection.
        low, high = x.max(-1) - 1.0, x.max(-1).astype(np.float64)
        for _ in range(100):
            tau = (low + high) / 2
            over = np.maximum(x - tau[:, None], 0).sum(-1) > 1
            low, high = np.where(over, tau, low), np.where(over, high, tau)
        # All is to the last place of 1, which is the width of what counts.
        np.testing.assert_allclose(got, np.maximum(x - tau[:, None], 0), atol=3e-7)
        np.testing.assert_allclose(got.sum(-1), 1, atol=3e-7 * np.sqrt(n))


def test_sparsemax_moves_within_its_support_only():
    x = jnp.array([0.0, 1.0, 1.5, -3.0])
    jacobian = [[0, 0, 0, 0], [0, 0.5, -0.5, 0], [0, -0.5, 0.5, 0], [0, 0, 0, 0]]
    for jac in (jax.jacfwd, jax.jacrev):
        np.testing.assert_array_equal(jac(sparsemax)(x), jacobian)
    np.testing.assert_array_equal(sparsemax(jnp.full(3, -INF)), jnp.zeros(3))


def test_gumbel_softmax_draws_from_the_distribution():
    x = jnp.array([0.0, 1.0, -1.0, 2.0])
    keys = jax.random.split(KEY, 20_000)
    draws = jax.vmap(lambda key: gumbel_softmax(x, key, hard=True))(keys)
    np.testing.assert_array_equal(draws.sum(-1), jnp.ones(20_000))
    # The standard error of a frequency is at most 1 / sqrt(4 · 20000).
    np.testing.assert_allclose(draws.mean(0), softmax(x), atol=4 * 0.0036)
    soft = gumbel_softmax(x, KEY, tau=0.01)
    hard = gumbel_softmax(x, KEY, tau=0.01, hard=True)
    np.testing.assert_allclose(soft, hard, atol=1e-3)


@axes
def test_a_hard_draw_has_the_derivative_of_the_soft_one(axis):
    x = jnp.asarray(rows(3, 4, 1, np.float32))

    def slopes(x, hard):
        drawn = lambda x, tau: gumbel_softmax(x, KEY, tau, hard, axis)[0, :2].sum()
        return jax.grad(drawn, argnums=(0, 1))(x, 0.7)

    both = quickly(lambda x: [slopes(x, hard) for hard in (False, True)])
    jax.tree.map(np.testing.assert_array_equal, *both(x))


def test_standardize_does_not_lose_the_variance_of_a_distant_row():
    x = jnp.array([1e4 + 1, 1e4 + 2, 1e4 + 3])
    want = np.array([-1, 0, 1]) / np.sqrt(2 / 3 + 1e-5)
    np.testing.assert_allclose(standardize(x), want, rtol=1e-6)
    np.testing.assert_allclose(
        standardize(x, mean=10002.0, variance=2 / 3), want, rtol=1e-6
    )
    with pytest.raises(ValueError, match="not 'slow'"):
        standardize(x, algorithm="slow")


def test_maxout_takes_the_greatest_of_each_place():
    x = jnp.asarray(rows(4, 6, 1, np.float32))
    parts = x[:, :2], x[:, 2:4], x[:, 4:]
    want = jnp.maximum(jnp.maximum(*parts[:2]), parts[2])
    np.testing.assert_array_equal(maxout(x, pieces=3), want)
    np.testing.assert_array_equal(maxout(x.T, 0, pieces=3), want.T)
    with pytest.raises(ValueError, match="has size 6, which does not divide into 4"):
        maxout(x, pieces=4)
