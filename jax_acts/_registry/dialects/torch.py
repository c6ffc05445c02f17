"""`torch`, `torch.nn.functional` and the modules of `torch.nn`, PyTorch 2.13.

`softmax` has no fixed default for `dim`, so `dim` is required.
"""

from typing import Any

from jax_acts._registry.dialects.table import (
    Meaning,
    Table,
    gelu_by_name,
    names,
    prelu_by_count,
    to,
)


def torch_softplus(beta: Any = 1.0, threshold: float = 20.0) -> Meaning:
    """Return softplus; for beta x > 20 PyTorch returns x, within 1e-10 relative."""
    if threshold < 20:
        raise ValueError(
            f"torch:softplus: threshold: expected at least 20, got {threshold}; with a "
            "lower one it is not softplus but x for beta x > threshold"
        )
    return to("softplus", beta=beta)


def clamp(min: Any = None, max: Any = None) -> Meaning:
    """Return clip, without the bounds that are None."""
    bounds = {"min_val": min, "max_val": max}
    return to("clip", **{k: v for k, v in bounds.items() if v is not None})


TORCH: Table = {
    **names(
        "Identity=identity relu,ReLU relu6,ReLU6 leaky_relu,LeakyReLU elu,ELU "
        "celu,CELU selu,SELU silu,SiLU mish,Mish sigmoid,Sigmoid tanh,Tanh "
        "logsigmoid,LogSigmoid=log_sigmoid softsign,Softsign=soft_sign "
        "hardtanh,Hardtanh=hard_tanh hardsigmoid,Hardsigmoid=hard_sigmoid "
        "hardswish,Hardswish=hard_silu tanhshrink,Tanhshrink=tanh_shrink "
        "exp=exponential erf sin=sine atan,arctan=arctan asinh,arcsinh square"
    ),
    "PReLU": prelu_by_count,
    "rrelu RReLU": lambda lower=1 / 8, upper=1 / 3, training=False: to(
        "rrelu", lower=lower, upper=upper, training=training
    ),
    "threshold Threshold": lambda threshold, value: to(
        "threshold", threshold=threshold, value=value
    ),
    "gelu GELU": gelu_by_name,
    "softplus Softplus": torch_softplus,
    "hardshrink Hardshrink": lambda lambd=0.5: to("hard_shrink", threshold=lambd),
    "softshrink Softshrink": lambda lambd=0.5: to("soft_shrink", threshold=lambd),
    "clamp clip": clamp,
    "softmax Softmax": lambda dim: to("softmax", axis=dim),
    "Softmax2d": lambda: to("softmax", axis=-3),
    "softmin Softmin": lambda dim: to("softmin", axis=dim),
    "log_softmax LogSoftmax": lambda dim: to("log_softmax", axis=dim),
    "logsumexp": lambda dim, keepdim=False: to("logsumexp", axis=dim, keepdims=keepdim),
    "gumbel_softmax": lambda tau=1.0, hard=False, dim=-1: to(
        "gumbel_softmax", tau=tau, hard=hard, axis=dim
    ),
    "glu GLU": lambda dim=-1: to("glu", axis=dim),
}
