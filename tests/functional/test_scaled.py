"""Rows divided by their size, and rectified in both directions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_acts import crelu, l1_normalize, l2_normalize

INF = np.inf
ORDERS = pytest.mark.parametrize(
    ("order", "function"), [(1, l1_normalize), (2, l2_normalize)]
)
X = np.random.default_rng(0).normal(size=(4, 6)).astype(np.float32)


@ORDERS
def test_rows_of_any_size_are_divided_by_it(order, function):
    for size in (1e-30, 1e-3, 1.0, 1e20, 1e38):
        x = X * np.float32(size)
        wide = x.astype(np.float64)
        want = wide / np.linalg.norm(wide, order, -1, keepdims=True)
        # The sum, the root, the reciprocal and the product are each rounded.
        np.testing.assert_allclose(function(jnp.asarray(x)), want, rtol=4e-7)


@ORDERS
def test_empty_infinite_masked_and_nan_rows(order, function):
    x = jnp.array([[0.0, 0, 0], [INF, 1, 0], [jnp.nan, 1, 0], [3.0, 4, jnp.nan]])
    where = jnp.ones(x.shape, bool).at[3, 2].set(False)
    y, pull = jax.vjp(lambda x: function(x, where=where), x)
    last = {1: [3 / 7, 4 / 7, 0], 2: [0.6, 0.8, 0]}[order]
    want = jnp.array([[0, 0, 0], [1, 0, 0], [jnp.nan] * 3, last])
    np.testing.assert_allclose(y, want, rtol=2e-7)
    (g,) = pull(jnp.ones_like(y))
    assert jnp.isfinite(g[jnp.array([1, 3])]).all()
    assert g[3, 2] == 0


@ORDERS
def test_16_bit_rows_are_rounded_once(order, function):
    for dtype in (jnp.bfloat16, jnp.float16):
        x = jnp.asarray(X, dtype)
        want = function(x.astype(jnp.float32)).astype(dtype)
        np.testing.assert_array_equal(function(x), want)


def test_crelu_has_both_halves_along_the_axis():
    x = jnp.asarray(X)
    want = jnp.concatenate([jnp.maximum(x, 0), jnp.maximum(-x, 0)], 0)
    np.testing.assert_array_equal(crelu(x, axis=0), want)
    np.testing.assert_array_equal(jax.grad(lambda x: crelu(x).sum())(x), jnp.sign(x))
    assert jax.grad(lambda x: crelu(x).sum())(jnp.zeros(1)) == 0
    with pytest.raises(ValueError, match="crelu takes one axis"):
        crelu(x, axis=(0, 1))
    with pytest.raises(ValueError, match="x is a scalar"):
        crelu(x[0, 0])
