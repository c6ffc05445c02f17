import math

import numpy as np
import pytest
from scipy import stats

from experiments.cnn_records import Trained, answer, grouped, scored, trained
from experiments.cnn_report import page
from jax_acts.experiments.report.contrasts import behind, behind_best, sentence
from jax_acts.experiments.report.model import Scores
from jax_acts.experiments.stats import differences, holm, spread
from jax_acts.experiments.study import Member
from jax_acts.experiments.train.epochs import History
from jax_acts.experiments.train.metrics import Measures


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


def test_a_difference_is_that_of_the_t_test_of_pairs():
    first, second = [3.0, 4.0, 6.0], [1.0, 1.5, 3.0]
    expected = stats.ttest_rel(first, second)
    (found,) = differences([[*zip(first, second, strict=True)]])
    ends = expected.confidence_interval(0.95)
    np.testing.assert_allclose((found.low, found.high), ends, rtol=1e-12)
    np.testing.assert_allclose((found.p, found.adjusted), expected.pvalue, rtol=1e-12)
    apart = np.subtract(first, second)
    np.testing.assert_allclose(found.effect, apart.mean() / apart.std(ddof=1))


def test_holm_calls_what_its_procedure_of_steps_rejects():
    """At each level, against the steps as S. Holm writes them down."""
    values = [0.001, 0.01, 0.013, 0.04, 0.04, 0.7]
    for level in (0.005, 0.01, 0.05, 0.1, 0.5):
        rejected = 0
        for n, p in enumerate(sorted(values)):
            if p > level / (len(values) - n):
                break
            rejected += 1
        adjusted = holm(values[::-1])
        assert sum(p <= level * (1 + 1e-12) for p in adjusted) == rejected


def test_holm_never_makes_a_value_smaller_and_leaves_the_unknown_out():
    values = [0.2, math.nan, 0.01, 0.03]
    adjusted = holm(values)
    assert math.isnan(adjusted[1])
    np.testing.assert_allclose(adjusted, [0.2, math.nan, 0.03, 0.06])
    assert holm([0.04]) == [0.04]
    assert holm([]) == []


def test_chance_alone_makes_false_calls_no_more_often_than_promised():
    """Of a thousand families of seven nothings, some 1 in 20 has a false call."""
    draw = np.random.default_rng(0)
    calls = 0
    for noise in draw.normal(size=(1000, 7, 5, 2)):
        calls += any(d.shows() for d in differences(noise.tolist()))
    # The deviation of 1000 draws at 0.05 is 0.007; three of them are allowed.
    assert calls / 1000 < 0.05 + 3 * 0.007


def test_differences_that_are_all_alike_are_sure():
    found = differences([[(2.0, 1.0), (3.0, 2.0)], [(1.0, 1.0), (2.0, 2.0)]])
    assert (found[0].p, found[0].effect) == (0.0, math.inf)
    assert (found[1].p, found[1].effect) == (1.0, 0.0)
    assert not found[1].shows()


@pytest.mark.parametrize("values", [[], [1.0]])
def test_no_interval_is_claimed_of_fewer_than_two_values(values):
    found = spread(values)
    assert found.n == len(values)
    assert math.isnan(found.low)
    (pair,) = differences([[(value, 0.0) for value in values]])
    assert not pair.shows()


def test_equal_values_have_an_interval_of_no_width():
    assert spread([2.0, 2.0, 2.0])[1:] == (2.0, 0.0, 2.0, 2.0)


def test_the_first_sentence_names_the_best_and_who_is_measurably_behind():
    assert answer(grouped(["sigmoid", "relu"], FAR)) == (
        "relu has the highest mean test accuracy, 95.0 % (95 % interval 92.5 to 97.5, "
        "3 seeds); measurably behind is sigmoid (by 14.7 ± 1.4 points)."
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
    groups = grouped(
        ["relu", "tanh"], records(relu=[0.9, None, 0.7], tanh=[0.6, 0.1, 0.5])
    )
    (found,) = behind_best(scored(groups))
    assert found[:2] == ("relu", "tanh")
    assert found.difference[:2] == (2, pytest.approx(25.0))


def test_what_the_seeds_do_not_tell_stays_in_the_report():
    close = records(gelu=[0.96, 0.93, 0.95], relu=[0.95, 0.94, 0.94])
    shown = page("?", "", "", ["relu", "gelu"], 6, close)
    assert shown.sections[0].said == (
        "gelu and relu are not told apart: gelu is ahead by 0.33 ± 2.87 points "
        "(3 seeds, p = 0.67).",
    )


def test_a_difference_is_told_in_one_sentence():
    said = page("?", "", "", ["sigmoid", "relu"], 6, FAR).sections[0].said
    assert said == ("relu beats sigmoid by 14.67 ± 1.43 points (3 seeds, p < 0.001).",)


def test_of_losses_the_lower_one_is_better():
    losses = {"a": {0: 1.0, 1: 1.1, 2: 0.9}, "b": {0: 2.0, 1: 2.05, 2: 1.95}}
    scores = Scores("loss", losses, " nats", 2, True)
    (found,) = behind_best(scores)
    assert sentence(found, scores).startswith("a beats b by 1.00 ± 0.12 nats (3 seeds")
    assert behind(scores)["b"].text == "1.00"


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
