"""Every function and its derivative goes to every platform, and keeps its numbers."""

import inspect

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import pytest

from jax_acts._core.activation import ActivationFunction
from jax_acts._registry.lookup import FUNCTIONS

PLATFORMS = ("cpu", "cuda", "tpu")

FAMILIES: dict[str, list] = {}  # a family is one program: that is fast to compile
for each in dict.fromkeys(FUNCTIONS.values()):
    FAMILIES.setdefault(each.__module__.rpartition(".")[2], []).append(each)

X = jnp.linspace(-4, 4, 24).reshape(4, 6)


def called(f, x):
    """Returns f(x), with a key if it takes one, and x for all else that it requires."""
    given = {}
    for name, parameter in f.signature.parameters.items():
        if name == "key":
            given[name] = jax.random.key(0)
        elif parameter.default is inspect.Parameter.empty:
            given[name] = x
    return f(**given)


def computed(f, x):
    """Returns all that is asked of a function: its value and its derivatives."""
    first = f.parameters[0]
    if isinstance(f, ActivationFunction):
        derivatives = [f.partial(n)(x) for n in f.parameters if n not in f.static]
        return [f(**{first: x}), f.derivative.derivative(x), *derivatives]
    y, pullback = jax.vjp(lambda x: called(f, x), x)
    return [y, *pullback(jnp.ones_like(y))]


def loss(f, x):
    """Returns a number, as training does."""
    return jnp.sum(called(f, x).astype(jnp.float32))


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_functions_and_derivatives_export_and_keep_their_bits(family):
    program = jax.jit(lambda x: {f.__name__: computed(f, x) for f in FAMILIES[family]})
    exported = jax.export.export(program, platforms=PLATFORMS)(X)
    assert exported.platforms == PLATFORMS
    assert "custom_call" not in exported.mlir_module()
    again = jax.export.deserialize(exported.serialize())
    got, want = again.call(X), program(X)
    for name in want:
        for i, (a, b) in enumerate(zip(got[name], want[name], strict=True)):
            np.testing.assert_array_equal(a, b, f"output {i} of {name}")


@pytest.mark.slow
@pytest.mark.parametrize("platform", ["cuda", "tpu"])
@pytest.mark.parametrize("family", FAMILIES)
def test_values_and_gradients_in_bfloat16_lower_ahead_of_time(family, platform):
    functions = FAMILIES[family]
    step = jax.jit(lambda x: [jax.value_and_grad(loss, 1)(f, x) for f in functions])
    x = jax.ShapeDtypeStruct(X.shape, jnp.bfloat16)
    text = step.trace(x).lower(lowering_platforms=(platform,)).as_text()
    assert "stablehlo" in text
    assert "custom_call" not in text
