"""Reports of `check_activation`, and errors in ulp."""

import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

from jax_acts import relu, silu
from jax_acts.testing import (
    all_values,
    check_activation,
    nth,
    off_kinks,
    same_limit,
    sample_inputs,
    ulps,
    worst_input,
)
from jax_acts.testing.check import Check, Report
from jax_acts.testing.evaluation import eager, modes
from jax_acts.testing.properties import mode_inputs
from jax_acts.testing.reference import limit, reference_values


def test_report_lists_passed_and_failed_checks():
    checks = Check("values_are_finite", None), Check("nan_propagates", "at NaN: got 0")
    report = Report("cube", checks)
    assert report.failed == checks[1:]
    assert str(report).splitlines() == [
        "cube passes 1/2 checks",
        "  passed  values are finite",
        "  FAILED  nan propagates",
        "          at NaN: got 0",
    ]


@pytest.mark.slow
def test_rejected_inputs_fail_a_check():
    def only_float32(x):
        if x.dtype != jnp.float32:
            raise TypeError(f"expected float32, got {x.dtype}")
        return x * x

    with pytest.raises(AssertionError, match="TypeError: expected float32"):
        check_activation(only_float32)


def test_errors_are_counted_in_ulp():
    one = np.float32(1)
    got = np.array([one, np.nextafter(one, np.float32(2)), np.nan, np.inf, 0, -1])
    want = np.array([1.0, 1.0, 1.0, 1e39, 1e-40, np.nan])
    errors = ulps(got.astype(np.float32), want)
    np.testing.assert_array_equal(errors, [0, 1, np.inf, 0, 0, 0])
    low_word = ulps(got[1:2].astype(np.float32), want[1:2], np.array([2.0**-24]))
    np.testing.assert_array_equal(low_word, 0.5)
    x, y, expected = (np.array([v]) for v in (3.0, 1.0, 2.0))
    message = worst_input(x, y, expected, errors[1:2])
    assert message == "error 1 ulp at x = 3.0: expected 2.0, got 1.0"


def test_limits_have_the_tolerance_of_the_dtype():
    assert same_limit(1 + 1e-7, 1.0, np.float64)
    assert not same_limit(1.001, 1.0, np.float32)
    assert same_limit(1.001, 1.0, ml_dtypes.bfloat16)
    assert same_limit(np.nan, np.nan, np.float32)


def test_inputs_cover_all_magnitudes():
    assert all_values(np.float16).size == 2**16 - 2 * (2**10 - 1)
    xs = sample_inputs(np.float32, 1000)
    assert xs[0] < -1e30
    assert xs[-1] > 1e30
    assert np.min(abs(xs[xs != 0])) < 1e-30
    assert 0.0 in xs
    assert 0.0 not in off_kinks(xs, relu.spec)


def test_one_program_has_every_mode():
    points, third = mode_inputs(silu.spec)
    results = modes(silu, points, third)
    sizes = {name: len(result) for name, result in results.items()}
    sizes_of_modes = {"value": 4, "float32": 4, "bfloat16": 4, "second": 6}
    assert sizes == sizes_of_modes | {"second of a scan": 3, "third": 2048}
    assert results["bfloat16"]["vjp"].dtype == ml_dtypes.bfloat16
    for mode, result in results["second"].items():
        np.testing.assert_allclose(result, results["second"]["derivative"], 1e-6), mode
    assert set(eager(silu, points)) == {"value", "derivative"}
    assert nth(silu, 2) is silu.derivative.derivative


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_references_resolve_the_least_number(dtype):
    far = -80.0 if dtype == np.float32 else -700.0
    xs = np.array([far, -1.0, 1e-30, 0.0, 2.0])
    sigmoid = lambda m, x: 1 / (1 + m.exp(-x))
    s = np.exp(xs) / (1 + np.exp(xs))
    derivatives = s, s * (1 - s), s * (1 - s) * (1 - 2 * s)
    for order, want in enumerate(derivatives):
        got, lo = reference_values(sigmoid, xs, order, dtype)
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-30)
        assert np.all(abs(lo) <= np.spacing(abs(got)))
    cubes, _ = reference_values(lambda m, x: x**3, np.array([1e-60, 1e150]), 2)
    np.testing.assert_allclose(cubes, [6e-60, 6e150], rtol=1e-15)


def test_limits_of_references():
    assert limit(lambda m, x: m.tanh(x), 0, np.inf) == 1
    assert limit(lambda m, x: m.log(1 + abs(x)), 0, -np.inf) == np.inf
    assert np.isnan(limit(lambda m, x: x * m.cos(x), 0, np.inf))
