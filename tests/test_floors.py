"""Imports only go down, without cycles, and `import jax_acts` imports only JAX."""

import ast
import functools
import importlib
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import jax_acts

ROOT = Path(__file__).parents[1]

ENGINE = "jax_acts.experiments"
FLOORS = (
    # Lowest first. A name includes its submodules, except those that are listed.
    ("jax_acts._numerics",),
    ("jax_acts._core",),
    ("jax_acts.functional",),
    ("jax_acts._registry",),
    ("jax_acts.initializers", "jax_acts.fitting"),
    ("jax_acts.shaping",),
    ("jax_acts.losses",),
    ("jax_acts",),
    (f"{ENGINE}.config", f"{ENGINE}.records", f"{ENGINE}.stats"),
    (f"{ENGINE}.datasets", f"{ENGINE}.models"),
    (f"{ENGINE}.study",),
    (f"{ENGINE}.runtime",),
    (f"{ENGINE}.train", f"{ENGINE}.report"),
    (f"{ENGINE}.base",),
    (f"{ENGINE}.custom",),
    (ENGINE,),
    ("jax_acts.cli", "jax_acts.__main__"),
    ("experiments",),
    ("configs",),
    ("benchmarks.results", "benchmarks.libraries"),
    ("benchmarks.harness",),
    ("benchmarks", "tools"),
    ("benchmarks.pages",),
    ("benchmarks.__main__", "tools.docs", "tools.matrix"),
)
FLOOR_OF = {name: i for i, names in enumerate(FLOORS) for name in names}
MAX_LEVELS = 8  # of the experiments: the engine and the studies


def module(path: Path) -> str:
    """Return the dotted name of a file."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {
    module(path): path
    for package in ("jax_acts", "experiments", "configs", "tools", "benchmarks")
    for path in sorted((ROOT / package).rglob("*.py"))
}


def floor(name: str) -> int | None:
    """Return the floor of a module, by the longest listed prefix of its name."""
    while name:
        if name in FLOOR_OF:
            return FLOOR_OF[name]
        name = name.rpartition(".")[0]
    return None


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line and module of every import in a file, in functions as well."""
    package = module(path) if path.stem == "__init__" else module(path.parent)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = node.module or ""
            if node.level:
                parent = package.split(".")[: 1 - node.level or None]
                origin = ".".join([*parent, origin]).rstrip(".")
            for alias in node.names:
                inner = f"{origin}.{alias.name}"
                yield node.lineno, inner if inner in SOURCES else origin


@functools.cache
def imported(name: str) -> frozenset[str]:
    """Return the modules of the repository that a module imports."""
    targets = {target for _, target in imports(SOURCES[name])}
    return frozenset(targets & SOURCES.keys() - {name})


@functools.cache
def level(name: str) -> int:
    """Return the import level: 1 + that of the highest module it imports.

    Package `__init__` files only re-export and add no level.
    """
    highest = max((level(m) for m in imported(name) if in_experiments(m)), default=0)
    return highest + (SOURCES[name].stem != "__init__")


def in_experiments(name: str) -> bool:
    return name == ENGINE or name.startswith((f"{ENGINE}.", "experiments"))


def cycle() -> list[str]:
    """Return the modules of an import cycle, or an empty list."""
    path: list[str] = []
    done: set[str] = set()

    def visit(name: str) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return []
        path.append(name)
        for target in sorted(imported(name)):
            if circle := visit(target):
                return circle
        done.add(path.pop())
        return []

    return next((c for name in SOURCES if (c := visit(name))), [])


def test_imports_go_down():
    for name, path in SOURCES.items():
        assert floor(name) is not None, f"{name} has no floor"
        for line, target in imports(path):
            theirs, ours = floor(target), floor(name)
            assert theirs is None or theirs <= ours, (
                f"{path.relative_to(ROOT)}:{line}: {name} on floor {ours} imports "
                f"{target} on floor {theirs}"
            )


def test_no_modules_import_each_other_in_a_cycle():
    assert cycle() == []


def test_experiments_have_few_import_levels():
    levels = {
        n: level(n) for n in SOURCES if in_experiments(n) and ".__main__" not in n
    }
    assert max(levels.values()) <= MAX_LEVELS, sorted(
        levels.items(), key=lambda i: -i[1]
    )


def test_pages_of_the_benchmarks_import_only_results():
    for name, path in SOURCES.items():
        if name.startswith("benchmarks.pages"):
            valid = ("benchmarks.pages", "benchmarks.results")
            ours = [t for _, t in imports(path) if t.startswith("benchmarks")]
            assert all(t.startswith(valid) for t in ours), (name, ours)


def test_the_parser_handles_every_form_of_import(tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    file = tmp_path / "jax_acts" / "functional" / "new.py"
    file.parent.mkdir(parents=True)
    file.write_text(
        "import jax_acts.initializers\n"
        "from jax_acts import fitting, silu\n"
        "from ..linen import Dense\n"
        "from . import logistic\n"
        "def f():\n    from experiments import cli\n"
    )
    assert [(i, n) for i, n in imports(file) if floor(n) != floor(module(file))] == [
        (1, "jax_acts.initializers"),
        (2, "jax_acts.fitting"),
        (2, "jax_acts"),
        (3, "jax_acts.linen"),
        (6, "experiments.cli"),
    ]


def test_no_module_is_shadowed_by_another_name():
    """`import jax_acts.a.b as m` binds the attribute b of jax_acts.a."""
    for info in pkgutil.walk_packages(jax_acts.__path__, "jax_acts."):
        if not info.name.startswith(ENGINE) and not info.name.endswith("__main__"):
            parent, _, name = info.name.rpartition(".")
            importlib.import_module(info.name)
            attribute = getattr(sys.modules[parent], name)
            assert isinstance(attribute, ModuleType), info.name


def test_import_jax_acts_imports_only_jax():
    """Flax, Matplotlib and others are imported by the modules that use them."""
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
