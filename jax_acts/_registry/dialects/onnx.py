"""The operators of ONNX 1.23.2, opset 28."""

from jax_acts._registry.dialects.table import Table, gelu_by_name, names, to
from jax_acts._registry.dialects.torch import clamp

ONNX: Table = {
    **names(
        "Identity=identity Relu=relu Elu=elu Celu=celu Selu=selu Mish=mish "
        "Sigmoid=sigmoid Tanh=tanh Softplus=softplus Softsign=soft_sign "
        "HardSwish=hard_silu Exp=exponential Erf=erf Sin=sine Atan=arctan Asinh=asinh "
        "Softmax=softmax LogSoftmax=log_softmax Hardmax=hardmax"
    ),
    "LeakyRelu": lambda alpha=0.01: to("leaky_relu", negative_slope=alpha),
    "PRelu": lambda slope: to("leaky_relu", negative_slope=slope),
    "ThresholdedRelu": lambda alpha=1.0: to("thresholded_relu", theta=alpha),
    "Gelu": gelu_by_name,
    "Swish": lambda alpha=1.0: to("silu", beta=alpha),
    "HardSigmoid": lambda alpha=0.2, beta=0.5: to(
        "hard_sigmoid", slope=alpha, offset=beta
    ),
    "Shrink": lambda bias=0.0, lambd=0.5: to("shrink", threshold=lambd, bias=bias),
    "Clip": clamp,
    "ReduceLogSumExp": lambda axes=None, keepdims=1: to(
        "logsumexp", axis=axes, keepdims=bool(keepdims)
    ),
}
