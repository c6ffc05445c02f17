"""Softmax, its logarithms and variants, against 80-bit arithmetic and mpmath."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

import jax_acts
from jax_acts import (
    get,
    gumbel_softmax,
    log_softmax,
    logmeanexp,
    logsumexp,
    softmax,
    softmax1,
    softmax_sink,
    ssmax,
)
from jax_acts._core.compat import enable_x64
from jax_acts.testing import ulps
from tests.functional.conftest import random_vectors

INF = np.inf
KEY = jax.random.key(0)
X = jnp.asarray(random_vectors(4, 6, 3), jnp.float32)
WHERE = (X > -2).at[0].set(False)
MAX_ULP = 5  # exponential 1.3, sum 2, reciprocal 1, product 0.5

name = lambda function: function.__name__
every_attention_variant = pytest.mark.parametrize(
    "function", [softmax_sink, ssmax], ids=name
)


def hi_lo(x):
    """Return 80-bit values in double-word float64."""
    hi = x.astype(np.float64)
    return hi, (x - hi).astype(np.float64)


def references(x, temperature=1):
    """Return softmax, log_softmax and logsumexp in 80-bit arithmetic."""
    x = x.astype(np.longdouble) / np.longdouble(temperature)
    m = x.max(-1, keepdims=True)
    e = np.exp(x - m)
    ties = (x == m).sum(-1, keepdims=True)
    log_sum = np.log1p(np.where(x == m, 0, e).sum(-1, keepdims=True) + (ties - 1))
    return e / e.sum(-1, keepdims=True), (x - m) - log_sum, (m + log_sum)[..., 0]


def assert_softmax_close(x, want, **arguments):
    got = np.asarray(softmax(x, **arguments))
    error = ulps(got, *hi_lo(want))
    worst = np.unravel_index(np.argmax(error), error.shape)
    # float64 sums have two terms per vector of the CPU and float32 sums eight: a chain
    # of additions is four times as long.
    limit = 8 if got.dtype == np.float64 else MAX_ULP
    assert error.max() <= limit, (x[worst[0]], got[worst], want[worst], error.max())


def assert_log_softmax_close(x, want, **arguments):
    got = np.asarray(log_softmax(x, **arguments))
    error = np.abs(got - want)
    size = np.maximum(np.abs(want), 1).astype(got.dtype)
    assert (error / np.spacing(size)).max() <= 4
    # A value near 0 is minus a sum of e^(x - m). The rounding of x - m, of up to 2^10,
    # is a relative error of its terms.
    info = np.finfo(got.dtype)
    assert (error <= 2.0**9 * info.eps * np.abs(want) + info.tiny).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("count", "n"), [(5000, 2), (5000, 3), (2000, 10), (200, 1000), (4, 32_000)]
)
def test_values_match_80_bit_arithmetic(count, n, dtype):
    for scale in (1e-3, 1, 10, 60):
        x = random_vectors(count, n, scale, dtype)
        p, log_p, log_sum = references(x)
        with enable_x64(dtype == np.float64):
            assert_softmax_close(x, p)
            assert_log_softmax_close(x, log_p)
            got = np.asarray(logsumexp(x, axis=-1))
        # The maximum and the log of the sum can cancel.
        term = np.maximum(np.maximum(np.abs(log_sum), np.abs(x.max(-1))), 1)
        error = np.abs(got - log_sum) / np.spacing(term.astype(dtype))
        assert error.max() <= 4, scale


def test_values_match_mpmath():
    for x in ([0.0, -20.0, -30.0], [1e4, 1e4 - 3.3, 7.0], [0.1, 0.1, -80.0], [-5.0]):
        x = np.array(x, np.float32)
        with mpmath.workdps(60):
            e = [mpmath.exp(mpmath.mpf(float(v))) for v in x]
            s = sum(e)
            p = np.array([float(v / s) for v in e])
            log_p = np.array([float(mpmath.log(v / s)) for v in e])
            mean = float(mpmath.log(s / len(x)))
        assert ulps(np.asarray(softmax(x)), p).max() <= MAX_ULP
        assert_log_softmax_close(x, log_p)
        assert ulps(np.asarray(logmeanexp(x))[None], np.array([mean])).max() <= MAX_ULP


def test_log_softmax_does_not_cancel_for_a_probability_near_1():
    x = jnp.array([0.0, -20.0, -30.0])
    np.testing.assert_allclose(log_softmax(x)[0], -2.0612472e-09, rtol=1e-6)
    np.testing.assert_allclose(
        jax.grad(lambda x: log_softmax(x)[0])(x),
        [2.0612472e-09, -2.0611537e-09, -9.357623e-14],
        rtol=1e-6,
    )


@pytest.mark.parametrize(("n", "limit"), [(16, 4), (64, 16), (4000, 16)])
def test_terms_of_half_an_ulp_of_the_largest_are_not_lost_together(n, limit):
    x = np.full((8, n), -16.64, np.float32)
    x[:, 0] = 0
    rest = (n - 1) * np.exp(x[0, -1].astype(float))
    error = np.abs(np.asarray(logsumexp(x, axis=-1)) - np.log1p(rest))
    assert (error / np.spacing(np.float32(1))).max() <= limit
    assert ulps(np.asarray(softmax(x))[:, 0], np.full(8, 1 / (1 + rest))).max() <= 32


@pytest.mark.parametrize("function", [logsumexp, logmeanexp])
@pytest.mark.parametrize("others", [-np.inf, np.inf, 1.0])
@pytest.mark.parametrize("n", [8, 17, 100])
def test_nan_is_not_lost_among_infinities_in_a_large_array(function, others, n):
    # The reduction of maxima that XLA:CPU vectorizes drops NaN.
    x = jnp.full((1200, n), others).at[::2, 0].set(jnp.nan)
    jitted = jax.jit(function, static_argnames="axis")
    for f in (function, jitted, function.without_custom_jvp):
        y = np.asarray(f(x, axis=-1))
        assert np.isnan(y[::2]).all()
        assert not np.isnan(y[1::2]).any()


def test_the_sign_of_nan_is_nan():
    for sign in logsumexp(jnp.array([jnp.nan, 1.0]), return_sign=True):
        assert jnp.isnan(sign)


@pytest.mark.parametrize("temperature", [1e-20, 0.1, 1 / 3, 1.0, 7.0, 1e20])
def test_temperature_divides_the_logits(temperature):
    t = np.float32(temperature)
    x = random_vectors(2000, 5, max(1, temperature), np.float32)
    p, log_p, _ = references(x, t)
    assert_softmax_close(x, p, temperature=t)
    assert_log_softmax_close(x, log_p, temperature=t)


@pytest.mark.slow
def test_any_finite_logits_and_temperature_give_finite_probabilities():
    for scale in (1e-30, 1.0, 1e12, 3e38):
        x = scale * jnp.array([[1.0, -1.0, 0.5], [1.0, 1.0, -1.0]])
        for temperature in (0.0, 1e-30, 1 / 3, 3.0, 1e30, INF):
            with jax.disable_jit():
                eager = softmax(x, temperature=temperature)
            both = eager, jax.jit(lambda x, t: softmax(x, -1, None, t))(x, temperature)
            for p in both:
                np.testing.assert_allclose(p.sum(-1), 1, rtol=1e-6)
            np.testing.assert_allclose(*both, rtol=1e-6)


def test_temperature_0_is_uniform_over_the_maxima():
    x = jnp.array([3.0, 1.0, 3.0, -INF])
    np.testing.assert_array_equal(softmax(x, temperature=0.0), [0.5, 0, 0.5, 0])
    assert jnp.isnan(softmax(x, temperature=-1.0)).all()


def test_temperature_can_differ_between_vectors():
    x = jnp.array(random_vectors(3, 4, 1, np.float32))
    t = jnp.array([[0.5], [1.0], [2.0]])
    each = jnp.stack([softmax(a, temperature=b[0]) for a, b in zip(x, t, strict=True)])
    np.testing.assert_array_equal(softmax(x, temperature=t), each)
    with pytest.raises(ValueError, match=r"temperature: expected .*, got \(4,\)"):
        softmax(x, temperature=jnp.ones(4))


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_16_bit_inputs_are_summed_in_float32_and_rounded_once(dtype):
    for n in (10, 1000, 2**20):
        x = jnp.asarray(random_vectors(2, n, 3, np.float32), dtype)
        for function in (softmax, log_softmax, lambda x: logsumexp(x, axis=-1)):
            want = np.asarray(function(x.astype(jnp.float32)), np.float64)
            assert ulps(np.asarray(function(x)), want).max() < 0.51
    uniform = softmax(jnp.zeros(2**16, dtype))
    assert uniform.astype(jnp.float32).sum() == 1
    grad = jax.grad(lambda x: log_softmax(x)[0])(jnp.zeros(2**20, dtype))
    assert jnp.isfinite(grad).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("dtype", "limit"),
    # Three roundings to 8 or 11 bits: of p, of the sum of p t, and of the result.
    [
        (np.float32, 8 * 2.0**-24),
        (jnp.bfloat16, 3 * 2.0**-8),
        (np.float16, 3 * 2.0**-11),
    ],
)
@pytest.mark.parametrize("function", [softmax, log_softmax], ids=name)
def test_gradients_match_float64(function, dtype, limit):
    both = jax.jit(
        lambda x, c: (jax.vjp(function, x)[1](c)[0], jax.jvp(function, (x,), (c,))[1])
    )
    for n, scale in ((2, 1), (2, 30), (10, 1), (10, 10), (200, 3), (32_000, 1)):
        x = random_vectors(max(2, 5000 // n), n, scale, np.float32)
        c = random_vectors(*x.shape, 1, np.float32, seed=1)
        x, c = jnp.asarray(x, dtype), jnp.asarray(c, dtype)
        got = both(x, c)
        with enable_x64(True):
            x, c = (np.asarray(a).astype(np.float64) for a in (x, c))
            want = both(x, c)
            p = np.asarray(softmax(x))
        total = lambda v: v.sum(-1, keepdims=True)
        # The sums of the absolute values of the terms.
        sizes = {
            softmax: [p * (np.abs(c) + total(p * np.abs(c)))] * 2,
            log_softmax: [
                np.abs(c) + p * total(np.abs(c)),
                np.abs(c) + total(p * np.abs(c)),
            ],
        }[function]
        for a, b, size in zip(got, want, sizes, strict=True):
            error = np.abs(np.asarray(a).astype(np.float64) - np.asarray(b))
            # p may be subnormal, and is multiplied by c after it is rounded.
            least = float(jnp.finfo(dtype).smallest_subnormal) + 1e-37
            least = 2 * least * (1 + np.abs(c).max())
            assert (error <= limit * size + least).all(), (n, scale)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.float64])
def test_the_gradient_of_a_confident_prediction_is_not_lost(dtype):
    with enable_x64(dtype == jnp.float64):
        for margin in (5.0, 20.0, 60.0):
            x = jnp.array([margin, 0.0, -1e30], dtype)
            g = jax.grad(lambda x: -log_softmax(x)[0])(x).astype(jnp.float32)
            want = np.array([-1, 1, 0]) / (1 + np.exp(margin))
            tolerance = 2.0**-8 if dtype == jnp.bfloat16 else 1e-5
            np.testing.assert_allclose(g, want, rtol=tolerance)


def test_temperature_derivative_with_infinite_logits_is_finite():
    x = jnp.array([1.0, -INF, 2.0])
    assert jnp.isfinite(jax.grad(lambda t: softmax(x, temperature=t)[0])(0.7))


@pytest.mark.slow
@pytest.mark.parametrize(
    "reference",
    [
        jax.nn.softmax,
        jax.nn.log_softmax,
        jax.nn.logsumexp,
        jax.nn.logmeanexp,
        jax.nn.standardize,
    ],
    ids=name,
)
def test_values_match_jax_nn(reference):
    function = getattr(jax_acts, reference.__name__)
    x = jnp.asarray(random_vectors(4, 6, 1, np.float32))
    where = jnp.asarray(random_vectors(4, 6, 1, np.float32, seed=1) > -0.5)
    for arguments in ({}, {"axis": 0}, {"axis": (0, 1)}, {"where": where}):
        both = lambda x, a=arguments: [f(x, **a) for f in (function, reference)]
        np.testing.assert_allclose(*jax.jit(both)(x), rtol=3e-5, atol=1e-6)


@pytest.mark.slow
def test_logsumexp_matches_jax_nn_with_weights_signs_and_axes():
    a = jnp.asarray(random_vectors(4, 6, 3, np.float32))
    b = jnp.asarray(random_vectors(4, 6, 1, np.float32, seed=1)).at[0, 0].set(0)
    both = lambda options, b: jax.jit(
        lambda a, b: [f(a, b=b, **options) for f in (logsumexp, jax.nn.logsumexp)]
    )(a, b)
    for axis, keepdims in ((None, True), (0, False), (-1, True), ((0, 1), False)):
        options = {"axis": axis, "keepdims": keepdims, "return_sign": True}
        for weights in (None, b, jnp.abs(b), jnp.zeros(6)):
            for got, want in zip(*both(options, weights), strict=True):
                assert got.shape == want.shape
                np.testing.assert_allclose(got, want, rtol=2e-5, atol=1e-6)
    assert jnp.isnan(logsumexp(a, b=-jnp.abs(b)))


def test_logmeanexp_of_equal_entries_is_exact():
    for v in (0.0, 0.1, 80.0, -1e30):
        for n in (1, 3, 1000):
            assert logmeanexp(jnp.full(n, v)) == jnp.float32(v)


def test_hard_gumbel_softmax_samples_the_softmax_distribution():
    x = jnp.array([0.0, 1.0, -1.0, 2.0])
    keys = jax.random.split(KEY, 20_000)
    samples = jax.vmap(lambda key: gumbel_softmax(x, key, hard=True))(keys)
    np.testing.assert_array_equal(samples.sum(-1), jnp.ones(20_000))
    # Four standard errors, each at most 1 / sqrt(4 * 20000).
    np.testing.assert_allclose(samples.mean(0), softmax(x), atol=4 * 0.0036)
    soft = gumbel_softmax(x, KEY, tau=0.01)
    hard = gumbel_softmax(x, KEY, tau=0.01, hard=True)
    np.testing.assert_allclose(soft, hard, atol=1e-3)


@pytest.mark.parametrize("axis", [-1, 0, None])
def test_hard_gumbel_softmax_has_the_derivatives_of_the_soft_result(axis):
    x = jnp.asarray(random_vectors(3, 4, 1, np.float32))

    def gradients(x, hard):
        total = lambda x, tau: gumbel_softmax(x, KEY, tau, hard, axis)[0, :2].sum()
        return jax.grad(total, argnums=(0, 1))(x, 0.7)

    both = jax.jit(lambda x: [gradients(x, hard) for hard in (False, True)])
    jax.tree.map(np.testing.assert_array_equal, *both(x))


def softmax_with_extra_logit(x, s):
    """Return softmax of x with an additional logit s, without its probability."""
    extended = jnp.concatenate([x, jnp.broadcast_to(s, (*x.shape[:-1], 1))], -1)
    return softmax(extended)[..., :-1]


@pytest.mark.parametrize("sink", [0.0, -3.0, 50.0, -INF])
def test_a_sink_is_an_additional_logit(sink):
    # Both sides are within a few ulp.
    for x in (X, 100 * X, X - 90):
        got, want = softmax_sink(x, sink), softmax_with_extra_logit(x, sink)
        np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-37)
    t = X[::-1]
    got = jax.vjp(lambda x: softmax_sink(x, sink), X)[1](t)[0]
    want = jax.vjp(lambda x: softmax_with_extra_logit(x, sink), X)[1](t)[0]
    np.testing.assert_allclose(got, want, atol=2e-6)


def test_softmax1_is_softmax_sink_with_sink_0():
    assert softmax1 is softmax_sink
    assert softmax1(jnp.zeros(3)).sum() == 0.75
    assert get("softmax1") == get("softmax_sink")


@every_attention_variant
def test_masked_entries_are_excluded(function):
    masked_by_nan = jnp.where(WHERE, X, jnp.nan)
    g = lambda x, a: function(x, a, where=WHERE)
    y, pull = jax.vjp(g, masked_by_nan, 1.0)
    dx, da = pull(X)
    for array in (y, dx):
        np.testing.assert_array_equal(array[~WHERE], jnp.zeros(int((~WHERE).sum())))
        assert jnp.isfinite(array).all()
    assert jnp.isfinite(da)
    want = function(X[1][WHERE[1]], 1.0)
    np.testing.assert_allclose(y[1][WHERE[1]], want, rtol=1e-6)


@every_attention_variant
def test_infinite_and_nan_vectors(function):
    x = jnp.array(
        [[INF, 0, INF], [-INF, -INF, -INF], [jnp.nan, 0, 1], [-INF, -INF, 99]]
    )
    y, pull = jax.vjp(function, x, 0.5)
    want = jnp.array([[0.5, 0, 0.5], [0, 0, 0], [jnp.nan] * 3, [0, 0, 1]])
    np.testing.assert_array_equal(y, want)
    dx, _ = pull(jnp.ones_like(y).at[2].set(0))
    assert jnp.isfinite(dx[jnp.array([0, 1, 3])]).all()
    np.testing.assert_array_equal(dx[1], jnp.zeros(3))
    without_nan = x[jnp.array([0, 1, 3])]
    assert jnp.isfinite(jax.grad(lambda a: function(without_nan, a)[:, 0].sum())(0.5))


@every_attention_variant
def test_16_bit_inputs_are_rounded_once(function):
    for dtype in (jnp.bfloat16, jnp.float16):
        x = jnp.asarray(X, dtype)
        want = function(x.astype(jnp.float32)).astype(dtype)
        np.testing.assert_array_equal(function(x), want)


def test_sink_and_scale_accept_every_axis_and_scalars():
    for function in (softmax_sink, ssmax):
        got = function(X.T, axis=0).T
        np.testing.assert_allclose(got, function(X), rtol=1e-6)
        flat = function(X.reshape(-1)).reshape(X.shape)
        np.testing.assert_allclose(function(X, axis=None), flat, rtol=1e-6)
        assert function(jnp.array(0.0)) == {softmax_sink: 0.5, ssmax: 1.0}[function]
        with pytest.raises(ValueError, match=r"(sink|scale): expected .*, got \(6,\)"):
            function(X, jnp.ones(6))


def test_ssmax_is_softmax_of_logits_times_the_log_of_the_length():
    n = WHERE.sum(-1, keepdims=True)
    factor = 0.7 * jnp.log(jnp.maximum(n, 1))
    want = softmax(X * factor, where=WHERE)
    # The exponential amplifies the rounding of the products.
    np.testing.assert_allclose(ssmax(X, 0.7, where=WHERE), want, rtol=3e-6)
