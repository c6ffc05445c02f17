"""Statistics over the seeds: means, and differences between pairs."""

import math
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


def spread(values: Sequence[float]) -> Spread:
    """Returns the mean of the values with its 95 % interval, unknown below two values.

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
    half = float(stats.t.ppf(0.975, n - 1)) * sd / n**0.5
    return Spread(n, mean, sd, mean - half, mean + half)


class Difference(NamedTuple):
    """A mean of differences between pairs, and what is known of it."""

    n: int
    """How many pairs there are."""
    mean: float
    low: float
    high: float
    """The ends of the 95 % interval of this mean alone, by Student's t."""
    effect: float
    """Cohen's d of the pairs: the mean over the standard deviation of differences."""
    p: float
    """Of the t-test of pairs: how likely so much is by chance, if there is nothing."""
    adjusted: float
    """p after Holm, for all comparisons that are made together."""

    @property
    def half(self) -> float:
        """The half width of the interval."""
        return (self.high - self.low) / 2

    def shows(self, level: float = 0.05) -> bool:
        """Returns whether there is a difference, as one of all those compared."""
        return self.adjusted < level


Pairs = Sequence[tuple[float, float]]


def differences(families: Sequence[Pairs]) -> list[Difference]:
    """Returns the difference of each list of pairs, compared together.

    >>> found = differences([[(3, 1), (4, 2), (6, 3)], [(1, 1), (2, 3), (4, 3)]])
    >>> [(round(d.mean, 2), round(d.p, 3), round(d.adjusted, 3)) for d in found]
    [(2.33, 0.02, 0.04), (0.0, 1.0, 1.0)]
    """
    alone = [_difference(pairs) for pairs in families]
    together = holm([one.p for one in alone])
    return [one._replace(adjusted=p) for one, p in zip(alone, together, strict=True)]


def _difference(pairs: Pairs) -> Difference:
    """Returns the difference of pairs, compared alone."""
    known = spread([a - b for a, b in pairs])
    n, mean, sd, low, high = known
    if n < 2:
        return Difference(n, mean, low, high, *[float("nan")] * 3)
    # Without a spread there is no d: its limit is taken.
    effect = mean / sd if sd else math.copysign(math.inf, mean) if mean else 0.0
    p = 2 * float(stats.t.sf(abs(effect) * n**0.5, n - 1))
    return Difference(n, mean, low, high, effect, p, p)


def holm(values: Sequence[float]) -> list[float]:
    """Returns p-values for a decision about all of them together.

    The smallest of m is multiplied by m, the next by m - 1, and so on, and none is
    less than the one before it: S. Holm, A simple sequentially rejective multiple test
    procedure, 1979. At whatever level those below it are called differences, the
    chance of one false call among all is no more than the level. What is not known
    (nan) is no comparison.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(values, float)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    adjusted = np.full(p.shape, np.nan)
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * factors), 1)
    return adjusted.tolist()
