"""The report in a real browser: narrow and wide, light and dark."""

import pytest

from jax_acts.experiments.report.render import html
from tests.browser import check_page, show
from tests.experiments.report.synthetic import INFO, records, report

NAMES = ["relu", "gelu", "leaky_relu(negative_slope=0.25)", "tanh", "sigmoid"]


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    runs = records(**{n: [0.98 - k / 30, 0.97 - k / 30] for k, n in enumerate(NAMES)})
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(html(report(runs, is_quick=True), [INFO]), encoding="utf-8")
    return path


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_page_is_accessible_and_without_errors(browser, path, width, scheme):
    find = show(browser, path, width, scheme)
    charts = find("figure svg")
    assert len(charts) == 3
    assert all(chart.size["height"] > 100 for chart in charts)
    check_page(browser, width)


def test_narrow_page_shows_the_scores_and_a_scroll_cue(browser, path):
    find = show(browser, path, 390)
    cell = find("table td")[0]
    assert cell.text.startswith("97.50")
    assert cell.rect["x"] + cell.rect["width"] <= 390
    assert find(".more")[0].is_displayed()
    find = show(browser, path, 1280)
    assert not find(".more")[0].is_displayed()


def test_tick_labels_do_not_overlap(browser, path):
    find = show(browser, path)
    for axis in find("figure svg .role-axis-label"):
        labels = axis.find_elements("css selector", 'text[opacity="1"]')
        boxes = [label.rect for label in labels if label.text]
        for n, a in enumerate(boxes):
            for b in boxes[n + 1 :]:
                apart = (
                    a["x"] + a["width"] <= b["x"]
                    or b["x"] + b["width"] <= a["x"]
                    or a["y"] + a["height"] <= b["y"]
                    or b["y"] + b["height"] <= a["y"]
                )
                assert apart, (a, b)


def test_a_click_on_a_column_sorts_by_it(browser, path):
    find = show(browser, path)
    names = lambda: [row.text for row in find("table tbody th")][: len(NAMES)]
    assert names() == NAMES
    find("thead button")[1].click()
    assert names() == NAMES[::-1]
    find("thead button")[1].click()
    assert names() == NAMES


def test_the_legend_highlights_a_series(browser, path):
    find = show(browser, path)
    find(".legend button")[0].click()
    assert find("svg .faded")
    assert not find('svg .faded[stroke="var(--line-0)"]')
    find(".legend button")[0].click()
    assert not find("svg .faded")


def test_the_pointer_shows_values(browser, path):
    from selenium.webdriver import ActionChains

    find = show(browser, path)
    (tip,) = find(".tip")
    assert not tip.is_displayed()
    for chart, text in ((0, "95 % CI"), (1, "step ")):
        svg = find("figure svg")[chart]
        browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", svg)
        ActionChains(browser).move_to_element(svg).perform()
        assert tip.is_displayed()
        assert text in tip.text
    ActionChains(browser).move_to_element(find("h1")[0]).perform()
    assert not tip.is_displayed()
