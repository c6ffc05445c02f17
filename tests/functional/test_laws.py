"""Every law for every activation, as `jax_acts.testing` has them."""

import math
import tomllib
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.accuracy import load
from jax_acts.testing import CONTRACT, LAWS, Subject, check_activation
from jax_acts.testing.reference import reference_values

EXCEPTIONS = tomllib.loads(Path(__file__).with_name("exceptions.toml").read_text())


# Other processors contract other products and sums, which moves a result by as much.
SLACK = 0.5
TABLE = {
    (r.function, r.dtype, r.order): r.max + SLACK
    for r in load("jax_acts")[1]
    if r.dtype in ("float32", "float64")
}


def subject(f):
    """Returns what is demanded of f: the contract, or what the exceptions grant.

    Where the committed table of accuracy has a better figure, it is that.
    """
    granted = EXCEPTIONS.get(f.__name__, {})
    entry = lambda dtype, order: granted.get(dtype, {}).get(str(order), {})
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


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_law(f, law):
    law(subject(f))


@pytest.mark.parametrize("name", EXCEPTIONS)
def test_every_exception_is_needed(name):
    for dtype, orders in EXCEPTIONS[name].items():
        for order in map(int, orders):
            measured = TABLE[name, dtype, order] - SLACK
            assert measured > CONTRACT[dtype][order], f"{dtype}, order {order}"


def test_the_truth_is_nan_where_a_derivative_jumps_and_nowhere_else():
    # The derivative of that order jumps at 2, and those below it do not.
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
    ("value", "derivative", "law"),
    [
        (naive_silu, None, "every_16_bit_input_is_right_to_half_a_place"),
        (naive_silu, None, "nothing_finite_becomes_nan_or_infinite"),
        (jnp.square, lambda x: 2.001 * x, "derivative_agrees_with_differences"),
        (jnp.abs, None, "every_kink_is_declared"),
        (lambda x: jnp.where(x < 9, x, 9), None, "nan_in_is_nan_out"),
        (lambda x: x.astype(jnp.float32), None, "shape_and_dtype_are_kept"),
        (lambda x: jnp.sin(jnp.cos(x)), None, "backward_keeps_at_most_one_array"),
    ],
)
def test_a_report_names_the_broken_law(value, derivative, law):
    with pytest.raises(AssertionError, match=f"BROKEN  {law.replace('_', ' ')}"):
        check_activation(value, derivative)


def test_an_oracle_and_limits_of_ones_own_are_used():
    cube = lambda x: x * x * x
    check_activation(cube, lambda x: 3 * x * x, reference=lambda m, x: x**3)
    with pytest.raises(AssertionError, match="the limit is 0 ulp"):
        check_activation(cube, limits={"float32": (0, 0, 0)})
    with pytest.raises(AssertionError, match="BROKEN  values and derivatives agree"):
        check_activation(cube, reference=lambda m, x: x**3 + 1)
