"""Pages of the documentation: snippets, commands, links and generated text."""

import doctest
import re
from pathlib import Path

import pytest

from experiments.catalogue import STUDIES
from jax_acts._registry.lookup import names
from jax_acts.experiments.config.load import Source, load_config
from tools import release
from tools.docs import curves, doctests, notebooks, reference

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
QUESTIONS = sorted((DOCS / "questions").glob("*.md"))
TEXTS = {
    path.relative_to(DOCS).as_posix(): path.read_text(encoding="utf-8")
    for path in DOCS.rglob("*.md")
}
COMMAND = re.compile(r"^python -m experiments run configs/(\S+)\.toml$", re.M)


NOTEBOOKS = sorted((DOCS / "notebooks").glob("*.ipynb"))


def links(page):
    """Return the pages that a page links to."""
    targets = re.findall(r"\]\(([^)#:]+\.md)", TEXTS[page])
    resolved = ((DOCS / page).parent / target for target in targets)
    return {path.resolve().relative_to(DOCS).as_posix() for path in resolved}


def test_every_python_block_is_a_doctest():
    """Except on generated pages, which are tested with their generators."""
    for page, text in TEXTS.items():
        if "\nWritten by `" in text:
            continue
        for block in re.findall(r"^```python\n(.*?)^```", text, re.M | re.S):
            assert block.startswith(">>> "), f"{page}: {block[:80]}"
            assert block.endswith("\n\n"), f"{page}: the fence would be output"


def test_every_question_is_at_most_two_clicks_from_the_front_page():
    first = links("index.md")
    second = set().union(*(links(page) for page in first if page in TEXTS))
    assert len(QUESTIONS) == 10
    for path in QUESTIONS:
        assert path.relative_to(DOCS).as_posix() in first | second, path


def test_every_guide_and_page_is_reachable_from_the_front_page():
    reached, new = set(), {"index.md"}
    while new:
        reached |= new
        new = set().union(*(links(p) for p in new if p in TEXTS)) - reached
    guides = {page for page in TEXTS if page.startswith("guides/")}
    assert guides <= reached, guides - reached


@pytest.mark.parametrize("path", QUESTIONS, ids=lambda path: path.stem)
def test_a_question_has_the_command_of_its_result(path):
    stems = COMMAND.findall(path.read_text(encoding="utf-8"))
    assert stems
    schemas = {name: study.config for name, study in STUDIES.items()}
    for stem in stems:
        assert load_config(Source(ROOT / f"configs/{stem}.toml"), schemas)


@pytest.mark.parametrize("path", QUESTIONS, ids=lambda path: path.stem)
def test_the_numbers_of_a_question_are_those_of_its_report(path):
    """Numbers with a decimal point, in paragraphs that link to a report."""
    for paragraph in path.read_text(encoding="utf-8").split("\n\n"):
        stems = re.findall(r"\.\./studies/([\w-]+)\.md", paragraph)
        reports = "".join(TEXTS[f"studies/{stem}.md"] for stem in stems)
        for number in re.findall(r"\d+\.\d+(?:e-\d+)?", paragraph if stems else ""):
            # A rounded number is that of a longer one.
            near = re.findall(r"\d+\.\d+(?:e-\d+)?", reports)
            digits = len(number.partition(".")[2])
            rounded = {f"{float(each):.{digits}f}" for each in near if "e" not in each}
            assert number in near or number in rounded, f"{path.name}: {number}"


def test_stored_reports_belong_to_a_config():
    stems = {
        "-".join(path.with_suffix("").relative_to(ROOT / "configs").parts)
        for path in (ROOT / "configs").rglob("*.toml")
    }
    stored = {path.stem for path in (DOCS / "studies").glob("*.md")}
    assert stored <= stems, stored - stems


def test_every_function_and_public_module_has_a_page():
    pages = sorted(name for family in curves.families().values() for name in family)
    assert pages == sorted(names())
    modules = set(reference.public_modules())
    needed = {"linen", "nnx", "losses", "initializers", "hf", "fitting", "testing"}
    assert {f"jax_acts.{name}" for name in needed | {"experiments"}} <= modules


def test_a_function_page_states_the_stored_errors():
    text = reference.function_page("silu")
    rows = [row for row in text.splitlines() if row.startswith("| float32 | ")]
    assert [row.split(" | ")[1] for row in rows] == [
        "value",
        "first derivative",
        "second derivative",
    ]
    assert "::: jax_acts.functional.logistic.silu" in text
    assert "Elfwing" in text
    assert "| torch | `silu` |" in text


def test_a_function_without_stored_errors_has_no_accuracy_section():
    assert "## Accuracy" not in reference.function_page("softmax")


@pytest.mark.parametrize("module", [curves, doctests, notebooks, reference, release])
def test_examples_of_the_tools_run(module):
    assert doctest.testmod(module).failed == 0
    assert doctest.testmod(module).attempted > 0


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_has_the_outputs_of_its_cells(path):
    stored = notebooks.load(path)
    run = notebooks.execute(stored)
    for old, new in zip(stored["cells"], run["cells"], strict=True):
        kinds = lambda cell: [sorted(o.get("data", ["text"])) for o in cell["outputs"]]
        if new["cell_type"] == "code":
            assert kinds(old) == kinds(new), "python -m tools.docs.notebooks"
    page = notebooks.to_markdown(path)
    assert page.startswith("# ")
    assert f"]({path.name})" in page
