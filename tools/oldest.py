"""Print a constraints file with the lowest versions that pyproject.toml states.

    python -m tools.oldest experiments,plots,testing > oldest.txt

pip resolves to the newest versions; `make oldest` installs these and runs a subset of
the tests.
"""

import sys
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]


def lowest_versions(project: dict[str, Any], extras: Sequence[str]) -> Iterator[str]:
    """Yield "name==version" for each dependency of the project and its extras.

    >>> project = {"dependencies": ["jax>=0.7.2"],
    ...            "optional-dependencies": {"plots": ["matplotlib>=3.9"]}}
    >>> list(lowest_versions(project, ["plots"]))
    ['jax==0.7.2', 'matplotlib==3.9']
    """
    optional = project["optional-dependencies"]
    lines = [*project["dependencies"], *(d for e in extras for d in optional[e])]
    for requirement in map(Requirement, lines):
        for bound in requirement.specifier:
            if bound.operator in (">=", "=="):
                yield f"{requirement.name}=={bound.version}"


if __name__ == "__main__":
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    print(*lowest_versions(pyproject["project"], sys.argv[1].split(",")), sep="\n")
