"""Learned arguments: shapes, gradients and training."""

import flax.errors
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

import jax_acts.linen
import jax_acts.nnx
from jax_acts import Learn, get
from jax_acts._core.compat import enable_x64

KEY = jax.random.key(0)
X = jnp.linspace(-3, 3, 12).reshape(3, 4)

LEARNED = [
    "leaky_relu(Learn(0.25))",
    "leaky_relu(Learn(0.25, per_feature=True))",
    "silu(beta=Learn(1.5))",
    "elu(Learn(0.7, per_feature=True))",
    "xielu(Learn(0.8), Learn(0.8, per_feature=True))",
]


@pytest.mark.parametrize("spec", LEARNED)
def test_a_parameter_is_a_scalar_or_a_vector_of_features(spec):
    bound = get(spec)
    want = {n: (4,) if v.per_feature else () for n, v in bound.learned.items()}
    params = jax_acts.linen.Activation(spec).init(KEY, X)["params"]
    assert jax.tree.map(jnp.shape, params) == want
    layer = jax_acts.nnx.Activation(spec, features=4)
    assert {n: getattr(layer, n).shape for n in want} == want
    for name, learn in bound.learned.items():
        np.testing.assert_array_equal(params[name], jnp.float32(learn.init))
        np.testing.assert_array_equal(getattr(layer, name)[...], params[name])


def test_parameters_have_their_own_dtype():
    spec, dtype = "silu(Learn(1.5))", jnp.bfloat16
    linen = jax_acts.linen.Activation(spec, param_dtype=dtype)
    assert linen.init(KEY, X)["params"]["beta"].dtype == dtype
    assert jax_acts.nnx.Activation(spec, param_dtype=dtype).beta.dtype == dtype


@pytest.mark.parametrize("spec", LEARNED)
def test_gradients_in_learned_parameters_agree_with_differences(spec):
    with enable_x64(True):
        x = X.astype(jnp.float64)
        linen = jax_acts.linen.Activation(spec, param_dtype=jnp.float64)
        params = linen.init(KEY, x)["params"]
        loss = lambda p: jnp.sum(jnp.cos(linen.apply({"params": p}, x)))
        layer = jax_acts.nnx.Activation(spec, features=4, param_dtype=jnp.float64)
        ours = nnx.grad(lambda m: jnp.sum(jnp.cos(m(x))))(layer)
        for name, gradient in jax.grad(loss)(params).items():
            flat, h = jnp.ravel(params[name]), 1e-6
            for i in range(flat.size):
                move = lambda s, i=i, flat=flat, name=name: (
                    params | {name: flat.at[i].add(s).reshape(params[name].shape)}
                )
                slope = (loss(move(h)) - loss(move(-h))) / (2 * h)
                # Error of central differences: O(h²) + O(eps / h).
                np.testing.assert_allclose(
                    jnp.ravel(gradient)[i], slope, rtol=1e-6, atol=1e-8
                )
            np.testing.assert_allclose(ours[name][...], gradient, rtol=1e-12)


def target(x):
    """Return a leaky ReLU with another slope per feature."""
    return jnp.where(x >= 0, x, jnp.array([0.0, 0.1, 0.5, -0.3]) * x)


def test_prelu_per_feature_trains_in_linen():
    x = jax.random.normal(KEY, (64, 4))
    layer = jax_acts.linen.Activation("prelu(Learn(0.25, per_feature=True))")
    params = layer.init(KEY, x)
    loss = lambda p: jnp.mean((layer.apply(p, x) - target(x)) ** 2)
    optimizer = optax.adam(0.05)

    @jax.jit
    def step(params, state):
        value, gradient = jax.value_and_grad(loss)(params)
        updates, state = optimizer.update(gradient, state)
        return optax.apply_updates(params, updates), state, value

    state, losses = optimizer.init(params), []
    for _ in range(60):
        params, state, value = step(params, state)
        losses.append(float(value))
    assert losses[-1] < 0.01 * losses[0]
    np.testing.assert_allclose(
        params["params"]["negative_slope"], [0.0, 0.1, 0.5, -0.3], atol=0.05
    )


def test_prelu_per_feature_trains_in_nnx():
    x = jax.random.normal(KEY, (64, 4))
    layer = jax_acts.nnx.Activation("prelu(Learn(0.25, per_feature=True))", features=4)
    optimizer = nnx.Optimizer(layer, optax.adam(0.05), wrt=nnx.Param)

    @nnx.jit
    def step(layer, optimizer):
        loss = lambda m: jnp.mean((m(x) - target(x)) ** 2)
        value, gradient = nnx.value_and_grad(loss)(layer)
        optimizer.update(layer, gradient)
        return value

    losses = [float(step(layer, optimizer)) for _ in range(60)]
    assert losses[-1] < 0.01 * losses[0]
    np.testing.assert_allclose(
        layer.negative_slope[...], [0.0, 0.1, 0.5, -0.3], atol=0.05
    )


PER_FEATURE = Learn(0.25, per_feature=True)


def test_per_feature_requires_the_number_of_features():
    with pytest.raises(
        ValueError, match=r"Learn\(0.25, per_feature=True\): expected the number"
    ):
        jax_acts.nnx.Activation("leaky_relu", negative_slope=PER_FEATURE)
    linen = jax_acts.linen.Activation(get("leaky_relu", negative_slope=PER_FEATURE))
    with pytest.raises(
        ValueError, match=r"Learn\(0.25, per_feature=True\): expected the number"
    ):
        linen.init(KEY, 1.0)


@pytest.mark.parametrize("features", [1, 3])
def test_the_last_axis_of_x_must_have_the_number_of_features(features):
    """A size of 1 would otherwise broadcast silently."""
    spec = get("leaky_relu", negative_slope=PER_FEATURE)
    layer = jax_acts.nnx.Activation(spec, features=features)
    with pytest.raises(
        ValueError,
        match=rf"leaky_relu: negative_slope: .* {features} features .*\(3, 4\)",
    ):
        layer(X)
    linen = jax_acts.linen.Activation(spec)
    params = {"params": {"negative_slope": jnp.ones(features)}}
    message = rf"negative_slope.*\(4,\).*\({features},\)"
    with pytest.raises(flax.errors.ScopeParamShapeError, match=message):
        linen.apply(params, X)
