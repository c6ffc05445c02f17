"""`mxnet.gluon.nn`, as documented for MXNet 1.9.1."""

from jax_acts._core.arguments import Learn
from jax_acts._registry.dialects.table import Table, names, to

MXNET: Table = {
    **names("relu sigmoid tanh softrelu=softplus softsign=soft_sign ELU=elu SELU=selu"),
    "LeakyReLU": lambda alpha: to("leaky_relu", negative_slope=alpha),
    "PReLU": lambda: to("leaky_relu", negative_slope=Learn(0.25)),
    "GELU": lambda: to("gelu_exact"),
    "Swish": lambda beta=1.0: to("silu", beta=beta),
}
