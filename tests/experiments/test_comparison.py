import math

import numpy as np
import pytest
from scipy import stats

from experiments.comparison import Trained, answer, behind, grouped, trained
from experiments.comparison_page import page
from experiments.measures import Measures
from experiments.study import Member
from experiments.summary import paired, spread
from experiments.training import History


def record(activation: str, seed: int, accuracy: float | None) -> Trained:
    return Trained(
        member=f"activation {activation}, seed {seed}",
        status="diverged" if accuracy is None else "done",
        activation=activation,
        seed=seed,
        parameters=10,
        steps=4,
        test_accuracy=accuracy,
        loss=[2.0, None] if accuracy is None else [2.0, 1.0],
        accuracy_by_epoch=[0.1, accuracy],
        dead_by_epoch=[0.0, 0.25],
        gradient_ratio_by_epoch=[None, -1.5],
        step_seconds=0.002,
        compile_seconds=1.0,
    )


def records(**accuracies: list[float | None]) -> list[Trained]:
    return [
        record(name, seed, value)
        for name, values in accuracies.items()
        for seed, value in enumerate(values)
    ]


FAR = records(relu=[0.95, 0.96, 0.94], sigmoid=[0.80, 0.82, 0.79])


def test_the_interval_is_that_of_student():
    values = [1.0, 2.0, 4.0, 8.0]
    expected = stats.ttest_1samp(values, 0.0).confidence_interval(0.95)
    found = spread(values)
    np.testing.assert_allclose((found.low, found.high), expected, rtol=1e-12)
    assert found.sd == np.std(values, ddof=1)


def test_the_interval_of_pairs_is_widened_for_many_comparisons():
    first, second = [3.0, 4.0, 6.0], [1.0, 1.5, 3.0]
    expected = stats.ttest_rel(first, second).confidence_interval(1 - 0.05 / 7)
    found = paired(first, second, 7)
    np.testing.assert_allclose((found.low, found.high), expected, rtol=1e-12)


@pytest.mark.parametrize("values", [[], [1.0]])
def test_no_interval_is_claimed_of_fewer_than_two_values(values):
    found = spread(values)
    assert found.n == len(values)
    assert math.isnan(found.low)
    assert not found.shows()


def test_equal_values_have_an_interval_of_no_width():
    assert spread([2.0, 2.0, 2.0])[1:] == (2.0, 0.0, 2.0, 2.0)


def test_the_first_sentence_names_the_best_and_who_is_measurably_behind():
    assert answer(grouped(["sigmoid", "relu"], FAR)) == (
        "relu has the highest mean test accuracy, 95.0 % (95 % interval 92.5 to 97.5, "
        "3 seeds); measurably behind is sigmoid (14.7 points)."
    )


def test_the_first_sentence_claims_no_difference_that_the_seeds_do_not_show():
    close = records(gelu=[0.96, 0.93, 0.95], relu=[0.95, 0.94, 0.94])
    assert answer(grouped(["relu", "gelu"], [*FAR[3:], *close])).endswith(
        "but these seeds do not tell relu from it."
    )


def test_one_seed_tells_nothing_of_chance():
    said = answer(grouped(["relu", "tanh"], records(relu=[0.9], tanh=[0.8])))
    assert "by one seed alone" in said


def test_differences_are_taken_between_equal_seeds():
    first, second = grouped(
        ["relu", "tanh"], records(relu=[0.9, None, 0.7], tanh=[0.6, 0.1, 0.5])
    )
    assert behind(first, second, 1)[:2] == (2, pytest.approx(25.0))


def test_a_member_that_diverged_is_told_and_not_averaged():
    shown = page(
        "?", "", "", ["relu", "exp"], 6, records(relu=[0.9, None, 0.9], exp=[None] * 3)
    )
    assert "relu: 1 of 3 members diverged." in shown.notes
    assert "exp: 3 of 3 members diverged." in shown.notes
    rows = {row[0].text: row for row in shown.table.rows}
    assert [*rows] == ["relu", "exp"]
    assert rows["relu"][1].text == "90.00"
    assert rows["exp"][1].text == "–"


def test_a_run_that_is_not_finished_says_so():
    shown = page("?", "", "", ["relu", "sigmoid"], 10, FAR)
    assert "The run is not finished: 6 of 10 members." in shown.notes


def test_without_any_finished_member_there_is_no_answer():
    shown = page("?", "", "", ["relu"], 3, [])
    assert shown.answer.startswith("There is no answer")
    assert shown.charts == ()


@pytest.mark.parametrize("last", [1.0, np.nan, np.inf])
def test_a_loss_that_is_not_finite_marks_the_member_as_diverged(last):
    measures = [Measures(*map(np.float32, (0.5, 0.0, -np.inf)))] * 2
    history = History(np.array([2.0, last], np.float32), measures, 0.001, {})
    member = Member((("activation", "relu"), ("seed", 0)))
    found = trained(member, history, 10, 1.0)
    finite = np.isfinite(last)
    assert found.status == ("done" if finite else "diverged")
    assert found.test_accuracy == (0.5 if finite else None)
    assert found.loss == [2.0, 1.0 if finite else None]
    assert found.gradient_ratio_by_epoch == [None, None]
    assert Trained.model_validate_json(found.model_dump_json()) == found
