"""Rendered reports: HTML, Markdown, terminal, PNG and the files of a run directory."""

import io
import re
from dataclasses import replace

import pytest
from rich.console import Console

from jax_acts.experiments.report.compare_runs import compare_directories
from jax_acts.experiments.report.files import write_report
from jax_acts.experiments.report.format import number
from jax_acts.experiments.report.model import DataSummary
from jax_acts.experiments.report.render import (
    QUICK,
    QUICK_DETAIL,
    TEMPLATES,
    html,
    markdown,
    png_sheet,
    terminal,
)
from tests.experiments.report.synthetic import (
    DIGITS,
    FAR,
    INFO,
    STUDIES,
    TIED,
    records,
    report,
    write_run,
)

OUTSIDE = re.compile(
    r"""https?://(?!www\.w3\.org/)|(src|href|action)\s*=|@import|url\("""
)
"""What would make a page load something."""

LONG = ["leaky_relu(negative_slope=0.25)", "hard_swish", "softplus(beta=2.0)"]


@pytest.fixture(scope="module")
def page() -> str:
    return html(report(), [INFO])


def show(result, width: int) -> list[str]:
    """Return the lines of a terminal of that many columns."""
    file = io.StringIO()
    console = Console(file=file, width=width)
    console.print(terminal(result, width))
    return file.getvalue().splitlines()


def test_page_loads_nothing(page):
    assert OUTSIDE.search(page) is None


def test_equal_reports_give_equal_bytes(page):
    assert html(report(), [INFO]) == page


def test_page_begins_with_question_and_conclusion(page):
    assert "<h1>Which &lt;one&gt;?</h1>" in page
    assert page.index("</h1>") < page.index(report().conclusion.replace("<", "&lt;"))
    assert page.index('class="conclusion"') < page.index("<table>")
    assert "own &amp; free" in page


def test_page_has_no_duplicate_ids(page):
    ids = re.findall(r'\bid="([^"]*)"', page)
    assert len(ids) == len(set(ids))


def test_rows_are_sorted_by_score(page):
    names = re.findall(r'<th scope="row"[^>]*>(?:<i.*?></i>)?([^<]*)', page)
    assert names[:2] == ["relu", "sigmoid"]


def test_data_section_states_shape_and_origin(page):
    assert DIGITS.content in page
    assert "1,500 examples, inputs 8 × 8 × 1" in markdown(report())


def test_markdown_holds_the_same_table():
    text = markdown(report(), [INFO])
    assert (
        "| activation | test accuracy (%) | Δ vs best (pp) | Holm-adjusted p | seeds |"
    ) in text
    assert "| relu | 95.00 [92.52, 97.48] | 0.00 best | – | 3 |" in text
    assert text.startswith("# Which \\<one>?\n\nrelu has the highest")


def test_tied_groups_are_marked():
    text = markdown(report([*TIED, *FAR[:3]])).partition("## Tests")[0]
    rows = dict(re.findall(r"^\| (\w+) \| [^|]* \| ([^|]*) \|", text, re.M))
    assert rows["gelu"] == "0.00 tied"
    assert rows["relu"].endswith("tied")
    assert not rows["sigmoid"].endswith("tied")


def test_quick_run_is_marked_as_no_result(page):
    quick = report(is_quick=True)
    assert QUICK not in page
    text = html(quick)
    assert text.index(QUICK) < text.index("<h1>")
    assert "<title>Quick run: " in text
    assert markdown(quick).splitlines()[2:4] == [
        "> [!CAUTION]",
        f"> **{QUICK}** {QUICK_DETAIL}",
    ]
    assert QUICK in show(quick, 80)[1]


@pytest.mark.parametrize("width", [30, 45, 80, 120])
def test_terminal_table_keeps_the_names(width):
    lines = show(report(), width)
    for name in ("activation", "sigmoid", "relu"):
        assert any(line.startswith(name) for line in lines), lines
    assert any("95.00" in line for line in lines)
    assert max(map(len, lines)) <= width


def test_narrow_terminal_lists_the_columns_that_do_not_fit():
    lines = show(report(), 45)
    text = " ".join(" ".join(lines).split())
    assert "not shown: " in text
    assert "Holm-adjusted p, seeds, train time (s)" in text
    assert "not shown" not in "".join(show(report(), 120))


def test_cropped_names_have_an_ellipsis():
    runs = records(**dict.fromkeys(LONG, (0.9, 0.8)))
    lines = show(report(runs), 40)
    assert any("…" in line for line in lines)
    assert any("[" in line and "]" in line for line in lines), "intervals are whole"


def test_png_has_all_charts():
    assert png_sheet(report()).startswith(b"\x89PNG")


def test_long_reports_stay_small():
    runs = records(**{f"f{n}": [0.9 - n / 100, 0.91 - n / 100] for n in range(20)})
    assert len(html(report(runs))) < 500_000


@pytest.mark.parametrize(
    ("value", "text"), [(-0.004, "0.00"), (-0.005001, "−0.01"), (1234.5, "1,234.50")]
)
def test_numbers(value, text):
    assert number(value) == text


def test_report_of_a_directory_is_a_function_of_it(tmp_path):
    write_run(tmp_path)
    written = write_report(tmp_path, STUDIES, png=True)
    before = written.path.read_bytes()
    assert write_report(tmp_path, STUDIES).path.read_bytes() == before
    assert b"rate = 0.1" in before
    assert (tmp_path / "report.md").read_text().startswith("# Which \\<one>?")
    assert (tmp_path / "report.png").stat().st_size > 10_000
    assert written.report.data == (DIGITS._replace(content="8 × 8"),)


def test_quick_config_makes_a_quick_report(tmp_path):
    write_run(tmp_path, quick=True)
    assert write_report(tmp_path, STUDIES).report.is_quick


def test_directories_of_one_study_are_compared(tmp_path):
    first = write_run(tmp_path / "a")
    second = write_run(tmp_path / "b", rate=0.2)
    result, infos = compare_directories([first, second], STUDIES)
    assert len(infos) == 2
    assert "0.2" in markdown(result, infos)


def test_templates_are_in_the_package():
    assert {"report.html", "report.js"} <= {path.name for path in TEMPLATES.iterdir()}


def test_report_without_charts_or_tables_renders():
    empty = replace(report(), tables=(), charts=(), sections=(), data=())
    assert "<table>" not in html(empty)
    assert show(empty, 80)
    named = replace(empty, data=(DataSummary("a", "b", "c"),))
    assert "**a**. b c" in markdown(named)
