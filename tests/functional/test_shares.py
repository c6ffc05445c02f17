"""Taylor softmax and softpick."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_acts import softpick, taylor_softmax

INF = np.inf
X = np.random.default_rng(0).normal(size=(4, 6)).astype(np.float32)
BOTH = pytest.mark.parametrize("function", [taylor_softmax, softpick])


def formula(function, x):
    """Returns the formula as it is written, in float64."""
    x = np.asarray(x, np.float64)
    if function is taylor_softmax:
        t = 1 + x + x * x / 2
        return t / t.sum(-1, keepdims=True)
    t = np.expm1(x)
    return np.maximum(t, 0) / (np.abs(t).sum(-1, keepdims=True) + 1e-6)


@BOTH
def test_values_are_those_of_the_formula(function):
    for scale in (1e-3, 1.0, 20.0):
        x = jnp.asarray(scale * X)
        # A sum, a reciprocal, a product and exponentials are each rounded.
        np.testing.assert_allclose(function(x), formula(function, x), rtol=2e-6)


@BOTH
def test_no_logit_is_too_large(function):
    x = jnp.array([[3e38, 1.0, -2.0], [INF, 0, INF]])
    y, pull = jax.vjp(function, x)
    np.testing.assert_allclose(y, [[1, 0, 0], [0.5, 0, 0.5]], atol=1e-30)
    assert jnp.isfinite(pull(jnp.ones_like(y))[0]).all()


@BOTH
def test_what_is_masked_does_not_count(function):
    where = jnp.asarray(X > -0.5).at[0].set(False)
    dirty = jnp.where(where, X, jnp.nan)
    y, pull = jax.vjp(lambda x: function(x, where=where), dirty)
    (g,) = pull(jnp.ones_like(y))
    assert (y[~where] == 0).all()
    assert (g[~where] == 0).all()
    np.testing.assert_allclose(y[1][where[1]], function(X[1][where[1]]), rtol=2e-6)
    assert jnp.isnan(function(dirty)[0]).all()


@BOTH
def test_16_bit_rows_are_computed_in_float32_and_rounded_once(function):
    x = jnp.asarray(X, jnp.bfloat16)
    want = function(x.astype(jnp.float32)).astype(jnp.bfloat16)
    np.testing.assert_array_equal(function(x), want)
    kept = [a for a in jax.tree.leaves(jax.vjp(function, x)[1]) if a.ndim]
    assert [a.dtype for a in kept] == [jnp.bfloat16]


def test_softpick_is_0_where_a_logit_is_not_positive():
    y = softpick(jnp.array([-INF, -1.0, 0.0, 1e-6]))
    assert (y[:3] == 0).all()
    assert y[3] > 0
