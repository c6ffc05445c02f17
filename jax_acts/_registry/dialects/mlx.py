"""`mlx.nn`, MLX 0.32.4."""

from typing import Literal

from jax_acts._registry.dialects.table import Meaning, Table, prelu_by_count, to


def mlx_gelu(approx: Literal["none", "precise", "tanh", "fast"] = "none") -> Meaning:
    """Return one of three forms of GELU."""
    forms = {"none": "gelu_exact", "fast": "gelu_quick"}
    return to(forms.get(approx, "gelu_tanh"))


MLX: Table = {
    "relu ReLU": "relu",
    "relu2 ReLU2": "relu_squared",
    "relu6 ReLU6": "relu6",
    "leaky_relu LeakyReLU": "leaky_relu",
    "PReLU": prelu_by_count,
    "elu ELU": "elu",
    "celu CELU": "celu",
    "selu SELU": "selu",
    "gelu GELU": mlx_gelu,
    "gelu_approx": "gelu_tanh",
    "gelu_fast_approx gelu_fast": "gelu_quick",  # the second abbreviates GELU("fast")
    "silu SiLU": "silu",
    "mish Mish": "mish",
    "sigmoid Sigmoid": "sigmoid",
    "tanh Tanh": "tanh",
    "softplus Softplus": "softplus",
    "log_sigmoid LogSigmoid": "log_sigmoid",
    "softsign Softsign": "soft_sign",
    "hard_tanh HardTanh": "hard_tanh",
    "hardswish Hardswish": "hard_silu",
    "hard_shrink HardShrink": lambda lambd=0.5: to("hard_shrink", threshold=lambd),
    "softshrink Softshrink": lambda lambd=0.5: to("soft_shrink", threshold=lambd),
    "step Step": "step",
    "softmax Softmax": "softmax",
    "log_softmax LogSoftmax": "log_softmax",
    "softmin Softmin": "softmin",
    "glu GLU": "glu",
}
