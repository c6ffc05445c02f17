"""Implementations: rules by platform, portable rules, and the formulas of XLA."""

import pickle
import subprocess

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import jax_acts.linen
import jax_acts.nnx
from benchmarks.platforms.targets import SPECS, CompilerMissing, interpreter
from jax_acts import gelu, gelu_tanh, get, sigmoid, silu, sine
from tests.conftest import ACTIVATIONS

X = jnp.linspace(-9, 9, 361)
FUSED = {gelu: jax.nn.gelu, gelu_tanh: jax.nn.gelu, sigmoid: jax.nn.sigmoid}
"""Functions with a formula that XLA fuses, and that of `jax.nn`."""


def test_implementations_residuals_and_derivatives_commute():
    for f in (sine, gelu):
        portable = f.with_implementation("portable")
        assert portable.with_implementation("default") is f
        both = f.with_residuals("input").with_implementation("portable")
        assert both is portable.with_residuals("input")
        assert both.with_residuals("derivative") is portable
        assert portable.derivative is f.derivative.with_implementation("portable")
        for copy in (portable, both, portable.derivative):
            assert pickle.loads(pickle.dumps(copy)) is copy
    assert gelu.with_implementation("xla").derivative is gelu.derivative


def test_an_unknown_implementation_is_an_error():
    with pytest.raises(ValueError, match="'portable', 'xla', got 'xal'; did you mean"):
        gelu.with_implementation("xal")
    with pytest.raises(ValueError, match="expected 'default', 'portable', got 'xla'"):
        silu.with_implementation("xla")


def test_a_portable_function_makes_no_choice_by_platform():
    for f in ACTIVATIONS.values():
        if not f.__module__.endswith(("periodic", "modulated")):
            continue
        for g in (f, f.derivative, f.derivative.derivative):
            assert "platform_index" in str(jax.make_jaxpr(lambda x, g=g: g(x))(X))
        portable = f.with_implementation("portable")
        second = jax.vmap(jax.grad(jax.grad(portable)))
        for g in (portable, portable.derivative, portable.derivative.derivative):
            assert "platform_index" not in str(jax.make_jaxpr(lambda x, g=g: g(x))(X))
        assert "platform_index" not in str(jax.make_jaxpr(second)(X))
        np.testing.assert_allclose(portable(X), f(X), rtol=1e-6, atol=1e-7)


def test_xla_has_the_value_of_jax_nn_and_the_derivative_of_the_function():
    for f, reference in FUSED.items():
        g = f.with_implementation("xla")
        for dtype in ("float32", "bfloat16"):
            x = X.astype(dtype)
            np.testing.assert_array_equal(g(x), jax.jit(reference)(x))
            gradient = lambda f, x=x: jax.vjp(f, x)[1](jnp.ones_like(x))[0]
            np.testing.assert_array_equal(gradient(g), gradient(f))
            assert g(x).dtype == x.dtype


def test_a_spec_and_a_layer_state_the_implementation():
    bound = get("gelu", implementation="xla", residuals="input")
    assert bound.function is gelu.with_residuals("input").with_implementation("xla")
    assert get(bound.to_dict()) == get(str(bound)) == bound
    options = {"activation": "gelu", "implementation": "xla"}
    x = jnp.ones((2, 3), jnp.bfloat16)
    layer = jax_acts.linen.Dense(4, **options)
    y, variables = layer.init_with_output(jax.random.key(0), x)
    kernel = variables["params"]["kernel"]
    np.testing.assert_allclose(y, jax.nn.gelu(x @ kernel), rtol=1e-6)
    layer = jax_acts.nnx.Dense(3, 4, rngs=nnx.Rngs(0), **options)
    np.testing.assert_allclose(layer(x), jax.nn.gelu(x @ layer.kernel[...]), rtol=1e-6)


COMPILE = """
import sys, jax, jax.numpy as jnp, numpy as np, jax_acts
from jax.experimental import topologies
from jax.sharding import Mesh, NamedSharding, PartitionSpec as P
device = topologies.get_topology_desc(
    platform="cuda", target_config=open(sys.argv[1]).read(), topology="1x1x1"
).devices[0]
sharding = NamedSharding(Mesh(np.array([device]), ("d",)), P())
shapes = ((512, 256), (256, 512), (512,))
for name, triton in (("gelu", False), ("sigmoid", True)):
    for implementation in ("default", "xla"):
        f = getattr(jax_acts, name).with_implementation(implementation)
        a = [jax.ShapeDtypeStruct(s, jnp.bfloat16, sharding=sharding) for s in shapes]
        dense = lambda x, w, b: f(x @ w + b)
        gradient = lambda ct, *a: jax.vjp(dense, *a)[1](ct)
        for call, arguments in ((dense, a), (gradient, [a[0], *a])):
            if call is gradient:
                arguments[0] = jax.eval_shape(dense, *a)
                arguments[0] = arguments[0].update(sharding=sharding)
            traced = jax.jit(call).trace(*arguments)
            lowered = traced.lower(lowering_platforms=("cuda",))
            text = lowered.compile({"xla_gpu_enable_triton_gemm": triton}).as_text()
            entry = text[text.index("ENTRY"):]
            calls = entry.count(" fusion(") + entry.count(" custom-call(")
            print(name, implementation, call is gradient, calls, "GELU" in text)
"""


@pytest.mark.slow
@pytest.mark.platform
def test_xla_fuses_its_formula_into_the_matrix_product():
    try:
        python = interpreter("gpu")
    except CompilerMissing as error:
        pytest.skip(str(error))
    command = [python, "-c", COMPILE, str(SPECS / "h100.txtpb")]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    rows = [line.split() for line in process.stdout.splitlines()]
    counts = {tuple(row[:3]): (int(row[3]), row[4] == "True") for row in rows}
    for name in ("gelu", "sigmoid"):
        default, xla = (counts[name, i, "False"][0] for i in ("default", "xla"))
        assert xla < default, counts
    assert counts["gelu", "xla", "False"][1], counts
