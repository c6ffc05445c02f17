"""What an installation brings, and what it leaves alone."""

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
FOR_USERS = [
    Requirement(text)
    for text in chain(PROJECT["dependencies"], chain.from_iterable(EXTRAS.values()))
]
FOR_ALL = [
    *FOR_USERS,
    *map(Requirement, METADATA["dependency-groups"]["dev"]),
    *map(Requirement, METADATA["build-system"]["requires"]),
]
PINS = [
    Requirement(line)
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
]


def test_installing_keeps_the_versions_that_a_user_has():
    for requirement in FOR_USERS:
        assert {s.operator for s in requirement.specifier} <= {">="}, requirement
        assert not requirement.name.startswith("jaxlib"), "jax chooses its jaxlib"


def test_accelerators_are_those_of_jax():
    for extra in ("cuda12", "cuda13", "tpu"):
        assert EXTRAS[extra] == [f"jax[{extra}]"]


def test_constraints_are_names_and_versions():
    for pin in PINS:
        assert [s.operator for s in pin.specifier] == ["=="], pin
        assert [pin.url, pin.extras, pin.marker] == [None, set(), None], pin
    names = [canonicalize_name(pin.name) for pin in PINS]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("requirement", FOR_ALL, ids=str)
def test_what_is_needed_has_a_version_that_will_do(requirement):
    if canonicalize_name(requirement.name) == PROJECT["name"]:
        return  # an extra that takes another one in
    pins = {canonicalize_name(pin.name): str(pin.specifier)[2:] for pin in PINS}
    assert requirement.specifier.contains(pins[canonicalize_name(requirement.name)])
