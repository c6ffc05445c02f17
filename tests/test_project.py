"""Requirements of the package, and the versions in constraints.txt."""

import tomllib
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

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
