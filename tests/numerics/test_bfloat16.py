"""Building blocks for results that are rounded to bfloat16."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_acts._core.activation import activation
from jax_acts._core.function import function
from jax_acts._numerics import coefficients, exp_log
from jax_acts._numerics.ordinary import is_bfloat16, rounded_to_bfloat16
from jax_acts._numerics.polynomial import polynomial
from jax_acts._numerics.softmax import exponential
from tests.numerics.blocks import F64, evaluate, exact, mp
from tools.coefficients import BFLOAT16, derivative_zero, polynomials

LIMIT = 0.01 * 2.0**-8
"""A hundredth of an ulp of bfloat16, as a relative error."""

DRAW = np.random.default_rng(0)
BLOCKS = {
    "exp": (exp_log.exp, mp.exp, DRAW.uniform(-86, 88, 2000)),
    "expm1": (exp_log.expm1, mp.expm1, DRAW.uniform(-20, 39, 2000)),
    "expm1 near 0": (exp_log.expm1, mp.expm1, DRAW.uniform(-1e-3, 1e-3, 500)),
    "log1p": (exp_log.log1p, mp.log1p, DRAW.uniform(0, 1, 2000)),
    "log1p near 0": (exp_log.log1p, mp.log1p, 2.0 ** DRAW.uniform(-125, -1, 500)),
}


def in_bfloat16(f):
    def evaluate_rounded(*args):
        with rounded_to_bfloat16(True):
            return f(*args)

    return evaluate_rounded


@pytest.mark.parametrize("name", BLOCKS)
def test_the_relative_error_of_a_block_does_not_matter_in_bfloat16(name):
    f, reference, y = BLOCKS[name]
    y = y.astype(np.float32)
    got = evaluate(in_bfloat16(f), (y,)).astype(F64)
    want = exact(reference, (y,))[0]
    error = abs(got / want - 1)
    assert error.max() < LIMIT, f"y = {y[error.argmax()]}"


def test_the_special_function_of_gpus_gives_the_terms_of_a_sum():
    """On CPU; that of GPUs has 2 ulp of float32."""
    z = -np.concatenate([DRAW.uniform(0, 86, 2000), DRAW.uniform(0, 1, 500)])
    z = z.astype(np.float32)
    got = evaluate(exponential._by_special_function, (z,)).astype(F64)
    error = abs(got / 2.0**exponential.EXPONENT_HEADROOM / exact(mp.exp, (z,))[0] - 1)
    # The sum z + 60 log(2) is rounded, below 64 in magnitude by 2^-19 at most.
    assert error.max() < 2.0**-17, f"z = {z[error.argmax()]}"
    top, lost, nan = exponential._by_special_function(jnp.array([0, -jnp.inf, jnp.nan]))
    assert top == 2.0**exponential.EXPONENT_HEADROOM
    assert lost == 0
    assert jnp.isnan(nan)


@pytest.mark.parametrize("name", BFLOAT16)
def test_a_short_polynomial_has_the_error_of_its_fit(name):
    if name == "GELU_1":
        target, table = derivative_zero(name).factor, coefficients.GELU_1.factor
    else:
        target, table = dict(polynomials())[name], getattr(coefficients, name)
    assert len(table["bfloat16"]) < len(table["float32"])
    ends = float(target.low), float(target.ends["bfloat16"])
    y = np.random.default_rng(0).uniform(*ends, 200).astype(np.float32)
    got = evaluate(in_bfloat16(lambda y: polynomial(y, table)), (y,)).astype(F64)
    weight = target.weight or (lambda x: 1 / abs(target.f(x)))
    weights = exact(weight, (y,))[0]
    error = abs(got - exact(target.f, (y,))[0]) * weights
    # The fit is below 2^-16; Horner's rule rounds in float32.
    assert error.max() < 2.0**-15.9, f"y = {y[error.argmax()]}"


def test_float32_calls_inside_a_bfloat16_rule_do_not_change_later_ones():
    @activation
    def twice(x):
        assert is_bfloat16() == (dtype == jnp.bfloat16)
        return 2 * inner(x)

    @activation
    def inner(x):
        seen.append(is_bfloat16())
        return exp_log.exp(x)

    x, seen = np.linspace(-3, 3, 1000, dtype=np.float32), []
    dtype = jnp.bfloat16
    twice(jnp.asarray(x, dtype))
    jax.grad(lambda x: twice(x).sum())(jnp.asarray(x, dtype))
    assert set(seen) == {True}
    seen.clear()
    dtype = jnp.float32
    error = abs(np.asarray(twice(x), F64) / (2 * np.exp(x.astype(F64))) - 1)
    assert set(seen) == {False}
    assert error.max() < 2.0**-22
    seen.clear()
    np.testing.assert_array_equal(inner(x), twice(x) / 2)
    assert True not in seen


def test_functions_along_an_axis_inside_a_bfloat16_rule_are_computed_in_full():
    seen = []

    @function()
    def total(x):
        seen.append(is_bfloat16())
        return x.sum()

    @activation
    def shifted(x):
        return x + total(jnp.arange(4.0))

    shifted(jnp.ones(3, jnp.bfloat16))
    assert seen == [False]
