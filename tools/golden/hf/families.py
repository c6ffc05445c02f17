"""The entry of a model type: its blocks, and the fields that they read or fix."""

import base64
import re
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from jax_acts.hf import config as hf
from tools.golden.hf.entries import entry
from tools.golden.hf.modules import Unsupported, classes

transformers = import_module("transformers")
CONFIG_MAPPING = transformers.CONFIG_MAPPING
LAYERS = (
    *("num_hidden_layers", "n_layer", "n_layers", "num_layers", "num_blocks", "depth"),
    *("encoder_layers", "num_encoder_layers", "decoder_layers"),
)


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
