"""Imports only go down, and `import jax_acts` brings nothing it does not need."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

FLOORS = (
    # From the ground up; a name includes its submodules, unless they are listed.
    ("jax_acts._numerics",),
    ("jax_acts._core",),
    ("jax_acts.functional",),
    ("jax_acts._registry",),
    ("jax_acts.initializers", "jax_acts.fitting"),
    ("jax_acts",),
    ("jax_acts.experiments",),
    ("jax_acts.cli", "jax_acts.__main__"),
    ("experiments",),
    ("configs",),
    ("tools", "benchmarks"),
)
TOP = {name: i for i, floor in enumerate(FLOORS) for name in floor}


def module(path: Path) -> str:
    """Returns the dotted name of a file."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {
    module(path): path
    for package in ("jax_acts", "experiments", "configs", "tools", "benchmarks")
    for path in sorted((ROOT / package).rglob("*.py"))
}


def floor(name: str) -> int | None:
    """Returns the floor of a module, by the longest name that it is listed under."""
    while name:
        if name in TOP:
            return TOP[name]
        name = name.rpartition(".")[0]
    return None


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Yields the line and the name of all that a file imports, anywhere in it."""
    package = module(path) if path.stem == "__init__" else module(path.parent)
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = node.module or ""
            if node.level:
                above = package.split(".")[: 1 - node.level or None]
                origin = ".".join([*above, origin]).rstrip(".")
            for alias in node.names:
                inner = f"{origin}.{alias.name}"
                yield node.lineno, inner if inner in SOURCES else origin


@pytest.mark.parametrize("name", SOURCES)
def test_imports_go_down(name):
    path = SOURCES[name]
    for line, imported in imports(path):
        theirs, ours = floor(imported), floor(name)
        assert ours is not None, f"{name} is on no floor"
        assert theirs is None or theirs <= ours, (
            f"{path.relative_to(ROOT)}:{line}: {name}, on floor {ours}, imports "
            f"{imported}, on floor {theirs}"
        )


def test_the_parser_sees_every_form_of_import(tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    file = tmp_path / "jax_acts" / "functional" / "new.py"
    file.parent.mkdir(parents=True)
    file.write_text(
        "import jax_acts.initializers\n"
        "from jax_acts import registry, silu\n"
        "from ..linen import Dense\n"
        "from . import logistic\n"
        "def f():\n    from experiments import data\n"
    )
    assert [(i, n) for i, n in imports(file) if floor(n) != floor(module(file))] == [
        (1, "jax_acts.initializers"),
        (2, "jax_acts._registry.lookup"),
        (2, "jax_acts"),
        (3, "jax_acts.linen"),
        (6, "jax_acts.experiments.datasets.registry"),
    ]


def test_import_jax_acts_brings_jax_only():
    """Flax, Matplotlib and the others come with the modules that use them."""
    code = "; ".join(
        [
            "import jax, sys",
            "before = set(sys.modules)",
            "import jax_acts",
            "print(*{m.partition('.')[0] for m in set(sys.modules) - before})",
        ]
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    heavy = {"flax", "matplotlib", "mpmath", "optax", "pydantic", "rich", "typer"}
    assert heavy & set(done.stdout.split()) == set()
