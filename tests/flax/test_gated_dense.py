"""GatedDense: two kernels or one, in linen and nnx, with any activation."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import jax_acts
import jax_acts.linen
import jax_acts.nnx
from jax_acts import Learn, get
from jax_acts.testing import ulps

X = jnp.linspace(-3, 3, 12).reshape(3, 4)
KEY = jax.random.key(0)
ACTIVATIONS = ["silu", "gelu(approximate=False)", "swiglu_oai", "silu(beta=Learn(0.5))"]


def linen(activation, **options):
    """Return a linen layer of five features and its parameters."""
    layer = jax_acts.linen.GatedDense(5, activation=activation, **options)
    return layer, layer.init(KEY, X)["params"]


def reference(activation, gate, up):
    """Return the output for the products of the two maps."""
    bound = get(activation)
    if bound.name == "swiglu_oai":
        return jax_acts.swiglu_oai(gate, up)
    return bound(gate) * up


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_output_is_that_of_two_dense_layers_and_a_product(activation):
    layer, params = linen(activation)
    gate, up = (nn.Dense(5).apply({"params": params[n]}, X) for n in ("gate", "up"))
    # XLA may contract products and sums to FMAs.
    want = reference(activation, gate, up)
    np.testing.assert_allclose(layer.apply({"params": params}, X), want, rtol=3e-7)


@pytest.mark.parametrize("names", [("gate_proj", "up_proj"), "gate_up_proj"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_linen_and_nnx_have_the_same_parameters_and_outputs(activation, names):
    layer, params = linen(activation, kernel_names=names)
    other = jax_acts.nnx.GatedDense(
        4, 5, activation=activation, kernel_names=names, rngs=nnx.Rngs(0)
    )
    nnx.update(other, params)
    np.testing.assert_array_equal(other(X), layer.apply({"params": params}, X))


@pytest.mark.parametrize("order", ["gate_first", "value_first"])
@pytest.mark.parametrize("layout", ["split", "interleaved"])
def test_one_kernel_equals_two_kernels(order, layout):
    two, params = linen("silu")
    first, second = ("gate", "up") if order == "gate_first" else ("up", "gate")
    join = {
        "split": lambda a, b: jnp.concatenate([a, b], -1),
        "interleaved": lambda a, b: jnp.stack([a, b], -1).reshape(*a.shape[:-1], -1),
    }[layout]
    both = jax.tree.map(join, params[first], params[second])
    one, _ = linen("silu", kernel_names="both", order=order, layout=layout)
    got = one.apply({"params": {"both": both}}, X)
    # A product of other shape may be summed in another order.
    np.testing.assert_allclose(got, two.apply({"params": params}, X), rtol=1e-5)


def test_an_argument_of_the_activation_is_learned_per_feature():
    spec = get("silu", beta=Learn(1.0, per_feature=True))
    _, params = linen(spec)
    assert params["activation"]["beta"].shape == (5,)
    layer = jax_acts.nnx.GatedDense(4, 5, activation=spec, rngs=nnx.Rngs(0))
    assert layer.activation.beta.shape == (5,)
    gradient = nnx.grad(lambda m: m(X).sum())(layer)["activation"]["beta"][...]
    assert (gradient != 0).all()


@pytest.mark.parametrize("activation", ["silu", "gelu", "swiglu_clamped"])
def test_the_residuals_are_gate_and_up(activation):
    gate = jnp.ones((7, 5), jnp.bfloat16)
    pullback = jax.vjp(get(activation).gate, gate, 2 * gate)[1]
    residuals = [a for a in jax.tree.leaves(pullback) if a.ndim]
    assert [(a.shape, a.dtype) for a in residuals] == [((7, 5), jnp.bfloat16)] * 2


def test_a_16_bit_result_is_rounded_once():
    gate, value = jax.random.normal(KEY, (2, 1000), jnp.bfloat16)
    x, v = np.asarray(gate, np.float64), np.asarray(value, np.float64)
    got = np.asarray(get("silu").gate(gate, value))
    assert ulps(got, x / (1 + np.exp(-x)) * v).max() < 0.51


def test_the_kernels_take_the_options_of_flax():
    _, params = linen("silu", use_bias=False, param_dtype=jnp.float16)
    assert jax.tree.map(jnp.shape, params["gate"]) == {"kernel": (4, 5)}
    assert {p.dtype for p in jax.tree.leaves(params)} == {jnp.dtype("float16")}
    other = jax_acts.nnx.GatedDense(
        4, 5, activation="silu", rngs=nnx.Rngs(0), use_bias=False, dtype=jnp.bfloat16
    )
    assert other.gate.bias is None
    assert other(X).dtype == jnp.bfloat16


BAD = {
    "three names": (
        {"kernel_names": ("a", "b", "c")},
        "expected .gate, up. or one name of both",
    ),
    "one name twice": (
        {"kernel_names": ("a", "a")},
        "expected .gate, up. or one name of both",
    ),
    "an order": ({"order": "gate_frist"}, "did you mean 'gate_first'"),
    "a layout": ({"layout": "splitted"}, "did you mean 'split'"),
    "an activation": ({"activation": "sliu"}, "did you mean 'silu'"),
}


@pytest.mark.parametrize("api", ["linen", "nnx"])
@pytest.mark.parametrize("bad", BAD)
def test_invalid_arguments_are_errors_at_construction(api, bad):
    options, message = BAD[bad]
    options = {"activation": "silu"} | options
    make = {
        "linen": lambda: jax_acts.linen.GatedDense(5, **options),
        "nnx": lambda: jax_acts.nnx.GatedDense(4, 5, rngs=nnx.Rngs(0), **options),
    }[api]
    with pytest.raises(ValueError, match=message):
        make()


def test_gate_and_up_must_have_one_shape():
    with pytest.raises(ValueError, match="expected gate and value of one shape"):
        get("silu").gate(jnp.ones(3), jnp.ones(4))


@pytest.mark.parametrize(
    "spec",
    [
        get("silu", beta=jnp.array([0.5, 1.5])),
        get("polyrelu", coefficients=jnp.array([0.0, 1.0, 0.5])),
        get("polyrelu", coefficients=(0.5, jnp.array(2.0))),
        get("threshold", value=jnp.array([0.5, 1.5])),
    ],
    ids=["elementwise", "coefficients", "mixed", "value"],
)
def test_the_gate_of_a_bound_with_arrays_is_differentiable_in_them(spec):
    gate, value = jnp.array([[-1.0, 2.0]]), jnp.array([[3.0, -4.0]])
    loss = lambda spec: jnp.sum(jnp.cos(spec.gate(gate, value)))
    want = jax.grad(lambda spec: jnp.sum(jnp.cos(spec(gate) * value)))(spec)
    for gradient in (jax.grad(loss), jax.jit(jax.grad(loss))):
        got = jax.tree.leaves(gradient(spec))
        for a, b in zip(got, jax.tree.leaves(want), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5)
