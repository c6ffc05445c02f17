"""Pages in headless Chromium: narrow and wide, light and dark."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

WHY = (
    "needs Chromium and Selenium: apt-get install chromium chromium-driver; "
    "pip install selenium axe-core-python"
)


def start() -> Iterator[Any]:
    """Yield a driver, and end it; skip the test without a browser."""
    webdriver = pytest.importorskip("selenium.webdriver", reason=WHY)
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip(WHY)
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in ("--headless", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options, webdriver.ChromeService(driver))
    yield browser
    browser.quit()


def show(browser: Any, path: Path, width: int = 1280, scheme: str = "light") -> Any:
    """Open a page and return what finds its elements."""
    size = {
        "width": width,
        "height": 900,
        "deviceScaleFactor": 1,
        "mobile": width < 600,
    }
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    feature = {"name": "prefers-color-scheme", "value": scheme}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    browser.get(path.as_uri())
    return lambda css: browser.find_elements("css selector", css)


def check_page(browser: Any, width: int) -> None:
    """Require no console error, no sideways scrolling, no violation found by axe."""
    assert browser.get_log("browser") == []
    root = browser.find_element("tag name", "html")
    assert root.get_property("scrollWidth") <= width, "only tables scroll sideways"
    axe = pytest.importorskip("axe_core_python.selenium", reason=WHY).Axe()
    violations = axe.run(browser)["violations"]
    assert violations == [], [
        (v["id"], {n["html"][:80] for n in v["nodes"]}) for v in violations
    ]
