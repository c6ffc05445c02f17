"""Every function that is not elementwise, with its test inputs."""

from typing import Any, get_args

import jax
import numpy as np
from jax import Array

from jax_acts._core.activation import ActivationFunction
from jax_acts._core.glu import is_gated_unit
from jax_acts._registry.lookup import FUNCTIONS
from tests.functional.conftest import random_vectors

X = random_vectors(3, 4, 1)
WIDE = random_vectors(5, 4, 3, seed=2)  # also outside of grids and limits, without ties
# No entry is close to the edge of the support for any alpha.
OFF_SUPPORT_EDGE = np.array([[0.0, 0.13, 0.31], [0.2, -9.0, 0.05], [-0.1, 0.15, 9.0]])
PER_VECTOR = np.array([[0.3], [1.0], [2.0]])  # one scalar per vector
ALPHAS = np.reshape([1.01, 1.3, 1.5, 1.9, 2.0, 2.5, 3.0], (-1, 1, 1))
COEFFICIENTS = (0.5, -1.0, 0.7, 0.2, -0.4, 1.5, -0.3)
NUMERATOR, DENOMINATOR = (0.3, 1.0, -0.5, 0.2, 0.1, 0.05), (0.4, -0.3, 0.2, 0.1)
GATE_AND_VALUE = {"x": WIDE, "value": random_vectors(5, 4, 3, seed=3)}
LOGITS = [{"axis": -1}, {"axis": -1, "temperature": 0.7}]

# Arguments of the calls; the default is x = X.
CASES: dict[str, list[dict[str, Any]]] = {
    "apl": [{"x": WIDE, "slopes": (0.2, -0.5, 0.1), "hinges": (0.3, 1.1, -2.0)}],
    "b_spline": [
        {
            "x": WIDE,
            "coefficients": COEFFICIENTS,
            "base": 0.3,
            "grid": (-2, 2),
            "outside": outside,
        }
        for outside in ("linear", "constant", "zero")
    ],
    "bilinear": [GATE_AND_VALUE],
    "chebyshev": [
        {
            "x": WIDE,
            "coefficients": COEFFICIENTS,
            "interval": (-1, 2),
            "outside": outside,
        }
        for outside in ("linear", "constant", "squash")
    ],
    "drelu": [GATE_AND_VALUE],
    "entmax": [{"x": np.array([OFF_SUPPORT_EDGE] * len(ALPHAS)), "alpha": ALPHAS}],
    "entmax15": [{"x": OFF_SUPPORT_EDGE}],
    "geglu": [GATE_AND_VALUE, {**GATE_AND_VALUE, "approximate": False}],
    "glu": [GATE_AND_VALUE],
    "gtu": [GATE_AND_VALUE],
    "gumbel_softmax": [{"key": jax.random.key(0), "tau": 0.7}],
    "log_softmax": LOGITS,
    "logmeanexp": [{"axis": -1}],
    "logsumexp": [
        {"axis": -1},
        {"axis": -1, "b": np.abs(random_vectors(3, 4, 1, seed=1)) + 0.1},
    ],
    "polynorm": [{"weights": (0.5, -0.3, 0.2), "bias": 0.1, "epsilon": 1e-2}],
    "polyrelu": [{"x": WIDE, "coefficients": COEFFICIENTS[:4]}],
    "qgeglu": [GATE_AND_VALUE],
    "rational": [
        {"x": WIDE, "numerator": NUMERATOR, "denominator": DENOMINATOR, "form": form}
        for form in "ABC"
    ],
    "reglu": [GATE_AND_VALUE],
    "rrelu": [
        {"lower": 0.1, "upper": 0.4},
        {"lower": 0.1, "upper": 0.4, "key": jax.random.key(0), "training": True},
    ],
    "seglu": [GATE_AND_VALUE],
    "situ_glu": [{**GATE_AND_VALUE, "gate_cap": 1.3, "value_cap": 2.3}],
    "softmax": LOGITS,
    "softmax_sink": [{"sink": PER_VECTOR}],
    "softmin": LOGITS,
    "sparsemax": [{"x": OFF_SUPPORT_EDGE}],
    "sreglu": [GATE_AND_VALUE],
    "ssmax": [{"scale": PER_VECTOR}],
    "standardize": [
        {"epsilon": 1e-2},
        {"mean": PER_VECTOR / 3, "variance": PER_VECTOR, "epsilon": 1e-2},
    ],
    "swiglu": [{**GATE_AND_VALUE, "beta": 1.3}],
    "swiglu_clamped": [{**GATE_AND_VALUE, "limit": 1.3}],
    "swiglu_oai": [{**GATE_AND_VALUE, "alpha": 1.3, "limit": 2.3}],
}
NON_ELEMENTWISE = {
    f.__name__: f for f in FUNCTIONS.values() if not isinstance(f, ActivationFunction)
}

ROW_FAMILIES = ("glu_variants", "normalization", "softmax_variants", "sparse")
ROWS = {
    name: f
    for name, f in NON_ELEMENTWISE.items()
    if f.__module__.rpartition(".")[2] in ROW_FAMILIES
}
"""The functions along an axis and the gated units."""


def differentiable(name: str) -> list[str]:
    """Return the names of the differentiable arguments."""
    kinds = {
        n: p.annotation for n, p in NON_ELEMENTWISE[name].signature.parameters.items()
    }
    arrays = [n for n, k in kinds.items() if k is Array or Array in get_args(k)]
    return [n for n in arrays if n not in ("key", "where")]


def cases(name: str) -> list[dict[str, Any]]:
    """Return the arguments of every test call of a function."""
    first, *_ = differentiable(name)
    return [{first: X, **case} for case in CASES.get(name, [{}])]


def call(name, x, *, ordinary=False, **arguments):
    """Return the function of x along the last axis, or of x as gate and value."""
    f = ROWS[name]
    if name in ("logsumexp", "logmeanexp"):
        arguments |= {"axis": -1, "keepdims": True}
    if "key" in f.parameters:
        arguments["key"] = jax.random.key(0)
    if is_gated_unit(f):
        arguments["value"] = x
    return (f.without_custom_jvp if ordinary else f)(x, **arguments)
