"""Meshes with explicit axes: gradients in x together with a parameter per feature.

The checks of JAX depend on the names of axes, not on their sizes: one device suffices.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from jax_acts import leaky_relu
from tests.conftest import ACTIVATIONS

MESH = jax.make_mesh((1, 1), ("data", "model"), axis_types=(AxisType.Explicit,) * 2)
CASES = [
    (x, parameter)
    for x in (("data", "model"), ("data", None), (None, None))
    for parameter in ("model", None)
]
PAIRS = [
    pytest.param(f, n, id=f"{name}-{n}")
    for name, f in ACTIVATIONS.items()
    for n in f.parameters[1:]
    if n not in f.static
]


def abstract(shape, *axes):
    sharding = NamedSharding(MESH, PartitionSpec(*axes))
    return jax.ShapeDtypeStruct(shape, jnp.float32, sharding=sharding)


@pytest.mark.parametrize(("function", "name"), PAIRS)
def test_gradients_have_the_shardings_of_their_arguments(function, name):
    def loss(x, parameter):
        return function(x, **{name: parameter}).sum()

    with jax.set_mesh(MESH):
        for x_axes, axis in CASES:
            x, parameter = abstract((4, 8), *x_axes), abstract((8,), axis)
            gradients = jax.eval_shape(jax.grad(loss, (0, 1)), x, parameter)
            for gradient, argument in zip(gradients, (x, parameter), strict=True):
                assert gradient.shape == argument.shape
                assert gradient.sharding.spec == argument.sharding.spec


def test_values_on_a_mesh_are_those_without():
    x, slope = jnp.linspace(-3, 3, 32).reshape(4, 8), jnp.linspace(0, 1, 8)
    gradient = jax.grad(lambda x, s: jnp.sum(leaky_relu(x, s) ** 2), (0, 1))
    want = gradient(x, slope)
    with jax.set_mesh(MESH):
        put = lambda a, *axes: jax.device_put(
            a, NamedSharding(MESH, PartitionSpec(*axes))
        )
        got = gradient(put(x, "data", "model"), put(slope, "model"))
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)  # sums in another order
