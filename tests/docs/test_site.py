"""The built site: strict build, links, and the pages in a browser."""

import functools
import importlib.util
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.browser import check_page, show

ROOT = Path(__file__).parents[2]
WHY = "needs mkdocs: make docs"
PAGES = [
    "index.html",
    "gallery.html",
    "reference/functions/leaky_relu.html",
    "reference/jax_acts.linen.html",
    "questions/role.html",
]
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("site")]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Build the site; a warning of mkdocs is an error."""
    if importlib.util.find_spec("mkdocs") is None:
        pytest.skip(WHY)
    target = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--site-dir", target]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return target


class Page(HTMLParser):
    """The link targets and the anchors of a page."""

    def __init__(self, path):
        super().__init__()
        self.targets, self.anchors = [], set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.anchors.add(values.get("id"))
        for name in ("href", "src"):
            if values.get(name) and tag != "link":
                self.targets.append(values[name])


def test_links_and_anchors_exist_and_nothing_is_loaded_from_elsewhere(site):
    page = functools.cache(Page)
    broken = []
    for path in sorted(site.rglob("*.html")):
        if path.name == "404.html":  # absolute links, for a server
            continue
        for target in page(path).targets:
            parts = urlsplit(target)
            if parts.scheme in ("http", "https", "mailto"):
                continue
            file = path.parent / unquote(parts.path) if parts.path else path
            file = file / "index.html" if file.is_dir() else file
            anchor = unquote(parts.fragment)
            exists = file.is_file()
            if exists and anchor and file.suffix == ".html":
                exists = anchor in page(file.resolve()).anchors
            if not exists:
                broken.append(f"{path.relative_to(site)}: {target}")
        loaded = re.findall(
            r'<(?:script|img|iframe)[^>]+src="(https?:[^"]+)"', path.read_text("utf-8")
        )
        broken += [f"{path.relative_to(site)} loads {url}" for url in loaded]
    assert not broken, "\n".join(broken[:20])


def test_formulas_are_mathml(site):
    text = (site / "reference/functions/leaky_relu.html").read_text(encoding="utf-8")
    assert "<math" in text
    assert "arithmatex" not in text


@pytest.mark.parametrize("page", PAGES)
def test_page_is_accessible_and_without_errors(site, browser, page):
    for width, scheme in ((390, "dark"), (1280, "light")):
        show(browser, site / page, width, scheme)
        used = browser.find_element("tag name", "body").get_attribute(
            "data-md-color-scheme"
        )
        assert used == {"light": "default", "dark": "slate"}[scheme]
        check_page(browser, width)


def test_search_works_without_a_server(site, browser):
    wait = pytest.importorskip("selenium.webdriver.support.ui").WebDriverWait
    show(browser, site / "index.html")
    field = browser.find_element("css selector", "input.md-search__input")
    field.send_keys("leaky_relu")
    links = lambda _: [
        link.get_attribute("href")
        for link in browser.find_elements("css selector", "a.md-search-result__link")
    ]
    results = wait(browser, 60).until(links)
    assert any("functions/leaky_relu.html" in link for link in results)
