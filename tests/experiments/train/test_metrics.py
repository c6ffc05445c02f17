"""Metrics of networks against their definitions."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_acts.experiments.models import CNN, MLP
from jax_acts.experiments.train.classification import cross_entropy
from jax_acts.experiments.train.metrics import (
    hidden_layer_metrics,
    image_metrics,
    is_alive,
    kernel_gradient_norms,
    log10_norm,
)
from jax_acts.linen import Activation

pytestmark = pytest.mark.slow

Z = jnp.array([[-1.0, -2.0, 3.0], [-4.0, 5.0, 6.0]])
"""Pre-activations of three units for two images; the first is always negative."""


@pytest.mark.parametrize(
    ("activation", "expected"),
    [
        ("relu", [False, True, True]),
        ("leaky_relu", [True, True, True]),  # negative outputs, but a derivative
        ("sigmoid", [True, True, True]),
        ("identity", [True, True, True]),
        ("relu6", [False, True, True]),
    ],
)
def test_a_unit_is_dead_if_its_derivative_is_zero_everywhere(activation, expected):
    assert is_alive(Activation(activation), {}, Z).tolist() == expected


def test_a_unit_that_only_saturates_high_is_dead_as_well():
    assert is_alive(Activation("relu6"), {}, jnp.full((4, 1), 7.0)).tolist() == [False]


def test_a_channel_is_alive_if_it_is_at_one_location_of_one_image():
    z = jnp.full((2, 3, 3, 2), -1.0).at[1, 2, 0, 1].set(1.0)
    assert is_alive(Activation("relu"), {}, z).tolist() == [False, True]


def test_the_norm_does_not_underflow():
    x = jnp.array([3e-30, 4e-30], jnp.float32)  # their squares are 0 in float32
    np.testing.assert_allclose(log10_norm(x), np.log10(5e-30), rtol=1e-6)
    assert log10_norm(jnp.zeros(3)) == -jnp.inf


@pytest.fixture(scope="module")
def network():
    model = CNN("relu", (3,), 4)
    images = jax.random.randint(jax.random.key(0), (7, 6, 6, 1), 0, 256).astype("uint8")
    labels = jnp.array([0, 1, 2, 3, 0, 1, 2])
    normalize = lambda x: x.astype(jnp.float32) / 255
    params = model.init(jax.random.key(1), normalize(images))["params"]
    bias = jnp.array([0, -99.0, 0])
    params = params | {"conv_0": params["conv_0"] | {"bias": bias}}
    apply = lambda params: model.apply({"params": params}, normalize(images))
    gradient = jax.grad(lambda params: cross_entropy(apply(params), labels))(params)
    measure = partial(image_metrics, model, params, gradient, normalize, images, labels)
    return measure, apply(params), gradient, labels


def test_image_metrics_are_those_of_the_definition(network):
    measure, logits, gradient, labels = network
    metrics = measure()
    accuracy = np.mean(logits.argmax(-1) == labels, dtype="float32")
    norms = [np.linalg.norm(gradient[name]["kernel"]) for name in ("conv_0", "head")]
    assert metrics["accuracy"] == accuracy
    np.testing.assert_allclose(metrics["dead_fraction"], 1 / 3, rtol=1e-6)
    np.testing.assert_allclose(
        metrics["log10_gradient_ratio"],
        np.log10(norms[0] / norms[1]),
        atol=1e-5,  # two float32 norms
    )


@pytest.mark.parametrize("batch_size", [2, 3, 100])
def test_image_metrics_do_not_depend_on_the_batch_size(network, batch_size):
    measure, *_ = network
    expected, metrics = measure(batch_size=7), measure(batch_size=batch_size)
    for name, value in expected.items():  # the order of sums of products differs
        np.testing.assert_allclose(metrics[name], value, atol=1e-6)


def test_layer_metrics_are_those_of_the_definition():
    x = jax.random.normal(jax.random.key(0), (9, 3))
    model = MLP("relu", 3, 4, 2)
    params = jax.jit(model.init)(jax.random.key(1), x)["params"]
    params["layers"]["dense"]["bias"] = jnp.zeros((2, 4)).at[1, 2].set(-99.0)
    metrics = jax.jit(partial(hidden_layer_metrics, model))(params, x)
    dead, rms = metrics["dead_fraction"], metrics["preactivation_rms"]
    assert dead.shape == rms.shape == (3,)
    assert dead[2] >= 0.25
    first = params["first"]["dense"]
    z = x @ first["kernel"] + first["bias"]
    np.testing.assert_allclose(rms[0], jnp.sqrt((z**2).mean()), rtol=1e-5)
    assert dead[0] == (z <= 0).all(0).mean()
    gradient = jax.jit(jax.grad(lambda p: model.apply({"params": p}, x).sum()))(params)
    norms = kernel_gradient_norms(gradient)
    assert norms.shape == (4,)
    kernel = np.asarray(gradient["layers"]["dense"]["kernel"])[0]
    np.testing.assert_allclose(norms[1], np.log10(np.linalg.norm(kernel)), atol=1e-5)
