"""Requirements of the package, and the versions in constraints.txt."""

import tomllib
from itertools import chain
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import jax_acts

ROOT = Path(__file__).parents[1]
METADATA = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = METADATA["project"]
EXTRAS = PROJECT["optional-dependencies"]
GROUPS = list(
    chain.from_iterable(
        METADATA["dependency-groups"][name]
        for name in ("dev", "tests", "docs", "release")
    )
)
USER_REQUIREMENTS = [
    Requirement(text)
    for text in chain(PROJECT["dependencies"], chain.from_iterable(EXTRAS.values()))
]
ALL_REQUIREMENTS = [
    *USER_REQUIREMENTS,
    *map(Requirement, filter(lambda text: isinstance(text, str), GROUPS)),
    *map(Requirement, METADATA["build-system"]["requires"]),
]
PINS = [
    Requirement(line)
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
]


def test_requirements_have_only_lower_bounds():
    for requirement in USER_REQUIREMENTS:
        assert {s.operator for s in requirement.specifier} <= {">="}, requirement
        assert not requirement.name.startswith("jaxlib"), "jax chooses its jaxlib"


def test_files_that_repeat_the_version_agree():
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"version: {jax_acts.__version__}\n" in citation
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## [{jax_acts.__version__}]" in changelog


def test_only_pyproject_names_the_repository():
    """README.md as well: an index shows its links and images only if absolute."""
    address = PROJECT["urls"]["Repository"]
    files = [ROOT / "CITATION.cff", ROOT / "SECURITY.md", ROOT / "mkdocs.yml"]
    files += [*(ROOT / ".github").rglob("*.*ml"), *(ROOT / "docs").rglob("*.md")]
    for path in files:
        assert address not in path.read_text(encoding="utf-8"), path


def test_accelerator_extras_are_those_of_jax():
    for extra in ("cuda12", "cuda13", "tpu"):
        assert EXTRAS[extra] == [f"jax[{extra}]"]


def test_constraints_are_unique_pinned_versions():
    for pin in PINS:
        assert [s.operator for s in pin.specifier] == ["=="], pin
        assert [pin.url, pin.extras, pin.marker] == [None, set(), None], pin
    names = [canonicalize_name(pin.name) for pin in PINS]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("requirement", ALL_REQUIREMENTS, ids=str)
def test_every_requirement_has_a_pinned_version_that_satisfies_it(requirement):
    if canonicalize_name(requirement.name) == PROJECT["name"]:
        return  # an extra that includes another
    pins = {canonicalize_name(pin.name): str(pin.specifier)[2:] for pin in PINS}
    assert requirement.specifier.contains(pins[canonicalize_name(requirement.name)])


def test_workflows_call_targets_of_the_makefile():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for path in (ROOT / ".github" / "workflows").glob("*.yml"):
        workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
        steps = chain.from_iterable(j["steps"] for j in workflow["jobs"].values())
        for command in [step["run"] for step in steps if "run" in step]:
            program, target = command.split()[:2]
            assert program == "make"
            assert f"\n{target}:" in makefile or f" {target}: " in makefile, command


def test_citation_and_issue_forms_are_valid():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    required = {"cff-version", "message", "title", "authors"}
    assert required <= citation.keys()
    for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("[!c]*.yml"):
        form = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert {"name", "description", "body"} <= form.keys()
        for field in form["body"]:
            assert field["attributes"]["label"]
