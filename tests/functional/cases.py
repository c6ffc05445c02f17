"""Every function of several numbers, and what it is tried at."""

from typing import Any, get_args

import jax
import numpy as np
from jax import Array

from jax_acts._core.activation import ActivationFunction
from jax_acts._registry.lookup import FUNCTIONS
from tests.functional.conftest import rows

X = rows(3, 4, 1)
WIDE = rows(5, 4, 3, seed=2)  # beyond grids and limits too, and no number twice
# No entry of these rows is near the edge of the support for any alpha.
APART = np.array([[0.0, 0.13, 0.31], [0.2, -9.0, 0.05], [-0.1, 0.15, 9.0]])
EACH = np.array([[0.3], [1.0], [2.0]])  # a number for each row
ALPHAS = np.reshape([1.01, 1.3, 1.5, 1.9, 2.0, 2.5, 3.0], (-1, 1, 1))
ROW = (0.5, -1.0, 0.7, 0.2, -0.4, 1.5, -0.3)
TOP, BOTTOM = (0.3, 1.0, -0.5, 0.2, 0.1, 0.05), (0.4, -0.3, 0.2, 0.1)
GATED = {"x": WIDE, "value": rows(5, 4, 3, seed=3)}
LOGITS = [{"axis": -1}, {"axis": -1, "temperature": 0.7}]

# Where that is not X alone.
CASES: dict[str, list[dict[str, Any]]] = {
    "apl": [{"x": WIDE, "slopes": (0.2, -0.5, 0.1), "hinges": (0.3, 1.1, -2.0)}],
    "b_spline": [
        {"x": WIDE, "coefficients": ROW, "base": 0.3, "grid": (-2, 2), "outside": out}
        for out in ("linear", "constant", "zero")
    ],
    "bilinear": [GATED],
    "chebyshev": [
        {"x": WIDE, "coefficients": ROW, "interval": (-1, 2), "outside": out}
        for out in ("linear", "constant", "squash")
    ],
    "drelu": [GATED],
    "entmax": [{"x": np.array([APART] * len(ALPHAS)), "alpha": ALPHAS}],
    "entmax15": [{"x": APART}],
    "geglu": [GATED, {**GATED, "int8": False}],
    "glu": [GATED],
    "gtu": [GATED],
    "gumbel_softmax": [{"key": jax.random.key(0), "tau": 0.7}],
    "log_softmax": LOGITS,
    "logmeanexp": [{"axis": -1}],
    "logsumexp": [{"axis": -1}, {"axis": -1, "b": np.abs(rows(3, 4, 1, seed=1)) + 0.1}],
    "polynorm": [{"weights": (0.5, -0.3, 0.2), "bias": 0.1, "epsilon": 1e-2}],
    "polyrelu": [{"x": WIDE, "coefficients": ROW[:4]}],
    "qgeglu": [GATED],
    "rational": [
        {"x": WIDE, "numerator": TOP, "denominator": BOTTOM, "form": form}
        for form in "ABC"
    ],
    "reglu": [GATED],
    "rrelu": [
        {"lower": 0.1, "upper": 0.4},
        {"lower": 0.1, "upper": 0.4, "key": jax.random.key(0), "training": True},
    ],
    "seglu": [GATED],
    "situ_glu": [{**GATED, "gate_cap": 1.3, "value_cap": 2.3}],
    "softmax": LOGITS,
    "softmax_sink": [{"sink": EACH}],
    "softmin": LOGITS,
    "sparsemax": [{"x": APART}],
    "sreglu": [GATED],
    "ssmax": [{"scale": EACH}],
    "standardize": [
        {"epsilon": 1e-2},
        {"mean": EACH / 3, "variance": EACH, "epsilon": 1e-2},
    ],
    "swiglu": [{**GATED, "beta": 1.3}],
    "swiglu_clamped": [{**GATED, "limit": 1.3}],
    "swiglu_oai": [{**GATED, "alpha": 1.3, "limit": 2.3}],
}
SEVERAL = {
    f.__name__: f for f in FUNCTIONS.values() if not isinstance(f, ActivationFunction)
}


def differentiable(name: str) -> list[str]:
    """Returns the names of the arguments that a function has derivatives in."""
    kinds = {n: p.annotation for n, p in SEVERAL[name].signature.parameters.items()}
    arrays = [n for n, k in kinds.items() if k is Array or Array in get_args(k)]
    return [n for n in arrays if n not in ("key", "where")]


def cases(name: str) -> list[dict[str, Any]]:
    """Returns the arguments of each call of a function."""
    first, *_ = differentiable(name)
    return [{first: X, **case} for case in CASES.get(name, [{}])]
