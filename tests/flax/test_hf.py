"""State dicts of Hugging Face models give the parameters of `MLP`.

The expected outputs are the formulas of transformers' LlamaMLP, Phi3MLP and
GptOssExperts, in NumPy.
"""

import jax
import numpy as np
import pytest
from flax import nnx

import jax_acts.linen
import jax_acts.nnx
from jax_acts.hf import mlp_parameters

FEATURES, HIDDEN, EXPERTS = 4, 6, 3
PREFIX = "model.layers.0.mlp"
SEPARATE = ("gate_proj", "up_proj", "down_proj")
PACKED = ("gate_up_proj", "down_proj")
DRAWS = np.random.default_rng(0)
X = DRAWS.normal(size=(5, FEATURES)).astype(np.float32)


def draw(*shape):
    return DRAWS.normal(size=shape).astype(np.float32)


LLAMA = {
    f"{PREFIX}.gate_proj.weight": draw(HIDDEN, FEATURES),
    f"{PREFIX}.up_proj.weight": draw(HIDDEN, FEATURES),
    f"{PREFIX}.down_proj.weight": draw(FEATURES, HIDDEN),
}
LLAMA_BIAS = LLAMA | {
    f"{PREFIX}.gate_proj.bias": draw(HIDDEN),
    f"{PREFIX}.up_proj.bias": draw(HIDDEN),
    f"{PREFIX}.down_proj.bias": draw(FEATURES),
}
PHI3 = {
    f"{PREFIX}.gate_up_proj.weight": draw(2 * HIDDEN, FEATURES),
    f"{PREFIX}.down_proj.weight": draw(FEATURES, HIDDEN),
}
GPT_OSS = {
    f"{PREFIX}.experts.gate_up_proj": draw(EXPERTS, FEATURES, 2 * HIDDEN),
    f"{PREFIX}.experts.gate_up_proj_bias": draw(EXPERTS, 2 * HIDDEN),
    f"{PREFIX}.experts.down_proj": draw(EXPERTS, HIDDEN, FEATURES),
    f"{PREFIX}.experts.down_proj_bias": draw(EXPERTS, FEATURES),
}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def llama(weights):
    w = lambda name: weights[f"{PREFIX}.{name}.weight"]
    b = lambda name: weights.get(f"{PREFIX}.{name}.bias", 0)
    gate = X @ w("gate_proj").T + b("gate_proj")
    up = X @ w("up_proj").T + b("up_proj")
    return (gate * sigmoid(gate) * up) @ w("down_proj").T + b("down_proj")


def phi3():
    product = X @ PHI3[f"{PREFIX}.gate_up_proj.weight"].T
    gate, up = np.split(product, 2, axis=-1)
    return (up * gate * sigmoid(gate)) @ PHI3[f"{PREFIX}.down_proj.weight"].T


def gpt_oss(expert):
    w = lambda name: GPT_OSS[f"{PREFIX}.experts.{name}"][expert]
    product = X @ w("gate_up_proj") + w("gate_up_proj_bias")
    gate, up = product[..., ::2], product[..., 1::2]
    gate, up = np.minimum(gate, 7), np.clip(up, -7, 7)
    return ((up + 1) * gate * sigmoid(1.702 * gate)) @ w("down_proj") + w(
        "down_proj_bias"
    )


def outputs(parameters, activation="silu", **options):
    """Return the outputs of linen and nnx."""
    options |= {"gated": True, "use_bias": "bias" in parameters["down_proj"]}
    options["kernel_names"] = tuple(parameters)
    linen = jax_acts.linen.MLP(HIDDEN, activation, **options)
    init = linen.init(jax.random.key(0), X)["params"]
    assert jax.tree.map(np.shape, init) == jax.tree.map(np.shape, parameters)
    layer = jax_acts.nnx.MLP(
        FEATURES, HIDDEN, activation=activation, rngs=nnx.Rngs(0), **options
    )
    nnx.update(layer, parameters)
    return linen.apply({"params": parameters}, X), layer(X)


@pytest.mark.parametrize("weights", [LLAMA, LLAMA_BIAS], ids=["no bias", "bias"])
def test_llama(weights):
    for y in outputs(mlp_parameters(weights, PREFIX)):
        np.testing.assert_allclose(y, llama(weights), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("names", [None, SEPARATE], ids=["packed", "separate"])
def test_phi3(names):
    for y in outputs(mlp_parameters(PHI3, PREFIX, kernel_names=names)):
        np.testing.assert_allclose(y, phi3(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("names", [None, SEPARATE], ids=["packed", "separate"])
@pytest.mark.parametrize("expert", [0, 2])
def test_gpt_oss(expert, names):
    parameters = mlp_parameters(
        GPT_OSS, f"{PREFIX}.experts", kernel_names=names, expert=expert
    )
    for y in outputs(parameters, "swiglu_oai", layout="interleaved"):
        np.testing.assert_allclose(y, gpt_oss(expert), rtol=1e-5, atol=1e-5)


def test_kernels_are_renamed_and_keep_their_dtype():
    weights = {name: w.astype(np.float16) for name, w in LLAMA.items()}
    parameters = mlp_parameters(weights, PREFIX, kernel_names=("gate", "up", "down"))
    assert list(parameters) == ["gate", "up", "down"]
    assert parameters["gate"]["kernel"].dtype == np.float16


@pytest.mark.parametrize(
    ("weights", "options", "error", "message"),
    [
        ({}, {}, KeyError, "mlp.gate_proj.weight"),
        (
            {n.replace("down", "dwn"): w for n, w in LLAMA.items()},
            {},
            KeyError,
            "did you mean 'model.layers.0.mlp.dwn_proj.weight'",
        ),
        (
            LLAMA | {f"{PREFIX}.up_proj.weight": draw(HIDDEN + 1, FEATURES)},
            {},
            ValueError,
            r"up_proj: expected a kernel of shape \(in, out\) = \(4, 6\)",
        ),
        (
            LLAMA | {f"{PREFIX}.up_proj.weight": draw(HIDDEN)},
            {},
            ValueError,
            r"up_proj.weight: expected 2 axes, got the shape \(6,\)",
        ),
        (
            LLAMA | {f"{PREFIX}.up_proj.bias": draw(HIDDEN)},
            {},
            ValueError,
            "up_proj: expected a bias for all kernels or for none",
        ),
        (
            LLAMA_BIAS | {f"{PREFIX}.up_proj.bias": draw(HIDDEN + 1)},
            {},
            ValueError,
            r"up_proj: expected a bias of shape \(6,\)",
        ),
        (
            PHI3 | {f"{PREFIX}.gate_up_proj.weight": draw(2 * HIDDEN - 1, FEATURES)},
            {},
            ValueError,
            r"gate_up_proj: expected a kernel of shape \(in, out\) = \(4, 12\)",
        ),
        (LLAMA, {"kernel_names": ("a", "b")}, ValueError, "expected 3 names"),
        (LLAMA, {"expert": 1}, ValueError, "expert: expected None"),
    ],
)
def test_an_invalid_state_dict_is_an_error(weights, options, error, message):
    with pytest.raises(error, match=message):
        mlp_parameters(weights, PREFIX, **options)


@pytest.mark.parametrize("expert", [None, -1, EXPERTS])
def test_an_invalid_expert_is_an_error(expert):
    with pytest.raises(ValueError, match=f"expected 0 to 2, got {expert}"):
        mlp_parameters(GPT_OSS, f"{PREFIX}.experts", expert=expert)
