import pytest

from experiments.cnn_report import page
from jax_acts.experiments.config.errors import RunError
from jax_acts.experiments.report.compare_runs import _page, compare
from jax_acts.experiments.report.render import QUICK, noted
from tests.experiments.conftest import CountConfig
from tests.experiments.test_comparison import FAR, records


def test_rows_of_two_runs_are_paired_by_seed_and_configs_are_told_apart():
    better = records(relu=[0.96, 0.97, 0.95], sigmoid=[0.80, 0.82, 0.79])
    pages = [page("?", "", "", ["relu", "sigmoid"], 6, r) for r in (FAR, better)]
    found = _page(["a", "b"], pages, [{"config.rate": 0.1}, {"config.rate": 0.2}])
    assert found.sections[0].table.rows[0][0].text == "rate"
    rows = {row[0].text: row for row in found.table.rows}
    assert rows["relu"][3].text == "1.00"
    assert rows["sigmoid"][3].text == "0.00"
    assert "relu · b beats relu · a by 1.00" in found.answer


def test_a_run_is_not_compared_with_itself(tmp_path):
    with pytest.raises(RunError, match="two or more runs"):
        compare([tmp_path, tmp_path], {})


def test_the_page_says_that_one_of_the_runs_is_a_quick_form():
    found = page("?", "", "", ["relu", "sigmoid"], 6, FAR)
    full = CountConfig(study="count", name="count")
    quick = full.model_copy(update={"is_quick": True})
    assert noted(found, [full, full]) is found
    assert noted(found, [full, quick]).setting == f"{QUICK} {found.setting}"
