"""The block of `linen.MLP` that equals an MLP, and the fields that change it."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from jax_acts import get
from jax_acts.hf import config as hf
from tools.golden.blocks import Weights, draw, error, forward
from tools.golden.hf.modules import SIZE_NAMES, Unsupported, build, tiny
from tools.golden.hf.weights import forms, kernels, load, output, widths

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
