"""Activations of a model from the `config.json` of Hugging Face transformers.

`families.json` has an entry per model type: the names of its kernels and of the fields
that its MLP reads, with their defaults. `tools/golden/hf` writes it by running the
MLPs of transformers. A field that could change an activation and that the entry does
not have is an error.
"""

import functools
import json
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from jax_acts import functional
from jax_acts._core.bound import Bound
from jax_acts._core.errors import check_choice, did_you_mean
from jax_acts._core.glu import Layout, Order
from jax_acts._registry.lookup import get

Config = Mapping[str, Any]

_WHERE = "from_config"
_UNIT_ARGUMENTS = {
    "swiglu_limit": "limit",
    "swiglu_limits": "limit",
    "swiglu_limits_shared": "limit",
    "swiglu_alpha": "alpha",
    "mlp_gate_softcap": "gate_cap",
    "mlp_up_softcap": "value_cap",
}
"""Fields of gated units, and the arguments of the units."""
_SOFT_CAPS = {
    "attention_soft_cap": ("attn_logit_softcapping", "attention_logit_cap"),
    "logit_soft_cap": (
        *("final_logit_softcapping", "logits_soft_cap", "output_logit_soft_cap"),
    ),
    "router_soft_cap": ("moe_router_logit_softcapping",),
}
_ACTIVATION_FIELD = re.compile(
    r"(?:^|_)(act|activation|[a-z]*glu|swigluoai|gated|clamp|clamped|clip|softcap"
    r"|softcapping|capping|cap|limits?|sparsity)(?:_|$)"
)
"""Fields that may change an activation."""
_OTHER_FIELD = re.compile(r"dropout|checkpoint|gradient|token|length|capacity")


@dataclass(frozen=True)
class Block:
    """The MLP of a layer, or one of its experts."""

    activation: Bound
    """The activation of the gate or of the hidden layer, or a gated unit."""
    gated: bool
    kernel_names: tuple[str, ...]
    """The names of the kernels in the state dict, the output last. A single name is a
    hidden layer whose output map is elsewhere, as in BERT."""
    use_bias: bool
    order: Order = "gate_first"
    layout: Layout = "split"

    @property
    def clamp(self) -> float | None:
        """The limit of a clipped gated unit, else None."""
        function, arguments = self.activation.function, self.activation.arguments
        parameters = getattr(function, "signature", None)
        if not self.gated or parameters is None or "limit" not in parameters.parameters:
            return None
        return arguments.get("limit", parameters.parameters["limit"].default)

    def options(self) -> dict[str, Any]:
        """Return the options of `linen.MLP` and `nnx.MLP`, without the sizes.

        Raises:
            ValueError: The block has no output map.
        """
        if len(self.kernel_names) == 1:
            raise ValueError(
                f"Block.options: expected a block with an output map, got the kernel "
                f"{self.kernel_names[0]!r}; its layer is Dense(activation="
                f"{str(self.activation)!r})"
            )
        return {f.name: getattr(self, f.name) for f in fields(self)}


class Layer(NamedTuple):
    """The blocks of a layer: an MLP, experts, or both."""

    mlp: Block | None
    experts: Block | None


@dataclass(frozen=True)
class ModelConfig:
    """What a `config.json` states about activations."""

    model_type: str
    layers: tuple[Layer, ...] = ()
    attention_soft_cap: float | None = None
    """c of c tanh(a / c) on attention logits, before the softmax."""
    logit_soft_cap: float | None = None
    """c of c tanh(a / c) on the logits of the vocabulary."""
    router_soft_cap: float | None = None
    """c of c tanh(a / c) on the logits of the experts."""
    parts: Mapping[str, "ModelConfig"] = field(default_factory=dict)
    """The models that the config nests, such as "text_config"."""


def from_config(config: Config | str | os.PathLike[str]) -> ModelConfig:
    """Read the activations of a model from a Hugging Face `config.json`.

    A field that the config lacks has the default of transformers. In a model with
    experts, some layers may have the MLP only; the blocks of a layer are those that
    the family has.

    >>> config = {"model_type": "llama", "num_hidden_layers": 2, "hidden_act": "gelu"}
    >>> model = from_config(config)
    >>> len(model.layers), model.layers[0].mlp.activation
    (2, Bound('gelu_exact'))
    >>> gpt_oss = from_config({"model_type": "gpt_oss", "swiglu_limit": 9.0})
    >>> gpt_oss.layers[0].experts.clamp, gpt_oss.layers[0].experts.layout
    (9.0, 'interleaved')
    >>> from_config({"model_type": "gemma2"}).logit_soft_cap
    30.0

    Args:
        config: The config, or the path of a `config.json` or of its directory.

    Raises:
        ValueError: The model type is unknown, or a field may change an activation in a
            way that is not supported.
    """
    if not isinstance(config, Mapping):
        path = Path(config)
        path = path / "config.json" if path.is_dir() else path
        config = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(config, Mapping):
            raise ValueError(f"{path}: expected a JSON object, got {config!r}")
    return _read(config, _WHERE)


def _read(config: Config, where: str) -> ModelConfig:
    model_type = config.get("model_type")
    parts = {
        name: _read(value, f"{where}: {name}")
        for name, value in config.items()
        if isinstance(value, Mapping) and "model_type" in value
    }
    family = families().get(str(model_type))
    if family is None:
        if parts:
            return ModelConfig(str(model_type), parts=parts)
        raise ValueError(
            f"{where}: expected a model type with a tested MLP, got {model_type!r}"
            f"{did_you_mean(str(model_type), families())}"
        )
    where = f"{where}: {model_type}"
    _check_fields(config, family, where)
    values = {**family["defaults"], **config}
    _check_fixed(values, family, where)
    kinds = [family.get(kind) for kind in Layer._fields]
    count = values.get(family.get("layers"), 1)
    layers = tuple(
        Layer(*(b and _block(b, values, i, where) for b in kinds)) for i in range(count)
    )
    caps = {name: _soft_cap(values, names) for name, names in _SOFT_CAPS.items()}
    return ModelConfig(str(model_type), layers, parts=parts, **caps)


@functools.cache
def families() -> Mapping[str, Any]:
    """Return the entries of all families, by model type."""
    text = files("jax_acts.hf").joinpath("families.json").read_text(encoding="utf-8")
    return json.loads(text)


def may_change_activation(name: str) -> bool:
    """Return whether a field of this name may change an activation.

    >>> may_change_activation("swiglu_limit"), may_change_activation("hidden_size")
    (True, False)
    """
    return bool(_ACTIVATION_FIELD.search(name)) and not _OTHER_FIELD.search(name)


def _check_fields(config: Config, family: Config, where: str) -> None:
    """Raise for a field that may change an activation and that the family lacks."""
    known = {*family["defaults"], *family.get("other", ()), *family.get("fixed", ())}
    caps = {name for names in _SOFT_CAPS.values() for name in names}
    for name, value in config.items():
        scalar = isinstance(value, (str, bool, int, float, list))
        if scalar and may_change_activation(name) and name not in known | caps:
            raise ValueError(
                f"{where}: {name}: expected no field that may change an activation "
                f"beyond those of the family, got {value!r}{did_you_mean(name, known)}"
            )


def _check_fixed(values: Config, family: Config, where: str) -> None:
    """Raise if a field has another value than the one that the MLP was tested with."""
    for name, expected in family.get("fixed", {}).items():
        value = values.get(name, expected)
        items = value if isinstance(value, list) else [value]
        if any(v != expected and (v or expected) for v in items):
            raise ValueError(
                f"{where}: {name}: expected {expected!r}, the only value that is "
                f"supported, got {value!r}"
            )


def _block(block: Config, values: Config, layer: int, where: str) -> Block:
    """Return a block of a layer."""
    name = block.get("activation")
    text: Any = values.get(name) if name else None
    gated, kernels = block["gated"], tuple(block["kernels"].split())
    if "projections" in block:  # T5
        check_choice(where, str(name), text, block["projections"])
        text, gated = block["projections"][text]
        kernels = ("wi_0", "wi_1", "wo") if gated else ("wi", "wo")
    if name and not isinstance(text, str):
        raise ValueError(
            f"{where}: {name}: expected the name of an activation, got {text!r}"
        )
    activation = get(text, "hf") if text else get(block.get("function", "silu"))
    if "unit" in block:
        activation = _unit(block, activation, values, layer, where)
    bias = block["bias"]
    return Block(
        activation,
        gated,
        kernels,
        bool(values[bias]) if isinstance(bias, str) else bias,
        block.get("order", "gate_first"),
        block.get("layout", "split"),
    )


def _unit(
    block: Config, activation: Bound, values: Config, layer: int, where: str
) -> Bound:
    """Return the gated unit of a block, with its limits."""
    if activation != Bound(functional.silu):
        raise ValueError(
            f"{where}: {block['activation']}: expected 'silu', the only activation of "
            f"{block['unit']}, got {values[block['activation']]!r}"
        )
    arguments = {}
    for name in block["arguments"]:
        value = values[name]
        if isinstance(value, list) or name.startswith("swiglu_limits"):
            value = _item(value, layer, f"{where}: {name}") or math.inf
        arguments[_UNIT_ARGUMENTS[name]] = value
    if arguments.get("limit") == math.inf:
        return activation
    return get(block["unit"], **arguments)


def _item(values: Any, layer: int, where: str) -> Any:
    """Return the value of a layer; a config without a list has None."""
    if not values:
        return None
    if layer >= len(values):
        raise ValueError(
            f"{where}: expected a value for each layer, got {len(values)} values and "
            f"layer {layer}"
        )
    return values[layer]


def _soft_cap(values: Config, names: tuple[str, ...]) -> float | None:
    return next((values[n] for n in names if values.get(n)), None)
