"""`without_custom_jvp` consists of ordinary primitives and works in Taylor mode."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental.jet import jet

from jax_acts._core.glu import is_gated_unit
from jax_acts._registry.lookup import FUNCTIONS
from jax_acts.testing import off_kinks
from tests.conftest import ACTIVATIONS, check_each

POINTWISE = ("apl", "b_spline", "chebyshev", "polyrelu", "rational")
OTHERS = {
    f.__name__: f
    for f in FUNCTIONS.values()
    if is_gated_unit(f) or f.__name__ in POINTWISE
}
X = np.linspace(-6, 6, 96, dtype=np.float32)  # without 0
RULES = {"custom_jvp_call", "custom_vjp_call", "remat2", "checkpoint"}
BITS = {"bitcast_convert_type", "round", "shift_left", "shift_right_arithmetic"}


def value(f):
    """Return `f.without_custom_jvp` as a function of one array."""
    if is_gated_unit(f):
        return lambda x: f.without_custom_jvp(x, value=x)
    return f.without_custom_jvp


def primitives(jaxpr):
    """Return the names of all primitives, in inner programs as well."""
    inner = [p for e in jaxpr.eqns for p in jax.tree.leaves([*e.params.values()])]
    inner = [getattr(p, "jaxpr", p) for p in inner]
    names = {e.primitive.name for e in jaxpr.eqns}
    return names.union(*(primitives(p) for p in inner if hasattr(p, "eqns")))


@pytest.mark.parametrize("name", [*ACTIVATIONS, *OTHERS])
def test_it_consists_of_ordinary_primitives(name):
    f = value({**ACTIVATIONS, **OTHERS}[name])
    assert not primitives(jax.make_jaxpr(f)(X).jaxpr) & (RULES | BITS)
    series = [X, X, X, X]
    y, coefficients = jax.eval_shape(lambda x: jet(f, (x,), (series,)), X)
    assert len(coefficients) == 4
    assert y.shape == X.shape


def test_calls_work_in_taylor_mode():
    def check(f):
        arguments = {"key": jax.random.key(0)} if "key" in f.parameters else {}
        call = lambda x: f(x, **arguments)
        _, series = jax.eval_shape(lambda x: jet(call, (x,), ([X, X],)), X)
        assert len(series) == 2

    check_each(check, dict.fromkeys(FUNCTIONS.values()))


def test_values_are_close_to_those_of_the_rule(f):
    x = jnp.asarray(off_kinks(X, f.spec))
    got, want = jax.jit(lambda x: (f.without_custom_jvp(x), f(x)))(x)
    # Sums round once more and XLA:CPU computes e^x within 2 ulp.
    np.testing.assert_allclose(got, want, rtol=16 * 2.0**-23, atol=16 * 2.0**-23)


@pytest.mark.parametrize("name", ["silu", "gelu", "softplus", "mish", "sine", "selu"])
def test_taylor_coefficients_are_those_of_the_derivative_rules(name):
    f = ACTIVATIONS[name]
    x = jnp.asarray(off_kinks(X, f.spec))
    one, zero = jnp.ones_like(x), jnp.zeros_like(x)
    program = lambda x: jet(f.without_custom_jvp, (x,), ([one, zero, zero, zero],))
    y, (d1, d2, d3, d4) = jax.jit(program)(x)
    third = lambda x: jax.jvp(f.derivative.derivative, (x,), (one,))[1]
    fourth = lambda x: jax.jvp(third, (x,), (one,))[1]
    want = jax.jit(
        lambda x: (f(x), f.derivative(x), f.derivative.derivative(x), third(x))
    )(x)
    # The third derivative is autodiff of a rule that holds minimax polynomials.
    for got, expected, tolerance in zip(
        (y, d1, d2, d3), want, (2e-6, 5e-6, 5e-6, 1e-3), strict=True
    ):
        np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(d4, jax.jit(fourth)(x), rtol=0.05, atol=0.05)
