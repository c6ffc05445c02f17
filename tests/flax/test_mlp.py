"""MLP: kernel names, single kernels for gate and up, and invalid options."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import jax_acts.linen
import jax_acts.nnx

X = jnp.linspace(-3, 3, 12).reshape(3, 4)
LLAMA = ("gate_proj", "up_proj", "down_proj")
PACKED = ("gate_up_proj", "down_proj")


def linen(**options):
    """Return an MLP with hidden size 5 and its parameters."""
    mlp = jax_acts.linen.MLP(5, "silu", **options)
    return mlp, mlp.init(jax.random.key(0), X)["params"]


def make_nnx(**options):
    return jax_acts.nnx.MLP(4, 5, activation="silu", rngs=nnx.Rngs(0), **options)


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({}, {"up", "down"}),
        ({"gated": True}, {"gate", "up", "down"}),
        ({"gated": True, "kernel_names": LLAMA}, {*LLAMA}),
        ({"gated": True, "kernel_names": PACKED}, {*PACKED}),
        ({"kernel_names": ("fc1", "fc2")}, {"fc1", "fc2"}),
    ],
)
@pytest.mark.parametrize("residuals", ["named", "all"])
def test_linen_and_nnx_have_the_same_kernels_and_outputs(options, names, residuals):
    mlp, params = linen(residuals=residuals, **options)
    assert params.keys() == names
    other = make_nnx(residuals=residuals, **options)
    nnx.update(other, params)
    y = mlp.apply({"params": params}, X)
    np.testing.assert_array_equal(other(X), y)
    gradient = nnx.grad(lambda m: m(X).sum())(other)
    want = jax.grad(lambda p: mlp.apply({"params": p}, X).sum())(params)
    for name in names:
        got = gradient[name]["kernel"][...]
        np.testing.assert_allclose(got, want[name]["kernel"], rtol=2e-6, atol=1e-6)


@pytest.mark.parametrize("order", ["gate_first", "value_first"])
@pytest.mark.parametrize("layout", ["split", "interleaved"])
def test_a_single_kernel_of_gate_and_up_equals_two(order, layout):
    mlp, params = linen(gated=True)
    names = ("gate", "up") if order == "gate_first" else ("up", "gate")
    join = {
        "split": lambda a, b: jnp.concatenate([a, b], -1),
        "interleaved": lambda a, b: jnp.stack([a, b], -1).reshape(*a.shape[:-1], -1),
    }[layout]
    joined = jax.tree.map(join, *(params[n] for n in names))
    packed, _ = linen(gated=True, kernel_names=PACKED, order=order, layout=layout)
    variables = {"params": {"gate_up_proj": joined, "down_proj": params["down"]}}
    want = mlp.apply({"params": params}, X)
    np.testing.assert_allclose(packed.apply(variables, X), want, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("make", [linen, make_nnx])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kernel_names": LLAMA}, r"kernel_names: expected \(up, down\), got"),
        ({"gated": True, "kernel_names": ("a",)}, r"expected \(gate, up, down\) or"),
        ({"kernel_names": ("a", "a")}, r"expected \(up, down\), got \('a', 'a'\)"),
        ({"layout": "splitted"}, "layout: .* did you mean 'split'"),
    ],
)
def test_invalid_options_are_errors(make, options, message):
    with pytest.raises(ValueError, match=message):
        make(**options)
