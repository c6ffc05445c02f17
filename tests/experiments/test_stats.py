"""Intervals, paired tests and Holm's procedure against SciPy and their definitions."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from jax_acts.experiments.stats import (
    difference_to_best,
    holm,
    mean_ci,
    paired_tests,
)


def samples(**groups: list[float]) -> pd.DataFrame:
    """Return a tidy table of values by group."""
    rows = [(name, value) for name, values in groups.items() for value in values]
    return pd.DataFrame(rows, columns=["group", "value"])


def row(frame: pd.DataFrame) -> pd.Series:
    (index,) = frame.index
    return frame.loc[index]


def test_interval_is_students():
    values = [1.0, 2.0, 4.0, 8.0]
    expected = stats.ttest_1samp(values, 0.0).confidence_interval(0.95)
    result = row(mean_ci(samples(a=values), "group"))
    np.testing.assert_allclose((result.ci_low, result.ci_high), expected, rtol=1e-12)
    np.testing.assert_allclose(result.sd, np.std(values, ddof=1), rtol=1e-12)


def test_groups_keep_their_order_and_nan_is_left_out():
    table = mean_ci(samples(b=[1.0, math.nan, 3.0], a=[5.0, 6.0]), "group")
    assert table["group"].tolist() == ["b", "a"]
    assert table["n"].tolist() == [2, 2]
    assert table["mean"].tolist() == [2.0, 5.5]


def test_interval_is_clipped_to_the_possible_range():
    result = row(mean_ci(samples(a=[20.0, 99.0]), "group", bounds=(0, 100)))
    assert (result.ci_low, result.ci_high) == (0, 100)


def test_difference_interval_is_clipped_to_the_possible_range():
    scores = pd.DataFrame({"a": [99.0, 1.0], "b": [1.0, 2.0]})
    result = row(paired_tests(scores, [("a", "b")], bounds=(0, 100)))
    assert (result.ci_low, result.ci_high) == (-100, 100)


@pytest.mark.parametrize("values", [[], [1.0]])
def test_fewer_than_two_values_have_no_interval_and_no_test(values):
    scores = pd.DataFrame({"a": [*values, math.nan], "b": [0.0] * (len(values) + 1)})
    result = row(paired_tests(scores, [("a", "b")]))
    assert result.n == len(values)
    assert np.isnan([result.ci_low, result.cohens_d, result.p, result.p_holm]).all()


def test_equal_values_have_an_interval_of_width_zero():
    result = row(mean_ci(samples(a=[2.0, 2.0, 2.0]), "group"))
    assert result[["mean", "sd", "ci_low", "ci_high"]].tolist() == [2.0, 0.0, 2.0, 2.0]


def test_paired_test_is_scipys():
    scores = pd.DataFrame({"a": [3.0, 4.0, 6.0], "b": [1.0, 1.5, 3.0]})
    expected = stats.ttest_rel(scores.a, scores.b)
    result = row(paired_tests(scores, [("a", "b")]))
    ci = expected.confidence_interval(0.95)
    np.testing.assert_allclose((result.ci_low, result.ci_high), ci, rtol=1e-12)
    np.testing.assert_allclose((result.p, result.p_holm), expected.pvalue, rtol=1e-12)
    difference = scores.a - scores.b
    np.testing.assert_allclose(result.cohens_d, difference.mean() / difference.std())


def test_pairs_are_equal_seeds():
    scores = pd.DataFrame({"a": [0.9, math.nan, 0.7], "b": [0.6, 0.1, 0.5]})
    result = row(paired_tests(scores, [("a", "b")]))
    assert (result.n, result.mean_diff) == (2, pytest.approx(0.25))


def test_no_pairs_give_an_empty_table():
    scores = pd.DataFrame({"a": [1.0, 2.0]})
    assert paired_tests(scores, []).empty
    assert difference_to_best(scores)["tied"].tolist() == []


def test_constant_differences_have_an_infinite_effect():
    scores = pd.DataFrame({"a": [2.0, 3.0], "b": [1.0, 2.0], "c": [2.0, 3.0]})
    table = paired_tests(scores, [("a", "b"), ("a", "c")])
    assert table["cohens_d"].tolist() == [math.inf, 0.0]
    assert table["p"].tolist() == [0.0, 1.0]


def test_holm_rejects_what_its_procedure_rejects():
    values = [0.001, 0.01, 0.013, 0.04, 0.04, 0.7]
    for level in (0.005, 0.01, 0.05, 0.1, 0.5):
        rejected = 0
        for n, p in enumerate(sorted(values)):
            if p > level / (len(values) - n):
                break
            rejected += 1
        adjusted = holm(pd.Series(values[::-1]))
        assert (adjusted <= level * (1 + 1e-12)).sum() == rejected


def test_holm_keeps_the_index_and_leaves_nan_out():
    adjusted = holm(pd.Series([0.2, math.nan, 0.01, 0.03], index=list("abcd")))
    np.testing.assert_allclose(adjusted, [0.2, math.nan, 0.03, 0.06])
    assert list(adjusted.index) == list("abcd")
    assert holm(pd.Series([0.04])).tolist() == [0.04]
    assert holm(pd.Series([], dtype=float)).empty


def test_family_wise_error_rate_is_at_most_the_level():
    random = np.random.default_rng(0)
    pairs = [("f0", f"f{n}") for n in range(1, 8)]
    names = [f"f{n}" for n in range(8)]
    trials = 200
    false_positives = 0
    for noise in random.normal(size=(trials, 5, 8)):
        table = paired_tests(pd.DataFrame(noise, columns=names), pairs)
        false_positives += bool((table["p_holm"] < 0.05).any())
    # Three standard deviations of a binomial count at 0.05.
    assert false_positives / trials < 0.05 + 3 * math.sqrt(0.05 * 0.95 / trials)


def test_families_have_their_own_best_and_one_holm_adjustment():
    scores = pd.DataFrame(
        {"a": [9.0, 8.0, 9.0], "b": [5.0, 4.1, 5.2], "c": [1.0, 2.0, 1.5]}
    ).assign(d=lambda frame: frame.c - [1.0, 0.9, 1.1])
    table = difference_to_best(scores, [["b", "a"], ["c", "d"]])
    assert table[["group", "baseline"]].to_numpy().tolist() == [["b", "a"], ["d", "c"]]
    assert (table["mean_diff"] < 0).all()
    np.testing.assert_array_equal(table["p_holm"], holm(table["p"]))
    assert not table["tied"].any()


def test_of_losses_the_lowest_is_the_best():
    scores = pd.DataFrame({"a": [2.0, 2.1, 2.2], "b": [1.0, 1.0, 1.3]})
    result = row(difference_to_best(scores, lower_is_better=True))
    assert (result.group, result.baseline) == ("a", "b")
    assert result.mean_diff > 0


def test_groups_that_do_not_differ_significantly_are_tied():
    scores = pd.DataFrame(
        {"a": [95.0, 94, 94], "b": [96.0, 93, 95], "c": [80.0, 81, 80]}
    )
    table = difference_to_best(scores).set_index("group")
    assert table["tied"].to_dict() == {"a": True, "c": False}
