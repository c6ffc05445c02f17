"""Sums, double-word centering and angles against mpmath."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_acts._numerics import softmax, trig
from jax_acts._numerics.compensated_sum import (
    first_true,
    sum_keepdims,
    zero_sum_gradient,
)
from jax_acts._numerics.exp_log import exponent_product, exponent_quotient, log_reduce
from jax_acts.testing import ulps
from tests.numerics.blocks import F32, F64, angles, evaluate, magnitudes, mp

both_dtypes = pytest.mark.parametrize("dtype", [F32, F64])


@pytest.fixture
def random():
    """A generator of the test's own, so that no test depends on the order of others."""
    return np.random.default_rng(0)


def test_a_sum_of_a_million_addends_is_within_3_ulp(random):
    x = random.uniform(0, 1, 2**20).astype(F32)
    total = evaluate(lambda x: sum_keepdims(x, (0,)), (x,))
    assert ulps(total, x.astype(np.float64).sum(keepdims=True)).max() <= 3


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.float16])
@pytest.mark.parametrize("shape", [(3, 2), (5, 1000), (2, 4096)])
def test_rounded_gradients_sum_to_zero(dtype, shape, random):
    g = random.normal(size=shape)
    g = (g - g.mean(-1, keepdims=True)).astype(np.float32)
    f = lambda t: zero_sum_gradient(t, dtype, (1,))
    _, transpose = jax.vjp(f, jnp.zeros(shape, jnp.float32))
    rounded = np.asarray(jax.jit(transpose)(jnp.asarray(g))[0], np.float64)
    largest = abs(rounded).max(-1)
    eps = float(jnp.finfo(dtype).eps)
    assert np.all(abs(rounded.sum(-1)) <= eps * largest)
    error = abs(rounded - g).max(-1)
    assert np.all(error <= (shape[1] + 1) * eps * largest)


def test_the_first_true_index():
    condition = np.array([[0, 1, 1], [0, 0, 0], [1, 0, 1]], bool)
    got = evaluate(lambda c: first_true(c, (1,)), (condition,))
    want = np.array([[0, 1, 0], [0, 0, 0], [1, 0, 0]], bool)
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("temperature", [None, 0.7])
def test_centering_is_double_word(temperature, random):
    x = (random.normal(size=200) * 30).astype(F32)
    t = None if temperature is None else jnp.float32(temperature)
    z, lo = evaluate(lambda x: softmax.center((0,), x, None, t), (x,))
    wide = x.astype(np.float64)
    want = (wide - wide.max()) / (1 if t is None else float(t))
    near = (want > -1000) & (want < 0)
    error = abs((z.astype(np.float64) - want) + lo)
    assert np.all(error[near] <= 2.0**-33 * abs(want[near]))


@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_softmax_and_its_logarithms(scale, random):
    x = (random.normal(size=(200, 17)) * scale).astype(F32)
    wide = x.astype(np.longdouble)
    m = wide.max(-1, keepdims=True)
    e = np.exp(wide - m)
    rest = np.where(wide == m, 0, e).sum(-1, keepdims=True)
    total, log_total = 1 + rest, np.log1p(rest)
    log_softmax = np.where(wide == m, -log_total, (wide - m) - log_total)
    for function, want, bound in (
        (lambda x: softmax.softmax((1,), x, None, None), e / total, 4),
        (lambda x: softmax.log_softmax((1,), x, None, None), log_softmax, 4),
        (lambda x: softmax.log_sum((1,), False, x, None), m + log_total, 2),
    ):
        got = evaluate(function, (x,))
        assert ulps(got, want.astype(np.float64)).max() <= bound


@both_dtypes
def test_the_weighted_jvp_is_orthogonal_to_the_constant(dtype, random):
    s = random.uniform(0, 1, (50, 9)).astype(dtype)
    t = random.normal(size=s.shape).astype(dtype)
    jvp = functools.partial(softmax.weighted_jvp, (1,), dtype=dtype)
    got = evaluate(jvp, (s, t))
    mean = (s * t).sum(-1, keepdims=True) / s.sum(-1, keepdims=True)
    tolerance = 10 * np.finfo(dtype).eps
    np.testing.assert_allclose(got, s * (t - mean), rtol=0, atol=tolerance)
    np.testing.assert_allclose(got.sum(-1), 0, atol=tolerance)


@both_dtypes
def test_logarithms_are_reduced_exactly(dtype, random):
    (v,) = magnitudes(-90, 90)(random, 500, dtype)
    f, k = evaluate(log_reduce, (abs(v),))
    np.testing.assert_array_equal(
        np.ldexp(1 + f.astype(np.float64), k.astype(int)), abs(v)
    )
    assert np.all((1 + f >= 0.707106) & (1 + f < 1.414214))


@both_dtypes
def test_exponents_are_double_word(dtype, random):
    x = (random.choice([-1, 1], 500) * random.uniform(0.1, 30, 500)).astype(dtype)
    a = random.uniform(0.5, 2, 500).astype(dtype)
    bits = 33 if dtype == F32 else 76
    for function, reference in (
        (exponent_product, lambda a, x: a * x),
        (exponent_quotient, lambda a, x: a / x),
    ):
        hi, lo = evaluate(function, (a, x))
        for words in zip(*(v.tolist() for v in (hi, lo, a, x)), strict=True):
            first, second, *arguments = map(mp.mpf, words)
            want = reference(*arguments)
            assert abs(first + second - want) <= abs(want) * mp.mpf(2) ** -bits


@both_dtypes
def test_angles_are_reduced_to_double_word(dtype, random):
    (x,) = angles(random, 1000, dtype)
    a = evaluate(trig.angle, (x,))
    total = evaluate(lambda x: trig.sum_of_angles(trig.angle(x), trig.angle(x)), (x,))
    with mp.workdps(80):
        for scale, reduced in ((1, a), (2, total)):
            columns = (reduced.quarters, reduced.r, reduced.lo, x)
            for q, r, lo, value in zip(*(v.tolist() for v in columns), strict=True):
                exact = scale * mp.mpf(value) - q * mp.pi / 2
                want = exact - 2 * mp.pi * mp.nint(exact / (2 * mp.pi))
                assert abs(mp.mpf(r) + lo - want) <= 2.0 ** (
                    -35 if dtype == F32 else -102
                )
                assert abs(r) <= np.pi / 4 * (1 + 1e-6)
