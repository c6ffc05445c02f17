"""Bitwise primitives compute exactly what NumPy does."""

import ml_dtypes
import numpy as np
import pytest

from jax_acts._core.compat import enable_x64
from jax_acts._numerics import bitwise
from jax_acts._numerics.double_word import hi_lo, split
from tests.numerics.blocks import F32, F64, evaluate, magnitudes

both_dtypes = pytest.mark.parametrize("dtype", [F32, F64])
SPECIAL = [0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.5]


def numbers(dtype):
    """Return numbers of many magnitudes, zeros, infinities and NaN."""
    (x,) = magnitudes(-60, 60)(np.random.default_rng(0), 500, dtype)
    return np.concatenate([x, np.array(SPECIAL, dtype)])


@both_dtypes
def test_selections(dtype):
    x = numbers(dtype)
    got = evaluate(
        lambda x: {
            "where": bitwise.where(x > 1, x, 2.0),
            "max": bitwise.max_nan_free(-1.0, x),
            "min": bitwise.min_nan_free(1.0, x),
            "clip": bitwise.clip(x, -1.0, 1.0),
            "nan": bitwise.propagate_nan(x, 3.0),
            "sign": bitwise.mul_sign(abs(x) + 1, x),
            "sign bit": bitwise.sign_bit(x),
            "sign of zero": bitwise.copy_sign_of_zero(x + 0, x),
        },
        (x,),
    )
    want = {
        "where": np.where(x > 1, x, 2),
        "max": np.maximum(x, -1),
        "min": np.minimum(x, 1),
        "clip": np.clip(x, -1, 1),
        "nan": np.where(np.isnan(x), np.nan, 3),
        "sign": np.copysign(abs(x) + 1, x),
        "sign bit": np.signbit(x),
        "sign of zero": x,
    }
    for name in want:
        np.testing.assert_array_equal(got[name], want[name], err_msg=name)
        assert got[name].dtype == (bool if name == "sign bit" else dtype)


@both_dtypes
def test_rounding_to_integers(dtype):
    (x,) = magnitudes(-20, 20)(np.random.default_rng(0), 500, dtype)
    np.testing.assert_array_equal(evaluate(bitwise.round_to_int, (x,)), np.rint(x))


@both_dtypes
def test_powers_of_two(dtype):
    info = np.finfo(dtype)
    k = np.arange(
        info.minexp - 1, info.maxexp, dtype=np.int32 if dtype == F32 else None
    )
    got = evaluate(lambda k: bitwise.power_of_two(k, dtype), (k,))
    np.testing.assert_array_equal(got[1:], np.ldexp(np.ones((), dtype), k[1:]))
    assert got[0] == 0
    k = k[2:-2]
    x = np.random.default_rng(0).uniform(0.5, 2, k.size).astype(dtype)
    got = evaluate(bitwise.ldexp, (x, k))
    np.testing.assert_array_equal(got, np.ldexp(x, k))


@both_dtypes
def test_split_is_exact_and_short(dtype):
    x = numbers(dtype)[:-5]
    hi, lo = evaluate(lambda x: split(x, x.dtype), (x,))
    np.testing.assert_array_equal(hi + lo, x)
    digits = 12 if dtype == F32 else 27
    for word in (hi, lo):
        fraction, _ = np.frexp(word)
        np.testing.assert_array_equal(np.mod(np.ldexp(fraction, digits), 1), 0)


def test_constants_have_two_words():
    with enable_x64(True):
        for dtype in (F32, F64):
            hi, lo = hi_lo(0.1, dtype)
            assert hi + lo == 0.1
            assert np.asarray(hi, dtype) == hi
            words = [float(word) for word in split(0.1, dtype)]
            assert abs(sum(words) - 0.1) <= 0.1 * 2.0 ** (-36 if dtype == F32 else -53)


def test_16_bit_dtypes_are_promoted():
    for dtype in (ml_dtypes.bfloat16, np.float16):
        assert evaluate(bitwise.promote_16bit, (np.ones(2, dtype),)).dtype == F32
    assert evaluate(bitwise.promote_16bit, (np.ones(2),)).dtype == F64


@both_dtypes
def test_rounding_to_the_exponent_is_not_simplified(dtype):
    # A compiler that simplified c - (v + c) would return -v, not an integer.
    info = np.finfo(dtype)
    v = np.random.default_rng(0).uniform(info.minexp - 1, info.maxexp, 2000)
    v = np.append(v, [info.minexp - 1, info.maxexp]).astype(dtype)
    minus_k, power = evaluate(bitwise.round_exponent, (v,))
    np.testing.assert_array_equal(minus_k, -np.rint(v))
    assert power[-2:].tolist() == [0, np.inf]
    normal = (np.rint(v) >= info.minexp) & (np.rint(v) < info.maxexp)
    exact = np.ldexp(np.ones((), dtype), np.rint(v[normal]).astype(int))
    np.testing.assert_array_equal(power[normal], exact)
    _, scaled = evaluate(lambda v: bitwise.round_exponent(v, -10), (v,))
    large = normal & (v > 0)
    np.testing.assert_array_equal(scaled[large], power[large] * 2.0**-10)
