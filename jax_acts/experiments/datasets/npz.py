"""The user's arrays in a .npz file."""

import zipfile
from pathlib import Path

import numpy as np

from jax_acts._core.errors import did_you_mean
from jax_acts.experiments.datasets.dataset import Dataset, Task, make_dataset
from jax_acts.experiments.datasets.files import check_path

ARRAYS = ("x_train", "y_train", "x_test", "y_test")


def read_npz(path: Path, task: Task | None = None) -> Dataset:
    """Read inputs and labels for training and testing; see `make_dataset`.

    Raises:
        ValueError: The file is damaged, or its arrays are invalid.
    """
    check_path(path, Path.is_file, "an .npz file", ".npz")
    if not zipfile.is_zipfile(path):
        near = "; did you mean data.name = 'csv'?" if ".csv" in path.suffixes else ""
        raise ValueError(f"expected a file of np.savez, got another format{near}")
    try:
        with np.load(path) as file:
            arrays = dict(file)
    except (OSError, EOFError, ValueError, zipfile.BadZipFile) as error:
        raise ValueError(f"expected a file of np.savez: {error}") from None
    missing = [name for name in ARRAYS if name not in arrays]
    if missing:
        got = f"{', '.join(arrays) or 'none'}{did_you_mean(missing[0], arrays)}"
        raise ValueError(f"expected the arrays {', '.join(ARRAYS)}, got {got}")
    x, y, x_test, y_test = (arrays[name] for name in ARRAYS)
    return make_dataset((x, y), (x_test, y_test), task=task)
