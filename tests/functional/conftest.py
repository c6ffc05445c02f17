"""Inputs of the tests of functions along an axis."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def random_vectors(
    count: int, n: int, scale: float, dtype: Any = np.float64, seed: int = 0
) -> NDArray[Any]:
    """Return an array of shape `(count, n)` of normal samples times the scale."""
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(count, n)) * scale).astype(dtype)
