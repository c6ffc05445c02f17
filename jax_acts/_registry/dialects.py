"""What the names of other libraries mean, one table a library.

A table says for each name, in all its spellings, which function of the catalogue it is:
by the name of that function, where arguments and defaults are the same too, or by a
function with the signature that the library has, the input left out.

Names are looked up as they are spelled here, then regardless of case and punctuation.
"""

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Literal

from jax_acts._core.arguments import Learn
from jax_acts.functional.surrogate import Surrogate

Meaning = tuple[str, dict[str, Any]]
Entry = str | Callable[..., Meaning]
Table = dict[str, Entry]


def to(name: str, /, **arguments: Any) -> Meaning:
    """Returns the meaning of a name: a function of the catalogue with its arguments."""
    return name, arguments


def same(names: str) -> Table:
    """Returns a table of names that mean the same here."""
    return {name: name for name in names.split()}


# Several libraries have these signatures.


def gelu_by_flag(approximate: bool = False) -> Meaning:
    """Returns one of two forms of GELU."""
    return to("gelu_tanh" if approximate else "gelu_exact")


def gelu_by_name(approximate: Literal["none", "tanh"] = "none") -> Meaning:
    """Returns one of two forms of GELU."""
    return to({"none": "gelu_exact", "tanh": "gelu_tanh"}[approximate])


def prelu_by_count(num_parameters: int = 1, init: float = 0.25) -> Meaning:
    """Returns PReLU; features are the last axis here, and axis 1 in PyTorch."""
    return to("leaky_relu", negative_slope=Learn(init, per_feature=num_parameters > 1))


# ---------------------------------------------------------------------- jax_acts itself
# The functions of the catalogue are names too. These are further ones, from papers,
# checkpoints and other libraries; what jax.nn has, means the same as there.

_QUARTER = Learn(0.25)  # as He et al. 2015 start it

OWN: Table = {
    "none None": "identity",
    "prelu PReLU": lambda negative_slope=_QUARTER: to(
        "leaky_relu", negative_slope=negative_slope
    ),
    "lrelu": "leaky_relu",
    "fatrelu": "thresholded_relu",
    "relu2 ReLU2 squared_relu SquaredReLU sqrelu srelu_te": "relu_squared",
    "relu3 cubed_relu CubedReLU": "relu_cubed",
    "gelu_erf exact_gelu gelu_none": "gelu_exact",
    "gelu_approx gelu_approximate approximate_gelu_tanh bloom_gelu openai_gelu "
    "gelu_precise": "gelu_tanh",
    "quick_gelu QuickGELU qgelu gelu_sigmoid": "gelu_quick",
    "clipped_gelu ClippedGELU": "gelu_clipped",
    "swish_1 swish_beta parametric_swish onnx_swish FP32SiLU": "silu",
    "logistic": "sigmoid",
    "eswish e_swish": lambda beta=1.25: to("aptx", beta=0.5, gamma=beta / 2),
    "ssp": "shifted_softplus",
    "exp": "exponential",
    "sin": "sine",
    "wire real_gabor": "gabor",
    "growing_cosine_unit": "gcu",
    "smooth_maximum_unit": "smu",
    "atan": "arctan",
    "bentid": "bent_identity",
    "dynamic_tanh": "dyt",
    "dynamic_erf": "derf",
    "pau pade": "rational",
    "normalize": "standardize",  # its former name in jax.nn
    "swigluoai clamped_swiglu_oai": "swiglu_oai",
    "entmax_bisect": lambda alpha=1.5, dim=-1: to("entmax", alpha=alpha, axis=dim),
    "softmax_one quiet_softmax": "softmax_sink",
    "scalable_softmax": "ssmax",
}

# ---------------------------------------------------------------- jax.nn, of JAX 0.10.2

JAX = same(
    "identity relu relu6 leaky_relu elu celu selu gelu silu swish mish sigmoid tanh "
    "softplus sparse_plus sparse_sigmoid squareplus log_sigmoid log1mexp soft_sign "
    "hard_tanh hard_sigmoid hard_silu hard_swish "
    "softmax log_softmax logsumexp logmeanexp standardize glu"
)

# ---------------------------------------------- flax.linen and flax.nnx, of Flax 0.12.8

FLAX: Table = {
    **same(
        "identity relu relu6 leaky_relu elu celu selu gelu silu swish sigmoid tanh "
        "softplus log_sigmoid soft_sign hard_tanh hard_sigmoid hard_silu hard_swish "
        "softmax log_softmax logsumexp standardize glu"
    ),
    "prelu PReLU": lambda negative_slope_init=0.01: to(
        "leaky_relu", negative_slope=Learn(negative_slope_init)
    ),
}

# -------------- torch, torch.nn.functional and the modules of torch.nn, of PyTorch 2.13
# Its softmax has no fixed default for `dim`, so that it must be given.


def torch_softplus(beta: Any = 1.0, threshold: float = 20.0) -> Meaning:
    """Returns softplus; where beta x > 20 it is x, but for a part in 10^10 of it."""
    if threshold < 20:
        raise ValueError(
            "torch's softplus is x where beta x > threshold; with a threshold of "
            f"{threshold}, below 20, that is another function than softplus"
        )
    return to("softplus", beta=beta)


def clamp(min: Any = None, max: Any = None) -> Meaning:
    """Returns clip, without the bounds that are None."""
    bounds = {"min_val": min, "max_val": max}
    return to("clip", **{k: v for k, v in bounds.items() if v is not None})


TORCH: Table = {
    "Identity": "identity",
    "relu ReLU": "relu",
    "relu6 ReLU6": "relu6",
    "leaky_relu LeakyReLU": "leaky_relu",
    "PReLU": prelu_by_count,
    "rrelu RReLU": lambda lower=1 / 8, upper=1 / 3, training=False: to(
        "rrelu", lower=lower, upper=upper, training=training
    ),
    "threshold Threshold": lambda threshold, value: to(
        "threshold", threshold=threshold, value=value
    ),
    "elu ELU": "elu",
    "celu CELU": "celu",
    "selu SELU": "selu",
    "gelu GELU": gelu_by_name,
    "silu SiLU": "silu",
    "mish Mish": "mish",
    "sigmoid Sigmoid": "sigmoid",
    "tanh Tanh": "tanh",
    "softplus Softplus": torch_softplus,
    "logsigmoid LogSigmoid": "log_sigmoid",
    "softsign Softsign": "soft_sign",
    "hardtanh Hardtanh": "hard_tanh",
    "hardsigmoid Hardsigmoid": "hard_sigmoid",
    "hardswish Hardswish": "hard_silu",
    "hardshrink Hardshrink": lambda lambd=0.5: to("hard_shrink", threshold=lambd),
    "softshrink Softshrink": lambda lambd=0.5: to("soft_shrink", threshold=lambd),
    "tanhshrink Tanhshrink": "tanh_shrink",
    "clamp clip": clamp,
    "exp": "exponential",
    "erf": "erf",
    "sin": "sine",
    "atan arctan": "arctan",
    "asinh arcsinh": "asinh",
    "square": "square",
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

# ----------------------- keras.activations, keras.layers and keras.ops, of Keras 3.15.1
# The function leaky_relu and the layer LeakyReLU have different defaults, and so have
# activations.gelu and ops.gelu.


def keras_relu(
    negative_slope: Any = 0.0, max_value: Any = None, threshold: Any = 0.0
) -> Meaning:
    """Returns the one function that these arguments make of relu."""
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
                "jax_acts has Keras's relu with one of negative_slope, max_value and "
                "threshold, not with several"
            )


def keras_relu_layer(
    max_value: Any = None, negative_slope: Any = 0.0, threshold: Any = 0.0
) -> Meaning:
    """Returns the same, for the other order that the layer has."""
    return keras_relu(negative_slope, max_value, threshold)


def keras_prelu() -> Meaning:
    """Returns PReLU as Keras starts it: a slope for each feature, from 0."""
    return to("leaky_relu", negative_slope=Learn(0.0, per_feature=True))


KERAS: Table = {
    **same(
        "linear relu6 elu celu selu silu swish mish sigmoid tanh softplus exponential "
        "squareplus sparse_plus sparse_sigmoid log_sigmoid hard_tanh hard_sigmoid "
        "hard_silu hard_swish hard_shrink soft_shrink tanh_shrink "
        "softmax log_softmax sparsemax glu"
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
    "ELU": "elu",
    "gelu": gelu_by_flag,
    "ops.gelu": lambda approximate=True: gelu_by_flag(approximate),
    "softsign": "soft_sign",
    "threshold": lambda threshold, default_value: to(
        "threshold", threshold=threshold, value=default_value
    ),
    "Softmax": "softmax",
}

# ---------------- Keras 2: tf_keras.activations and tf_keras.layers, of tf_keras 2.21.0
# Its `get` also finds what tf.nn has: leaky_relu, relu6, silu, log_softmax.

KERAS2: Table = {
    **same(
        "linear relu6 elu selu silu swish mish sigmoid tanh softplus exponential "
        "softmax log_softmax"
    ),
    "relu": lambda alpha=0.0, max_value=None, threshold=0.0: keras_relu(
        alpha, max_value, threshold
    ),
    "ReLU": keras_relu_layer,
    "leaky_relu": lambda alpha=0.2: to("leaky_relu", negative_slope=alpha),
    "LeakyReLU": lambda alpha=0.3: to("leaky_relu", negative_slope=alpha),
    "PReLU": keras_prelu,
    "ThresholdedReLU": "thresholded_relu",
    "ELU": "elu",
    "gelu": gelu_by_flag,
    "softsign": "soft_sign",
    "hard_sigmoid": lambda: to("hard_sigmoid", slope=0.2, offset=0.5),
    "Softmax": "softmax",
}

# ------------------------- Hugging Face: ACT2FN and its classes, of transformers 5.23.0

HF: Table = {
    **same("relu relu6 leaky_relu sigmoid tanh"),
    "mish MishActivation": "mish",
    "linear LinearActivation": "identity",
    "prelu": prelu_by_count,
    "relu2 ReLUSquaredActivation": "relu_squared",
    "gelu gelu_python GELUActivation": "gelu_exact",
    "gelu_new gelu_fast gelu_accurate gelu_pytorch_tanh gelu_python_tanh GELUTanh "
    "NewGELUActivation FastGELUActivation AccurateGELUActivation": "gelu_tanh",
    "quick_gelu QuickGELUActivation": "gelu_quick",
    "gelu_10 ClippedGELUActivation": lambda min=-10.0, max=10.0: to(
        "gelu_clipped", min_val=min, max_val=max
    ),
    "silu swish SiLUActivation": "silu",
    "hardswish": "hard_silu",
    "laplace LaplaceActivation": "laplace",
    "sqrtsoftplus SqrtSoftplusActivation": "sqrt_softplus",
    "xielu XIELUActivation": lambda alpha_p_init=0.8, alpha_n_init=0.8, beta=0.5: to(
        "xielu", alpha_p=Learn(alpha_p_init), alpha_n=Learn(alpha_n_init), beta=beta
    ),
}

# ---------------------- timm: get_act_fn, get_act_layer and its classes, of timm 1.0.31

TIMM: Table = {
    **same("identity relu relu6 leaky_relu elu celu selu"),
    "prelu PReLU": prelu_by_count,
    "silu swish Swish": "silu",
    "mish Mish": "mish",
    "sigmoid Sigmoid": "sigmoid",
    "tanh Tanh": "tanh",
    "gelu GELU": "gelu_exact",
    "gelu_tanh GELUTanh": "gelu_tanh",
    "quick_gelu QuickGELU": "gelu_quick",
    "hard_sigmoid hardsigmoid HardSigmoid": "hard_sigmoid",
    "hard_swish hardswish HardSwish": "hard_silu",
    "hard_mish HardMish": "hard_mish",
}

# ----------------------------------------------- the operators of ONNX 1.23.2, opset 28

ONNX: Table = {
    "Identity": "identity",
    "Relu": "relu",
    "LeakyRelu": lambda alpha=0.01: to("leaky_relu", negative_slope=alpha),
    "PRelu": lambda slope: to("leaky_relu", negative_slope=slope),
    "ThresholdedRelu": lambda alpha=1.0: to("thresholded_relu", theta=alpha),
    "Elu": "elu",
    "Celu": "celu",
    "Selu": "selu",
    "Gelu": gelu_by_name,
    "Swish": lambda alpha=1.0: to("silu", beta=alpha),
    "Mish": "mish",
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
    "Softplus": "softplus",
    "Softsign": "soft_sign",
    "HardSigmoid": lambda alpha=0.2, beta=0.5: to(
        "hard_sigmoid", slope=alpha, offset=beta
    ),
    "HardSwish": "hard_silu",
    "Shrink": lambda bias=0.0, lambd=0.5: to("shrink", threshold=lambd, bias=bias),
    "Clip": clamp,
    "Exp": "exponential",
    "Erf": "erf",
    "Sin": "sine",
    "Atan": "arctan",
    "Asinh": "asinh",
    "Softmax": "softmax",
    "LogSoftmax": "log_softmax",
    "Hardmax": "hardmax",
    "ReduceLogSumExp": lambda axes=None, keepdims=1: to(
        "logsumexp", axis=axes, keepdims=bool(keepdims)
    ),
}

# ---------------------------------------------------------------- mlx.nn, of MLX 0.32.4


def mlx_gelu(approx: Literal["none", "precise", "tanh", "fast"] = "none") -> Meaning:
    """Returns one of three forms of GELU."""
    forms = {"none": "gelu_exact", "fast": "gelu_quick"}
    return to(forms.get(approx, "gelu_tanh"))


MLX: Table = {
    "relu ReLU": "relu",
    "relu2 ReLU2": "relu_squared",
    "relu6 ReLU6": "relu6",
    "leaky_relu LeakyReLU": "leaky_relu",
    "PReLU": prelu_by_count,
    "elu ELU": "elu",
    "celu CELU": "celu",
    "selu SELU": "selu",
    "gelu GELU": mlx_gelu,
    "gelu_approx": "gelu_tanh",
    "gelu_fast_approx gelu_fast": "gelu_quick",  # the second is short for GELU("fast")
    "silu SiLU": "silu",
    "mish Mish": "mish",
    "sigmoid Sigmoid": "sigmoid",
    "tanh Tanh": "tanh",
    "softplus Softplus": "softplus",
    "log_sigmoid LogSigmoid": "log_sigmoid",
    "softsign Softsign": "soft_sign",
    "hard_tanh HardTanh": "hard_tanh",
    "hardswish Hardswish": "hard_silu",
    "hard_shrink HardShrink": lambda lambd=0.5: to("hard_shrink", threshold=lambd),
    "softshrink Softshrink": lambda lambd=0.5: to("soft_shrink", threshold=lambd),
    "step Step": "step",
    "softmax Softmax": "softmax",
    "log_softmax LogSoftmax": "log_softmax",
    "softmin Softmin": "softmin",
    "glu GLU": "glu",
}

# ----- snntorch.surrogate, spikingjelly.activation_based.surrogate and norse.torch, of
# snnTorch 1.0.0, SpikingJelly 2.0.0 and Norse 1.1.0: steps with another derivative. The
# first and the last are 0 at the threshold, the second is 1. What has a derivative that
# `step` has not, is not here: snnTorch's `triangular` has no triangle, but a sign.


def spike(
    surrogate: Surrogate,
    sharpness: float = 1.0,
    height: float = 1.0,
    *,
    at_threshold: float = 1.0,
) -> Meaning:
    """Returns a step with the derivative of a surrogate."""
    return to(
        "step",
        surrogate=surrogate,
        sharpness=sharpness,
        height=height,
        at_threshold=at_threshold,
    )


def snn_atan(alpha: float = 2.0) -> Meaning:
    """Returns the step of snnTorch with the derivative of an arc tangent."""
    return spike("arctan", math.pi / 2 * alpha, alpha / 2, at_threshold=0.0)


SNNTORCH: Table = {
    "straight_through_estimator": lambda: spike("straight_through", at_threshold=0.0),
    "fast_sigmoid": lambda slope=25: spike("fast_sigmoid", slope, at_threshold=0.0),
    "atan": snn_atan,
    "sigmoid": lambda slope=25: spike("sigmoid", slope, slope / 4, at_threshold=0.0),
}

SPIKINGJELLY: Table = {
    "PiecewiseQuadratic": lambda alpha=1.0: spike("triangle", alpha, alpha),
    "Sigmoid": lambda alpha=4.0: spike("sigmoid", alpha, alpha / 4),
    "SoftSign": lambda alpha=2.0: spike("fast_sigmoid", alpha, alpha / 2),
    "SuperSpike": lambda alpha=1.0: spike("fast_sigmoid", 1.0, alpha),
    "ATan": lambda alpha=2.0: spike("arctan", math.pi / 2 * alpha, alpha / 2),
    "Erf": lambda alpha=2.0: spike("gaussian", alpha, alpha / math.sqrt(math.pi)),
    # Where it ends, at 1 / (2 alpha), it is 0 there and alpha here.
    "Rect": lambda alpha=1.0: spike("clipped", 2 * alpha, alpha),
}


def norse_superspike(alpha: float = 100.0) -> Meaning:
    """Returns the step of Norse with SuperSpike, which does not use its alpha."""
    return spike("fast_sigmoid", at_threshold=0.0)


def norse_threshold(
    method: Literal["heaviside", "super", "triangle", "tanh", "heavi_erfc"] = "super",
    alpha: float = 100.0,
) -> Meaning:
    """Returns the step of Norse by a method, with the defaults of its neurons."""
    match method:
        case "heaviside":
            return to("step", at_threshold=0.0)
        case "super":
            return norse_superspike(alpha)
        case "triangle":
            return spike("triangle", 1.0, alpha, at_threshold=0.0)
        case "tanh":
            return spike("sigmoid", 2 * alpha, at_threshold=0.0)
        case "heavi_erfc":
            return spike("gaussian", alpha, 2 / math.sqrt(math.pi), at_threshold=0.0)


NORSE: Table = {
    "heaviside": lambda: norse_threshold("heaviside"),
    "superspike_fn": norse_superspike,
    "triangle_fn": lambda alpha=0.3: norse_threshold("triangle", alpha),
    "threshold": norse_threshold,
}

DIALECTS: Mapping[str, Table] = MappingProxyType(
    {
        "jax": JAX,
        "flax": FLAX,
        "torch": TORCH,
        "keras": KERAS,
        "keras2": KERAS2,
        "hf": HF,
        "timm": TIMM,
        "onnx": ONNX,
        "mlx": MLX,
        "snntorch": SNNTORCH,
        "spikingjelly": SPIKINGJELLY,
        "norse": NORSE,
    }
)
"""The table of each library."""

ROOTS: Mapping[str, str] = MappingProxyType(
    {
        **{name: name for name in DIALECTS},
        "linen": "flax",
        "nnx": "flax",
        "tf_keras": "keras2",
        "transformers": "hf",
    }
)
"""Whose name a dotted one is, by its first part: `torch.nn.GELU` is PyTorch's."""

IGNORED: Mapping[str, frozenset[str]] = MappingProxyType(
    {name: frozenset({"inplace"}) for name in ("torch", "timm")}
)
"""Arguments that say nothing about the function."""
