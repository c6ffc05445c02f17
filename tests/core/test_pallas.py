"""Every function lowers inside a Pallas kernel.

Lowering needs no TPU or GPU.
"""

import contextlib

import jax
import jax.numpy as jnp
import pytest
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton

from jax_acts import leaky_relu, log_softmax, swiglu
from jax_acts._core.activation import ActivationFunction
from jax_acts._registry.lookup import FUNCTIONS
from tests.conftest import ACTIVATIONS, check_each
from tests.functional.cases import ROWS, call

pytestmark = pytest.mark.filterwarnings(
    "ignore:The Pallas Triton backend is deprecated"  # since JAX 0.12
)
POINTWISE = ("apl", "b_spline", "chebyshev", "polyrelu", "rational")
FAMILIES: dict[str, list] = {}
for function in [*ACTIVATIONS.values(), *(FUNCTIONS[n] for n in POINTWISE)]:
    FAMILIES.setdefault(function.__module__.rpartition(".")[2], []).append(function)
OPTIONS = {"tpu": {}, "cuda": {"compiler_params": triton.CompilerParams()}}
X = jax.ShapeDtypeStruct((16, 128), jnp.float32)


# Primitives without a lowering rule; see docs/limits.md.
UNSUPPORTED = {
    "cuda": {"crelu", "gumbel_softmax"},
    "cuda gradient": {"gumbel_softmax"},
    "tpu gradient": {"gtu", "seglu", "situ_glu", "softpick"},
}


def device(platform):
    """Return a context with the GPU that Triton requires since JAX 0.12."""
    if platform != "cuda" or jax.__version_info__ < (0, 12):
        return contextlib.nullcontext()
    gpu = jax.sharding.AbstractDevice("NVIDIA H100 80GB HBM3", 132, "gpu")
    mesh = jax.sharding.AbstractMesh((), (), abstract_device=gpu)
    return jax.sharding.use_abstract_mesh(mesh)


def lower(f, platform, block=X):
    """Lower a kernel that applies f to a block, for TPU (Mosaic) or for Triton."""

    def kernel(x_ref, y_ref):
        y_ref[...] = f(x_ref[...])

    out_shape = jax.eval_shape(f, block)
    kernel_call = pl.pallas_call(kernel, out_shape=out_shape, **OPTIONS[platform])
    with device(platform):
        traced = jax.jit(kernel_call).trace(block)
        return traced.lower(lowering_platforms=(platform,)).as_text()


@pytest.mark.slow
@pytest.mark.parametrize("platform", OPTIONS)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_kernel_of_every_elementwise_function_lowers(family, platform):
    for f in FAMILIES[family]:
        # Triton has no `platform_index`; see docs/limits.md.
        by_platform = platform == "cuda" and family in ("modulated", "periodic")
        call = f.with_implementation("portable") if by_platform else f
        assert "custom_call" in lower(call, platform)


@pytest.mark.slow
@pytest.mark.parametrize("platform", OPTIONS)
def test_a_kernel_of_every_function_along_an_axis_lowers(platform):
    def check(name):
        assert "custom_call" in lower(lambda x: call(name, x), platform)

    check_each(check, set(ROWS) - UNSUPPORTED.get(platform, set()))


@pytest.mark.slow
@pytest.mark.parametrize("platform", OPTIONS)
def test_a_kernel_of_the_gradient_of_without_custom_jvp_lowers(platform):
    def check(name):
        f = lambda x: call(name, x, ordinary=True)
        gradient = lambda x: jax.vjp(f, x)[1](jnp.ones_like(f(x)))[0]
        assert "custom_call" in lower(gradient, platform)

    check_each(check, set(ROWS) - UNSUPPORTED[f"{platform} gradient"])


@pytest.mark.parametrize("platform", OPTIONS)
def test_a_kernel_of_short_vectors_or_bfloat16_lowers(platform):
    # Triton has no `platform_index`; see docs/limits.md.
    f = log_softmax.without_custom_jvp if platform == "cuda" else log_softmax
    for block in (
        jax.ShapeDtypeStruct((128, 16), jnp.float32),
        jax.ShapeDtypeStruct((16, 128), jnp.bfloat16),
    ):
        assert "custom_call" in lower(f, platform, block)


@pytest.mark.parametrize("platform", OPTIONS)
def test_arguments_may_be_python_scalars(platform):
    assert "custom_call" in lower(lambda x: leaky_relu(x, 0.2), platform)
    assert "custom_call" in lower(lambda x: swiglu.without_custom_jvp(x, x), platform)


@pytest.mark.parametrize("platform", OPTIONS)
@pytest.mark.parametrize("name", ["silu", "gelu", "elu", "sine"])
def test_a_kernel_of_the_gradient_of_a_portable_function_lowers(name, platform):
    f = ACTIVATIONS[name]
    assert isinstance(f, ActivationFunction)
    f = f.with_implementation("portable")
    gradient = lambda x: jax.vjp(f, x)[1](x)[0]
    assert "custom_call" in lower(gradient, platform)
