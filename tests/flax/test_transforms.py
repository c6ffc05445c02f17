"""Layers under transformations of JAX, linen and nnx; copies, summaries, states."""

import copy
import functools
import pickle

import flax.linen as nn
import flax.serialization
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import jax_acts.linen
import jax_acts.nnx
from jax_acts import get

KEY = jax.random.key(0)
X = jnp.linspace(-3, 3, 12).reshape(3, 4)
SPECS = ["silu", "prelu", "prelu(Learn(0.1, per_feature=True))", {"name": "relu6"}]


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_linen_layers_hash_compare_copy_and_pickle(spec):
    layer, same = jax_acts.linen.Activation(spec), jax_acts.linen.Activation(get(spec))
    assert layer == same
    assert hash(layer) == hash(same)
    for again in (layer.clone(), copy.deepcopy(layer)):
        assert again == layer
    pickled = pickle.loads(pickle.dumps(layer))
    assert pickled.activation == layer.activation
    dense = jax_acts.linen.Dense(4, activation=spec)
    assert dense.clone() == dense == jax_acts.linen.Dense(4, activation=get(spec))
    assert hash(dense) == hash(dense.clone())
    assert dense.copy(features=7).activation == get(spec)


def test_the_repr_of_linen_layers_has_the_spec():
    assert "Bound('elu(alpha=0.5)')" in repr(jax_acts.linen.Activation("elu(0.5)"))
    assert "Bound('elu(alpha=0.5)')" in repr(
        jax_acts.linen.Dense(3, activation="elu(.5)")
    )
    dense = jax_acts.linen.Dense(3, activation="prelu")
    assert "negative_slope" in dense.tabulate(KEY, X)


class Net(nn.Module):
    """A module whose summary has rows of activations."""

    @nn.compact
    def __call__(self, x):
        x = jax_acts.linen.Dense(4, activation="elu", alpha=0.5)(x)
        return jax_acts.linen.Activation("prelu")(x)


def test_linen_summaries_name_the_function_and_its_arguments():
    summary = Net().tabulate(KEY, X, console_kwargs={"width": 200})
    assert "Dense_0/activation │ elu(alpha=0.5)" in summary
    assert "Activation_0       │ leaky_relu(negative_slope=Learn(0.25))" in summary
    assert list(Net().init(KEY, X)["params"]) == ["Dense_0", "Activation_0"]


def test_nnx_summaries_name_the_function_and_its_arguments():
    layers = nnx.Sequential(
        jax_acts.nnx.Dense(4, 4, activation="elu", alpha=0.5, rngs=nnx.Rngs(0)),
        jax_acts.nnx.Activation("prelu"),
    )
    summary = nnx.tabulate(layers, X, console_kwargs={"width": 200})
    assert "layers/0/activation │ elu(alpha=0.5)" in summary
    assert "layers/1            │ leaky_relu(negative_slope=Learn(0.25))" in summary


def test_a_user_subclass_keeps_its_name_in_summaries():
    class Mine(jax_acts.nnx.Activation):
        def __init__(self):
            super().__init__("silu")

    assert type(Mine()) is Mine
    assert isinstance(jax_acts.nnx.Activation("silu"), jax_acts.nnx.Activation)
    assert isinstance(jax_acts.linen.Activation("silu"), jax_acts.linen.Activation)


def test_graph_definitions_of_nnx_layers_pickle():
    graph, _ = nnx.split(jax_acts.nnx.Activation("elu", alpha=0.5))
    assert pickle.loads(pickle.dumps(graph)) == graph


def test_equal_linen_layers_are_traced_once():
    traces = []

    @functools.partial(jax.jit, static_argnums=0)
    def call(layer, x):
        traces.append(layer)
        return layer.apply({}, x)

    for spec in (
        "elu(alpha=0.5)",
        {"name": "ELU", "alpha": 0.5},
        get("elu", alpha=0.5),
    ):
        call(jax_acts.linen.Activation(spec), X)
    assert len(traces) == 1


class Block(nn.Module):
    """A module with layers in a compact method."""

    spec: str

    @nn.compact
    def __call__(self, x, _=None):
        x = jax_acts.linen.Dense(4, activation=self.spec)(x)
        return jax_acts.linen.Activation(self.spec)(x), None


class Setup(nn.Module):
    """A module with layers as attributes."""

    def setup(self):
        self.dense = jax_acts.linen.Dense(4, activation="prelu")
        self.act = jax_acts.linen.Activation("prelu")

    def __call__(self, x):
        return self.act(self.dense(x))


def test_layers_are_submodules_with_automatic_names():
    params = Block("prelu").init(KEY, X)["params"]
    slope = {"negative_slope": ()}
    want = {"activation": slope, "bias": (4,), "kernel": (4, 4)}
    assert jax.tree.map(jnp.shape, params) == {"Dense_0": want, "Activation_0": slope}
    params = Setup().init(KEY, X)["params"]
    assert jax.tree.map(jnp.shape, params) == {"dense": want, "act": slope}


@pytest.mark.slow
@pytest.mark.parametrize("spec", ["silu", "prelu"])
def test_linen_scan_and_remat_equal_a_loop_over_layers(spec):
    stack = nn.scan(
        nn.remat(Block),
        variable_axes={"params": 0},
        split_rngs={"params": True},
        length=3,
    )(spec)
    variables = stack.init(KEY, X)
    y, _ = stack.apply(variables, X)
    want = X
    for i in range(3):
        layer = jax.tree.map(lambda p, i=i: p[i], variables)
        want, _ = Block(spec).apply(layer, want)
    # XLA may contract the scanned body to other FMAs.
    np.testing.assert_allclose(y, want, rtol=1e-5, atol=1e-6)
    loss = lambda v: jnp.sum(stack.apply(v, X)[0] ** 2)
    gradient = jax.jit(jax.grad(loss))(variables)
    assert jax.tree.all(jax.tree.map(lambda g: jnp.isfinite(g).all(), gradient))


def test_linen_vmap_has_parameters_per_instance():
    instances = nn.vmap(
        jax_acts.linen.Dense, variable_axes={"params": 0}, split_rngs={"params": True}
    )(4, activation="prelu")
    x = jnp.stack([X, -X])
    variables = instances.init(KEY, x)
    assert variables["params"]["activation"]["negative_slope"].shape == (2,)
    for i in range(2):
        one = jax.tree.map(lambda p, i=i: p[i], variables)
        want = jax_acts.linen.Dense(4, activation="prelu").apply(one, x[i])
        got = instances.apply(variables, x)[i]
        np.testing.assert_allclose(
            got, want, rtol=1e-5, atol=1e-6
        )  # another order of summation


def test_linen_states_are_saved_and_restored():
    dense = jax_acts.linen.Dense(4, activation="prelu")
    saved = dense.init(KEY, X)
    other = dense.init(jax.random.key(1), X)
    restored = flax.serialization.from_bytes(other, flax.serialization.to_bytes(saved))
    np.testing.assert_array_equal(dense.apply(restored, X), dense.apply(saved, X))


def make(rngs, spec="prelu(Learn(0.1, per_feature=True))"):
    """Return a dense layer of four features."""
    return jax_acts.nnx.Dense(4, 4, activation=spec, rngs=rngs)


def test_nnx_split_and_merge_restore_the_layer():
    layer = make(nnx.Rngs(0))
    graph, state = nnx.split(layer)
    assert hash(graph) == hash(nnx.split(make(nnx.Rngs(1)))[0])
    np.testing.assert_array_equal(nnx.merge(graph, state)(X), layer(X))


def test_a_fixed_activation_adds_no_leaf_to_an_nnx_state():
    layer = jax_acts.nnx.Activation("elu", alpha=0.5)
    assert jax.tree.leaves(nnx.state(layer)) == []


def test_a_bound_array_is_data_of_an_nnx_layer():
    slopes = jnp.array([0.1, 0.2, 0.3, 0.4])
    layer = jax_acts.nnx.Activation("leaky_relu", negative_slope=slopes)
    want = jax_acts.leaky_relu(X, slopes)
    np.testing.assert_array_equal(layer(X), want)
    np.testing.assert_array_equal(nnx.jit(lambda m, x: m(x))(layer, X), want)
    assert nnx.state(layer, nnx.Param) == {}


def test_nnx_jit_traces_equal_layers_once():
    traces = []

    @nnx.jit
    def call(layer, x):
        traces.append(layer)
        return layer(x)

    for seed in range(3):
        call(make(nnx.Rngs(seed)), X)
    assert len(traces) == 1


def test_nnx_remat_and_grad_agree_with_jax_grad():
    layer = make(nnx.Rngs(0))
    graph, state = nnx.split(layer)
    want = jax.grad(lambda s: jnp.sum(nnx.merge(graph, s)(X) ** 2))(state)
    got = nnx.grad(lambda m: jnp.sum(nnx.remat(lambda m, x: m(x))(m, X) ** 2))(layer)
    jax.tree.map(lambda g, w: np.testing.assert_allclose(g, w, rtol=1e-6), got, want)


def test_nnx_vmap_and_scan_map_over_layers():
    @nnx.split_rngs(splits=3)
    @nnx.vmap
    def make_many(rngs):
        return make(rngs)

    layers = make_many(nnx.Rngs(0))
    assert layers.activation.negative_slope.shape == (3, 4)
    graph, state = nnx.split(layers)
    states = [jax.tree.map(lambda p, i=i: p[i], state) for i in range(3)]
    unstacked = [nnx.merge(graph, s) for s in states]

    # Sums of four products, in another order.
    close = functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6)
    mapped = nnx.vmap(lambda m, x: m(x), in_axes=(0, None))(layers, X)
    close(mapped, jnp.stack([m(X) for m in unstacked]))

    scan = nnx.scan(lambda x, m: m(x), in_axes=(nnx.Carry, 0), out_axes=nnx.Carry)
    want = X
    for layer in unstacked:
        want = layer(want)
    close(scan(X, layers), want)


def test_nnx_states_are_saved_and_restored():
    saved, other = make(nnx.Rngs(0)), make(nnx.Rngs(1))
    text = flax.serialization.to_bytes(nnx.to_pure_dict(nnx.state(saved)))
    nnx.update(other, flax.serialization.msgpack_restore(text))
    np.testing.assert_array_equal(other(X), saved(X))


def test_nnx_layers_copy_and_pickle():
    layer = jax_acts.nnx.Activation("prelu")
    for again in (nnx.clone(layer), copy.deepcopy(layer)):
        assert again.bound == layer.bound
        np.testing.assert_array_equal(again(X), layer(X))
    assert pickle.loads(pickle.dumps(layer)).bound == layer.bound
