"""Every elementwise function and gated unit lowers inside a Pallas kernel.

Lowering needs no TPU or GPU.
"""

import jax
import jax.numpy as jnp
import pytest
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton

from jax_acts import leaky_relu, swiglu
from jax_acts._core.activation import ActivationFunction
from jax_acts._core.glu import is_gated_unit
from jax_acts._registry.lookup import FUNCTIONS
from tests.conftest import ACTIVATIONS

POINTWISE = ("apl", "b_spline", "chebyshev", "polyrelu", "rational")
OTHERS = {
    f.__name__: f
    for f in FUNCTIONS.values()
    if is_gated_unit(f) or f.__name__ in POINTWISE
}
FAMILIES: dict[str, list] = {}
for function in [*ACTIVATIONS.values(), *OTHERS.values()]:
    FAMILIES.setdefault(function.__module__.rpartition(".")[2], []).append(function)
OPTIONS = {"tpu": {}, "cuda": {"compiler_params": triton.CompilerParams()}}
X = jax.ShapeDtypeStruct((16, 128), jnp.float32)


def lower(f, platform):
    """Lower a kernel that applies f to a block, for TPU (Mosaic) or for Triton."""

    def kernel(x_ref, y_ref):
        y_ref[...] = f(x_ref[...])

    call = pl.pallas_call(kernel, out_shape=X, **OPTIONS[platform])
    return jax.jit(call).trace(X).lower(lowering_platforms=(platform,)).as_text()


@pytest.mark.slow
@pytest.mark.parametrize("platform", OPTIONS)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_kernel_of_every_function_lowers(family, platform):
    for f in FAMILIES[family]:
        call = (lambda x, f=f: f(x, value=x)) if is_gated_unit(f) else f
        if platform == "cuda" and isinstance(f, ActivationFunction):
            call = f.with_implementation("portable")
        assert "custom_call" in lower(call, platform)


@pytest.mark.parametrize("platform", OPTIONS)
def test_arguments_may_be_python_scalars(platform):
    assert "custom_call" in lower(lambda x: leaky_relu(x, 0.2), platform)
    assert "custom_call" in lower(lambda x: swiglu.without_custom_jvp(x, x), platform)


@pytest.mark.parametrize("name", ["silu", "gelu", "elu"])
def test_a_kernel_of_the_gradient_lowers_for_triton(name):
    f = ACTIVATIONS[name]
    assert isinstance(f, ActivationFunction)
    gradient = lambda x: jax.vjp(f, x)[1](x)[0]
    assert "custom_call" in lower(gradient, "cuda")
