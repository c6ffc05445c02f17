"""`mlx.nn`, MLX 0.32.4."""

from typing import Literal

from jax_acts._registry.dialects.table import Meaning, Table, names, prelu_by_count, to


def mlx_gelu(approx: Literal["none", "precise", "tanh", "fast"] = "none") -> Meaning:
    """Return one of three forms of GELU."""
    forms = {"none": "gelu_exact", "fast": "gelu_quick"}
    return to(forms.get(approx, "gelu_tanh"))


MLX: Table = {
    **names(
        "relu,ReLU relu2,ReLU2=relu_squared relu6,ReLU6 leaky_relu,LeakyReLU elu,ELU "
        "celu,CELU selu,SELU gelu_approx=gelu_tanh gelu_fast_approx=gelu_quick "
        "silu,SiLU mish,Mish sigmoid,Sigmoid tanh,Tanh softplus,Softplus "
        "log_sigmoid,LogSigmoid softsign,Softsign=soft_sign hard_tanh,HardTanh "
        "hardswish,Hardswish=hard_silu step,Step softmax,Softmax "
        "log_softmax,LogSoftmax softmin,Softmin glu,GLU"
    ),
    "gelu GELU": mlx_gelu,
    "gelu_fast": "gelu_quick",  # abbreviates GELU("fast")
    "PReLU": prelu_by_count,
    "hard_shrink HardShrink": lambda lambd=0.5: to("hard_shrink", threshold=lambd),
    "softshrink Softshrink": lambda lambd=0.5: to("soft_shrink", threshold=lambd),
}
