"""Hash of the source code that a function depends on.

    make_model  ->  its definition  ->  every definition of the project that it names

The walk is static and per top-level definition: comments, docstrings, formatting and
definitions that are not used do not change the hash. Installed packages and the
standard library are excluded; `environment.jsonl` has their versions. Imports within
the project are followed through names, so `getattr` and `importlib` are not seen.
"""

import ast
import hashlib
import importlib.util
import inspect
import marshal
import sys
import sysconfig
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache, partial
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

ENGINE = "jax_acts.experiments"
_SKIPPED = ("jax_acts._registry", "jax_acts.cli", ENGINE)
_FOLLOWED = (f"{ENGINE}.models", f"{ENGINE}.train")
"""Parts of this package that change no metric, or that depend on every activation.

A study therefore lists its activations as roots.
"""


class Name(NamedTuple):
    """A name in a module."""

    module: str
    name: str | None
    """None for all of the module."""
    attribute: str | None = None
    """What is used of it, if it is an imported module; None for all of it."""


class _Module(NamedTuple):
    """The top-level statements of a module, by the names that they bind."""

    package: str
    statements: tuple[ast.stmt, ...]
    by_name: dict[str, list[ast.stmt]]
    unnamed: list[ast.stmt]
    """Statements that may have effects on all others, like `f.defjvp(rule)`."""
    stars: list[str]
    """The modules of `from … import *`."""

    def statements_of(self, name: str | None) -> Sequence[ast.stmt]:
        """Return the statements that bind a name; all, where that is not known."""
        if name in self.by_name:
            return self.by_name[name]
        return () if name and self.stars else self.statements


def hash_source(*roots: Any) -> str:
    """Return the SHA-256 hash of the source that functions, classes or modules use.

    Args:
        roots: Functions, classes, modules, or objects, which count as their class. A
            function of a notebook is hashed with the functions and constants that it
            uses.
    """
    for function in (_parse, _find, _spec):
        function.cache_clear()  # files may have changed since the last call
    importlib.invalidate_caches()
    names: list[Name] = []
    texts: set[str] = set()
    for root in roots:
        root = inspect.unwrap(root.func if isinstance(root, partial) else root)
        if isinstance(root, ModuleType):
            names.append(Name(root.__name__, None))
            continue
        if not hasattr(root, "__name__"):
            root = type(root)
        top = getattr(root, "__qualname__", root.__name__).partition(".")[0]
        name = Name(root.__module__, top)
        if _parse(root.__module__):
            names.append(name)
        else:
            texts |= _live_sources(root)
    texts |= {
        f"{module}: {ast.unparse(node)}"
        for module, node in _reachable_statements(names)
    }
    return hashlib.sha256("\n".join(sorted(texts)).encode()).hexdigest()


def _reachable_statements(names: Iterable[Name]) -> Iterator[tuple[str, ast.stmt]]:
    """Yield each statement that the names depend on, with the name of its module."""
    pending, visited, statements = [*names], set(), set()
    while pending:
        name = pending.pop()
        module = None if name in visited else _parse(name.module)
        visited.add(name)
        if module is None:
            continue
        for node in (*module.statements_of(name.name), *module.unnamed):
            if isinstance(node, ast.Import | ast.ImportFrom):
                pending += _resolve_import(module.package, node, name.attribute)
            elif node not in statements:
                pending += _dependencies(name.module, module, node)
            if node not in statements:
                statements.add(node)
                yield name.module, node
        if name.name and name.name not in module.by_name:
            pending += [name._replace(module=star) for star in module.stars]


def _dependencies(origin: str, module: _Module, node: ast.stmt) -> Iterator[Name]:
    """Yield the names that a statement uses."""
    attributes = {
        id(inner.value): inner.attr
        for inner in ast.walk(node)
        if isinstance(inner, ast.Attribute)
    }
    for inner in ast.walk(node):
        if isinstance(inner, ast.Import | ast.ImportFrom):
            yield from _resolve_import(module.package, inner, None)
        elif not isinstance(inner, ast.Name):
            continue
        elif inner.id in module.by_name:
            yield Name(origin, inner.id, attributes.get(id(inner)))
        else:
            yield from (
                Name(s, inner.id) for s in module.stars if _defines(s, inner.id)
            )


def _defines(module: str, name: str) -> bool:
    parsed = _parse(module)
    return bool(parsed and (name in parsed.by_name or parsed.stars))


def _resolve_import(
    package: str, statement: ast.Import | ast.ImportFrom, attribute: str | None
) -> Iterator[Name]:
    """Yield what the names of an import stand for; `attribute` is used of a module."""
    for alias in statement.names:
        if isinstance(statement, ast.Import):
            is_bound = alias.asname or "." not in alias.name
            yield Name(alias.name, attribute if is_bound else None)
            continue
        origin = _origin(package, statement)
        inner = f"{origin}.{alias.name}"
        is_module = _find(inner) is not None
        yield (
            Name(inner, attribute) if is_module else Name(origin, alias.name, attribute)
        )


def _origin(package: str, statement: ast.ImportFrom) -> str:
    """Return the module that `from … import` names."""
    above = package.split(".")[: 1 - statement.level or None] if statement.level else []
    return ".".join([*above, *filter(None, [statement.module])])


@cache
def _parse(name: str) -> _Module | None:
    """Return a module of the project; None where the name is not one."""
    path = _find(name)
    if path is None:
        return None
    tree = _WithoutDocstrings().visit(ast.parse(path.read_bytes()))
    package = name if path.stem == "__init__" else name.rpartition(".")[0]
    by_name: dict[str, list[ast.stmt]] = {}
    unnamed, stars = [], []
    body = [one for node in tree.body for one in _split_import(node)]
    for node in body:
        bound = set(_bound_names(node))
        for key in bound:
            by_name.setdefault(key, []).append(node)
        if isinstance(node, ast.ImportFrom) and "*" in bound:
            stars.append(_origin(package, node))
        # The statements of a script that is executed are no part of its functions.
        elif not bound and name != "__main__":
            unnamed.append(node)
    # `@f.defderivative def rule` belongs to f, where f is defined in this module.
    for node in body:
        for decorator in getattr(node, "decorator_list", ()):
            for inner in ast.walk(decorator):
                owner = by_name.get(inner.id, []) if isinstance(inner, ast.Name) else []
                if owner and not isinstance(owner[0], ast.Import | ast.ImportFrom):
                    owner.append(node)
    return _Module(package, tuple(body), by_name, unnamed, stars)


def _split_import(node: ast.stmt) -> Iterator[ast.stmt]:
    """Yield an import of several names as several imports."""
    match node:
        case ast.Import(names=names):
            yield from (ast.Import([name]) for name in names)
        case ast.ImportFrom(module=module, names=names, level=level):
            yield from (ast.ImportFrom(module, [name], level) for name in names)
        case _:
            yield node


def _bound_names(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
        return
    for inner in ast.walk(node):
        match inner:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.Name(id=name, ctx=ast.Store()):
                yield name
            case ast.alias(name=name, asname=other):
                yield other or name.partition(".")[0]


class _WithoutDocstrings(ast.NodeTransformer):
    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        value = node.value
        is_text = isinstance(value, ast.Constant) and isinstance(value.value, str)
        return None if is_text else self.generic_visit(node)


@cache
def _find(name: str) -> Path | None:
    """Return the file of a module of the project, without importing it."""
    inside = lambda prefixes: any(f"{name}.".startswith(f"{p}.") for p in prefixes)
    if inside(_SKIPPED) and not inside(_FOLLOWED):
        return None
    if name == "__main__":
        file = getattr(sys.modules[name], "__file__", None)
        return Path(file) if file and file.endswith(".py") else None
    spec = _spec(name)
    origin = Path(spec.origin) if spec and spec.origin else None
    if origin is None or origin.suffix != ".py" or _is_installed(origin):
        return None
    return origin


@cache
def _spec(name: str) -> ModuleSpec | None:
    parent = name.rpartition(".")[0]
    try:
        if not parent:
            return importlib.util.find_spec(name)
        package = _spec(parent)
        if package is None or package.submodule_search_locations is None:
            return None
        return PathFinder.find_spec(name, [*package.submodule_search_locations])
    except (ImportError, ValueError):
        return None


def _is_installed(path: Path) -> bool:
    path = path.resolve()
    if {"site-packages", "dist-packages"} & {*path.parts}:
        return True
    standard = sysconfig.get_paths()
    return any(
        path.is_relative_to(Path(standard[key]).resolve())
        for key in ("stdlib", "platstdlib")
    )


def _live_sources(root: Any) -> set[str]:
    """Return the source of a function without a file, and of what it uses."""
    texts, pending, visited = set(), [root], set()
    while pending:
        value = pending.pop()
        if id(value) in visited:
            continue
        visited.add(id(value))
        texts.add(_live_text(value))
        for function in _functions(value):
            used = inspect.getclosurevars(function)
            for name, other in {**used.globals, **used.nonlocals}.items():
                if isinstance(other, Callable) and hasattr(other, "__qualname__"):
                    if not _is_library(other):
                        pending.append(other)
                elif not isinstance(other, ModuleType):
                    texts.add(f"{name} = {other!r}")
    return texts


def _functions(value: Any) -> list[Any]:
    members = vars(value).values() if isinstance(value, type) else [value]
    return [member for member in members if inspect.isfunction(member)]


def _is_library(value: Any) -> bool:
    origin = getattr(sys.modules.get(value.__module__), "__file__", None)
    return value.__module__ == "builtins" or bool(
        origin and _is_installed(Path(origin))
    )


def _live_text(value: Any) -> str:
    try:
        return inspect.getsource(value)
    except (OSError, TypeError):
        codes = [marshal.dumps(function.__code__) for function in _functions(value)]
        return f"{value.__qualname__}: {codes}"
