"""Tiny MLPs of transformers: the classes that a config may build, and their fields."""

import contextlib
import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from tools.golden.blocks import FEATURES, HIDDEN

torch = import_module("torch")

SIZES = {
    FEATURES: (
        "hidden_size d_model n_embd dim embed_dim hidden_dim model_dim emb_dim "
        "embedding_size input_dim encoder_hidden_size decoder_hidden_size"
    ),
    HIDDEN: (
        "intermediate_size d_ff ffn_dim encoder_ffn_dim decoder_ffn_dim n_inner "
        "dim_feedforward moe_intermediate_size expert_ffn_hidden_size ffn_hidden_size "
        "shared_intermediate_size encoder_intermediate_size decoder_intermediate_size "
        "mlp_dim feedforward_dim moe_shared_expert_intermediate_size share_expert_dim "
        "shared_expert_intermediate_size dense_intermediate_size ffn_hidden_dim"
    ),
    2: (
        "num_experts num_local_experts n_routed_experts moe_num_experts "
        "num_experts_per_tok moe_k num_hidden_layers num_attention_heads num_heads "
        "encoder_attention_heads decoder_attention_heads n_head n_heads "
        "num_key_value_heads"
    ),
}
SIZE_NAMES = {n for names in SIZES.values() for n in names.split()}
MLP_NAME = re.compile(
    r"(MLP|Mlp|FeedForward|FFN|FF|Dense(Gated)?ActDense|FeedForwardNetwork|Intermediate"
    r"|FeedForwardLayer)$"
)
EXPERTS_NAME = re.compile(r"Experts$")
LAYER_NAME = re.compile(r"(Layer|Block)$")


class Recorder:
    """A config that records the names of the fields that are read."""

    def __init__(self, config: Any) -> None:
        object.__setattr__(self, "config", config)
        object.__setattr__(self, "read", [])

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.config, name)
        alias = getattr(type(self.config), "attribute_map", {}).get(name, name)
        if not name.startswith("_") and alias in vars(self.config):
            self.read.append(alias)
        return value


class Unsupported(Exception):
    """No block gives the output of the MLP."""


def tiny(config_class: Any, **changes: Any) -> Any:
    """Return a config with small sizes."""
    config = config_class(**changes)
    for size, names in SIZES.items():
        for name in names.split():
            target = getattr(config_class, "attribute_map", {}).get(name, name)
            old = vars(config).get(target)
            if isinstance(old, list):
                setattr(config, target, [size] * len(old))
            elif target in vars(config) and not isinstance(old, (tuple, dict)):
                setattr(config, target, size)
    if {"dim", "hidden_dim"} <= vars(config).keys():  # DistilBERT
        config.hidden_dim = HIDDEN
    with contextlib.suppress(Exception):  # an integer ratio
        if hasattr(config, "mlp_ratio"):
            config.mlp_ratio = HIDDEN / FEATURES
    for name, value in changes.items():
        setattr(config, name, value)
    config._experts_implementation = "eager"
    return config


def classes(config_class: Any) -> Iterator[type]:
    """Yield the classes of MLPs that a config may belong to, best first.

    A class belongs to the config that its constructor names, else to the one with the
    longest common prefix.
    """
    module_name = config_class.__module__.replace("configuration_", "modeling_")
    module = import_module(module_name)
    modules = [
        value
        for name, value in vars(module).items()
        if isinstance(value, type)
        and issubclass(value, torch.nn.Module)
        and value.__module__ == module_name
        and not re.search(r"GateMLP|Router", name)
    ]
    configs = [n for n in vars(module) if n.endswith("Config")]
    patterns = (MLP_NAME, EXPERTS_NAME, LAYER_NAME)
    for classes in ([c for c in modules if p.search(c.__name__)] for p in patterns):
        # The only class of a file serves all of its configs.
        is_only = len(classes) == 1
        rank = {
            c: _affinity(c, config_class.__name__, configs, is_only) for c in classes
        }
        own = [c for c in classes if rank[c] is not None]
        yield from sorted(own, key=lambda c: (rank[c], c.__name__))


def _affinity(
    cls: Any, config: str, configs: list[str], is_only: bool
) -> tuple[int, int] | None:
    """Return a rank of a class for a config, None if it belongs to another config."""
    parameters = inspect.signature(inspect.unwrap(cls.__init__)).parameters
    annotation = parameters["config"].annotation if "config" in parameters else ""
    stated = re.findall(r"\w+", str(getattr(annotation, "__name__", annotation)))
    if {*stated} & {*configs}:
        return (0, len(cls.__name__)) if config in stated else None
    stem = lambda name: name.removesuffix("Config")
    owners = [n for n in configs if cls.__name__.startswith(stem(n))]
    owner = max(owners, key=len, default=None)
    main = re.sub(r"(Text|Model|Encoder|Decoder)(?=Config$)", "", config)
    if owner == config:
        return 1, len(cls.__name__)
    general = owner is None or stem(config).startswith(stem(owner))
    if owner == main or (is_only and general):
        return 2, len(cls.__name__)
    return None


class Inline(torch.nn.Module):
    """The MLP that a layer holds as its own maps, as in BART."""

    NAMES = (("fc1", "activation_fn", "fc2"), ("ffn", "activation", "ffn_output"))

    def __init__(self, layer: Any) -> None:
        super().__init__()
        for names in self.NAMES:
            if all(hasattr(layer, n) for n in names):
                self.names = names
                for name in names:
                    setattr(self, name, getattr(layer, name))
                return
        raise Unsupported("no maps in the layer")

    def forward(self, x: Any) -> Any:
        """Compute the MLP."""
        first, activation, last = (getattr(self, n) for n in self.names)
        return last(activation(first(x)))


def build(cls: type, config: Any) -> tuple[Any, list[str]]:
    """Return a module and the fields that it reads."""
    recorder = Recorder(config)
    values = {
        "config": recorder,
        "layer_idx": 0,
        "layer_id": 0,
        "hidden_size": FEATURES,
        "intermediate_size": HIDDEN,
        "ffn_dim": HIDDEN,
    }
    if limits := getattr(config, "swiglu_limits", None):
        values["swiglu_limit"] = limits[0]
        if "swiglu_limit" in inspect.signature(cls.__init__).parameters:
            recorder.read.append("swiglu_limits")
    arguments = {}
    for name, parameter in list(inspect.signature(cls.__init__).parameters.items())[1:]:
        if name in values:
            if parameter.default is parameter.empty or name in (
                "config",
                "swiglu_limit",
            ):
                arguments[name] = values[name]
        elif parameter.default is inspect.Parameter.empty and parameter.kind not in (
            inspect.Parameter.VAR_KEYWORD,
            inspect.Parameter.VAR_POSITIONAL,
        ):
            arguments[name] = getattr(recorder, name)
    torch.manual_seed(0)
    module = cls(**arguments).eval()
    if LAYER_NAME.search(cls.__name__) and not MLP_NAME.search(cls.__name__):
        module = Inline(module)
    for _, sub in module.named_modules():
        if hasattr(sub, "config") and not isinstance(sub.config, Recorder):
            sub.config = recorder
    return module, recorder.read
