"""Write `jax_acts/hf/families.json` and the golden outputs of `tests/data/hf.json`.

    python -m tools.golden.hf              all model types: 5 minutes
    python -m tools.golden.hf llama t5     some of them

Requires torch and transformers. For every model type, builds the MLP and the experts of
a tiny config, records which fields they read, and finds the block of `linen.MLP` that
gives the same output for weights of a fixed seed. Fields that change the output and are
no argument of the block are stored as fixed. Model types without such a block are
listed with the reason in `tests/data/hf.json`.
"""

import base64
import contextlib
import inspect
import json
import re
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from jax_acts import get
from jax_acts.hf import config as hf
from tools.golden.blocks import FEATURES, HIDDEN, Weights, draw, error, forward, inputs

torch = import_module("torch")
transformers = import_module("transformers")
Conv1D = import_module("transformers.pytorch_utils").Conv1D
CONFIG_MAPPING = transformers.CONFIG_MAPPING

ROOT = Path(__file__).parents[2]
FAMILIES = ROOT / "jax_acts" / "hf" / "families.json"
GOLDEN = ROOT / "tests" / "data" / "hf.json"

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
LAYERS = (
    *("num_hidden_layers", "n_layer", "n_layers", "num_layers", "num_blocks", "depth"),
    *("encoder_layers", "num_encoder_layers", "decoder_layers"),
)
MLP_NAME = re.compile(
    r"(MLP|Mlp|FeedForward|FFN|FF|Dense(Gated)?ActDense|FeedForwardNetwork|Intermediate"
    r"|FeedForwardLayer)$"
)
EXPERTS_NAME = re.compile(r"Experts$")
LAYER_NAME = re.compile(r"(Layer|Block)$")
FUNCTIONS = (
    "silu",
    "gelu_exact",
    "gelu_tanh",
    "relu",
    "relu_squared",
    "tanh",
    "sigmoid",
    "gelu_quick",
    "identity",
)
UNITS = ("swiglu_clamped", "swiglu_clamped(after=True)", "swiglu_oai", "situ_glu")
TOLERANCE = 2  # ulp of the largest output


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
        alone = len(classes) == 1
        rank = {c: _affinity(c, config_class.__name__, configs, alone) for c in classes}
        own = [c for c in classes if rank[c] is not None]
        yield from sorted(own, key=lambda c: (rank[c], c.__name__))


def _affinity(
    cls: Any, config: str, configs: list[str], alone: bool
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
    if owner == main or (alone and general):
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


def linears(module: Any) -> dict[str, Any]:
    """Return the parameters by name; raise if some belong to no linear map."""
    shapes: dict[str, Any] = {}
    for name, p in module.named_parameters():
        if name.endswith(".weight") or name.endswith(".bias"):
            owner = module.get_submodule(name.rpartition(".")[0])
            if not isinstance(owner, (torch.nn.Linear, Conv1D)):
                raise Unsupported(f"a {type(owner).__name__} inside")
        elif name.startswith("act_fn."):
            continue  # a learned argument of the activation, at its initial value
        elif not re.fullmatch(r"(gate_up|up|down)_proj(_bias)?", name):
            raise Unsupported(f"a parameter {name}")
        shapes[name] = p
    return shapes


def kernels(module: Any) -> list[str]:
    """Return the names of the kernels in the order of `linen.MLP`, gate first."""
    names = [n.removesuffix(".weight") for n in linears(module)]
    names = [n for n in names if not n.endswith(("bias",))]
    if any("." in n for n in names):
        raise Unsupported(f"the kernels {', '.join(names)}")
    return names


def load(module: Any, names: list[str], weights: Weights) -> None:
    """Write weights, given in the order of the names, into a module."""
    parameters = dict(module.named_parameters())
    for name, (kernel, bias) in zip(names, weights, strict=True):
        expert = name in parameters
        weight = parameters[name if expert else f"{name}.weight"]
        owner = None if expert else module.get_submodule(name)
        transposed = (
            getattr(module, "is_transposed", False)
            if expert
            else isinstance(owner, Conv1D)
        )
        value = torch.tensor(kernel if transposed else kernel.T)
        if tuple(weight.shape[-2:]) != tuple(value.shape):
            raise Unsupported(f"{name}: the shape {tuple(weight.shape)}")
        weight.data = value.expand(weight.shape).clone()
        key = f"{name}_bias" if expert else f"{name}.bias"
        if key in parameters:
            p = parameters[key]
            p.data = torch.tensor(bias).expand(p.shape).clone()


def output(module: Any) -> np.ndarray:
    """Return the output for the inputs of the tests."""
    x = torch.tensor(inputs())
    with torch.no_grad():
        if EXPERTS_NAME.search(type(module).__name__):
            index = torch.zeros((len(x), 1), dtype=torch.long)
            y = module(x, index, torch.ones((len(x), 1)))
        else:
            signature = inspect.signature(module.forward).parameters.values()
            required = [p for p in signature if p.default is p.empty]
            others = [torch.zeros_like(x) for p in required[1:] if p.name == "residual"]
            y = module(x, *others)
    y = y[0] if isinstance(y, tuple) else y
    return y.numpy().astype(np.float32)


def widths(module: Any, names: list[str]) -> list[tuple[int, int]]:
    """Return (in, out) of each kernel."""
    parameters = dict(module.named_parameters())
    shapes = []
    for name in names:
        expert = name in parameters
        shape = tuple(parameters[name if expert else f"{name}.weight"].shape[-2:])
        conv = not expert and isinstance(module.get_submodule(name), Conv1D)
        transposed = getattr(module, "is_transposed", False) if expert else conv
        shapes.append(shape if transposed else shape[::-1])
    return shapes


def forms(
    module: Any, names: list[str]
) -> Iterator[tuple[list[str], int, dict[str, Any]]]:
    """Yield orders of the kernels, hidden sizes and options that fit the shapes."""
    shapes = dict(zip(names, widths(module, names), strict=True))
    *_, last = names
    outs = [n for n in names if shapes[n][1] == FEATURES != shapes[n][0]]
    ins = [n for n in names if shapes[n][0] == FEATURES != shapes[n][1]]
    size = shapes[outs[0] if outs else last][0 if outs else 1]
    hidden = {shapes[n][1] for n in ins}
    if len(ins) + len(outs) < len(names) or size > 8 * FEATURES:
        raise Unsupported(f"kernels {shapes}")
    if len(names) == len(ins) == 1:
        yield names, size, {"gated": False}
    elif len(ins) == len(outs) == 1 and hidden == {size}:
        yield [*ins, *outs], size, {"gated": False}
    elif len(ins) == len(outs) == 1 and hidden == {2 * size}:
        for layout in ("split", "interleaved"):
            for order in ("gate_first", "value_first"):
                options = {"gated": True, "order": order, "layout": layout}
                yield [*ins, *outs], size, options
    elif len(ins) == 2 and len(outs) == 1 and hidden == {size}:
        yield [*ins, *outs], size, {"gated": True}
        yield [*ins[::-1], *outs], size, {"gated": True}
    else:
        raise Unsupported(f"kernels {shapes}")


def entry(cls: type, config_class: Any, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entry of a block: names, fields, and the golden output."""
    config = tiny(config_class, **changes)
    module, read = build(cls, config)
    names = kernels(module)
    has_bias = any(n.endswith("bias") for n, _ in module.named_parameters())
    fields = list(dict.fromkeys(read))
    text = [n for n in fields if isinstance(getattr(config, n), str)]
    for order, size, options in forms(module, names):
        weights = draw(widths(module, order))
        load(module, order, weights)
        want = output(module)
        used = list(dict.fromkeys(build(cls, config)[1] + read))
        for candidate in candidates(config, text, used, options["gated"]):
            raw = {"kernels": " ".join(order), "bias": has_bias, **options, **candidate}
            values = vars(config)
            try:
                block = hf._block(raw, values, 0, "")
            except (ValueError, KeyError, TypeError):
                continue
            e = error(forward(block, size), want)
            if e <= TOLERANCE:
                raw["class"] = cls.__name__
                check(cls, config_class, changes, raw, used, want, order, weights)
                raw["golden"], raw["error"], raw["size"] = want, e, size
                return raw
    raise Unsupported(f"no block equals {cls.__name__}")


def candidates(
    config: Any, text: list[str], used: list[str], gated: bool
) -> Iterator[dict[str, Any]]:
    """Yield activations of a block, those of a field first."""
    arguments = [n for n in used if n in hf._UNIT_ARGUMENTS]
    for name in text:
        try:
            get(getattr(config, name), "hf")
        except (ValueError, TypeError):
            continue
        if gated and arguments:
            for unit in UNITS:
                yield {"activation": name, "unit": unit, "arguments": arguments}
        else:
            yield {"activation": name}
    if gated and arguments:
        for unit in UNITS:
            yield {"unit": unit, "arguments": arguments}
    for function in FUNCTIONS:
        yield {"function": function}


def check(
    cls: type,
    config_class: Any,
    changes: Mapping[str, Any],
    raw: dict[str, Any],
    used: list[str],
    want: np.ndarray,
    order: list[str],
    weights: Weights,
) -> None:
    """Add the fields of the bias, and those that change the output, to an entry."""
    consumed = {raw.get("activation"), *raw.get("arguments", ())}
    base = tiny(config_class, **changes)
    for name in used:
        value = getattr(base, name, None)
        if name in consumed or isinstance(value, (str, dict)) or "size" in name:
            continue
        if "dropout" in name or name in SIZE_NAMES:
            continue
        for other in alternatives(value):
            try:
                module, _ = build(cls, tiny(config_class, **{**changes, name: other}))
            except Exception:
                continue
            biases = any(n.endswith("bias") for n, _ in module.named_parameters())
            if "bias" in name and biases != raw["bias"]:
                raw["bias"] = name
                break
            try:
                load(module, order, weights)
                changed = error(output(module), want) > 0
            except Exception:
                continue
            if changed:
                fixed = value[0] if isinstance(value, list) else value
                raw.setdefault("fixed", {})[name] = fixed
                break


SIZE_NAMES = {n for names in SIZES.values() for n in names.split()}


def alternatives(value: Any) -> list[Any]:
    """Return other values of a field."""
    match value:
        case bool():
            return [not value]
        case int() | float():
            return [value + 1, value * 0.5]
        case None:
            return [True, 0.5]
        case [float() | int(), *_]:
            return [[0.5 for _ in value]]
        case _:
            return []


def family(
    model_type: str, config_class: Any
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the entry of a model type, and its golden outputs."""
    defaults = vars(config_class())
    result: dict[str, Any] = {}
    golden: list[dict[str, Any]] = []
    reasons = []
    for changes in variants(config_class):
        gated = getattr(config_class(**changes), "is_gated_act", None)
        for cls in classes(config_class):
            if "ActDense" in cls.__name__ and ("Gated" in cls.__name__) != gated:
                continue
            kind = "experts" if cls.__name__.endswith("Experts") else "mlp"
            if any(g["kind"] == kind and g["config"] == changes for g in golden):
                continue
            try:
                raw = entry(cls, config_class, changes)
            except Unsupported as reason:
                reasons.append(f"{cls.__name__}: {reason}")
                continue
            except Exception as reason:
                line = (str(reason).splitlines() or [""])[0]
                reasons.append(f"{cls.__name__}: {type(reason).__name__} {line[:60]}")
                continue
            golden.append(
                {
                    "kind": kind,
                    "config": changes,
                    "class": raw.pop("class"),
                    "size": raw.pop("size"),
                    "error": round(raw.pop("error"), 2),
                    "output": base64.b64encode(raw.pop("golden").tobytes()).decode(),
                }
            )
            if "feed_forward_proj" in changes:
                raw["activation"] = "feed_forward_proj"
                raw["projections"] = projections(config_class)
                raw.get("fixed", {}).pop("is_gated_act", None)
            result.setdefault(kind, raw)
    if not result:
        raise Unsupported("; ".join(reasons[:2]) or "no class of an MLP")
    layers = next((n for n in LAYERS if isinstance(defaults.get(n), int)), None)
    blocks = [result[k] for k in ("mlp", "experts") if k in result]
    return result | fields(defaults, blocks, layers), golden


def projections(config_class: Any) -> dict[str, Any]:
    """Return activation, and whether it is gated, by `feed_forward_proj` of T5."""
    names = [f"{g}{n}" for g in ("", "gated-") for n in ("relu", "gelu", "silu")]
    configs = {n: config_class(feed_forward_proj=n) for n in names}
    return {n: (c.dense_act_fn, c.is_gated_act) for n, c in configs.items()}


def variants(config_class: Any) -> list[dict[str, Any]]:
    """Return the changes of a config that the MLP is tested with."""
    defaults = vars(config_class())
    if "feed_forward_proj" in defaults:
        functions = {name for name, _ in projections(config_class).values()}
        names = ("relu", "gated-gelu", "gated-silu") if len(functions) > 1 else ()
        return [{"feed_forward_proj": n} for n in names] or [{}]
    if "swiglu_limits" in defaults:
        limits = {n: [1.5, 3.0] for n in ("swiglu_limits", "swiglu_limits_shared")}
        return [{"num_hidden_layers": 2, **limits}]
    if sparsity := defaults.get("activation_sparsity_pattern"):
        return [{"activation_sparsity_pattern": [0.0 for _ in sparsity]}]
    return [{"swiglu_limit": 1.5} if "swiglu_limit" in defaults else {}]


def fields(
    defaults: Mapping[str, Any], blocks: list[dict[str, Any]], layers: str | None
) -> dict[str, Any]:
    """Return the fields of a model type and move those that are fixed out of blocks."""
    fixed: dict[str, Any] = {}
    consumed: set[str | None] = {layers}
    for block in blocks:
        fixed |= block.pop("fixed", {})
        consumed |= {block.get("activation"), *block.get("arguments", ())}
        consumed |= {block["bias"]} if isinstance(block["bias"], str) else set()
    others = [n for n in defaults if hf.may_change_activation(n) and n not in consumed]
    # A flag that selects another class of MLP.
    flags = [n for n in others if re.search(r"glu|gated", n)]
    fixed |= {n: defaults[n] for n in flags if isinstance(defaults[n], bool)}
    if "feed_forward_proj" in consumed:  # it states these
        fixed.pop("is_gated_act", None)
    caps = {n for names in hf._SOFT_CAPS.values() for n in names}
    result: dict[str, Any] = {"layers": layers}
    keep = consumed | caps | {n for n in fixed if fixed[n] != defaults.get(n)}
    result["defaults"] = {n: v for n, v in defaults.items() if n in keep}
    if fixed:
        result["fixed"] = fixed
    if others := [n for n in others if n not in {*fixed, *caps}]:
        result["other"] = others
    return result


def config_classes() -> dict[str, Any]:
    """Return the config classes by model type, also those that only composites have."""
    result = {n: CONFIG_MAPPING[n] for n in sorted(CONFIG_MAPPING.keys())}
    base = transformers.PreTrainedConfig
    for cls in list(result.values()):
        for other in vars(import_module(cls.__module__)).values():
            if isinstance(other, type) and issubclass(other, base):
                result.setdefault(getattr(other, "model_type", ""), other)
    result.pop("", None)
    return result


def main() -> None:
    """Write both files, or the entries of some model types in them."""
    types = config_classes()
    only = sys.argv[1:] or list(types)
    stored = json.loads(GOLDEN.read_text())
    keep = lambda entries: {n: v for n, v in entries.items() if n in {*types} - {*only}}
    results = keep(json.loads(FAMILIES.read_text()))
    golden, missing = keep(stored["golden"]), keep(stored["missing"])
    for model_type in only:
        try:
            results[model_type], golden[model_type] = family(
                model_type, types[model_type]
            )
        except Unsupported as reason:
            missing[model_type] = str(reason)
        except Exception as reason:
            line = (str(reason).splitlines() or [""])[0]
            missing[model_type] = f"{type(reason).__name__}: {line[:80]}"
        print(model_type, missing.get(model_type, "ok"), flush=True)
    print(len(results), "families;", len(missing), "without")
    FAMILIES.write_text("{\n" + lines(results) + "\n}\n")
    versions = {"torch": torch.__version__, "transformers": transformers.__version__}
    head = f'"versions": {json.dumps(versions)}'
    bodies = {"golden": golden, "missing": missing}
    parts = [f'"{name}": {{\n{lines(body)}\n}}' for name, body in bodies.items()]
    GOLDEN.write_text("{\n" + ",\n".join([head, *parts]) + "\n}\n")


def lines(entries: Mapping[str, Any]) -> str:
    """Return JSON with one line per entry, sorted."""
    pairs = sorted(entries.items())
    return ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in pairs)


if __name__ == "__main__":
    main()
