"""`jax.nn`, JAX 0.10.2."""

from jax_acts._registry.dialects.table import names

JAX = names(
    "identity relu relu6 leaky_relu elu celu selu gelu silu swish mish sigmoid tanh "
    "softplus sparse_plus sparse_sigmoid squareplus log_sigmoid log1mexp soft_sign "
    "hard_tanh hard_sigmoid hard_silu hard_swish "
    "softmax log_softmax logsumexp logmeanexp standardize glu"
)
