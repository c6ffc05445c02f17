"""Sums, double-word centering and angles against mpmath."""

import functools

import numpy as np
import pytest

from jax_acts._numerics import entmax, softmax, trig
from jax_acts._numerics.exp_log import exponent_product, exponent_quotient, log_reduce
from jax_acts._numerics.range_reduction import angle
from jax_acts._numerics.reduction import first_true, sum_keepdims
from jax_acts._numerics.softmax.probabilities import softmax_tangent
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


def test_the_first_true_index():
    condition = np.array([[0, 1, 1], [0, 0, 0], [1, 0, 1]], bool)
    got = evaluate(lambda c: first_true(c, (1,)), (condition,))
    want = np.array([[0, 1, 0], [0, 0, 0], [1, 0, 0]], bool)
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("temperature", [None, 0.7])
def test_centered_logits_are_double_word(temperature, random):
    x = (random.normal(size=200) * 30).astype(F32)
    t = 1.0 if temperature is None else temperature
    if temperature is None:
        z, lo = evaluate(lambda x: softmax.center((0,), x, None), (x,))
    else:
        t = np.float32(t)
        z, lo = evaluate(lambda x: softmax.divide((0,), x, None, t), (x,))
    wide = x.astype(np.float64)
    want = (wide - wide.max()) / float(t)
    near = (want > -1000) & (want < 0)
    error = abs((z.astype(np.float64) - want) + lo)
    assert np.all(error[near] <= 2.0**-33 * abs(want[near]))


@both_dtypes
def test_tangents_match_the_formula(dtype, random):
    p = random.uniform(0, 1, (50, 9)).astype(dtype)
    p = p / p.sum(-1, keepdims=True)
    t = random.normal(size=p.shape).astype(dtype)
    want = p * (t - (p * t).sum(-1, keepdims=True))
    tolerance = 10 * np.finfo(dtype).eps
    for tangent in (softmax_tangent, entmax.weighted_tangent):
        got = evaluate(functools.partial(tangent, (1,)), (p, t))
        np.testing.assert_allclose(got, want, rtol=0, atol=tolerance)


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
    a = evaluate(angle, (x,))
    total = evaluate(lambda x: trig.sum_of_angles(angle(x), angle(x)), (x,))
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
