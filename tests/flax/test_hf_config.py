"""`from_config` gives the blocks of transformers: the same output for the same weights.

`tools/golden/hf` stored the outputs of the torch MLPs of every model type that has
one; where transformers is installed, the slow test runs them again.
"""

import base64
import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from flax import nnx

import jax_acts.nnx
from jax_acts import Bound, from_config, silu
from jax_acts.hf.config import families
from tests.conftest import check_each
from tools.golden.blocks import FEATURES, HIDDEN, error, forward

GOLDEN = json.loads((Path(__file__).parents[1] / "data" / "hf.json").read_text())
CASES = [(name, case) for name, cases in GOLDEN["golden"].items() for case in cases]
TOLERANCE = 2.5
"""In ulp of the largest output: torch and XLA round activation and output map apart,
two ulp where the values were stored, and half an ulp for other processors."""


def test_blocks_equal_those_of_transformers():
    def check(item):
        name, case = item
        config = {"model_type": name, **case["config"]}
        block = getattr(from_config(config).layers[0], case["kind"])
        output = np.frombuffer(base64.b64decode(case["output"]), np.float32)
        result = forward(block, case["size"])
        measured = error(result, output.reshape(result.shape))
        assert measured <= TOLERANCE, f"{case['class']}: {measured} ulp"

    assert len(CASES) > 350
    check_each(check, CASES)


@pytest.mark.slow
def test_transformers_gives_the_stored_outputs():
    if not all(map(importlib.util.find_spec, ("torch", "transformers"))):
        pytest.skip("torch and transformers are not installed")
    from tools.golden import hf

    classes = hf.config_classes()
    names = (
        "llama",
        "gpt_oss",
        "deepseek_v4",
        "step3p5",
        "inkling2_text",
        "t5",
        "gpt2",
    )

    def check(name):
        entry, cases = hf.family(name, classes[name])
        assert json.loads(json.dumps(entry)) == families()[name]
        assert [c["class"] for c in cases] == [
            c["class"] for c in GOLDEN["golden"][name]
        ]

    check_each(check, names)


def test_fields_of_the_config_go_before_the_defaults():
    model = from_config({"model_type": "llama", "hidden_act": "relu", "mlp_bias": True})
    block = model.layers[0].mlp
    assert str(block.activation) == "relu"
    assert block.use_bias
    assert len(model.layers) == 32


def test_limits_differ_between_layers():
    limits = [None, 0.0, 16.0]
    config = {"model_type": "step3p5", "num_hidden_layers": 3}
    model = from_config({**config, "swiglu_limits_shared": limits})
    assert [layer.mlp.clamp for layer in model.layers] == [None, None, 16.0]
    assert model.layers[0].mlp.activation == Bound(silu)
    with pytest.raises(ValueError, match="expected a value for each layer, got 2"):
        from_config({**config, "swiglu_limits_shared": limits[:2]})


def test_t5_states_its_gate():
    t5 = {"model_type": "t5", "feed_forward_proj": "gated-gelu"}
    block = from_config(t5).layers[0].mlp
    assert block.kernel_names == ("wi_0", "wi_1", "wo")
    assert str(block.activation) == "gelu_tanh"
    assert not from_config({"model_type": "t5"}).layers[0].mlp.gated


def test_soft_caps():
    gemma2 = from_config({"model_type": "gemma2", "final_logit_softcapping": None})
    assert gemma2.attention_soft_cap == 50.0
    assert gemma2.logit_soft_cap is None


def test_nested_models_are_parts(tmp_path):
    text = {"model_type": "llama", "hidden_act": "gelu"}
    vision = {"model_type": "clip_vision_model"}
    config = {"model_type": "llava", "text_config": text, "vision_config": vision}
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config))
    for place in (config, path, str(path), tmp_path):
        model = from_config(place)
        assert list(model.parts) == ["text_config", "vision_config"]
        block = model.parts["text_config"].layers[0].mlp
        assert str(block.activation) == "gelu_exact"


def test_options_are_those_of_the_layers():
    block = from_config({"model_type": "gpt_oss"}).layers[0].experts
    layer = jax_acts.nnx.MLP(FEATURES, HIDDEN, rngs=nnx.Rngs(0), **block.options())
    assert layer(np.ones((2, FEATURES))).shape == (2, FEATURES)
    bert = from_config({"model_type": "bert"}).layers[0].mlp
    with pytest.raises(ValueError, match="Dense\\(activation='gelu_exact'\\)"):
        bert.options()


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"hidden_act": "silu"}, "expected a model type with a tested MLP, got None"),
        ({"model_type": "lama"}, "did you mean 'llama'"),
        ({"model_type": "llama", "swiglu_limit": 7.0}, "llama: swiglu_limit: expected"),
        ({"model_type": "llama", "mlp_glu": True}, "mlp_glu: expected no field"),
        ({"model_type": "llama", "hidden_act": "sillu"}, "unknown activation 'sillu'"),
        ({"model_type": "llama", "hidden_act": None}, "hidden_act: expected the name"),
        (
            {"model_type": "deepseek_v4", "hidden_act": "gelu"},
            "hidden_act: expected 'silu', the only activation of swiglu_clamped",
        ),
        ({"model_type": "gemma3n_text"}, "activation_sparsity_pattern: expected 0.0"),
        (
            {
                "model_type": "llava",
                "text_config": {"model_type": "llama", "act_clamp": 3},
            },
            "text_config: llama: act_clamp",
        ),
    ],
)
def test_fields_that_are_not_supported_are_errors(config, message):
    with pytest.raises(ValueError, match=message):
        from_config(config)


def test_a_field_that_changes_nothing_may_be_anything():
    config = {
        "model_type": "llama",
        "activation_dropout": 0.1,
        "gradient_checkpointing": True,
        "hidden_size": 64,
    }
    assert from_config(config) == from_config({"model_type": "llama"})
