"""Statistics over the seeds, all of them scipy's."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats


class Spread(NamedTuple):
    """A mean, and what is known of it."""

    n: int
    mean: float
    sd: float
    """The standard deviation of the values, with n - 1."""
    low: float
    high: float
    """The ends of the interval of the mean, by Student's t."""

    def shows(self, value: float = 0.0) -> bool:
        """Returns whether the interval is known and leaves the value out."""
        return self.low > value or self.high < value


def spread(values: Sequence[float], confidence: float = 0.95) -> Spread:
    """Returns the mean of the values with its interval, unknown below two values.

    >>> spread([1.0, 2.0, 3.0])
    Spread(n=3, mean=2.0, sd=1.0, low=-0.48413771, high=4.48413771)
    """
    n = len(values)
    if not n:
        return Spread(0, *[float("nan")] * 4)
    mean = float(np.mean(values))
    if n == 1:
        return Spread(1, mean, *[float("nan")] * 3)
    sd = float(np.std(values, ddof=1))
    half = float(stats.t.ppf((1 + confidence) / 2, n - 1)) * sd / n**0.5
    return Spread(n, mean, sd, mean - half, mean + half)


def paired(
    first: Sequence[float], second: Sequence[float], comparisons: int = 1
) -> Spread:
    """Returns the mean of first - second, where they are pairs, with its interval.

    The interval holds for all the comparisons together with 95 %: each of them is at
    the level 1 - 0.05 / comparisons, after Bonferroni.
    """
    differences = [a - b for a, b in zip(first, second, strict=True)]
    return spread(differences, 1 - 0.05 / max(comparisons, 1))
