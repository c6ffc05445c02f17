"""The bounds that docstrings state are those that are measured against mpmath."""

import re

import jax
import numpy as np
import pytest

from jax_acts._numerics import double_word, exp_log
from tests.numerics.blocks import (
    BLOCKS,
    F32,
    F64,
    evaluate,
    magnitudes,
    measure,
    mp,
    relative_error,
)

COUNT = 1000
MARGIN = 0.3
"""A stated bound exceeds the measured error by at most this (ulp)."""


def stated_ulps(function, dtype):
    """Return the bounds in a docstring, one for each output."""
    bounds = re.findall(rf"([\d.]+) ulp \({dtype}\)", function.__doc__)
    assert bounds, f"{function.__name__} states no bound in {dtype}"
    return [float(bound) for bound in bounds]


@pytest.mark.parametrize("name", BLOCKS)
def test_stated_ulps_are_measured(name):
    block = BLOCKS[name]
    for dtype in block.dtypes:
        errors = measure(name, dtype, COUNT)
        for error, bound in zip(
            errors, stated_ulps(block.function, dtype), strict=True
        ):
            assert bound - MARGIN <= error <= bound, dtype


@pytest.mark.parametrize("dtype", [F32, F64])
def test_autodiff_of_exponentials_agrees_with_their_derivatives(dtype):
    y = np.linspace(-60, 30, 200).astype(dtype)
    for f in (exp_log.exp, exp_log.exp_or_inf, exp_log.exp_full_range, exp_log.expm1):
        (dy,) = evaluate(lambda y, f=f: (jax.vmap(jax.grad(f))(y),), (y,))
        want = np.where(y > -38, np.exp(y.astype(float)), dy)  # expm1 is -1 below
        rtol = {F32: 1e-5, F64: 1e-10}[dtype]  # that of the derivative of a polynomial
        np.testing.assert_allclose(dy, want, rtol=rtol)


RANGES = {F32: (-64.0, 87.9), F64: (-660.0, 708.9)}
PRODUCTS = {
    "two_prod": (double_word.two_prod, lambda a, b: a * b),
    "two_div": (double_word.two_div, lambda a, b: a / b),
}


def stated_bits(function, dtype):
    """Return n of the relative error 2^-n in a docstring."""
    return int(re.findall(rf"2\^-(\d+) \({dtype}\)", function.__doc__)[0])


def pairs(dtype):
    """Return two arrays of numbers of many magnitudes."""
    rng = np.random.default_rng(0)
    return tuple(magnitudes(-20, 20)(rng, COUNT, dtype)[0] for _ in range(2))


@pytest.mark.parametrize("dtype", [F32, F64])
@pytest.mark.parametrize("name", PRODUCTS)
def test_double_word_products_and_quotients(name, dtype):
    function, reference = PRODUCTS[name]
    bits = stated_bits(function, dtype)
    error = relative_error(function, reference, pairs(dtype))
    assert 2.0 ** -(bits + 4) < error < 2.0**-bits


@pytest.mark.parametrize("dtype", [F32, F64])
def test_double_word_exponential(dtype):
    y = np.random.default_rng(0).uniform(*RANGES[dtype], COUNT).astype(dtype)
    bits = stated_bits(exp_log.exp_hi_lo, dtype)
    error = relative_error(exp_log.exp_hi_lo, mp.exp, (y,))
    assert 2.0 ** -(bits + 4) < error < 2.0**-bits, np.log2(error)


@pytest.mark.parametrize("dtype", [F32, F64])
def test_sums_are_exact(dtype):
    a, b = pairs(dtype)
    larger = abs(a) > abs(b)
    ordered = np.where(larger, a, b), np.where(larger, b, a)
    add = lambda a, b: a + b
    assert relative_error(double_word.two_sum, add, (a, b)) == 0
    assert relative_error(double_word.fast_two_sum, add, ordered) == 0


@pytest.mark.parametrize("dtype", [F32, F64])
def test_square_has_the_error_of_a_product(dtype):
    square = lambda a: double_word.two_prod(a, a)
    error = relative_error(square, lambda a: a * a, pairs(dtype)[:1])
    assert error < 2.0 ** -stated_bits(double_word.two_prod, dtype)
