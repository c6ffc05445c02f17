"""Normalization along an axis, and nonexponential softmax variants."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_acts import (
    l1_normalize,
    l2_normalize,
    softpick,
    standardize,
    taylor_softmax,
)
from tests.functional.conftest import random_vectors

INF = np.inf
every_norm = pytest.mark.parametrize(
    ("order", "function"), [(1, l1_normalize), (2, l2_normalize)]
)
every_softmax_variant = pytest.mark.parametrize("function", [taylor_softmax, softpick])
X = random_vectors(4, 6, 1, np.float32)


@every_norm
def test_norms_neither_overflow_nor_underflow(order, function):
    for scale in (1e-30, 1e-3, 1.0, 1e20, 1e38):
        x = X * np.float32(scale)
        wide = x.astype(np.float64)
        want = wide / np.linalg.norm(wide, order, -1, keepdims=True)
        # Roundings: the sum, the square root, the reciprocal and the product.
        np.testing.assert_allclose(function(jnp.asarray(x)), want, rtol=4e-7)


@every_norm
def test_norms_of_zero_infinite_masked_and_nan_vectors(order, function):
    x = jnp.array([[0.0, 0, 0], [INF, 1, 0], [jnp.nan, 1, 0], [3.0, 4, jnp.nan]])
    where = jnp.ones(x.shape, bool).at[3, 2].set(False)
    y, pull = jax.vjp(lambda x: function(x, where=where), x)
    last = {1: [3 / 7, 4 / 7, 0], 2: [0.6, 0.8, 0]}[order]
    want = jnp.array([[0, 0, 0], [1, 0, 0], [jnp.nan] * 3, last])
    np.testing.assert_allclose(y, want, rtol=2e-7)
    (g,) = pull(jnp.ones_like(y))
    assert jnp.isfinite(g[jnp.array([1, 3])]).all()
    assert g[3, 2] == 0


@every_norm
def test_norms_of_16_bit_inputs_are_rounded_once(order, function):
    for dtype in (jnp.bfloat16, jnp.float16):
        x = jnp.asarray(X, dtype)
        want = function(x.astype(jnp.float32)).astype(dtype)
        np.testing.assert_array_equal(function(x), want)


def test_standardize_does_not_cancel_for_a_large_mean():
    x = jnp.array([1e4 + 1, 1e4 + 2, 1e4 + 3])
    want = np.array([-1, 0, 1]) / np.sqrt(2 / 3 + 1e-5)
    np.testing.assert_allclose(standardize(x), want, rtol=1e-6)
    got = standardize(x, mean=10002.0, variance=2 / 3)
    np.testing.assert_allclose(got, want, rtol=1e-6)
    with pytest.raises(ValueError, match=r"'stable' or 'fast'.* 'slow'"):
        standardize(x, algorithm="slow")


def formula(function, x):
    """Return the textbook formula in float64."""
    x = np.asarray(x, np.float64)
    if function is taylor_softmax:
        t = 1 + x + x * x / 2
        return t / t.sum(-1, keepdims=True)
    t = np.expm1(x)
    return np.maximum(t, 0) / (np.abs(t).sum(-1, keepdims=True) + 1e-6)


@every_softmax_variant
def test_values_match_the_formula(function):
    for scale in (1e-3, 1.0, 20.0):
        x = jnp.asarray(scale * X)
        # Roundings: the exponentials, the sum, the reciprocal and the product.
        np.testing.assert_allclose(function(x), formula(function, x), rtol=2e-6)


@every_softmax_variant
def test_large_and_infinite_logits_do_not_overflow(function):
    x = jnp.array([[3e38, 1.0, -2.0], [INF, 0, INF]])
    y, pull = jax.vjp(function, x)
    np.testing.assert_allclose(y, [[1, 0, 0], [0.5, 0, 0.5]], atol=1e-30)
    assert jnp.isfinite(pull(jnp.ones_like(y))[0]).all()


@every_softmax_variant
def test_masked_entries_are_excluded(function):
    where = jnp.asarray(X > -0.5).at[0].set(False)
    masked_by_nan = jnp.where(where, X, jnp.nan)
    y, pull = jax.vjp(lambda x: function(x, where=where), masked_by_nan)
    (g,) = pull(jnp.ones_like(y))
    assert (y[~where] == 0).all()
    assert (g[~where] == 0).all()
    np.testing.assert_allclose(y[1][where[1]], function(X[1][where[1]]), rtol=2e-6)
    assert jnp.isnan(function(masked_by_nan)[0]).all()


@every_softmax_variant
def test_16_bit_inputs_are_rounded_once_and_are_the_residual(function):
    x = jnp.asarray(X, jnp.bfloat16)
    want = function(x.astype(jnp.float32)).astype(jnp.bfloat16)
    np.testing.assert_array_equal(function(x), want)
    residuals = [a for a in jax.tree.leaves(jax.vjp(function, x)[1]) if a.ndim]
    assert [a.dtype for a in residuals] == [jnp.bfloat16]


def test_softpick_is_0_for_nonpositive_logits():
    y = softpick(jnp.array([-INF, -1.0, 0.0, 1e-6]))
    assert (y[:3] == 0).all()
    assert y[3] > 0
