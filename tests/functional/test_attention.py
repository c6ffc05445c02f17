"""Softmax with a sink, and scalable softmax."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_acts import get, softmax, softmax1, softmax_sink, ssmax

INF = np.inf
X = jnp.asarray(3 * np.random.default_rng(0).normal(size=(4, 6)), jnp.float32)
WHERE = (X > -2).at[0].set(False)


def with_sink(x, s):
    """Returns softmax of x with a further entry s, which is then dropped."""
    whole = jnp.concatenate([x, jnp.broadcast_to(s, (*x.shape[:-1], 1))], -1)
    return softmax(whole)[..., :-1]


@pytest.mark.parametrize("sink", [0.0, -3.0, 50.0, -INF])
def test_a_sink_is_a_further_logit(sink):
    # Each of the two is right to a few of the last places.
    for x in (X, 100 * X, X - 90):
        got, want = softmax_sink(x, sink), with_sink(x, sink)
        np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-37)
    t = X[::-1]
    got = jax.vjp(lambda x: softmax_sink(x, sink), X)[1](t)[0]
    want = jax.vjp(lambda x: with_sink(x, sink), X)[1](t)[0]
    np.testing.assert_allclose(got, want, atol=2e-6)


def test_softmax1_has_the_sink_0():
    assert softmax1 is softmax_sink
    assert softmax1(jnp.zeros(3)).sum() == 0.75
    assert get("softmax1") == get("softmax_sink")


@pytest.mark.parametrize("function", [softmax_sink, ssmax])
def test_what_is_masked_does_not_count(function):
    dirty = jnp.where(WHERE, X, jnp.nan)
    g = lambda x, a: function(x, a, where=WHERE)
    y, pull = jax.vjp(g, dirty, 1.0)
    dx, da = pull(X)
    for array in (y, dx):
        np.testing.assert_array_equal(array[~WHERE], jnp.zeros(int((~WHERE).sum())))
        assert jnp.isfinite(array).all()
    assert jnp.isfinite(da)
    kept = X[1][WHERE[1]]
    np.testing.assert_allclose(y[1][WHERE[1]], function(kept, 1.0), rtol=1e-6)


@pytest.mark.parametrize("function", [softmax_sink, ssmax])
def test_infinite_and_nan_rows(function):
    x = jnp.array(
        [[INF, 0, INF], [-INF, -INF, -INF], [jnp.nan, 0, 1], [-INF, -INF, 99]]
    )
    y, pull = jax.vjp(function, x, 0.5)
    want = jnp.array([[0.5, 0, 0.5], [0, 0, 0], [jnp.nan] * 3, [0, 0, 1]])
    np.testing.assert_array_equal(y, want)
    dx, _ = pull(jnp.ones_like(y).at[2].set(0))
    assert jnp.isfinite(dx[jnp.array([0, 1, 3])]).all()
    np.testing.assert_array_equal(dx[1], jnp.zeros(3))
    tidy = jax.grad(lambda a: function(x[jnp.array([0, 1, 3])], a)[:, 0].sum())(0.5)
    assert jnp.isfinite(tidy)


@pytest.mark.parametrize("function", [softmax_sink, ssmax])
def test_16_bit_rows_are_rounded_once(function):
    for dtype in (jnp.bfloat16, jnp.float16):
        x = jnp.asarray(X, dtype)
        want = function(x.astype(jnp.float32)).astype(dtype)
        np.testing.assert_array_equal(function(x), want)


def test_axes_and_scalars():
    for function in (softmax_sink, ssmax):
        got = function(X.T, axis=0).T
        np.testing.assert_allclose(got, function(X), rtol=1e-6)
        flat = function(X.reshape(-1)).reshape(X.shape)
        np.testing.assert_allclose(function(X, axis=None), flat, rtol=1e-6)
        assert function(jnp.array(0.0)) == {softmax_sink: 0.5, ssmax: 1.0}[function]
        with pytest.raises(ValueError, match=r"(sink|scale) has shape \(6,\)"):
            function(X, jnp.ones(6))


def test_ssmax_is_softmax_of_logits_times_the_logarithm_of_the_length():
    n = WHERE.sum(-1, keepdims=True)
    factor = 0.7 * jnp.log(jnp.maximum(n, 1))
    want = softmax(X * factor, where=WHERE)
    # The products are rounded, of which the exponential makes their size in places.
    np.testing.assert_allclose(ssmax(X, 0.7, where=WHERE), want, rtol=3e-6)
