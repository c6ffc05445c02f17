"""Names resolve to what their library means, and without a library to one meaning."""

import json
import math
import re
from pathlib import Path

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jax_acts import get
from jax_acts._core.compat import enable_x64
from jax_acts._registry.dialects import DIALECTS, OWN
from jax_acts._registry.dialects.prefixes import PREFIXES, has_prefix, libraries
from jax_acts._registry.entries import variants
from jax_acts._registry.lookup import FUNCTIONS
from tests.registry.documented import DOCUMENTED

DATA = Path(__file__).parents[1] / "data"
ALIASES = [
    (spelling, group.get("dialect"), group["spec"])
    for group in json.loads((DATA / "aliases.json").read_text())
    for spelling in group["spellings"]
]
GOLDEN = json.loads((DATA / "golden.json").read_text())["answers"]

MEANINGS = {
    # one name, different functions
    "gelu": "gelu",
    "jax:gelu": "gelu",
    "flax:gelu": "gelu",
    "torch:gelu": "gelu_exact",
    "torch:GELU('tanh')": "gelu_tanh",
    "keras:gelu": "gelu_exact",
    "keras:gelu(True)": "gelu_tanh",
    "keras.activations.gelu": "gelu_exact",
    "keras.ops.gelu": "gelu_tanh",
    "keras.ops.gelu(approximate=False)": "gelu_exact",
    "keras2:gelu": "gelu_exact",
    "hf:gelu": "gelu_exact",
    "hf:gelu_fast": "gelu_tanh",
    "timm:gelu": "gelu_exact",
    "onnx:Gelu": "gelu_exact",
    "onnx:Gelu(approximate='tanh')": "gelu_tanh",
    "mlx:gelu": "gelu_exact",
    "mlx:gelu_fast": "gelu_quick",
    "mlx:GELU('fast')": "gelu_quick",
    "mlx:GELU('precise')": "gelu_tanh",
    "torch.nn.GELU": "gelu_exact",
    "torch:nn.functional.gelu": "gelu_exact",
    "leaky_relu": "leaky_relu",
    "torch:LeakyReLU": "leaky_relu",
    "keras:leaky_relu": "leaky_relu(negative_slope=0.2)",
    "keras:LeakyReLU": "leaky_relu(negative_slope=0.3)",
    "keras.layers.LeakyReLU(negative_slope=0.1)": "leaky_relu(negative_slope=0.1)",
    "keras2:LeakyReLU(alpha=0.1)": "leaky_relu(negative_slope=0.1)",
    "onnx:LeakyRelu(alpha=0.1)": "leaky_relu(negative_slope=0.1)",
    "hard_sigmoid": "hard_sigmoid",
    "torch:hardsigmoid": "hard_sigmoid",
    "keras:hard_sigmoid": "hard_sigmoid",
    "keras2:hard_sigmoid": "hard_sigmoid(slope=0.2)",
    "onnx:HardSigmoid": "hard_sigmoid(slope=0.2)",
    "onnx:HardSigmoid(alpha=0.25, beta=0.4)": "hard_sigmoid(slope=0.25, offset=0.4)",
    "onnx:HardSwish": "hard_silu",
    # learned arguments and their initial values
    "prelu": "leaky_relu(negative_slope=Learn(0.25))",
    "torch:PReLU": "leaky_relu(negative_slope=Learn(0.25))",
    "torch:PReLU(num_parameters=64, init=0.1)": (
        "leaky_relu(negative_slope=Learn(0.1, per_feature=True))"
    ),
    "hf:prelu": "leaky_relu(negative_slope=Learn(0.25))",
    "flax:PReLU": "leaky_relu(negative_slope=Learn(0.01))",
    "nnx.PReLU(negative_slope_init=0.1)": "leaky_relu(negative_slope=Learn(0.1))",
    "keras:PReLU": "leaky_relu(negative_slope=Learn(0.0, per_feature=True))",
    "onnx:PRelu(slope=Learn(0.1))": "leaky_relu(negative_slope=Learn(0.1))",
    "hf:xielu": "xielu(alpha_p=Learn(0.8), alpha_n=Learn(0.8))",
    # one function, other argument names and defaults
    "torch:hardshrink(lambd=0.3)": "hard_shrink(threshold=0.3)",
    "onnx:Shrink(bias=0.1, lambd=0.3)": "shrink(threshold=0.3, bias=0.1)",
    "onnx:Swish(alpha=1.7)": "silu(beta=1.7)",
    "onnx:Clip(min=0.0)": "clip(min_val=0.0)",
    "onnx:ThresholdedRelu(alpha=2.0)": "thresholded_relu(theta=2.0)",
    "hf:gelu_10": "gelu_clipped",
    "torch:relu(inplace=True)": "relu",
    "torch:softplus(beta=2, threshold=20)": "softplus(beta=2.0)",
    "torch:rrelu(0.1, 0.3, True)": "rrelu(lower=0.1, upper=0.3, training=True)",
    "torch:threshold(0.1, 20)": "threshold(threshold=0.1, value=20.0)",
    "torch:softmax(dim=1)": "softmax(axis=1)",
    "torch:Softmax2d": "softmax(axis=-3)",
    # steps with the derivative of a surrogate
    "snntorch:straight_through_estimator": (
        "step(at_threshold=0.0, surrogate='straight_through')"
    ),
    "snntorch.surrogate.fast_sigmoid(slope=10)": (
        "step(sharpness=10.0, at_threshold=0.0, surrogate='fast_sigmoid')"
    ),
    "spikingjelly:SuperSpike": "step(surrogate='fast_sigmoid')",
    "spikingjelly:Sigmoid": "step(sharpness=4.0, surrogate='sigmoid')",
    "norse:threshold('heaviside', 1.0)": "step(at_threshold=0.0)",
    "norse:superspike_fn(alpha=10.0)": (
        "step(at_threshold=0.0, surrogate='fast_sigmoid')"
    ),
    # prefixes
    "tf.nn.leaky_relu": "leaky_relu(negative_slope=0.2)",
    "tf.nn.gelu": "gelu_exact",
    "tf.nn.silu(beta=1.5)": "silu(beta=1.5)",
    "torch:F.gelu": "gelu_exact",
    "nn.relu": "relu",
    "nn.LeakyReLU(0.2, inplace=True)": "leaky_relu(negative_slope=0.2)",
    "mindspore.nn.GELU": "gelu_tanh",
    "jnp.sin": "sine",
    "jnp.sinc": f"sinc(omega={math.pi})",
    "GELUSine": "gelu_sine",
    # names that one library has
    "geglu-approximate": "gelu_quick",
    "linear-silu": "silu",
    "gelu_tf": "gelu_tanh",
    "silu_and_mul": "swiglu(order='gate_first')",
    "gelu_and_mul": "geglu(order='gate_first', approximate=False)",
    "paddle:thresholded_relu(1.0, 0.5)": "threshold(threshold=1.0, value=0.5)",
    "keras:relu": "relu",
    "keras:relu(max_value=6)": "relu6",
    "keras:relu(max_value=4)": "clip(min_val=0.0, max_val=4.0)",
    "keras:ReLU(4.0)": "clip(min_val=0.0, max_val=4.0)",
    "keras:relu(threshold=2)": "thresholded_relu(theta=2.0)",
    "keras:relu(0.1)": "leaky_relu(negative_slope=0.1)",
}


def test_every_spelling_resolves():
    assert len({spelling for spelling, _, _ in ALIASES}) == 189
    for spelling, dialect, spec in ALIASES:
        assert get(spelling, dialect) == get(spec), f"{dialect}:{spelling}"
    for dialect, table in {"jax_acts": OWN, **DIALECTS}.items():
        for names, entry in table.items():
            for _, (target, _) in variants(entry):
                assert target in FUNCTIONS, f"{dialect}:{names} is {target}"


def test_a_name_resolves_to_what_its_library_means():
    assert {spec: str(get(spec)) for spec in MEANINGS} == MEANINGS


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        (
            "gelu_fast",
            "gelu_tanh in hf, vllm and gelu_quick in mlx: expected a dialect, as in 'h",
        ),
        (
            "F.gelu",
            "gelu in jax_acts and gelu_exact in torch, paddle: expected a dialect",
        ),
        (
            "nn.GELU()",
            "gelu in jax, flax and gelu_exact in torch.* and gelu_tanh in mindspore",
        ),
        (
            "keras:leakyrelu",
            r"leaky_relu\(negative_slope=0.2\) or 'LeakyReLU', which is",
        ),
        (
            "caffe:relu",
            "dialect: expected jax_acts, jax, .* torch, keras.* got 'caffe'",
        ),
        ("kears:relu", "did you mean 'keras'"),
        (
            "torch:star_relu",
            "unknown activation 'star_relu'; did you mean 'jax_acts:star_relu'",
        ),
        ("hf:gleu", "hf: unknown activation 'gleu'; did you mean 'gelu'"),
        (
            "torch:gelu('fast')",
            "torch:gelu: approximate: expected 'none' or 'tanh', got 'fast'",
        ),
        (
            "keras:gelu('tanh')",
            "keras:gelu: approximate: expected True or False, got 'tanh'",
        ),
        ("torch:softmax", r"torch:softmax\(dim\): missing a required argument: 'dim'"),
        ("onnx:PRelu", r"onnx:PRelu\(slope\): missing"),
        (
            "torch:softplus(threshold=5)",
            "torch:softplus: threshold: expected at least 20, got 5",
        ),
        ("snntorch:triangular", "snntorch: unknown activation 'triangular'"),
        (
            "norse:threshold('circ', 1.0)",
            "norse:threshold: method: expected 'heaviside' or",
        ),
        (
            "keras:relu(0.1, 6)",
            "expected at most one of negative_slope, max_value and threshold",
        ),
        ("torch:hardshrink(lamda=1)", "did you mean 'lambd'"),
    ],
)
def test_a_name_or_argument_that_a_dialect_lacks_is_an_error_with_the_choices(
    spec, complaint
):
    with pytest.raises((ValueError, TypeError), match=complaint):
        get(spec)


def test_a_name_that_jax_nn_has_means_the_same_without_a_dialect():
    for name in DIALECTS["jax"]:
        assert get(name) == get(f"jax:{name}") == get(f"jax.nn.{name}")


def test_the_tables_of_jax_and_flax_are_complete():
    other = re.compile("_|dot_product|one_hot|scaled_|get_")
    public = {n for n in dir(jax.nn) if callable(getattr(jax.nn, n))}
    functions = {n for n in public if not other.match(n)}
    assert functions == set(DIALECTS["jax"])
    in_flax = {n for n in functions if hasattr(nn, n) or hasattr(nnx, n)}
    assert in_flax | {"prelu PReLU"} == set(DIALECTS["flax"])


@pytest.mark.parametrize("name", DIALECTS["jax"])
def test_a_name_of_jax_nn_computes_the_same(name):
    with enable_x64(True):
        low = 0.01 if name == "log1mexp" else -8.0  # its domain is x > 0
        x = jnp.linspace(low, 8, 100)
        both = lambda x: (get(f"jax:{name}")(x), getattr(jax.nn, name)(x))
        got, want = jax.jit(both)(x)
        np.testing.assert_allclose(
            got, want, rtol=1e-13, atol=1e-14
        )  # cancellation in jax.nn


@pytest.mark.parametrize("spec", DOCUMENTED)
def test_a_name_computes_the_formula_that_its_library_documents(spec):
    with enable_x64(True):
        x = np.linspace(-7.3, 8.1, 40)  # even, for gated units, and without kinks
        # Cancellation in the formulas, of values near 1.
        np.testing.assert_allclose(get(spec)(x), DOCUMENTED[spec](x), 1e-13, 1e-14)


@pytest.mark.parametrize("name", DIALECTS["numpy"])
def test_a_name_of_numpy_computes_the_same(name):
    spelling = name.split()[0]
    modules = (jnp, jax.lax, jax.scipy.special)
    f = next(getattr(m, spelling) for m in modules if hasattr(m, spelling))
    with enable_x64(True):
        x = jnp.linspace(-8, 8, 101)
        for spec in name.split():
            np.testing.assert_allclose(get(f"jnp.{spec}")(x), f(x), 1e-13, 1e-14)


PLACES = [
    (dialect, prefix, name)
    for dialect, prefixes in PREFIXES.items()
    for prefix in sorted(prefixes)
    for name in " ".join(DIALECTS.get(dialect, {"silu": 0})).split()
    if "." not in name
]


def resolve(spec, **options):
    """Return the activation, or None where arguments are missing."""
    try:
        return get(spec, **options)
    except TypeError:
        return None


def test_a_prefix_and_a_dialect_are_two_ways_to_state_the_library():
    for dialect, prefix, name in PLACES:
        want = resolve(f"{dialect}:{name}")
        in_prefix = f"{prefix}.{name}"
        if (dialect, prefix.split(".")[-1]) == ("keras", "ops") and name == "gelu":
            want = get("keras:ops.gelu")  # differs from activations.gelu
        assert resolve(f"{dialect}:{in_prefix}") == want, in_prefix
        assert resolve(in_prefix, dialect=dialect) == want, in_prefix
        if libraries(prefix) == (dialect,):
            assert resolve(in_prefix) == want, in_prefix


def test_an_ambiguous_prefix_resolves_only_if_its_libraries_agree():
    ambiguous = {(p, n) for d, p, n in PLACES if len(libraries(p)) > 1}
    for prefix, name in ambiguous:
        meanings = dict.fromkeys(libraries(prefix))
        for dialect in meanings:
            try:
                meanings[dialect] = get(f"{dialect}:{name}")
            except (ValueError, TypeError):
                continue  # the library does not have the name
        distinct = {bound for bound in meanings.values() if bound is not None}
        if "ops" in prefix and name == "gelu":
            continue  # keras.ops.gelu is not keras.activations.gelu
        if len(distinct) == 1:
            assert get(f"{prefix}.{name}") in distinct
        elif distinct:
            with pytest.raises(ValueError, match="expected a dialect, as in"):
                get(f"{prefix}.{name}")


@pytest.mark.parametrize(
    "prefix", ["nosuchlibrary", "torch.foo", "hk", "np.linalg", "a.b"]
)
def test_an_unknown_prefix_is_an_error_for_every_function(prefix):
    for name in FUNCTIONS:
        with pytest.raises(ValueError, match="expected a prefix of jax_acts, jax, "):
            get(f"{prefix}.{name}")
        for dialect in DIALECTS:
            assert not has_prefix(dialect, prefix)


def test_a_stated_dialect_and_the_prefix_of_another_are_an_error():
    with pytest.raises(
        ValueError, match=r"torch: tf\.nn\.gelu: expected a prefix of F"
    ):
        get("torch:tf.nn.gelu")


def test_prelu_of_flax_has_the_same_initial_slope():
    x = jnp.linspace(-2, 2, 9)
    layer = nn.PReLU()
    np.testing.assert_array_equal(
        get("flax:PReLU")(x), layer.apply(layer.init(jax.random.key(0), x), x)
    )


def test_every_name_of_a_library_has_golden_vectors_or_a_documented_formula():
    measured = {spec.split("(")[0] for spec in GOLDEN}
    documented = {spec.split("(")[0] for spec in DOCUMENTED}
    without = {
        "torch:gumbel_softmax": "is random",
        "torch:Softmax2d": "expects three axes",
        "mlx:gelu_fast": "abbreviates GELU('fast')",
        "paddle:log_softmax": "clips at -64 on the CPU",
        "paddle:LogSoftmax": "clips at -64 on the CPU",
    }
    for dialect in DIALECTS.keys() - {"jax", "flax", "numpy"}:
        for name in " ".join(DIALECTS[dialect]).split():
            spec = f"{dialect}:{name}"
            sources = (spec in measured, spec in documented, spec in without)
            assert sum(sources) == 1, spec
    for spec in GOLDEN:  # both the reference implementation and ONNX Runtime
        assert not spec.startswith("onnx:") or spec.replace(":", "runtime:") in GOLDEN
