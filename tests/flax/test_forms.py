"""A function, a linen layer and an nnx layer are one program with equal results."""

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

X = jnp.linspace(-3, 3, 12).reshape(3, 4)  # without 0
KEY = jax.random.key(0)


def test_function_linen_and_nnx_are_bit_equal(f):
    want = np.asarray(f(X))
    np.testing.assert_array_equal(jax_acts.linen.Activation(f).apply({}, X), want)
    np.testing.assert_array_equal(jax_acts.nnx.Activation(f)(X), want)


@pytest.mark.parametrize("name", ["relu", "silu", "gelu_tanh", "softcap"])
def test_function_linen_and_nnx_lower_to_one_program(name):
    linen, layer = jax_acts.linen.Activation(name), jax_acts.nnx.Activation(name)
    programs = {
        "function": lambda x: getattr(jax_acts, name)(x),
        "linen": lambda x: linen.apply({}, x),
        "nnx": lambda x: layer(x),
    }
    texts = {form: jax.jit(g).lower(X).as_text() for form, g in programs.items()}
    assert texts["linen"] == texts["function"]
    assert texts["nnx"] == texts["function"]


def test_function_linen_and_nnx_with_a_learned_argument_lower_to_one_program():
    spec = get("leaky_relu", negative_slope=Learn(0.25, per_feature=True))
    linen, layer = (
        jax_acts.linen.Activation(spec),
        jax_acts.nnx.Activation(spec, features=4),
    )
    graph, _ = nnx.split(layer)
    slope = jnp.arange(4.0)
    programs = {
        "function": lambda a, x: jax_acts.leaky_relu(x, a),
        "linen": lambda a, x: linen.apply({"params": {"negative_slope": a}}, x),
        "nnx": lambda a, x: nnx.merge(graph, {"negative_slope": a})(x),
    }
    texts = {f: jax.jit(g).lower(slope, X).as_text() for f, g in programs.items()}
    assert texts["linen"] == texts["function"]
    assert texts["nnx"] == texts["function"]


@pytest.mark.parametrize("name", ["tanh", "gelu", "prelu"])
def test_dense_is_flax_dense_followed_by_the_activation(name):
    dense = nn.Dense(5)
    variables = dense.init(KEY, X)
    ours = jax_acts.linen.Dense(5, activation=name)
    want = get(name)(dense.apply(variables, X))
    learned = ours.init(KEY, X)["params"].get("activation", {})
    params = {**variables["params"], "activation": learned}
    np.testing.assert_array_equal(ours.apply({"params": params}, X), want)

    linear = nnx.Linear(4, 5, rngs=nnx.Rngs(0))
    layer = jax_acts.nnx.Dense(4, 5, activation=name, rngs=nnx.Rngs(0))
    np.testing.assert_array_equal(layer(X), get(name)(linear(X)))


def test_dense_has_the_initial_parameters_and_names_of_flax():
    ours = jax_acts.linen.Dense(5, activation="gelu").init(KEY, X)
    assert jax.tree.all(
        jax.tree.map(lambda a, b: (a == b).all(), ours, nn.Dense(5).init(KEY, X))
    )
    layer = jax_acts.nnx.Dense(4, 5, activation="gelu", rngs=nnx.Rngs(0))
    theirs = nnx.Linear(4, 5, rngs=nnx.Rngs(0))
    assert jax.tree.all(
        jax.tree.map(lambda a, b: (a == b).all(), nnx.state(layer), nnx.state(theirs))
    )


def test_a_checkpoint_of_flax_dense_loads():
    saved = nn.Dense(5).init(KEY, X)
    y = jax_acts.linen.Dense(5, activation="relu").apply(saved, X)
    np.testing.assert_array_equal(y, nn.relu(nn.Dense(5).apply(saved, X)))

    linear = nnx.Linear(4, 5, rngs=nnx.Rngs(1))
    layer = jax_acts.nnx.Dense(4, 5, activation="relu", rngs=nnx.Rngs(2))
    nnx.update(layer, nnx.state(linear))
    np.testing.assert_array_equal(layer(X), nnx.relu(linear(X)))


def test_linen_and_nnx_have_the_same_parameter_tree():
    spec = get("prelu", negative_slope=Learn(0.1, per_feature=True))
    params = jax_acts.linen.Dense(5, activation=spec).init(KEY, X)["params"]
    layer = jax_acts.nnx.Dense(4, 5, activation=spec, rngs=nnx.Rngs(0))
    nnx.update(layer, params)
    y = jax_acts.linen.Dense(5, activation=spec).apply({"params": params}, X)
    np.testing.assert_array_equal(layer(X), y)


def test_dense_takes_every_option_of_flax_dense():
    options = {
        "use_bias": False,
        "dtype": jnp.bfloat16,
        "param_dtype": jnp.float16,
        "precision": "highest",
        "kernel_init": nn.initializers.ones,
    }
    ours = jax_acts.linen.Dense(5, activation="identity", **options)
    theirs = nn.Dense(5, **options)
    y, variables = ours.init_with_output(KEY, X)
    want, _ = theirs.init_with_output(KEY, X)
    assert y.dtype == jnp.bfloat16
    assert jax.tree.map(jnp.shape, variables["params"]) == {"kernel": (4, 5)}
    assert variables["params"]["kernel"].dtype == jnp.float16
    np.testing.assert_array_equal(y, want)

    layer = jax_acts.nnx.Dense(4, 5, activation="identity", rngs=nnx.Rngs(0), **options)
    np.testing.assert_array_equal(layer(X), want)
    assert layer.bias is None


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16, jnp.float32])
def test_float32_parameters_do_not_widen_a_16_bit_network(dtype):
    spec = get("prelu", negative_slope=Learn(0.25, per_feature=True))
    y, variables = jax_acts.linen.Dense(
        5, activation=spec, dtype=dtype
    ).init_with_output(KEY, X.astype(dtype))
    assert {p.dtype for p in jax.tree.leaves(variables)} == {jnp.dtype("float32")}
    assert y.dtype == dtype
    layer = jax_acts.nnx.Dense(4, 5, activation=spec, dtype=dtype, rngs=nnx.Rngs(0))
    assert {p.dtype for p in jax.tree.leaves(nnx.state(layer))} == {
        jnp.dtype("float32")
    }
    assert layer(X.astype(dtype)).dtype == dtype


def test_call_arguments_reach_the_function():
    want = jax_acts.rrelu(X, KEY, training=True)
    options = {"key": KEY, "training": True}
    linen, layer = jax_acts.linen.Activation("rrelu"), jax_acts.nnx.Activation("rrelu")
    np.testing.assert_array_equal(linen.apply({}, X, **options), want)
    np.testing.assert_array_equal(layer(X, **options), want)
    assert not (want == jax_acts.rrelu(X)).all()

    y, variables = jax_acts.linen.Dense(5, activation="rrelu").init_with_output(
        KEY, X, **options
    )
    z = nn.Dense(5).apply(variables, X)
    np.testing.assert_array_equal(y, jax_acts.rrelu(z, **options))
    dense = jax_acts.nnx.Dense(4, 5, activation="rrelu", rngs=nnx.Rngs(0))
    z = nnx.Linear(4, 5, rngs=nnx.Rngs(0))(X)
    np.testing.assert_array_equal(dense(X, **options), jax_acts.rrelu(z, **options))


def test_functions_along_an_axis_may_be_layers():
    spec = get(jax.nn.softmax, axis=0)
    want = jax.nn.softmax(X, axis=0)
    np.testing.assert_array_equal(jax_acts.linen.Activation(spec).apply({}, X), want)
    np.testing.assert_array_equal(jax_acts.nnx.Activation(spec)(X), want)


def test_layers_accept_a_scalar():
    y, variables = jax_acts.linen.Activation("prelu").init_with_output(KEY, -1.0)
    assert y == -0.25
    assert variables == {"params": {"negative_slope": 0.25}}
    assert jax_acts.nnx.Activation("prelu")(jnp.asarray(-1.0)) == -0.25


LAYERS = {
    "linen": jax_acts.linen.Activation,
    "linen.Dense": lambda spec: jax_acts.linen.Dense(4, activation=spec),
    "nnx": jax_acts.nnx.Activation,
    "nnx.Dense": lambda s: jax_acts.nnx.Dense(3, 4, activation=s, rngs=nnx.Rngs(0)),
}
BAD = {
    "an unknown name": ("sliu", "did you mean 'silu'"),
    "an unknown argument": ("silu(bta=2)", "did you mean 'beta'"),
    "a static argument to learn": (
        {"name": "gelu", "approximate": Learn(1)},
        "gelu: approximate: expected a static value",
    ),
    "a class": (nn.PReLU, "expected a name, a function or a dict"),
}


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("bad", BAD)
def test_an_invalid_activation_is_an_error_at_construction(layer, bad):
    spec, message = BAD[bad]
    with pytest.raises((TypeError, ValueError), match=message):
        LAYERS[layer](spec)


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_is_not_an_activation(layer):
    """No module would own its parameters."""
    other = nn.PReLU() if layer.startswith("linen") else nnx.PReLU()
    with pytest.raises(TypeError, match="got a layer: PReLU"):
        LAYERS[layer](other)


def test_dense_requires_an_activation():
    with pytest.raises(TypeError, match="activation"):
        jax_acts.linen.Dense(4)
    with pytest.raises(TypeError, match="activation"):
        jax_acts.nnx.Dense(3, 4, rngs=nnx.Rngs(0))


def test_an_unknown_call_argument_is_an_error_with_the_closest():
    with pytest.raises(TypeError, match="did you mean 'training'"):
        jax_acts.linen.Activation("rrelu").apply({}, X, trainig=True)
    with pytest.raises(TypeError, match="did you mean 'training'"):
        jax_acts.nnx.Activation("rrelu")(X, trainig=True)


ARGUMENTS = {
    "Activation": lambda api, **a: api.Activation("leaky_relu", **a),
    "Dense": lambda api, **a: _make(api.Dense, 4, activation="leaky_relu", **a),
    "GatedDense": lambda api, **a: _make(
        api.GatedDense, 4, activation="leaky_relu", **a
    ),
    "MLP": lambda api, **a: _make(api.MLP, 5, activation="leaky_relu", **a),
}


def _make(layer, features, **options):
    """Return a layer of four input features."""
    if layer.__module__ == "jax_acts.nnx":
        return layer(4, features, rngs=nnx.Rngs(0), **options)
    return layer(features, **options)


def both_outputs(layer, slope):
    """Return the outputs of linen and nnx layers with the parameters of linen."""
    make = ARGUMENTS[layer]
    linen = make(jax_acts.linen, negative_slope=slope)
    other = make(jax_acts.nnx, negative_slope=slope)
    y, variables = linen.init_with_output(KEY, X)
    nnx.update(other, variables.get("params", {}))
    return y, other(X), variables


@pytest.mark.parametrize("layer", ARGUMENTS)
def test_linen_and_nnx_take_the_arguments_of_the_activation(layer):
    y, nnx_y, variables = both_outputs(layer, Learn(0.25))
    np.testing.assert_array_equal(y, nnx_y)
    parameters = variables["params"]
    if layer != "Activation":
        parameters = parameters["activation"]
    assert parameters == {"negative_slope": 0.25}
    fixed, nnx_fixed, _ = both_outputs(layer, 0.5)
    np.testing.assert_array_equal(fixed, nnx_fixed)
    assert not (fixed == y).all()


@pytest.mark.parametrize("api", [jax_acts.linen, jax_acts.nnx])
@pytest.mark.parametrize("layer", ARGUMENTS)
def test_an_unknown_argument_of_a_layer_is_an_error(layer, api):
    with pytest.raises(TypeError, match="did you mean 'negative_slope'"):
        ARGUMENTS[layer](api, negatve_slope=0.1)
    with pytest.raises(TypeError, match="got 'param_dtpe'; did you mean 'param_dtype'"):
        ARGUMENTS[layer](api, param_dtpe=jnp.float32)


def test_arguments_have_the_names_of_the_dialect():
    layer = jax_acts.linen.Activation("torch:hardshrink", lambd=0.3)
    assert layer.activation == get("hard_shrink(0.3)")
    inner = jax_acts.linen.Dense(3, activation="affine", rate=2.0, of="tanh")
    assert inner.activation == get("affine(rate=2.0, of=tanh)")


def test_lifted_linen_classes_take_arguments():
    layer = nn.remat(jax_acts.linen.Activation)("leaky_relu", negative_slope=0.5)
    np.testing.assert_array_equal(layer.apply({}, X), jax_acts.leaky_relu(X, 0.5))
