"""`get_act_fn`, `get_act_layer` and their classes, timm 1.0.31."""

from jax_acts._registry.dialects.table import Table, prelu_by_count, same_names

TIMM: Table = {
    **same_names("identity relu relu6 leaky_relu elu celu selu"),
    "prelu PReLU": prelu_by_count,
    "silu swish Swish": "silu",
    "mish Mish": "mish",
    "sigmoid Sigmoid": "sigmoid",
    "tanh Tanh": "tanh",
    "gelu GELU": "gelu_exact",
    "gelu_tanh GELUTanh": "gelu_tanh",
    "quick_gelu QuickGELU": "gelu_quick",
    "hard_sigmoid hardsigmoid HardSigmoid": "hard_sigmoid",
    "hard_swish hardswish HardSwish": "hard_silu",
    "hard_mish HardMish": "hard_mish",
}
