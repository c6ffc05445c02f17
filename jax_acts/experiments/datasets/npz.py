"""The user's arrays in a .npz file."""

import zipfile
from pathlib import Path

import numpy as np

from jax_acts.experiments.config.errors import ConfigError, ConfigIssue, did_you_mean
from jax_acts.experiments.datasets.dataset import Dataset, Task, make_dataset
from jax_acts.experiments.datasets.files import check_file

ARRAYS = ("x_train", "y_train", "x_test", "y_test")


def read_npz(path: Path, task: Task | None = None) -> Dataset:
    """Read inputs and labels for training and testing; see `make_dataset`.

    Raises:
        ConfigError: The file is missing or damaged, or its arrays are invalid.
    """
    check_file(path, "an .npz file", ".npz")
    if not zipfile.is_zipfile(path):
        near = "; did you mean data.name = 'csv'?" if ".csv" in path.suffixes else ""
        raise _error(path, f"expected a file of np.savez, got another format{near}")
    try:
        with np.load(path) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, EOFError, ValueError, zipfile.BadZipFile) as error:
        raise _error(path, f"expected a file of np.savez: {error}") from None
    missing = [name for name in ARRAYS if name not in arrays]
    if missing:
        near = did_you_mean(missing[0], arrays)
        names = ", ".join(arrays) or "none"
        raise _error(
            path, f"expected the arrays {', '.join(ARRAYS)}, got {names}{near}"
        )
    x, y, x_test, y_test = (arrays[name] for name in ARRAYS)
    where = f"data.path = {str(path)!r}"
    return make_dataset((x, y), (x_test, y_test), task=task, where=where)


def _error(path: Path, message: str) -> ConfigError:
    return ConfigError(
        ConfigIssue("data.path", f"data.path = {str(path)!r}: {message}")
    )
