"""`mindspore.nn` and `mindspore.ops`, as documented for MindSpore 2.7.

The cell `GELU` approximates by default, the function `gelu` does not.
"""

from jax_acts._core.arguments import Learn
from jax_acts._registry.dialects.table import (
    Table,
    gelu_by_flag,
    gelu_by_name,
    names,
    to,
)

MINDSPORE: Table = {
    **names(
        "relu,ReLU relu6,ReLU6 elu,ELU celu,CELU selu,SeLU silu,SiLU mish,Mish "
        "sigmoid,Sigmoid tanh,Tanh softsign,Softsign=soft_sign "
        "LogSigmoid,logsigmoid=log_sigmoid HSigmoid,hardsigmoid=hard_sigmoid "
        "HSwish,hardswish=hard_silu Hardtanh,hardtanh=hard_tanh "
        "Tanhshrink,tanhshrink=tanh_shrink softmax,Softmax log_softmax,LogSoftmax "
        "softmin,Softmin FastGelu,fast_gelu=gelu_quick"
    ),
    "LeakyReLU leaky_relu": lambda alpha=0.2: to("leaky_relu", negative_slope=alpha),
    "GELU": lambda approximate=True: gelu_by_flag(approximate),
    "gelu": gelu_by_name,
    "PReLU": lambda channel=1, w=0.25: to(
        "leaky_relu", negative_slope=Learn(w, per_feature=channel > 1)
    ),
    "SoftShrink softshrink": lambda lambd=0.5: to("soft_shrink", threshold=lambd),
    "HShrink hardshrink": lambda lambd=0.5: to("hard_shrink", threshold=lambd),
    "Threshold threshold": lambda threshold, value: to(
        "threshold", threshold=threshold, value=value
    ),
}
