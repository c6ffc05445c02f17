"""The report, opened in a real browser."""

import shutil

import pytest

from jax_acts.experiments.report import render as report
from tests.experiments.test_report import SOME, shown

WHY = (
    "needs Chromium and Selenium: apt-get install chromium chromium-driver; "
    "pip install selenium"
)


@pytest.fixture
def opened(tmp_path):
    webdriver = pytest.importorskip("selenium.webdriver", reason=WHY)
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if browser is None or driver is None:
        pytest.skip(WHY)
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for argument in ("--headless", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    path = tmp_path / "report.html"
    path.write_text(report.html(shown(), [SOME]), encoding="utf-8")
    page = webdriver.Chrome(options, webdriver.ChromeService(driver))
    page.get(path.as_uri())
    yield page
    page.quit()


def test_a_browser_shows_charts_sorts_tables_and_tells_values(opened):
    from selenium.webdriver import ActionChains

    find = lambda css: opened.find_elements("css selector", css)
    charts = find("figure svg")
    assert len(charts) == len(shown().charts)
    assert all(chart.size["height"] > 100 for chart in charts)

    names = lambda: [row.text for row in find("table:first-of-type tbody th")][:2]
    head = find("thead button")[1]
    head.click()
    assert names() == ["sigmoid", "relu"]
    head.click()
    assert names() == ["relu", "sigmoid"]

    find(".legend button")[0].click()
    assert find(".faded")
    find(".legend button")[0].click()
    assert not find(".faded")

    ActionChains(opened).move_to_element(charts[1]).perform()
    (tip,) = find(".tip")
    assert tip.is_displayed()
    assert "step" in tip.text
    assert opened.get_log("browser") == []
