"""Three small tables of scikit-learn: regression, two classes, ten classes."""

from pathlib import Path

import numpy as np

from jax_acts.experiments.datasets.dataset import Dataset, divide, standardize
from jax_acts.experiments.datasets.files import find_in_package

ORIGIN = (
    "diabetes (B. Efron et al., 2004), breast cancer (W. H. Wolberg et al., UCI, "
    "CC BY 4.0) and digits (E. Alpaydin and C. Kaynak, UCI, CC BY 4.0), as distributed "
    "with scikit-learn (BSD 3-clause)"
)


def diabetes() -> Dataset:
    """Return 442 patients, 10 features; target: disease progression, standardized."""
    x = np.loadtxt(_path("diabetes_data_raw.csv.gz"))
    y = np.loadtxt(_path("diabetes_target.csv.gz"))
    targets = standardize(y, y)[:, None].astype(np.float32)
    return _make_dataset(x, targets, None)


def breast_cancer() -> Dataset:
    """Return 569 tumors, 30 features; classes: malignant, benign."""
    table = np.loadtxt(_path("breast_cancer.csv"), delimiter=",", skiprows=1)
    return _make_dataset(table[:, :-1], table[:, -1].astype(np.int32), 2)


def digits() -> Dataset:
    """Return 1,797 handwritten digits, 64 features; ten classes."""
    table = np.loadtxt(_path("digits.csv.gz"), delimiter=",")
    return _make_dataset(table[:, :-1], table[:, -1].astype(np.int32), 10)


def _path(name: str) -> Path:
    return find_in_package("sklearn", f"datasets/data/{name}", "scikit-learn")


def _make_dataset(x: np.ndarray, y: np.ndarray, num_classes: int | None) -> Dataset:
    x = standardize(x, x).astype(np.float32)
    return Dataset(*divide(x, y), num_classes)
