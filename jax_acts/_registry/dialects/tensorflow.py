"""`tf.nn` and `tf.math`, TensorFlow 2.21.0."""

from jax_acts._registry.dialects.table import Table, gelu_by_flag, names, to

TF: Table = {
    **names(
        "identity relu relu6 elu selu sigmoid tanh softplus softsign=soft_sign "
        "log_sigmoid softmax log_softmax crelu exp=exponential erf sin=sine "
        "asinh square"
    ),
    "leaky_relu": lambda alpha=0.2: to("leaky_relu", negative_slope=alpha),
    "silu swish": lambda beta=1.0: to("silu", beta=beta),
    "gelu": gelu_by_flag,
    "reduce_logsumexp": lambda axis=None, keepdims=False: to(
        "logsumexp", axis=axis, keepdims=keepdims
    ),
}
