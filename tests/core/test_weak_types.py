"""The result of a weakly typed input is weakly typed, as in `jax.nn`."""

import inspect

import jax
import jax.numpy as jnp
import pytest

from jax_acts import leaky_relu, relu, silu, softmax, swiglu
from jax_acts._registry.lookup import FUNCTIONS

EVERY = {f.__name__: f for f in FUNCTIONS.values()}


def results(f, x):
    """Return the shapes and types of f(x), with x for its required arguments."""
    required = [
        n
        for n, p in f.signature.parameters.items()
        if p.default is inspect.Parameter.empty
    ]
    key = {"key": jax.random.key(0)} if "key" in required else {}
    arguments = {**dict.fromkeys(required, x), **key}
    return jax.tree.leaves(jax.eval_shape(lambda: f(**arguments)))


@pytest.mark.parametrize("name", EVERY)
def test_weak_in_weak_out(name):
    strong = jnp.full((4,), 0.5, jnp.float32)
    weak = jnp.full((4,), 0.5)
    assert weak.weak_type
    assert not strong.weak_type
    assert not any(y.weak_type for y in results(EVERY[name], strong))
    assert all(y.weak_type for y in results(EVERY[name], weak))


@pytest.mark.parametrize("function", [relu, silu, leaky_relu])
def test_a_python_scalar_takes_the_dtype_of_its_neighbors(function):
    half = jnp.ones(3, jnp.bfloat16)
    for x in (0.5, 2, jnp.array(0.5), jnp.array(2)):
        for result in (function(x), function.without_custom_jvp(x)):
            assert (result * half).dtype == jnp.bfloat16
    assert (function(jnp.float32(0.5)) * half).dtype == jnp.float32
    assert jax.grad(function)(0.5).dtype == jnp.float32


def test_a_gated_unit_is_weakly_typed_if_gate_and_value_are():
    weak, strong = jnp.full((4,), 0.5), jnp.full((4,), 0.5, jnp.float32)
    assert swiglu(weak, weak).weak_type
    assert not swiglu(weak, strong).weak_type
    assert swiglu(weak, strong.astype(jnp.bfloat16)).dtype == jnp.bfloat16
    assert softmax(weak, temperature=jnp.float32(2)).weak_type
