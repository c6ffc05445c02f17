"""Every value and derivative is right to the last place, in every dtype."""

import tomllib
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from jax_acts.registry import FUNCTIONS
from jax_acts.testing import evaluate, every, nth, telling, truth, ulps, widened, worst

LIMITS = {
    # The contract, in ulp by order; float16 and bfloat16 are rounded once from float32.
    "bfloat16": (0.51, 0.51, 0.51),
    "float16": (0.51, 0.51, 0.51),
    "float32": (3, 4, 8),
    "float64": (4, 6, 16),
}
EXCEPTIONS = tomllib.loads(Path(__file__).with_name("exceptions.toml").read_text())


def limit(f, dtype, order):
    """Returns the contract in ulp, or what the exception grants."""
    dtype = np.dtype(dtype).name
    granted = EXCEPTIONS.get(f.__name__, {}).get(dtype, {}).get(str(order), {})
    return granted.get("ulp", LIMITS[dtype][order])


@pytest.mark.parametrize("order", [0, 1, 2])
@pytest.mark.parametrize("dtype", [ml_dtypes.bfloat16, np.float16])
def test_every_16_bit_input_is_right_to_half_a_place(f, dtype, order):
    xs = every(dtype)
    low, high = f.facts.domain
    wide = widened(xs)
    xs = xs[(wide > low) & (wide < high) & ~np.isin(wide, [0, *f.facts.kinks])]
    got = evaluate(nth(f, order), xs, dtype)
    want = evaluate(nth(f, order), xs, np.float64)
    error = ulps(got, want)
    assert error.max() <= limit(f, dtype, order), worst(f, xs, got, want, error)


@pytest.mark.parametrize("order", [0, 1, 2])
def test_float32_agrees_with_float64_at_every_magnitude(f, order):
    xs = telling(f, np.float32, 200_000)
    xs = xs[xs != 0]
    got = evaluate(nth(f, order), xs, np.float32)
    want = evaluate(nth(f, order), xs, np.float64)
    error = ulps(got, want)
    assert error.max() <= limit(f, np.float32, order), worst(f, xs, got, want, error)


@pytest.mark.parametrize("order", [0, 1, 2])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_agrees_with_the_oracle(f, dtype, order):
    xs = telling(f, dtype, 300 if order < 2 else 100)
    got = evaluate(nth(f, order), xs, dtype)
    want, rest = truth(f, xs, order, dtype)
    error = ulps(got, want, rest)
    assert error.max() <= limit(f, dtype, order), worst(f, xs, got, want, error)


@pytest.mark.parametrize("name", EXCEPTIONS)
def test_every_exception_is_needed(name):
    for order in map(int, EXCEPTIONS[name]["float32"]):
        f = nth(FUNCTIONS[name], order)
        xs = telling(FUNCTIONS[name], np.float32, 200_000)
        got, want = evaluate(f, xs, np.float32), evaluate(f, xs, np.float64)
        assert ulps(got, want).max() > LIMITS["float32"][order], "it meets the contract"
