"""Files and folders of datasets: the user's, and those that packages carry.

Readers raise `ValueError`, and `FileNotFoundError` where there is no such path;
`load_dataset` adds the config key.
"""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from jax_acts._core.errors import did_you_mean
from jax_acts.experiments.config.errors import ConfigIssue, MissingDataError


def check_path(
    path: Path, kind: Callable[[Path], bool], expected: str, *suffixes: str
) -> None:
    """Raise FileNotFoundError, with the nearest path, unless `kind(path)`.

    Args:
        path: The path.
        kind: `Path.is_file` or `Path.is_dir`.
        expected: The expected file or folder in messages.
        *suffixes: The suffixes of paths to suggest; any by default.
    """
    if kind(path):
        return
    siblings = filter(kind, sorted(path.parent.glob("*")))
    near = did_you_mean(
        str(path), [str(p) for p in siblings if p.name.endswith(suffixes or ("",))]
    )
    got = "a file" if path.is_file() else "a folder" if path.is_dir() else None
    raise FileNotFoundError(f"expected {expected}, got {got or 'no such path'}{near}")


def find_in_package(package: str, file: str, distribution: str) -> Path:
    """Return the path of a file in an installed package, without importing it.

    The import of scikit-learn takes longer than the quick version of a study.

    Raises:
        MissingDataError: The package is not installed, or has no such file.
    """
    spec = find_spec(package)
    for folder in (spec and spec.submodule_search_locations) or ():
        if (path := Path(folder, file)).is_file():
            return path
    message = f"data.name: expected {file} of {package}: pip install {distribution}"
    raise MissingDataError(ConfigIssue("data.name", message))
