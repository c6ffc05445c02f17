"""What the tests of functions of a row have in common."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def rows(
    count: int, n: int, scale: float, dtype: Any = np.float64, seed: int = 0
) -> NDArray[Any]:
    """Returns so many rows of n normal numbers, times the scale."""
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(count, n)) * scale).astype(dtype)
