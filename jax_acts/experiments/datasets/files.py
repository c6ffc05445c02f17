"""Errors of missing files and folders; files that installed packages carry."""

import importlib.util
from collections.abc import Iterable
from pathlib import Path

from jax_acts.experiments.config.errors import (
    ConfigIssue,
    MissingDataError,
    did_you_mean,
)


def check_folder(folder: Path, content: str) -> None:
    """Raise MissingDataError unless the folder exists."""
    if not folder.is_dir():
        siblings = folder.parent.glob("*") if folder.parent.is_dir() else ()
        raise _missing(
            folder, f"a folder with {content}", filter(Path.is_dir, siblings)
        )


def check_file(path: Path, kind: str, *suffixes: str) -> None:
    """Raise MissingDataError unless the file exists."""
    if not path.is_file():
        siblings = path.parent.glob("*") if path.parent.is_dir() else ()
        near = (p for p in siblings if p.name.endswith(suffixes))
        raise _missing(path, kind, near)


def _missing(path: Path, expected: str, near: Iterable[Path]) -> MissingDataError:
    got = (
        "a file" if path.is_file() else "a folder" if path.is_dir() else "no such path"
    )
    hint = did_you_mean(str(path), map(str, sorted(near)))
    message = f"data.path = {str(path)!r}: expected {expected}, got {got}{hint}"
    return MissingDataError(ConfigIssue("data.path", message))


def find_in_package(package: str, file: str) -> Path | None:
    """Return the path of a file in an installed package, without importing it.

    The import of scikit-learn takes longer than the quick version of a study.
    """
    spec = importlib.util.find_spec(package)
    paths = [Path(p) / file for p in (spec and spec.submodule_search_locations) or ()]
    return next((path for path in paths if path.is_file()), None)
