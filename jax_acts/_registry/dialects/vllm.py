"""Layers and operators of vLLM 0.10; gated units have the gate first."""

from typing import Literal

from jax_acts._registry.dialects.table import Meaning, Table, names, to


def gelu_and_mul(approximate: Literal["none", "tanh"] = "none") -> Meaning:
    """Return GEGLU with the gate first."""
    return to("geglu", order="gate_first", approximate=approximate == "tanh")


VLLM: Table = {
    **names(
        "gelu=gelu_exact gelu_fast,FastGELU,gelu_new,NewGELU=gelu_tanh "
        "gelu_pytorch_tanh=gelu_tanh relu silu "
        "quick_gelu,QuickGELU,gelu_quick=gelu_quick relu2,ReLUSquaredActivation="
        "relu_squared"
    ),
    "silu_and_mul SiluAndMul": lambda: to("swiglu", order="gate_first"),
    "mul_and_silu MulAndSilu": lambda: to("swiglu"),
    "GeluAndMul": gelu_and_mul,
    "gelu_and_mul": lambda: gelu_and_mul(),
    "gelu_tanh_and_mul": lambda: gelu_and_mul("tanh"),
}
