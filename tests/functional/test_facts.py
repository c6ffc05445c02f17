"""What is claimed beside a function is true of it."""

import math
import re
from pathlib import Path

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

from jax_acts.testing import evaluate, every, nth, telling, truth, widened

BIBLIOGRAPHY = Path(__file__).parents[2] / "references.bib"
DTYPES = [ml_dtypes.bfloat16, np.float16, np.float32, np.float64]


def test_values_keep_to_their_range(f):
    low, high = f.facts.range
    y = evaluate(f, telling(f, np.float64, 20_000), np.float64)
    slack = 1e-7  # the bounds are written with eight digits or more
    assert low - slack * abs(low) <= np.nanmin(y)
    assert np.nanmax(y) <= high + slack * abs(high)


def test_range_is_reached(f):
    low, high = f.facts.range
    y = evaluate(f, telling(f, np.float64, 20_000), np.float64)
    for bound, reached in ((low, np.nanmin(y)), (high, np.nanmax(y))):
        if math.isinf(bound):
            assert abs(reached) > 100, "the bound is infinite, but values stay small"
        else:
            assert abs(reached - bound) < 1e-3, f"values come no nearer than {reached}"


def test_derivative_at_a_kink_is_the_one_declared(f):
    for kink, declared in f.facts.kinks.items():
        if math.isfinite(declared):
            for got in (
                f.derivative(float(kink)),
                jax.grad(f)(float(kink)),
                jax.jvp(f, (float(kink),), (1.0,))[1],
                jax.jit(jax.grad(f))(float(kink)),
            ):
                np.testing.assert_allclose(got, declared, rtol=1e-6)


def test_every_kink_is_declared(f):
    with np.errstate(all="ignore"):
        for x in (-6, -5, -3, -2, -1, -0.5, 0, 0.5, 1, 2, 3, 5, 6, 10):
            if f.facts.domain[0] < x < f.facts.domain[1] and x not in f.facts.kinks:
                h = 1e-9
                left, right = evaluate(
                    f.derivative, np.array([x - h, x + h]), np.float64
                )
                # Off a kink the derivative moves by h times the second derivative.
                slack = 1e-6 * (1 + abs(left) + abs(right))
                assert abs(left - right) < slack, f"the derivative jumps at {x}"


@pytest.mark.parametrize("order", [0, 1, 2])
@pytest.mark.parametrize("sign", [-1, 1])
def test_limits_at_infinity_are_right(f, order, sign):
    far = sign * np.array([2.3e4, 2.3e5, 2.3e6, 2.3e7])
    if not in_domain(f, far[-1]):
        return
    limit = extrapolated(*truth(f, far, order, np.float32)[0])
    for dtype in DTYPES:
        got = float(evaluate(nth(f, order), np.array([sign * np.inf]), dtype)[0])
        if np.isnan(limit):
            assert np.isnan(got), f"there is no limit, but a value of {got}"
        else:
            # Extrapolation is good to 1e-6, the dtype to its last place.
            rtol = max(1e-6, 2 * float(ml_dtypes.finfo(dtype).eps))
            np.testing.assert_allclose(got, limit, rtol=rtol)


def extrapolated(a: float, b: float, c: float, d: float) -> float:
    """Returns the limit of what is a, b, c and d at 2.3 times 10⁴, 10⁵, 10⁶ and 10⁷.

    The steps from one to the next shrink where there is a limit; they grow, or stay the
    same as those of a logarithm, where there is none but infinity.
    """
    if c == d or math.isinf(d):
        return d
    first, second, third = b - a, c - b, d - c
    if abs(third) < abs(second) / 2 < abs(first) / 4:
        limit = d - third**2 / (third - second)
        return limit if abs(limit) > abs(d) * 1e-3 else 0.0
    outward = first * second > 0 < second * third and abs(a) < abs(b) < abs(c) < abs(d)
    return math.copysign(math.inf, d) if outward else math.nan


def in_domain(f, x: float) -> bool:
    return f.facts.domain[0] < x < f.facts.domain[1]


@pytest.mark.parametrize("dtype", DTYPES)
def test_nan_in_is_nan_out_forward_and_backward(f, dtype):
    for order in (0, 1, 2):
        assert np.isnan(evaluate(nth(f, order), np.array([np.nan]), dtype)).all(), order
    with jax.enable_x64(True):
        nan = jnp.asarray(np.nan, dtype)
        assert jnp.isnan(jax.grad(f)(nan))
        assert jnp.isnan(jax.jvp(f, (nan,), (jnp.ones_like(nan),))[1])


@pytest.mark.parametrize("order", [0, 1, 2])
@pytest.mark.parametrize("dtype", [ml_dtypes.bfloat16, np.float16])
def test_nothing_finite_becomes_nan_or_infinite(f, dtype, order):
    xs = every(dtype)
    xs = xs[np.isfinite(widened(xs))]
    xs = xs[[in_domain(f, x) for x in widened(xs)]]
    got = widened(evaluate(nth(f, order), xs, dtype))
    want = evaluate(nth(f, order), xs, np.float64)
    top = float(ml_dtypes.finfo(dtype).max)
    with np.errstate(invalid="ignore"):
        bad = ~np.isfinite(got) & (np.abs(want) < top)
    assert not np.isnan(want).any(), f"NaN in float64 at {xs[np.isnan(want)][0]}"
    assert not bad.any(), f"{got[bad][0]} at {xs[bad][0]}, not {want[bad][0]}"


def test_third_derivative_is_finite(f):
    xs = telling(f, np.float32, 2000)
    xs = xs[np.abs(xs) < 1e4]
    third = evaluate(nth(f, 3), xs, np.float32)
    exact = evaluate(nth(f, 3), xs, np.float64)
    bad = ~np.isfinite(third) & (np.abs(exact) < 1e37)  # a tenth of the greatest number
    assert not bad.any(), f"{third[bad][0]} at {xs[bad][0]}"


def test_citations_resolve(f):
    known = set(re.findall(r"@\w+\{(\w+),", BIBLIOGRAPHY.read_text()))
    assert set(f.facts.cite.split()) <= known


def test_docstring_has_the_formula_and_an_example(f):
    first = f.__doc__.split("\n\n")[0]
    assert re.search(r"\$.+\$", first), "the first sentence states the formula"
    assert ">>>" in f.__doc__, "an example shows what it does"
