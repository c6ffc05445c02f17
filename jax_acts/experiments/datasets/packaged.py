"""Files that installed packages carry, found without importing the packages."""

import importlib.util
from pathlib import Path


def packaged(package: str, file: str) -> Path | None:
    """Returns the path of a file in a package, or None where it is not installed.

    The import of scikit-learn takes longer than the quick form of a study.
    """
    spec = importlib.util.find_spec(package)
    places = [Path(p) / file for p in (spec and spec.submodule_search_locations) or ()]
    return next((path for path in places if path.is_file()), None)
