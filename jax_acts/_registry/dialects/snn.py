"""Spiking networks: snnTorch 1.0.0, SpikingJelly 2.0.0 and Norse 1.1.0.

`snntorch.surrogate`, `spikingjelly.activation_based.surrogate` and `norse.torch` have
steps with surrogate derivatives. At the threshold the first and the last are 0, the
second is 1. A name whose derivative `step` does not have is left out: snnTorch's
`triangular` is not a triangle but a sign.
"""

import math
from typing import Literal

from jax_acts._registry.dialects.table import Meaning, Table, to
from jax_acts.functional.surrogate import Surrogate


def spike(
    surrogate: Surrogate,
    sharpness: float = 1.0,
    height: float = 1.0,
    *,
    at_threshold: float = 1.0,
) -> Meaning:
    """Return a step with the derivative of a surrogate."""
    return to(
        "step",
        surrogate=surrogate,
        sharpness=sharpness,
        height=height,
        at_threshold=at_threshold,
    )


SNNTORCH: Table = {
    "straight_through_estimator": lambda: spike("straight_through", at_threshold=0.0),
    "fast_sigmoid": lambda slope=25: spike("fast_sigmoid", slope, at_threshold=0.0),
    "atan": lambda alpha=2.0: spike(
        "arctan", math.pi / 2 * alpha, alpha / 2, at_threshold=0.0
    ),
    "sigmoid": lambda slope=25: spike("sigmoid", slope, slope / 4, at_threshold=0.0),
}

SPIKINGJELLY: Table = {
    "PiecewiseQuadratic": lambda alpha=1.0: spike("triangle", alpha, alpha),
    "Sigmoid": lambda alpha=4.0: spike("sigmoid", alpha, alpha / 4),
    "SoftSign": lambda alpha=2.0: spike("fast_sigmoid", alpha, alpha / 2),
    "SuperSpike": lambda alpha=1.0: spike("fast_sigmoid", 1.0, alpha),
    "ATan": lambda alpha=2.0: spike("arctan", math.pi / 2 * alpha, alpha / 2),
    "Erf": lambda alpha=2.0: spike("gaussian", alpha, alpha / math.sqrt(math.pi)),
    # At its ends, ±1 / (2 alpha), SpikingJelly has 0, jax_acts alpha.
    "Rect": lambda alpha=1.0: spike("clipped", 2 * alpha, alpha),
}


def norse_superspike(alpha: float = 100.0) -> Meaning:
    """Return the step of Norse with SuperSpike, which ignores alpha."""
    return spike("fast_sigmoid", at_threshold=0.0)


def norse_threshold(
    method: Literal["heaviside", "super", "triangle", "tanh", "heavi_erfc"] = "super",
    alpha: float = 100.0,
) -> Meaning:
    """Return the step of Norse with a method's surrogate; defaults are the neurons'."""
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
