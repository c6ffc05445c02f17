import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_acts.experiments.models import CNN
from jax_acts.experiments.train.metrics import Batch, alive, log10_norm, loss, measure
from jax_acts.linen import Activation

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("quickly_compiled")]

Z = jnp.array([[-1.0, -2.0, 3.0], [-4.0, 5.0, 6.0]])
"""What goes into three units for two images; the first is never positive."""


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
    assert alive(Activation(activation), {}, Z).tolist() == expected


def test_a_unit_that_only_saturates_high_is_dead_too():
    assert alive(Activation("relu6"), {}, jnp.full((4, 1), 7.0)).tolist() == [False]


def test_a_channel_lives_if_it_does_at_one_place_of_one_image():
    z = jnp.full((2, 3, 3, 2), -1.0).at[1, 2, 0, 1].set(1.0)
    assert alive(Activation("relu"), {}, z).tolist() == [False, True]


def test_the_norm_does_not_underflow():
    x = jnp.array([3e-30, 4e-30], jnp.float32)  # their squares are 0 in float32
    np.testing.assert_allclose(log10_norm(x), np.log10(5e-30), rtol=1e-6)
    assert log10_norm(jnp.zeros(3)) == -jnp.inf


@pytest.fixture(scope="module")
def network():
    model = CNN("relu", (3,), 4)
    images = jax.random.randint(jax.random.key(0), (7, 6, 6, 1), 0, 256).astype("uint8")
    test = Batch(images, jnp.array([0, 1, 2, 3, 0, 1, 2]))
    scaled = lambda x: x.astype(jnp.float32) / 255
    params = model.init(jax.random.key(1), scaled(images))["params"]
    return model, scaled, params, test


def test_the_measures_are_those_of_the_definition(network):
    model, scaled, params, test = network
    params = params | {"conv_0": params["conv_0"] | {"bias": jnp.array([0, -99.0, 0])}}
    found = measure(model, scaled, params, test, test)
    logits = model.apply({"params": params}, scaled(test.images))
    gradient = jax.grad(loss, argnums=2)(model, scaled, params, test)
    norms = [np.linalg.norm(gradient[name]["kernel"]) for name in ("conv_0", "head")]
    assert found.accuracy == np.mean(logits.argmax(-1) == test.labels, dtype="float32")
    np.testing.assert_allclose(found.dead_fraction, 1 / 3, rtol=1e-6)
    np.testing.assert_allclose(
        found.log10_gradient_ratio,
        np.log10(norms[0] / norms[1]),
        atol=1e-5,  # two float32 norms
    )


@pytest.mark.parametrize("at_once", [2, 3, 100])
def test_the_measures_do_not_depend_on_how_many_images_are_in_memory(network, at_once):
    model, scaled, params, test = network
    expected = measure(model, scaled, params, test, test, at_once=7)
    found = measure(model, scaled, params, test, test, at_once=at_once)
    np.testing.assert_allclose(found, expected, atol=1e-6)  # other sums of products
