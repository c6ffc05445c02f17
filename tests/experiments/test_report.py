import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from experiments.cnn_report import page
from jax_acts.experiments.report import charts as figures, render as report
from jax_acts.experiments.report.charts import Curve, Row, changes, curves, intervals
from jax_acts.experiments.stats import spread
from tests.experiments.test_comparison import FAR

OUTSIDE = re.compile(r"""(https?:)?//\w|(src|href|action)\s*=|@import|url\((?!#)""")
"""What would make a page load something, besides `href="#…"` inside a chart."""


SOME = report.Ran("some", "[data]\n", [{"jax": "1", "revision": None}])


def shown():
    return page("Which <one>?", "6 runs", "own & free", ["sigmoid", "relu"], 6, FAR)


def rendered() -> str:
    return report.html(shown(), [SOME])


def test_the_page_loads_nothing_from_outside():
    text = re.sub(r'href="#', "", rendered())
    assert OUTSIDE.search(text) is None


def test_the_same_records_give_the_same_bytes():
    assert rendered() == rendered()


def test_the_page_begins_with_the_question_and_the_answer():
    text = rendered()
    assert "<h1>Which &lt;one&gt;?</h1>" in text
    assert text.index("Which &lt;one&gt;?</h1>") < text.index(shown().answer)
    assert text.index(shown().answer) < text.index("<table>")
    assert "own &amp; free" in text


def test_the_ids_of_the_page_are_unique():
    ids = re.findall(r'\bid="([^"]*)"', rendered())
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]*)"', rendered())) <= set(ids)
    assert set(re.findall(r"url\(#([^)]*)\)", rendered())) <= set(ids)


@pytest.mark.parametrize(
    "picture",
    [
        curves("c", [Curve(3, [0, 1], [1, 2], [1, 1], [2, 3])], "x", "y", log=True),
        intervals("i", [Row(11, "relu", [1.0, 2.0], spread([1.0, 2.0]))], "x"),
        intervals("n", [Row(0, "relu", [1.0], spread([1.0]))], "x"),
        changes("d", [Row(2, "relu", [float("nan"), 2.0])], "x"),
    ],
)
def test_a_chart_is_one_element_that_takes_its_colours_from_the_page(picture):
    svg = figures.svg(picture)
    assert ElementTree.fromstring(svg).tag == "svg"
    assert "var(--series-" in svg
    assert "var(--series-11)" not in svg, "there are ten series colours"
    assert "#fe" not in svg, "a colour was not replaced"
    assert "font-family: var(--font)" in svg
    assert "DejaVu" not in svg


def test_markdown_holds_the_same_table():
    text = report.markdown(shown(), [SOME])
    assert "| relu | 95.00 (92.52 to 97.48) | 1.00 | 3 | best |" in text
    assert text.startswith("# Which <one>?\n\nrelu has the highest")


def test_the_template_is_with_the_sources():
    assert (Path(report.__file__).parent / "templates" / "report.html").is_file()
