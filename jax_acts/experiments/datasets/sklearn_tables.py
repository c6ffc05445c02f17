"""Three small tables to predict from: a number, one of two kinds, one of ten."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from jax_acts.experiments.config.errors import ConfigError, Problem
from jax_acts.experiments.datasets.packaged import packaged


class Columns(NamedTuple):
    """Features float32 `(n, features)` and targets `(n,)`, for training and testing.

    Features have mean 0 and deviation 1, and so has a target that is a number; a target
    that is a kind is an int32.
    """

    x: NDArray[np.float32]
    y: NDArray[np.generic]
    x_test: NDArray[np.float32]
    y_test: NDArray[np.generic]


ORIGIN = (
    "diabetes (B. Efron et al., 2004), breast cancer (W. H. Wolberg et al., UCI, "
    "CC BY 4.0) and digits (E. Alpaydin and C. Kaynak, UCI, CC BY 4.0), as they come "
    "with scikit-learn (BSD 3-clause)"
)


def diabetes() -> Columns:
    """Returns 442 patients with 10 features, and how their illness went on."""
    x = np.loadtxt(_file("diabetes_data_raw.csv.gz"))
    y = np.loadtxt(_file("diabetes_target.csv.gz"))
    return _divided(x, ((y - y.mean()) / y.std()).astype(np.float32))


def breast_cancer() -> Columns:
    """Returns 569 tumours with 30 features, and which of them are benign."""
    table = np.loadtxt(_file("breast_cancer.csv"), delimiter=",", skiprows=1)
    return _divided(table[:, :-1], table[:, -1].astype(np.int32))


def digits() -> Columns:
    """Returns 1,797 handwritten digits with 64 features."""
    table = np.loadtxt(_file("digits.csv.gz"), delimiter=",")
    return _divided(table[:, :-1], table[:, -1].astype(np.int32))


def _file(name: str) -> str:
    path = packaged("sklearn", f"datasets/data/{name}")
    if path is None:
        message = f"{name} is not here; this gets it: pip install scikit-learn"
        raise ConfigError(Problem("tasks", message))
    return str(path)


def _divided(x: np.ndarray, y: np.ndarray) -> Columns:
    """Returns four fifths for training and one for testing, by a fixed shuffle."""
    order = np.random.default_rng(0).permutation(len(y))
    deviation = x.std(0)
    scaled = (x - x.mean(0)) / np.where(deviation > 0, deviation, 1)
    scaled, y = scaled[order].astype(np.float32), y[order]
    cut = len(y) * 4 // 5
    return Columns(scaled[:cut], y[:cut], scaled[cut:], y[cut:])
