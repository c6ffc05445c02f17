import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_acts.experiments.models import average_pool
from jax_acts.experiments.models.convolution import convolve_patches

pytestmark = pytest.mark.slow


def layers(**options: object) -> tuple[nn.Conv, nn.Conv]:
    patches = nn.Conv(4, conv_general_dilated_cls=lambda: convolve_patches, **options)
    return nn.Conv(4, **options), patches


@pytest.mark.parametrize(
    ("kernel_size", "padding", "strides"),
    [
        ((3, 3), "SAME", 1),
        ((3, 3), "SAME", 2),
        ((3, 3), "VALID", (3, 1)),
        ((2, 5), "SAME", (3, 1)),
        ((2, 5), ((1, 2), (0, 1)), 2),
        ((1, 1), "VALID", 2),
        ((1, 1), ((1, 2), (0, 1)), 1),
    ],
)
def test_patches_give_the_values_and_gradients_of_flax(kernel_size, padding, strides):
    x = jax.random.normal(jax.random.key(0), (2, 11, 8, 3))
    theirs, ours = layers(kernel_size=kernel_size, padding=padding, strides=strides)
    variables = jax.jit(theirs.init)(jax.random.key(1), x)

    def outcome(layer):
        value, pullback = jax.vjp(layer.apply, variables, x)
        cotangent = jnp.sin(jnp.arange(value.size)).reshape(value.shape)
        return value, *pullback(cotangent)

    # Sums of up to 176 float32 products of order 1, in another order.
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4),
        jax.jit(lambda: outcome(ours))(),
        jax.jit(lambda: outcome(theirs))(),
    )


def test_patches_start_from_the_parameters_of_flax():
    x = jnp.ones((1, 5, 5, 2))
    theirs, ours = (
        layer.init(jax.random.key(0), x) for layer in layers(kernel_size=(3, 3))
    )
    jax.tree.map(np.testing.assert_array_equal, ours, theirs)


@pytest.mark.parametrize(
    "option",
    [{"feature_group_count": 2}, {"kernel_dilation": 2}, {"input_dilation": 2}],
)
def test_patches_refuse_what_they_do_not_know(option):
    _, ours = layers(kernel_size=(3, 3), **option)
    with pytest.raises(ValueError, match="expected no groups and no dilation"):
        ours.init(jax.random.key(0), jnp.ones((1, 8, 8, 2)))


@pytest.mark.parametrize("shape", [(2, 8, 6, 3), (1, 7, 9, 2)])
def test_the_pooling_is_that_of_flax(shape):
    x = jax.random.normal(jax.random.key(0), shape)
    expected = nn.avg_pool(x, (2, 2), (2, 2))
    # Means of four numbers of order 1, in another order.
    np.testing.assert_allclose(average_pool(x), expected, rtol=1e-6, atol=1e-6)
