"""Three small tables of scikit-learn: regression, two classes, ten classes."""

import numpy as np

from jax_acts.experiments.config.errors import ConfigIssue, MissingDataError
from jax_acts.experiments.datasets.dataset import Dataset, divide
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
    return _standardize(x, ((y - y.mean()) / y.std()).astype(np.float32), None)


def breast_cancer() -> Dataset:
    """Return 569 tumors, 30 features; classes: malignant, benign."""
    table = np.loadtxt(_path("breast_cancer.csv"), delimiter=",", skiprows=1)
    return _standardize(table[:, :-1], table[:, -1].astype(np.int32), 2)


def digits() -> Dataset:
    """Return 1,797 handwritten digits, 64 features; ten classes."""
    table = np.loadtxt(_path("digits.csv.gz"), delimiter=",")
    return _standardize(table[:, :-1], table[:, -1].astype(np.int32), 10)


def _path(name: str) -> str:
    path = find_in_package("sklearn", f"datasets/data/{name}")
    if path is None:
        message = f"data: expected {name}, got none: pip install scikit-learn"
        raise MissingDataError(ConfigIssue("data", message))
    return str(path)


def _standardize(x: np.ndarray, y: np.ndarray, num_classes: int | None) -> Dataset:
    """Return features of mean 0 and standard deviation 1, in float32."""
    std = x.std(0)
    scaled = (x - x.mean(0)) / np.where(std > 0, std, 1)
    targets = y if num_classes else y[:, None]
    return Dataset(*divide(scaled.astype(np.float32), targets), num_classes)
