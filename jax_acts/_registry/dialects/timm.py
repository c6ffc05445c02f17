"""`get_act_fn`, `get_act_layer` and their classes, timm 1.0.31."""

from jax_acts._registry.dialects.table import Table, names, prelu_by_count

TIMM: Table = {
    **names(
        "identity relu relu6 leaky_relu elu celu selu silu,swish,Swish mish,Mish "
        "sigmoid,Sigmoid tanh,Tanh gelu,GELU=gelu_exact gelu_tanh,GELUTanh "
        "quick_gelu,QuickGELU=gelu_quick hard_sigmoid,hardsigmoid,HardSigmoid "
        "hard_swish,hardswish,HardSwish=hard_silu hard_mish,HardMish"
    ),
    "prelu PReLU": prelu_by_count,
}
