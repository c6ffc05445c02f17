"""`keras.activations`, `keras.layers`, `keras.ops` (Keras 3.15.1) and tf_keras 2.21.0.

The function `leaky_relu` and the layer `LeakyReLU` have different defaults, and so have
`activations.gelu` and `ops.gelu`.
"""

from collections.abc import Mapping
from typing import Any

from jax_acts._core.arguments import Learn
from jax_acts._registry.dialects.table import (
    Meaning,
    Table,
    gelu_by_flag,
    names,
    to,
)


def keras_relu(
    negative_slope: Any = 0.0, max_value: Any = None, threshold: Any = 0.0
) -> Meaning:
    """Return the function that relu is with these arguments."""
    match negative_slope != 0, max_value is not None, threshold != 0:
        case False, False, False:
            return to("relu")
        case True, False, False:
            return to("leaky_relu", negative_slope=negative_slope)
        case False, True, False:
            if max_value == 6:
                return to("relu6")
            return to("clip", min_val=0.0, max_val=max_value)
        case False, False, True:
            return to("thresholded_relu", theta=threshold)
        case _:
            raise ValueError(
                "keras:relu: expected at most one of negative_slope, max_value and "
                "threshold, got several"
            )


def keras_relu_layer(
    max_value: Any = None, negative_slope: Any = 0.0, threshold: Any = 0.0
) -> Meaning:
    """Return `keras_relu` for the argument order of the layer."""
    return keras_relu(negative_slope, max_value, threshold)


def keras_prelu() -> Meaning:
    """Return PReLU with an initial slope of 0 per feature."""
    return to("leaky_relu", negative_slope=Learn(0.0, per_feature=True))


_LAYER_CONFIG = {"name", "trainable", "dtype", "batch_input_shape", "build_config"}
_PRELU_CONFIG = {
    "alpha_initializer",
    "alpha_regularizer",
    "alpha_constraint",
    "shared_axes",
}


def keras_spec(serialized: Mapping[str, Any]) -> dict[str, Any]:
    """Return the spec of a serialized Keras layer or function.

    >>> keras_spec({"class_name": "LeakyReLU", "config": {"negative_slope": 0.1}})
    {'name': 'keras:LeakyReLU', 'negative_slope': 0.1}
    >>> keras_spec({"class_name": "function", "config": "relu"})
    {'name': 'keras:relu'}

    Raises:
        ValueError: The config is missing, or PReLU has options other than the defaults.
    """
    name, config = serialized["class_name"], serialized.get("config", {})
    if name == "function":
        return {"name": f"keras:{config}"}
    if not isinstance(name, str) or not isinstance(config, Mapping):
        raise ValueError(
            "keras: expected {'class_name': 'LeakyReLU', 'config': {…}}, got "
            f"{dict(serialized)!r}"
        )
    config = {n: v for n, v in config.items() if n not in _LAYER_CONFIG}
    if name == "Activation":
        activation = config.get("activation")
        if isinstance(activation, Mapping):
            return keras_spec(activation)
        return {"name": f"keras:{activation}"}
    if name == "PReLU":
        options = {n: config.pop(n, None) for n in _PRELU_CONFIG}
        initializer = options.pop("alpha_initializer")
        is_zeros = initializer is None or "Zeros" in str(initializer)
        if not is_zeros or any(v is not None for v in options.values()):
            raise ValueError(
                "keras:PReLU: expected an initial slope of zeros and no regularizer, "
                f"constraint or shared axes, got {serialized.get('config')!r}"
            )
    # The package of Keras 2 names the slope alpha.
    old = name in ("LeakyReLU", "ThresholdedReLU") and {"alpha", "theta"} & {*config}
    return {"name": f"{'keras2' if old else 'keras'}:{name}", **config}


KERAS: Table = {
    **names(
        "linear relu6 elu celu selu silu swish mish sigmoid tanh softplus exponential "
        "squareplus sparse_plus sparse_sigmoid log_sigmoid hard_tanh hard_sigmoid "
        "hard_silu hard_swish hard_shrink soft_shrink tanh_shrink "
        "softmax,Softmax log_softmax sparsemax glu ELU=elu softsign=soft_sign"
    ),
    "relu": keras_relu,
    "ReLU": keras_relu_layer,
    "leaky_relu": lambda negative_slope=0.2: to(
        "leaky_relu", negative_slope=negative_slope
    ),
    "LeakyReLU": lambda negative_slope=0.3: to(
        "leaky_relu", negative_slope=negative_slope
    ),
    "PReLU": keras_prelu,
    "gelu": gelu_by_flag,
    "ops.gelu": lambda approximate=True: gelu_by_flag(approximate),
    "threshold": lambda threshold, default_value: to(
        "threshold", threshold=threshold, value=default_value
    ),
}

# tf_keras.activations and tf_keras.layers; `get` also finds names of tf.nn: leaky_relu,
# relu6, silu, log_softmax.

KERAS2: Table = {
    **names(
        "linear relu6 elu selu silu swish mish sigmoid tanh softplus exponential "
        "softmax,Softmax log_softmax ELU=elu softsign=soft_sign "
        "ThresholdedReLU=thresholded_relu"
    ),
    "relu": lambda alpha=0.0, max_value=None, threshold=0.0: keras_relu(
        alpha, max_value, threshold
    ),
    "ReLU": keras_relu_layer,
    "leaky_relu": lambda alpha=0.2: to("leaky_relu", negative_slope=alpha),
    "LeakyReLU": lambda alpha=0.3: to("leaky_relu", negative_slope=alpha),
    "PReLU": keras_prelu,
    "gelu": gelu_by_flag,
    "hard_sigmoid": lambda: to("hard_sigmoid", slope=0.2, offset=0.5),
}
