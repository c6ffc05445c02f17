"""Gated linear units: which half is which, their derivatives and what they keep."""

import copy
import functools
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jax_acts import (
    geglu,
    gelu,
    gelu_exact,
    glu,
    linen,
    nnx,
    reglu,
    relu,
    sigmoid,
    silu,
    swiglu,
    swiglu_oai,
)
from jax_acts._compat import enable_x64

GATES = {glu: sigmoid, reglu: relu, geglu: gelu, swiglu: silu}
UNITS = [*GATES, swiglu_oai]
X = jnp.asarray(np.random.default_rng(0).normal(size=(3, 8)).astype(np.float32)) * 3

name = lambda function: function.__name__


@pytest.mark.parametrize("function", GATES, ids=name)
def test_the_gate_is_the_second_half_unless_it_is_said_to_be_the_first(function):
    a, b = jnp.split(X, 2, -1)
    np.testing.assert_allclose(function(X), a * GATES[function](b), rtol=1e-6)
    np.testing.assert_allclose(
        function(X, gate_first=True), b * GATES[function](a), rtol=1e-6
    )
    np.testing.assert_array_equal(function(X.T, axis=0), function(X).T)


def test_glu_is_that_of_jax_nn():
    np.testing.assert_allclose(glu(X), jax.nn.glu(X), rtol=1e-6)
    np.testing.assert_allclose(glu(X.T, 0), jax.nn.glu(X.T, 0), rtol=1e-6)


def test_geglu_has_both_forms_of_gelu():
    a, b = jnp.split(X, 2, -1)
    np.testing.assert_allclose(geglu(X, approximate=False), a * gelu_exact(b), 1e-6)


def test_swiglu_oai_clips_its_halves():
    x = jnp.array([[3.0, 1.0, 9.0, -8.0], [-20.0, 20.0, 7.0, 7.0]])
    gate, value = x[:, ::2], x[:, 1::2]
    g, v = jnp.minimum(gate, 7), jnp.clip(value, -7, 7)
    want = g * jax.nn.sigmoid(1.702 * g) * (v + 1)
    np.testing.assert_allclose(swiglu_oai(x), want, rtol=1e-6)
    chunks = jnp.concatenate([gate, value], -1)
    np.testing.assert_allclose(swiglu_oai(chunks, interleaved=False), want, rtol=1e-6)
    # At the limits the derivative is that from inside, beyond them 0.
    slope = jax.grad(lambda x: swiglu_oai(x)[0])
    assert (slope(jnp.array([7.0, 7.0])) != 0).all()
    np.testing.assert_array_equal(slope(jnp.array([7.5, 7.5])), [0, 0])


@pytest.mark.parametrize("function", UNITS, ids=name)
def test_derivatives_agree_with_differences(function):
    with enable_x64(True):
        x = X.astype(jnp.float64)
        check_grads(function, (x,), 2, eps=1e-5, atol=1e-4, rtol=1e-5)
        if function is swiglu_oai:
            limits = jnp.float64(1.3), jnp.float64(2.0)
            g = lambda a, l: swiglu_oai(x, -1, a, l)
            check_grads(g, limits, 1, eps=1e-6, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("function", UNITS, ids=name)
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_backward_keeps_the_input_alone(function, dtype):
    x = X.astype(dtype)
    y, pullback = jax.vjp(function, x)
    kept = [(r.shape, r.dtype) for r in jax.tree.leaves(pullback) if r.ndim]
    assert kept == [(x.shape, x.dtype)]
    assert (y.dtype, pullback(y)[0].dtype) == (dtype, dtype)


@pytest.mark.parametrize("function", UNITS, ids=name)
@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_16_bit_inputs_are_rounded_once(function, dtype):
    x = X.astype(dtype)
    np.testing.assert_array_equal(
        function(x), function(x.astype(jnp.float32)).astype(dtype)
    )


@pytest.mark.parametrize("function", UNITS, ids=name)
def test_eager_jit_and_vmap_agree(function):
    with jax.disable_jit():
        eager = function(X)
    for got in (jax.jit(function)(X), jax.vmap(function)(X), eager):
        np.testing.assert_allclose(got, function(X), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("function", UNITS, ids=name)
def test_bad_arguments_are_refused_with_what_is_valid(function):
    with pytest.raises(ValueError, match=r"halves axis -1, but its size 3 is odd"):
        function(jnp.ones((2, 3)))
    with pytest.raises(ValueError, match=r"axis 2 is out of range.*valid is -2 to 1"):
        function(jnp.ones((2, 4)), axis=2)
    with pytest.raises(ValueError, match="takes one axis"):
        function(jnp.ones((2, 4)), axis=(0, 1))
    with pytest.raises(ValueError, match="needs an axis"):
        function(1.0)
    with pytest.raises(TypeError, match=f"{function.__name__} takes real numbers"):
        function(jnp.ones(2) * 1j)


@pytest.mark.parametrize("function", UNITS, ids=name)
def test_empty_inputs_and_integers_are_taken(function):
    assert function(jnp.zeros((0, 4))).shape == (0, 2)
    assert function(jnp.zeros((2, 0))).shape == (2, 0)
    np.testing.assert_array_equal(function(jnp.arange(4)), function(jnp.arange(4.0)))


@pytest.mark.parametrize("function", UNITS, ids=name)
def test_pickle_copy_and_layers_give_the_function_itself(function):
    assert pickle.loads(pickle.dumps(function)) is function is copy.deepcopy(function)
    layer = linen.Activation(function.__name__)
    apply = functools.partial(layer.apply, layer.init(jax.random.key(0), X))
    np.testing.assert_array_equal(apply(X), function(X))
    np.testing.assert_array_equal(nnx.Activation(function.__name__)(X), function(X))
