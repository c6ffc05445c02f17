"""Values and gradients in every dtype."""

import inspect

import jax
import jax.numpy as jnp
import pytest

from jax_acts._core.glu import is_gated_unit
from jax_acts._registry.lookup import FUNCTIONS

EVERY = {f.__name__: f for f in FUNCTIONS.values()}
DTYPES = ("bfloat16", "float32", "float8_e4m3fn", "float8_e5m2", "float4_e2m1fn")


def call(f, x):
    """Return f(x), with x for the value of gated units and a key where required."""
    arguments = {f.parameters[0]: x}
    if is_gated_unit(f):
        arguments["value"] = x
    for name, parameter in f.signature.parameters.items():
        if name == "key" and parameter.default is inspect.Parameter.empty:
            arguments["key"] = jax.random.key(0)
    return f(**arguments)


@pytest.mark.parametrize("name", EVERY)
def test_values_and_gradients_have_the_dtype_of_x(name):
    """Nor is a dtype promoted implicitly: strict promotion makes it an error."""

    def value_and_gradient(x):
        y, pullback = jax.vjp(lambda x: call(EVERY[name], x), x)
        return y, *pullback(jnp.ones_like(y))

    with jax.numpy_dtype_promotion("strict"):
        for dtype in DTYPES:
            x = jax.ShapeDtypeStruct((8,), dtype)
            for result in jax.eval_shape(value_and_gradient, x):
                assert result.dtype == dtype
