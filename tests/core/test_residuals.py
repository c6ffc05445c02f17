"""Residual policies: the arrays saved, the memory, and the accuracy of the gradient."""

import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jax_acts.linen
from jax_acts import Bound, tanh
from jax_acts.testing import off_kinks
from jax_acts.testing.properties import NUM_POINTS
from tests.conftest import ACTIVATIONS

X = np.linspace(-6, 6, NUM_POINTS, dtype=np.float32)  # without 0
WITH_OUTPUT = [n for n, f in ACTIVATIONS.items() if f._output_rule is not None]


def residuals(f, x):
    """Return the arrays that `jax.vjp` saves."""
    return [a for a in jax.tree.leaves(jax.vjp(f, x)[1]) if jnp.shape(a)]


def inputs(f):
    # Operations that run eagerly are compiled once for each size.
    return jnp.asarray(np.resize(off_kinks(X, f.spec), X.size))


def test_policy_input_saves_x_and_gives_the_same_gradient(f):
    f = f.with_implementation("portable")  # a `cond` by platform is compiled
    x, from_input = inputs(f), f.with_residuals("input")
    gradients = lambda h: (jax.vjp(h, x)[1](x)[0], jax.jvp(h, (x,), (x,))[1])
    with jax.disable_jit():  # no compilation, and no contraction to FMAs
        for array in residuals(from_input, x):
            np.testing.assert_array_equal(array, x)
        got, want = gradients(from_input), gradients(f)
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("name", WITH_OUTPUT)
def test_policy_output_saves_f_of_x_and_gives_nearly_the_same_gradient(name):
    f = ACTIVATIONS[name]
    x, from_output = inputs(f), f.with_residuals("output")

    def program(x):
        (array,) = residuals(from_output, x)
        gradient = jax.grad(from_output)
        got = array, jax.vmap(gradient)(x), jax.vmap(jax.grad(gradient))(x)
        return got, (f(x), f.derivative(x), f.derivative.derivative(x))

    got, want = jax.jit(program)(x)
    np.testing.assert_array_equal(got[0], want[0])
    # The output is rounded to 6e-8 relative; a square root of it amplifies this.
    np.testing.assert_allclose(got[1], want[1], rtol=3e-6, atol=5e-7)
    np.testing.assert_allclose(got[2], want[2], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["relu", "relu6"])
def test_an_exact_output_rule_is_the_default(name):
    f = ACTIVATIONS[name]
    (array,) = residuals(f, X)
    np.testing.assert_array_equal(array, f(X))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["relu", "gelu", "mish", "elu"])
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_policy_int8_saves_one_byte_per_element(name, dtype):
    f = ACTIVATIONS[name]
    x, quantized = jnp.asarray(X, dtype), f.with_residuals("int8")
    np.testing.assert_array_equal(quantized(x), f(x))
    (array,) = residuals(quantized, x)
    assert array.dtype == jnp.int8
    got, want = (
        np.asarray(jax.vjp(h, x)[1](jnp.ones_like(x))[0], float) for h in (quantized, f)
    )
    assert (got[want == 0] == 0).all()
    # Half a quantization step, and in 16 bits the rounding of both gradients.
    slack = 1 + 254 * (float(jnp.finfo(dtype).eps))
    assert np.abs(got - want).max() <= np.abs(want).max() / 254 * slack
    forward = jax.jvp(quantized, (x,), (jnp.ones_like(x),))[1]
    np.testing.assert_array_equal(np.asarray(forward, float), got)


def test_policy_int8_rejects_second_derivatives_and_propagates_nan():
    quantized = ACTIVATIONS["gelu"].with_residuals("int8")
    with pytest.raises(TypeError, match="expected first derivatives only"):
        jax.grad(jax.grad(quantized))(1.0)
    assert jnp.isnan(jax.grad(quantized)(jnp.nan))


def test_an_unknown_policy_is_an_error_that_lists_the_valid_ones():
    valid = "expected 'derivative', 'input', 'output', 'int8', got 'everything'"
    with pytest.raises(ValueError, match=rf"tanh\.with_residuals: {valid}"):
        tanh.with_residuals("everything")
    with pytest.raises(ValueError, match="'derivative', 'input', 'int8', got 'output'"):
        jax_acts.linen.Activation("silu", residuals="output")
    with pytest.raises(ValueError, match="expected an elementwise function"):
        Bound(jax_acts.softmax).with_residuals("input")


def test_a_function_with_a_policy_pickles_and_is_cached():
    from_output = tanh.with_residuals("output")
    assert pickle.loads(pickle.dumps(from_output)) is from_output
    assert from_output.with_residuals("output") is from_output
    assert repr(from_output).endswith("tanh.with_residuals('output')")


def bytes_per_element(layer):
    """Return the temporary memory of a training step per element and layer."""
    batch, width = 512, 128
    x = jnp.ones((batch, width))

    def temp_size(layers):
        weights = jnp.zeros((layers, width, width))
        loss = lambda w: jax.lax.scan(lambda x, w: (layer(x, w), None), x, w)[0].sum()
        compiled = jax.jit(jax.grad(loss)).lower(weights).compile()
        return compiled.memory_analysis().temp_size_in_bytes

    return (temp_size(12) - temp_size(6)) / (6 * batch * width)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gelu", "tanh", "relu"])
def test_a_rematerialized_layer_saves_one_array(name):
    f = ACTIVATIONS[name]
    assert bytes_per_element(jax.checkpoint(lambda x, w: f(x) @ w)) <= 4.3
    assert bytes_per_element(lambda x, w: f(x) @ w) <= 8.3
