"""What the backward pass keeps, and what that does to memory and digits."""

import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import jax_acts.linen
import jax_acts.nnx
from jax_acts import Bound, tanh
from jax_acts.testing import off_kinks
from tests.conftest import ACTIVATIONS, quickly

X = np.linspace(-6, 6, 96, dtype=np.float32)  # without 0
BY_OUTPUT = [n for n, f in ACTIVATIONS.items() if f._from_output is not None]


def kept(f, x):
    """Returns the arrays that `jax.vjp` keeps."""
    return [a for a in jax.tree.leaves(jax.vjp(f, x)[1]) if jnp.shape(a)]


def inputs(f):
    return jnp.asarray(off_kinks(X, f.spec))


def test_the_input_alone_is_kept_and_gives_the_same_gradient(f):
    x, lean = inputs(f), f.with_residuals("input")
    for array in quickly(lambda x: kept(lean, x))(x):
        np.testing.assert_array_equal(array, x)
    both = lambda h: (jax.vjp(h, x)[1](x)[0], jax.jvp(h, (x,), (x,))[1])
    program = quickly(lambda: (both(lean), both(f)))
    # Computed again, products and sums may be contracted otherwise, and what is
    # subnormal may be flushed to 0 or not.
    np.testing.assert_allclose(*program(), rtol=2.5e-7, atol=np.finfo(np.float32).tiny)


@pytest.mark.parametrize("name", BY_OUTPUT)
def test_the_output_alone_is_kept_and_gives_nearly_the_gradient(name):
    f = ACTIVATIONS[name]
    x, lean = inputs(f), f.with_residuals("output")
    (array,) = kept(lean, x)
    np.testing.assert_array_equal(array, f(x))
    got = jax.vmap(jax.grad(lean))(x)
    # The output is right to a place of 6e-8; a square root of it, to the root of that.
    np.testing.assert_allclose(got, f.derivative(x), rtol=3e-6, atol=5e-7)
    second = jax.vmap(jax.grad(jax.grad(lean)))(x)
    np.testing.assert_allclose(second, f.derivative.derivative(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", [n for n in BY_OUTPUT if n in ("relu", "relu6")])
def test_an_exact_rule_by_the_output_is_the_default(name):
    f = ACTIVATIONS[name]
    (array,) = kept(f, X)
    np.testing.assert_array_equal(array, f(X))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["relu", "gelu", "mish", "elu"])
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_an_approximate_backward_pass_keeps_a_byte(name, dtype):
    f = ACTIVATIONS[name]
    x, rough = jnp.asarray(X, dtype), f.with_residuals("int8")
    np.testing.assert_array_equal(rough(x), f(x))
    (array,) = kept(rough, x)
    assert array.dtype == jnp.int8
    got, want = (
        np.asarray(jax.vjp(h, x)[1](jnp.ones_like(x))[0], float) for h in (rough, f)
    )
    assert (got[want == 0] == 0).all()
    # Half a unit, and in 16 bits the rounding of both.
    slack = 1 + 254 * (float(jnp.finfo(dtype).eps))
    assert np.abs(got - want).max() <= np.abs(want).max() / 254 * slack
    forward = jax.jvp(rough, (x,), (jnp.ones_like(x),))[1]
    np.testing.assert_array_equal(np.asarray(forward, float), got)


def test_an_approximate_backward_pass_has_no_second_derivative():
    rough = ACTIVATIONS["gelu"].with_residuals("int8")
    with pytest.raises(TypeError, match="has a first derivative alone"):
        jax.grad(jax.grad(rough))(1.0)
    assert jnp.isnan(jax.grad(rough)(jnp.nan))


def test_other_choices_are_named():
    with pytest.raises(
        ValueError, match="tanh can keep 'derivative', 'input', 'output', 'approximate'"
    ):
        tanh.with_residuals("everything")
    with pytest.raises(ValueError, match="silu can keep 'derivative', 'input', 'appro"):
        jax_acts.linen.Activation("silu", residuals="output")
    with pytest.raises(ValueError, match="softmax is no elementwise function"):
        Bound(jax_acts.softmax).with_residuals("input")


def test_a_choice_pickles_and_hashes():
    lean = tanh.with_residuals("output")
    assert pickle.loads(pickle.dumps(lean)) is lean
    assert lean.with_residuals("output") is lean
    assert repr(lean).endswith("tanh.keeping('output')")


@pytest.mark.slow
@pytest.mark.parametrize("gated", [False, True])
def test_a_lean_block_has_the_numbers_of_one_that_is_not(gated):
    x = jax.random.normal(jax.random.key(0), (5, 3))
    make = lambda remat: jax_acts.linen.MLP(8, "silu", gated=gated, remat=remat)
    variables = make(True).init(jax.random.key(1), x)
    loss = lambda remat: jax.grad(lambda v: make(remat).apply(v, x).sum())(variables)
    both = [
        jax_acts.nnx.MLP(
            3, 8, activation="silu", gated=gated, remat=remat, rngs=nnx.Rngs(0)
        )
        for remat in (True, False)
    ]
    by_nnx = [nnx.grad(lambda m: m(x).sum())(m) for m in both]
    for one, other in ((loss(True), loss(False)), by_nnx):
        jax.tree.map(
            # Computed again, products and sums may be contracted otherwise.
            lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-6, atol=1e-7),
            *map(jax.tree.leaves, (one, other)),
        )


def scanned_memory(layer):
    """Returns the bytes of temporary memory for an element and layer of a training."""
    batch, width = 512, 128
    x = jnp.ones((batch, width))

    def planned(layers):
        weights = jnp.zeros((layers, width, width))
        loss = lambda w: jax.lax.scan(lambda x, w: (layer(x, w), None), x, w)[0].sum()
        compiled = jax.jit(jax.grad(loss)).lower(weights).compile()
        return compiled.memory_analysis().temp_size_in_bytes

    return (planned(12) - planned(6)) / (6 * batch * width)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gelu", "tanh", "relu"])
def test_a_layer_computed_again_keeps_one_array(name):
    f = ACTIVATIONS[name]
    assert scanned_memory(jax.checkpoint(lambda x, w: f(x) @ w)) <= 4.3
    assert scanned_memory(lambda x, w: f(x) @ w) <= 8.3  # and without
