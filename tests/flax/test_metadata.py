"""Flax features of layers: sharding metadata, RNG streams and names of kernels."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax.sharding import PartitionSpec

import jax_acts.linen
import jax_acts.nnx
from jax_acts import Bound, Learn, get
from jax_acts._core.glu import is_gated_unit
from jax_acts._registry.lookup import FUNCTIONS

X = jnp.linspace(-3, 3, 12).reshape(3, 4)
LEARNABLE = [
    pytest.param(function, name, id=f"{function.__name__}-{name}")
    for function in dict.fromkeys(FUNCTIONS.values())
    for name, parameter in list(function.signature.parameters.items())[1:]
    if name not in function.static
    and isinstance(parameter.default, float | tuple)
    and np.isfinite(parameter.default).all()
]


@pytest.mark.parametrize(("function", "name"), LEARNABLE)
def test_a_parameter_per_feature_has_sharding_metadata(function, name):
    default = function.signature.parameters[name].default
    options = {name: Learn(default, True, sharding="model")}
    inputs = {}
    if is_gated_unit(function):
        inputs["up"] = X
    elif "axis" in function.parameters:
        options["axis"] = 0  # the features are rows of their own
    bound = Bound(function, **options)
    spec = PartitionSpec(*[None] * np.ndim(default), "model")

    keys = {"params": jax.random.key(0), "activation": jax.random.key(1)}
    init = jax_acts.linen.Activation(bound).init
    variables = jax.eval_shape(lambda: init(keys, X, **inputs))
    is_leaf = lambda v: isinstance(v, PartitionSpec)
    assert jax.tree.leaves(nn.get_partition_spec(variables), is_leaf=is_leaf) == [spec]

    with jax.set_mesh(jax.make_mesh((1,), ("model",))):  # as Flax requires
        layer = jax_acts.nnx.Activation(bound, features=4)
    specs = nnx.to_pure_dict(nnx.get_partition_spec(nnx.state(layer)))
    assert specs[name] == spec


def test_sharding_metadata_needs_a_parameter_per_feature():
    with pytest.raises(ValueError, match="expected None without per_feature=True"):
        Learn(0.25, sharding="model")
    with pytest.raises(TypeError, match="expected the name of a mesh axis"):
        Learn(0.25, True, sharding=3)


RANDOM = [f for f in dict.fromkeys(FUNCTIONS.values()) if "key" in f.parameters]


@pytest.mark.parametrize("function", RANDOM, ids=lambda f: f.__name__)
def test_random_functions_take_keys_from_the_streams_of_flax(function):
    training = {"training": True} if "training" in function.parameters else {}
    key = jax.random.key(3)
    linen = jax_acts.linen.Activation(function, **training)
    draw = lambda key: linen.apply({}, X, rngs={"activation": key})
    np.testing.assert_array_equal(draw(key), draw(key))
    assert (draw(key) != draw(jax.random.key(4))).any()

    layers = [
        jax_acts.nnx.Activation(function, rngs=nnx.Rngs(0), **training)
        for _ in range(2)
    ]
    first, second = layers[0](X), layers[0](X)
    assert (first != second).any()
    np.testing.assert_array_equal(layers[1](X), first)
    stream = nnx.Rngs(activation=5)
    want = function(X, stream.activation(), **training)
    got = layers[0](X, rngs=nnx.Rngs(activation=5))
    np.testing.assert_array_equal(got, want)
    np.testing.assert_array_equal(layers[0](X, key=key), function(X, key, **training))
    rngs = nnx.Rngs(0)
    dense = jax_acts.nnx.Dense(4, 4, activation=function, rngs=rngs, **training)
    assert (dense(X) != dense(X)).any()


def test_layers_of_functions_without_keys_have_no_streams():
    layer = jax_acts.nnx.Activation("silu", rngs=nnx.Rngs(0))
    assert not jax.tree.leaves(nnx.state(layer))
    assert get("silu") == layer.bound


@pytest.mark.parametrize("name", ["activation", "order", "layout", "kernel_names"])
def test_a_kernel_does_not_replace_an_attribute_of_its_layer(name):
    message = f"expected names that the layer does not use, got '{name}'"
    names = {"activation": "silu", "kernel_names": (name, "up")}
    with pytest.raises(ValueError, match=message):
        jax_acts.nnx.GatedDense(3, 4, rngs=nnx.Rngs(0), **names)
    with pytest.raises(ValueError, match=message):
        jax_acts.nnx.MLP(3, 4, rngs=nnx.Rngs(0), **names)
    with pytest.raises(ValueError, match=message):
        jax_acts.linen.GatedDense(4, **names)
    with pytest.raises(ValueError, match=message):
        jax_acts.linen.MLP(4, **names)
