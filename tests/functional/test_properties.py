"""Every property of every activation function."""

import math
import tomllib
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.results import AccuracyRow, load_rows
from jax_acts.testing import CONTRACT, PROPERTIES, Subject, check_activation
from jax_acts.testing.reference import reference_values

EXCEPTIONS = tomllib.loads(Path(__file__).with_name("exceptions.toml").read_text())

SLACK = 0.5
"""In ulp: other processors contract other products and sums."""
TABLE = {
    (r.function, r.dtype, r.order): r.max + SLACK
    for r in load_rows("accuracy", AccuracyRow, "jax_acts")[1]
    if r.dtype in ("float32", "float64")
}


def subject(f):
    """Return f with its limits: the contract or its exceptions.

    Where the committed accuracy table is lower, the limit is the table.
    """
    exceptions = EXCEPTIONS.get(f.__name__, {})
    entry = lambda dtype, order: exceptions.get(dtype, {}).get(str(order), {})
    limits, input_ulps = {}, {}
    for dtype, contract in CONTRACT.items():
        table = [TABLE.get((f.__name__, dtype, order), math.inf) for order in range(3)]
        limits[dtype] = tuple(
            min(entry(dtype, order).get("ulp", limit), table[order])
            for order, limit in enumerate(contract)
        )
        input_ulps[dtype] = tuple(
            entry(dtype, order).get("input_ulp", 0) for order in range(3)
        )
    return Subject(f, f.spec, limits, input_ulps)


@pytest.mark.parametrize("check", PROPERTIES, ids=lambda check: check.__name__)
def test_property(f, check):
    check(subject(f))


@pytest.mark.parametrize("name", EXCEPTIONS)
def test_every_exception_is_needed(name):
    for dtype, orders in EXCEPTIONS[name].items():
        for order in map(int, orders):
            measured = TABLE[name, dtype, order] - SLACK
            assert measured > CONTRACT[dtype][order], f"{dtype}, order {order}"


def test_reference_is_nan_only_where_a_derivative_jumps():
    # The derivative of order n jumps at 2; those of lower order do not.
    steps = [lambda m, x, n=n: m.mpf(x > 2) * (x - 2) ** n for n in range(3)]
    near = np.array([np.nextafter(2, 0), 2, np.nextafter(2, 3)])
    for smooth, step in enumerate(steps):
        for order in range(1, 3):
            jumps = np.isnan(reference_values(step, near, order)[0])
            np.testing.assert_array_equal(jumps, (near == 2) & (order >= smooth))


def naive_silu(x):
    return x / (1 + jnp.exp(-x))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("value", "derivative", "check"),
    [
        (naive_silu, None, "all_16_bit_inputs_are_correctly_rounded"),
        (naive_silu, None, "finite_inputs_give_finite_results"),
        (jnp.square, lambda x: 2.001 * x, "derivatives_agree_with_differences"),
        (jnp.abs, None, "all_kinks_are_declared"),
        (
            lambda x: jnp.where(x < 9, x, 9),
            None,
            "nan_propagates_to_values_and_derivatives",
        ),
        (lambda x: x.astype(jnp.float32), None, "shape_and_dtype_are_preserved"),
        (lambda x: jnp.sin(jnp.cos(x)), None, "residuals_are_at_most_one_array"),
    ],
)
def test_report_names_the_failed_property(value, derivative, check):
    with pytest.raises(AssertionError, match=f"FAILED  {check.replace('_', ' ')}"):
        check_activation(value, derivative)


def test_custom_reference_and_limits():
    cube = lambda x: x * x * x
    check_activation(cube, lambda x: 3 * x * x, reference=lambda m, x: x**3)
    with pytest.raises(AssertionError, match="the limit is 0 ulp"):
        check_activation(cube, limits={"float32": (0, 0, 0)})
    with pytest.raises(AssertionError, match="FAILED  values and derivatives agree"):
        check_activation(cube, reference=lambda m, x: x**3 + 1)
