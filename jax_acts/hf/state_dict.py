"""Parameters of `MLP` from state dicts.

Supported are Llama and the models with its names (Mistral, Qwen, Gemma), Phi-3 with one
kernel for gate and up, and the experts of gpt-oss, whose gate and up alternate. The
result has the tree of `linen.MLP` and of `nnx.MLP`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jax_acts._core.errors import did_you_mean

Parameters = dict[str, dict[str, NDArray[Any]]]

_SEPARATE = ("gate_proj", "up_proj", "down_proj")
_PACKED = ("gate_up_proj", "down_proj")


def mlp_parameters(
    state_dict: Mapping[str, Any],
    prefix: str,
    *,
    kernel_names: Sequence[str] | None = None,
    expert: int | None = None,
) -> Parameters:
    """Return the parameters of a gated `MLP`, with kernels of shape (in, out).

    `MLP` needs these options to match:

    ========  ============================  =============  =============================
    model     kernel_names                  layout         activation
    ========  ============================  =============  =============================
    Llama     gate_proj up_proj down_proj                  "silu"
    Phi-3     gate_up_proj down_proj        "split"        "silu"
    gpt-oss   gate_up_proj down_proj        "interleaved"  "swiglu_oai"
    ========  ============================  =============  =============================

    >>> weights = {"mlp.gate_up_proj.weight": np.zeros((8, 3)),
    ...            "mlp.down_proj.weight": np.zeros((3, 4))}
    >>> parameters = mlp_parameters(weights, "mlp")
    >>> {name: p["kernel"].shape for name, p in parameters.items()}
    {'gate_up_proj': (3, 8), 'down_proj': (4, 3)}

    Args:
        state_dict: Arrays by name, as of `safetensors.numpy.load_file`.
        prefix: The name of the block, such as "model.layers.0.mlp".
        kernel_names: The names that the kernels get, in the order of the table; those
            of the state dict by default. Three names split a packed kernel.
        expert: The index of the expert, for gpt-oss.

    Raises:
        KeyError: The state dict lacks an array; the message has the closest name.
        ValueError: The shapes do not match, or `kernel_names` or `expert` is invalid.
    """
    prefix = prefix.rstrip(".") + "." if prefix else ""
    interleaved = f"{prefix}gate_up_proj" in state_dict
    packed = interleaved or f"{prefix}gate_up_proj.weight" in state_dict
    names = _PACKED if packed else _SEPARATE
    if interleaved:
        linears = [_expert_linear(state_dict, prefix + n, expert) for n in names]
    elif expert is not None:
        raise ValueError(
            f"hf.mlp_parameters: expert: expected None without the array "
            f"{prefix}gate_up_proj, got {expert}"
        )
    else:
        linears = [_linear(state_dict, prefix + n) for n in names]
    _check_shapes(prefix, dict(zip(names, linears, strict=True)))
    targets = tuple(kernel_names or names)
    if packed and len(targets) == 3:
        packed_linear, down = linears
        linears = [*_unpack(packed_linear, interleaved), down]
    if len(targets) != len(linears):
        raise ValueError(
            f"hf.mlp_parameters: kernel_names: expected {len(linears)} names for "
            f"{', '.join(names)}, got {targets}"
        )
    return dict(zip(targets, linears, strict=True))


def _linear(state_dict: Mapping[str, Any], name: str) -> dict[str, NDArray[Any]]:
    """Return kernel and bias of a `torch.nn.Linear`, whose weight is (out, in)."""
    arrays = {"kernel": _array(state_dict, f"{name}.weight", 2).T}
    if f"{name}.bias" in state_dict:
        arrays["bias"] = _array(state_dict, f"{name}.bias", 1)
    return arrays


def _expert_linear(
    state_dict: Mapping[str, Any], name: str, expert: int | None
) -> dict[str, NDArray[Any]]:
    """Return kernel and bias of an expert, stacked as (expert, in, out)."""
    kernels = _array(state_dict, name, 3)
    if expert is None or not 0 <= expert < len(kernels):
        raise ValueError(
            f"hf.mlp_parameters: expert: expected 0 to {len(kernels) - 1}, got {expert}"
        )
    return {
        "kernel": kernels[expert],
        "bias": _array(state_dict, f"{name}_bias", 2)[expert],
    }


def _array(state_dict: Mapping[str, Any], name: str, ndim: int) -> NDArray[Any]:
    if name not in state_dict:
        raise KeyError(
            f"hf.mlp_parameters: expected the array {name!r}, got a state dict of "
            f"{len(state_dict)} arrays without it{did_you_mean(name, state_dict)}"
        )
    array = np.asarray(state_dict[name])
    if array.ndim != ndim:
        raise ValueError(f"{name}: expected {ndim} axes, got the shape {array.shape}")
    return array


def _unpack(
    linear: dict[str, NDArray[Any]], interleaved: bool
) -> list[dict[str, NDArray[Any]]]:
    """Return gate and up of a packed kernel."""
    if interleaved:
        return [{n: a[..., i::2] for n, a in linear.items()} for i in (0, 1)]
    halves = {n: np.split(a, 2, axis=-1) for n, a in linear.items()}
    return [{n: parts[i] for n, parts in halves.items()} for i in (0, 1)]


def _check_shapes(prefix: str, linears: Mapping[str, dict[str, NDArray[Any]]]) -> None:
    *inputs, output = linears
    features, hidden = linears[output]["kernel"].shape[::-1]
    width = hidden if len(inputs) == 2 else 2 * hidden
    shapes = dict.fromkeys(inputs, (features, width)) | {output: (hidden, features)}
    for name, linear in linears.items():
        if linear["kernel"].shape != shapes[name]:
            raise ValueError(
                f"{prefix}{name}: expected a kernel of shape (in, out) = "
                f"{shapes[name]} to match {prefix}{output}, got "
                f"{linear['kernel'].shape}"
            )
        bias = linear.get("bias")
        if (bias is None) != (linears[output].get("bias") is None):
            raise ValueError(
                f"{prefix}{name}: expected a bias for all kernels or for none, got "
                f"a bias for {', '.join(n for n in linears if 'bias' in linears[n])}"
            )
        if bias is not None and bias.shape != shapes[name][1:]:
            raise ValueError(
                f"{prefix}{name}: expected a bias of shape {shapes[name][1:]}, got "
                f"{bias.shape}"
            )
