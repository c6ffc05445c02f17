"""Means, t-intervals and paired t-tests over seeds: DataFrame in, DataFrame out.

    mean_ci(frame, "activation")            n, mean, sd, ci_low, ci_high of each group
    paired_tests(scores, [("relu", "gelu")])    mean_diff, interval, d, p, p_holm
    difference_to_best(scores)              the same of each group minus the best one

`scores` has one row per seed and one column per group; NaN where a run is missing.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

Bounds = tuple[float, float]
"""The possible range of a value, to which intervals are clipped."""

UNBOUNDED: Bounds = (-np.inf, np.inf)
NON_NEGATIVE: Bounds = (0.0, np.inf)
LEVEL = 0.95
"""The confidence level of intervals; tests are significant at 1 - LEVEL."""


def mean_ci(
    frame: pd.DataFrame, by: str | list[str], *, bounds: Bounds = UNBOUNDED
) -> pd.DataFrame:
    """Return the mean of each group with Student's t-interval.

    Args:
        frame: A tidy table with a column `value`; NaN is left out.
        by: The columns that make a group.
        bounds: The possible range of a value; the interval is clipped to it.

    Returns:
        One row per group, in the order of their first rows: `by`, n, mean, sd (n - 1),
        ci_low, ci_high. The last three are NaN where n < 2.

    >>> mean_ci(pd.DataFrame({"f": ["a"] * 3, "value": [1, 2, 3]}), "f").round(3)
       f  n  mean   sd  ci_low  ci_high
    0  a  3   2.0  1.0  -0.484    4.484
    """
    groups = frame.groupby(by, sort=False, observed=True)["value"]
    table = groups.agg(n="count", mean="mean", sd="std").reset_index()
    t = stats.t.ppf((1 + LEVEL) / 2, table["n"] - 1)
    half = t * table["sd"] / table["n"] ** 0.5
    table["ci_low"] = (table["mean"] - half).clip(*bounds)
    table["ci_high"] = (table["mean"] + half).clip(*bounds)
    return table


def paired_tests(
    scores: pd.DataFrame,
    pairs: Sequence[tuple[str, str]],
    *,
    bounds: Bounds = UNBOUNDED,
) -> pd.DataFrame:
    """Return two-sided paired t-tests over equal seeds, Holm-adjusted over `pairs`.

    Args:
        scores: One row per seed, one column per group.
        pairs: (group, baseline), both columns of `scores`.
        bounds: The possible range of a score.

    Returns:
        One row per pair: group, baseline, n (seeds that both have), mean_diff (group
        minus baseline), ci_low, ci_high (not adjusted), cohens_d (mean_diff over the
        standard deviation of the differences; ±inf where that is 0), p, p_holm.

    >>> scores = pd.DataFrame({"a": [3, 4, 6], "b": [1, 2, 3], "c": [3, 5, 6]})
    >>> tests = paired_tests(scores, [("a", "b"), ("a", "c")])
    >>> tests[["mean_diff", "p", "p_holm"]].round(3)
       mean_diff      p  p_holm
    0      2.333  0.020   0.040
    1     -0.333  0.423   0.423
    """
    low, high = bounds
    differences = pd.DataFrame(
        {n: scores[a] - scores[b] for n, (a, b) in enumerate(pairs)}, dtype=float
    )
    long = differences.melt(var_name="pair").astype({"value": float})
    means = mean_ci(long, "pair", bounds=(low - high, high - low))
    table = pd.DataFrame(pairs, columns=["group", "baseline"]).join(means)
    table = table.rename(columns={"mean": "mean_diff"})
    d = table["mean_diff"] / table["sd"]
    table["cohens_d"] = d.mask((table["mean_diff"] == 0) & (table["sd"] == 0), 0.0)
    t = table["cohens_d"].abs() * table["n"] ** 0.5
    table["p"] = 2 * stats.t.sf(t, table["n"] - 1)
    table["p_holm"] = holm(table["p"])
    return table.drop(columns=["pair", "sd"])


def holm(p: pd.Series) -> pd.Series:
    """Return p-values adjusted for multiple tests by Holm's step-down procedure.

    The smallest of m is multiplied by m, the next by m - 1, …; a running maximum keeps
    the order. The chance of one or more false positives is at most the level. NaN is
    no test. Reference: S. Holm, A simple sequentially rejective multiple test
    procedure, 1979.

    >>> holm(pd.Series([0.01, 0.04, 0.03])).tolist()
    [0.03, 0.06, 0.06]
    """
    ordered = p.dropna().sort_values(kind="stable")
    factors = np.arange(len(ordered), 0, -1)
    return (ordered * factors).cummax().clip(upper=1).reindex(p.index)


def difference_to_best(
    scores: pd.DataFrame,
    families: Sequence[Sequence[str]] | None = None,
    *,
    lower_is_better: bool = False,
    bounds: Bounds = UNBOUNDED,
) -> pd.DataFrame:
    """Return the tests of each group against the best mean of its family.

    Args:
        scores: One row per seed, one column per group.
        families: The groups that are compared with each other; all if left out.
        lower_is_better: Whether the lowest mean is the best.
        bounds: The possible range of a score.

    Returns:
        The table of `paired_tests`, Holm-adjusted over all families, with a column
        `tied`: not significantly different. There is no row of the best group itself,
        which is `baseline`.
    """
    pairs = []
    for names in [list(scores)] if families is None else families:
        means = scores[[name for name in names if name in scores]].mean().dropna()
        ranking = means.sort_values(ascending=lower_is_better, kind="stable").index
        pairs += [(other, ranking[0]) for other in ranking[1:]]
    table = paired_tests(scores, pairs, bounds=bounds)
    return table.assign(tied=table["p_holm"] >= 1 - LEVEL)
