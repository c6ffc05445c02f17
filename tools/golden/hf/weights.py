"""The weights of an MLP: their order in `linen.MLP`, and the output for given ones."""

import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import numpy as np

from tools.golden.blocks import FEATURES, Weights, inputs
from tools.golden.hf.modules import EXPERTS_NAME, Unsupported

torch = import_module("torch")
Conv1D = import_module("transformers.pytorch_utils").Conv1D


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
