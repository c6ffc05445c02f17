"""`paddle.nn` and `paddle.nn.functional`, PaddlePaddle 3.2.0."""

from typing import Any

from jax_acts._registry.dialects.table import (
    Meaning,
    Table,
    gelu_by_flag,
    names,
    prelu_by_count,
    to,
)


def paddle_thresholded_relu(threshold: Any = 1.0, value: float = 0.0) -> Meaning:
    """Return x if x > threshold, else value."""
    if value == 0:
        return to("thresholded_relu", theta=threshold)
    return to("threshold", threshold=threshold, value=value)


PADDLE: Table = {
    **names(
        "Identity=identity relu,ReLU relu6,ReLU6 leaky_relu,LeakyReLU elu,ELU "
        "celu,CELU silu,Silu swish,Swish=silu mish,Mish sigmoid,Sigmoid tanh,Tanh "
        "softplus,Softplus softsign,Softsign=soft_sign hardtanh,Hardtanh=hard_tanh "
        "hardsigmoid,Hardsigmoid=hard_sigmoid hardswish,Hardswish=hard_silu "
        "tanhshrink,Tanhshrink=tanh_shrink log_sigmoid,LogSigmoid selu,SELU "
        "softmax,Softmax log_softmax,LogSoftmax glu,GLU "
        "hardshrink,Hardshrink=hard_shrink softshrink,Softshrink=soft_shrink"
    ),
    "gelu GELU": gelu_by_flag,
    "PReLU": prelu_by_count,
    "thresholded_relu ThresholdedReLU": paddle_thresholded_relu,
}
