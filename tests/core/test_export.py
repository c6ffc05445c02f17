"""Every function and its derivatives export to every platform, with equal bits."""

import inspect

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import pytest

from jax_acts._core.activation import ActivationFunction
from jax_acts._registry.lookup import FUNCTIONS
from jax_acts.testing.evaluation import OPTIMIZED

PLATFORMS = ("cpu", "cuda", "tpu")

FAMILIES: dict[str, list] = {}  # one program per family is fast to compile
for function in dict.fromkeys(FUNCTIONS.values()):
    family = function.__module__.rpartition(".")[2]
    FAMILIES.setdefault(family, []).append(function)

X = jnp.linspace(-4, 4, 24).reshape(4, 6)


def call(f, x):
    """Return f(x) with a key and x for its required arguments."""
    arguments = {}
    for name, parameter in f.signature.parameters.items():
        if name == "key":
            arguments[name] = jax.random.key(0)
        elif parameter.default is inspect.Parameter.empty:
            arguments[name] = x
    return f(**arguments)


def evaluate(f, x):
    """Return the value and the derivatives."""
    first = f.parameters[0]
    if isinstance(f, ActivationFunction):
        derivatives = [f.partial(n)(x) for n in f.parameters if n not in f.static]
        return [f(**{first: x}), f.derivative.derivative(x), *derivatives]
    y, pullback = jax.vjp(lambda x: call(f, x), x)
    return [y, *pullback(jnp.ones_like(y))]


def loss(f, x):
    return jnp.sum(call(f, x).astype(jnp.float32))


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_exported_functions_and_derivatives_are_bit_equal(family):
    program = lambda x: {f.__name__: evaluate(f, x) for f in FAMILIES[family]}
    exported = jax.export.export(jax.jit(program), platforms=PLATFORMS)(X)
    assert exported.platforms == PLATFORMS
    assert "custom_call" not in exported.mlir_module()
    again = jax.export.deserialize(exported.serialize())
    got, want = (
        jax.jit(f, compiler_options=OPTIMIZED)(X) for f in (again.call, program)
    )
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
