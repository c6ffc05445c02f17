"""Softmax and its logarithm, by 80-bit arithmetic, mpmath and float64.

The truth of long rows is in 80-bit arithmetic, that of short ones in mpmath.
"""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

import jax_acts
from jax_acts import log_softmax, logmeanexp, logsumexp, softmax
from jax_acts._core.compat import enable_x64
from jax_acts.testing import ulps
from tests.conftest import quickly
from tests.functional.conftest import rows

INF = np.inf
LIMIT = 4  # ulp: 1 of e^x, 2 of the sum, and the rounding of the quotient

name = lambda function: function.__name__


def in_two_parts(x):
    """Returns extended numbers as a float64 and the rest."""
    high = x.astype(np.float64)
    return high, (x - high).astype(np.float64)


def extended(x, temperature=1):
    """Returns softmax, log_softmax and logsumexp in 80-bit arithmetic."""
    x = x.astype(np.longdouble) / np.longdouble(temperature)
    m = x.max(-1, keepdims=True)
    e = np.exp(x - m)
    ties = (x == m).sum(-1, keepdims=True)
    size = np.log1p(np.where(x == m, 0, e).sum(-1, keepdims=True) + (ties - 1))
    return e / e.sum(-1, keepdims=True), (x - m) - size, (m + size)[..., 0]


def agree(function, x, got, want, limit=LIMIT):
    error = ulps(np.asarray(got), *in_two_parts(want))
    worst = np.unravel_index(np.argmax(error), error.shape)
    assert error.max() <= limit, (
        f"{function} is {error.max():.3g} ulp off at {worst} of shape {error.shape}: "
        f"{np.asarray(got)[worst]!r}, not {want[worst]!r}; x = {x[worst[0]]}"
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("count", "n"), [(5000, 2), (5000, 3), (2000, 10), (200, 1000), (4, 32_000)]
)
def test_values_are_right_to_the_last_places(count, n, dtype):
    for scale in (1e-3, 1, 10, 60):
        x = rows(count, n, scale, dtype)
        p, log_p, size = extended(x)
        with enable_x64(dtype == np.float64):
            agree("softmax", x, softmax(x), p)
            agree("log_softmax", x, log_softmax(x), log_p)
            # The maximum and the logarithm of the sum may cancel, each of them rounded.
            got = np.asarray(logsumexp(x, axis=-1))
        top = np.maximum(np.abs(size), np.abs(x.max(-1)))
        error = np.abs(got - size) / np.spacing(top.astype(dtype))
        assert error.max() <= LIMIT, scale


def test_values_agree_with_mpmath():
    for x in ([0.0, -20.0, -30.0], [1e4, 1e4 - 3.3, 7.0], [0.1, 0.1, -80.0], [-5.0]):
        x = np.array(x, np.float32)
        with mpmath.workdps(60):
            e = [mpmath.exp(mpmath.mpf(float(v))) for v in x]
            s = sum(e)
            p = np.array([float(v / s) for v in e])
            log_p = np.array([float(mpmath.log(v / s)) for v in e])
            mean = float(mpmath.log(s / len(x)))
        assert ulps(np.asarray(softmax(x)), p).max() <= LIMIT
        assert ulps(np.asarray(log_softmax(x)), log_p).max() <= LIMIT
        assert ulps(np.asarray(logmeanexp(x))[None], np.array([mean])).max() <= LIMIT


def test_the_loss_of_a_confident_model_is_not_lost():
    x = jnp.array([0.0, -20.0, -30.0])
    np.testing.assert_allclose(log_softmax(x)[0], -2.0612472e-09, rtol=1e-6)
    np.testing.assert_allclose(logsumexp(x), 2.0612472e-09, rtol=1e-6)
    np.testing.assert_allclose(
        jax.grad(lambda x: log_softmax(x)[0])(x),
        [2.0612472e-09, -2.0611537e-09, -9.357623e-14],
        rtol=1e-6,
    )


@pytest.mark.parametrize("temperature", [1e-20, 0.1, 1 / 3, 1.0, 7.0, 1e20])
def test_temperature_divides_the_logits(temperature):
    t = np.float32(temperature)
    x = rows(2000, 5, max(1, temperature), np.float32)
    p, log_p, _ = extended(x, t)
    agree("softmax", x, softmax(x, temperature=t), p)
    agree("log_softmax", x, log_softmax(x, temperature=t), log_p)


@pytest.mark.slow
def test_any_finite_logits_and_temperature_give_finite_probabilities():
    for size in (1e-30, 1.0, 1e12, 3e38):
        x = size * jnp.array([[1.0, -1.0, 0.5], [1.0, 1.0, -1.0]])
        for temperature in (0.0, 1e-30, 1 / 3, 3.0, 1e30, INF):
            with jax.disable_jit():
                eager = softmax(x, temperature=temperature)
            both = eager, jax.jit(lambda x, t: softmax(x, -1, None, t))(x, temperature)
            for p in both:
                np.testing.assert_allclose(p.sum(-1), 1, rtol=1e-6)
            np.testing.assert_allclose(*both, rtol=1e-6)


def test_temperature_0_shares_the_whole_among_the_maxima():
    x = jnp.array([3.0, 1.0, 3.0, -INF])
    np.testing.assert_array_equal(softmax(x, temperature=0.0), [0.5, 0, 0.5, 0])
    assert jnp.isnan(softmax(x, temperature=-1.0)).all()


def test_temperature_is_one_number_for_each_row():
    x, t = jnp.array(rows(3, 4, 1, np.float32)), jnp.array([[0.5], [1.0], [2.0]])
    each = jnp.stack([softmax(a, temperature=b[0]) for a, b in zip(x, t, strict=True)])
    np.testing.assert_array_equal(softmax(x, temperature=t), each)
    with pytest.raises(ValueError, match=r"temperature has shape \(4,\)"):
        softmax(x, temperature=jnp.ones(4))


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_16_bit_rows_are_added_up_in_float32_and_rounded_once(dtype):
    for n in (10, 1000, 2**20):
        x = jnp.asarray(rows(2, n, 3, np.float32), dtype)
        for function in (softmax, log_softmax):
            np.testing.assert_array_equal(
                function(x), function(x.astype(jnp.float32)).astype(dtype)
            )
        y = logsumexp(x, axis=-1)
        np.testing.assert_array_equal(
            y, logsumexp(x.astype(jnp.float32), -1).astype(dtype)
        )
    even = softmax(jnp.zeros(2**16, dtype))
    assert even.astype(jnp.float32).sum() == 1
    grad = jax.grad(lambda x: log_softmax(x)[0])(jnp.zeros(2**20, dtype))
    assert jnp.isfinite(grad).all()


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.float16, jnp.float64])
@pytest.mark.parametrize("function", [softmax, log_softmax], ids=name)
def test_gradients_of_a_row_sum_to_0(function, dtype):
    pull = jax.jit(lambda x, c: jax.vjp(function, x)[1](c)[0])
    wide = np.float64 if dtype == jnp.float64 else np.float32
    info = jnp.finfo(dtype)
    for n in (2, 10, 32_000):
        for scale in (1e-3, 1, 10, 60):
            x = rows(3, n, scale, wide)
            for c in (rows(3, n, 1, wide, seed=1), np.eye(3, n)):
                with enable_x64(dtype == jnp.float64):
                    got = pull(jnp.asarray(x, dtype), jnp.asarray(c, dtype))
                got = np.asarray(got).astype(np.longdouble)
                last = np.abs(got).max(-1) * float(info.eps)
                flushed = n * float(info.tiny)
                rest = np.abs(got.sum(-1))
                assert (rest <= last + flushed).all(), (n, scale, rest / last)


@pytest.mark.slow
@pytest.mark.parametrize("n", [10, 2**20])
@pytest.mark.parametrize("function", [softmax, log_softmax], ids=name)
def test_gradients_sum_to_0_where_many_are_of_one_sign(function, n):
    pull = jax.jit(lambda x, c: jax.vjp(function, x)[1](c)[0])
    for scale in (1e-3, 1, 3):
        x = rows(1, n, scale, np.float32)
        for share in (1.0, 0.5, 1e-3):
            c = np.linspace(0, 1, n)[None] <= share
            got = np.asarray(pull(x, c.astype(np.float32))).astype(np.longdouble)
            last = np.abs(got).max() * np.finfo(np.float32).eps
            rest = np.abs(got.sum())
            assert rest <= last + n * np.finfo(np.float32).tiny, (scale, share, rest)


@pytest.mark.slow
@pytest.mark.parametrize("function", [softmax, log_softmax], ids=name)
def test_gradients_agree_with_float64(function):
    both = jax.jit(
        lambda x, c: (jax.vjp(function, x)[1](c)[0], jax.jvp(function, (x,), (c,))[1])
    )
    for n, scale in ((2, 1), (2, 30), (10, 1), (10, 10), (200, 3)):
        x = rows(500, n, scale, np.float32)
        c = rows(500, n, 1, np.float32, seed=1)
        got = both(x, c)
        with enable_x64(True):
            want = both(x.astype(np.float64), c.astype(np.float64))
        with enable_x64(True):
            p = np.asarray(softmax(x.astype(np.float64)))
        # An entry may be a difference of terms that are greater than it.
        others = lambda v: v.sum(-1, keepdims=True) - v
        terms = {
            (softmax, "backward"): p * (np.abs(c) * others(p) + others(p * np.abs(c))),
            (softmax, "forward"): p * (np.abs(c) * others(p) + others(p * np.abs(c))),
            (log_softmax, "backward"): np.abs(c) * others(p) + p * others(np.abs(c)),
            (log_softmax, "forward"): np.abs(c) + np.sum(p * np.abs(c), -1)[:, None],
        }
        for direction, a, b in zip(("backward", "forward"), got, want, strict=True):
            size = np.max(terms[function, direction], -1, keepdims=True)
            error = np.abs(np.asarray(a, np.float64) - np.asarray(b)) / (size + 1e-30)
            assert error.max() <= 12 * 2**-24, (
                direction,
                n,
                scale,
                error.max() * 2**24,
            )


def test_the_derivative_in_the_temperature_of_a_masked_row_is_finite():
    masked = jnp.array([1.0, -INF, 2.0])
    assert jnp.isfinite(jax.grad(lambda t: softmax(masked, temperature=t)[0])(0.7))


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
def test_ordinary_inputs_give_what_jax_nn_gives(reference):
    function = getattr(jax_acts, reference.__name__)
    x = jnp.asarray(rows(4, 6, 1, np.float32))
    where = jnp.asarray(rows(4, 6, 1, np.float32, seed=1) > -0.5)
    for arguments in ({}, {"axis": 0}, {"axis": (0, 1)}, {"where": where}):
        both = lambda x, a=arguments: [f(x, **a) for f in (function, reference)]
        np.testing.assert_allclose(*quickly(both)(x), rtol=3e-5, atol=1e-6)


@pytest.mark.slow
def test_logsumexp_has_factors_signs_and_axes_as_in_jax():
    theirs = jax.nn.logsumexp
    a = jnp.asarray(rows(4, 6, 3, np.float32))
    b = jnp.asarray(rows(4, 6, 1, np.float32, seed=1)).at[0, 0].set(0)
    both = lambda given, b: quickly(
        lambda a, b: [f(a, b=b, **given) for f in (logsumexp, theirs)]
    )(a, b)
    for axis, keepdims in ((None, True), (0, False), (-1, True), ((0, 1), False)):
        given = {"axis": axis, "keepdims": keepdims, "return_sign": True}
        for factor in (None, b, jnp.abs(b), jnp.zeros(6)):
            for one, other in zip(*both(given, factor), strict=True):
                assert one.shape == other.shape
                np.testing.assert_allclose(one, other, rtol=2e-5, atol=1e-6)
    assert jnp.isnan(logsumexp(a, b=-jnp.abs(b)))


def test_logmeanexp_of_equal_numbers_is_that_number():
    for v in (0.0, 0.1, 80.0, -1e30):
        for n in (1, 3, 1000):
            assert logmeanexp(jnp.full(n, v)) == jnp.float32(v)
