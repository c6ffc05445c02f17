"""Several runs of a study in one report."""

from dataclasses import replace

import pytest

from jax_acts.experiments.config.errors import RunError
from jax_acts.experiments.report.compare_runs import (
    compare_directories,
    compare_reports,
)
from jax_acts.experiments.report.model import to_rows
from jax_acts.experiments.report.render import html, markdown
from tests.experiments.report.synthetic import FAR, INFO, records, report

BETTER = records(sigmoid=[0.80, 0.82, 0.79], relu=[0.97, 0.98, 0.961])


def compared(**options):
    reports = [report(FAR), report(BETTER, **options)]
    return compare_reports(["a", "b"], reports, [{"rate": 0.1}, {"rate": 0.2}])


def test_groups_are_paired_by_seed():
    result = compared()
    rows = {row["name"]: row for row in to_rows(result.tables[0].frame)}
    assert list(rows) == ["relu", "sigmoid"], "sorted by score"
    assert rows["relu"]["change b mean"] == pytest.approx(2.0333333)
    assert rows["sigmoid"]["change b mean"] == pytest.approx(0)
    assert result.conclusion.startswith("1 of 2 groups differ significantly: relu · b")


def test_differences_of_the_configs_are_listed():
    section = compared().sections[0]
    assert section.table is not None
    assert to_rows(section.table.frame) == [{"key": "rate", "a": "0.1", "b": "0.2"}]
    same = compare_reports(["a", "b"], [report()] * 2, [{"rate": 0.1}] * 2)
    assert same.sections[0].text == ("The configs are equal.",)


def test_one_quick_run_makes_the_comparison_quick():
    assert not compared().is_quick
    assert compared(is_quick=True).is_quick


def test_it_renders():
    result = compared()
    assert "Tests against a" in html(result, [INFO, INFO])
    assert "| relu | 95.00 [92.52, 97.48] | 97.03" in markdown(result)


def test_groups_of_one_run_only_are_listed_without_a_test():
    extra = records(tanh=[0.9, 0.91, 0.92])
    result = compare_reports(["a", "b"], [report(FAR), report(extra)], [{}, {}])
    assert len(result.tables[0].frame) == 3
    assert result.conclusion == "0 of 0 groups differ significantly."


def test_a_study_without_scores_cannot_be_compared():
    plain = replace(report(), scores=None)
    with pytest.raises(RunError, match="scores by seed"):
        compare_reports(["a", "b"], [plain, plain], [{}, {}])


def test_a_run_is_not_compared_with_itself(tmp_path):
    with pytest.raises(RunError, match="two or more different"):
        compare_directories([tmp_path, tmp_path], {})
