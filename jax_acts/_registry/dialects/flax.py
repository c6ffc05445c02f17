"""`flax.linen` and `flax.nnx`, Flax 0.12.8."""

from jax_acts._core.arguments import Learn
from jax_acts._registry.dialects.table import Table, names, to

FLAX: Table = {
    **names(
        "identity relu relu6 leaky_relu elu celu selu gelu silu swish sigmoid tanh "
        "softplus log_sigmoid soft_sign hard_tanh hard_sigmoid hard_silu hard_swish "
        "softmax log_softmax logsumexp standardize glu"
    ),
    "prelu PReLU": lambda negative_slope_init=0.01: to(
        "leaky_relu", negative_slope=Learn(negative_slope_init)
    ),
}
