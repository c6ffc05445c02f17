"""Hash of the source code that a model depends on.

    make_model  ->  its module  ->  every module of the project that it imports

Whole modules count, without comments, docstrings and formatting. Installed packages
and the standard library are excluded; `environment.jsonl` has their versions. Imports
by `importlib` are not seen.
"""

import ast
import hashlib
import importlib.util
import inspect
import marshal
import re
import sys
from collections.abc import Iterator
from functools import partial
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import Any

import jax_acts

_FOLLOWED = (
    *("jax_acts._core", "jax_acts._numerics", "jax_acts.functional."),
    *("jax_acts.experiments.models", "jax_acts.experiments.train"),
)
"""Parts of this package whose source counts, where it is used; else its version."""


def hash_source(*roots: Any) -> str:
    """Return the SHA-256 hash of the source that functions, classes or objects use.

    An object counts as its class. A function of a notebook is hashed with the functions
    and constants of the notebook that it uses.
    """
    modules: list[str] = []
    sources: dict[str, str] = {"jax_acts": jax_acts.__version__}
    for root in roots:
        _add_object(root, modules, sources)
    while modules:
        name = modules.pop()
        if name not in sources and (path := _source_file(name)):
            tree = _WithoutDocstrings().visit(ast.parse(path.read_bytes()))
            sources[name] = ast.unparse(tree)  # unlike `dump` equal in most Pythons
            package = name if path.stem == "__init__" else name.rpartition(".")[0]
            modules += filter(_is_of_project, {*_imports(tree, package)})
    return hashlib.sha256(repr(sorted(sources.items())).encode()).hexdigest()


def _imports(tree: ast.AST, package: str) -> Iterator[str]:
    """Yield what a module imports, with the packages that hold it."""
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            relative = "." * node.level + (node.module or "")
            origin = importlib.util.resolve_name(relative, package)
            names = [f"{origin}.{alias.name}" for alias in node.names]
        for name in names:
            parts = name.split(".")
            yield from (".".join(parts[:n]) for n in range(1, len(parts) + 1))


def _is_of_project(name: str) -> bool:
    top = name.partition(".")[0]
    if top == "jax_acts":
        return name.startswith(_FOLLOWED)
    files = (_source_file(module) for module in (top, name))
    installed = {"site-packages", "dist-packages"}
    return top not in sys.stdlib_module_names and not any(
        path and installed & {*path.parts} for path in files
    )


def _source_file(name: str) -> Path | None:
    """Return the Python file of a module; None where the name is not of one."""
    if name == "__main__":
        file = getattr(sys.modules[name], "__file__", None)
    else:
        spec = _spec(name)
        file = spec and spec.origin
    return Path(file) if file and file.endswith(".py") else None


def _spec(name: str) -> ModuleSpec | None:
    """Return the spec of a module without importing its packages."""
    parent = name.rpartition(".")[0]
    if not parent:
        return importlib.util.find_spec(name)
    package = _spec(parent)
    path = package and package.submodule_search_locations
    return PathFinder.find_spec(name, path) if path else None


class _WithoutDocstrings(ast.NodeTransformer):
    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        return None if isinstance(node.value, ast.Constant) else node


def _add_object(root: Any, modules: list[str], sources: dict[str, str]) -> None:
    """Add the module of an object, or its source and what it uses in a notebook."""
    root = inspect.unwrap(root.func if isinstance(root, partial) else root)
    root = root if hasattr(root, "__qualname__") else type(root)
    name = f"{root.__module__}:{root.__qualname__}"
    if _source_file(root.__module__):
        modules.append(root.__module__)
    elif name not in sources:
        members = vars(root).values() if isinstance(root, type) else [root]
        functions = [inspect.unwrap(f) for f in members if inspect.isfunction(f)]
        try:
            sources[name] = inspect.getsource(root)
        except (OSError, TypeError):
            sources[name] = repr([marshal.dumps(f.__code__) for f in functions])
        for function in functions:
            used = inspect.getclosurevars(function)
            for key, value in {**used.globals, **used.nonlocals}.items():
                if hasattr(value, "__qualname__"):
                    if _is_of_project(value.__module__ or "builtins"):
                        _add_object(value, modules, sources)
                elif not inspect.ismodule(value):
                    text = re.sub(" at 0x[0-9a-fA-F]+", "", repr(value))
                    sources[f"{name}.{key}"] = text
