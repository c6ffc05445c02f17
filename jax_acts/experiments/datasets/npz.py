"""A user's own arrays, in one file of numpy's."""

import zipfile
from pathlib import Path

import numpy as np

from jax_acts.experiments.config.errors import ConfigError, Problem, hint

ARRAYS = ("x_train", "y_train", "x_test", "y_test")


def read_npz(path: Path) -> tuple[np.ndarray, ...]:
    """Returns inputs and labels for training and for testing.

    Inputs are bytes or real numbers of shape `(n, …)`; labels are whole numbers from 0.

    Raises:
        ConfigError: The file is missing or damaged, or its arrays do not fit.
    """
    if not path.is_file():
        near = [str(p) for p in sorted(path.parent.glob("*.npz"))]
        raise _wrong(f"there is no file {path}{hint(str(path), near)}")
    try:
        with np.load(path) as file:
            found = {name: file[name] for name in file.files}
    except (OSError, EOFError, ValueError, zipfile.BadZipFile) as error:
        raise _wrong(f"{path} cannot be read as an .npz file: {error}") from None
    missing = [name for name in ARRAYS if name not in found]
    if missing:
        held = ", ".join(found) or "nothing"
        near = hint(missing[0], found)
        raise _wrong(f"{path} has no array {missing[0]!r}{near} (it holds: {held})")
    x, y, x_test, y_test = (found[name] for name in ARRAYS)
    for name, inputs, labels in (("train", x, y), ("test", x_test, y_test)):
        faults = _faults(inputs, labels)
        if faults:
            raise _wrong(f"{path}: {faults[0].format(x=f'x_{name}', y=f'y_{name}')}")
    if x.shape[1:] != x_test.shape[1:]:
        raise _wrong(f"{path}: x_train is {x.shape}, x_test is {x_test.shape}")
    return x, y, x_test, y_test


def _faults(inputs: np.ndarray, labels: np.ndarray) -> list[str]:
    """Returns what is wrong with a pair of arrays, named {x} and {y}."""
    checks = [
        (
            inputs.dtype == np.uint8 or np.issubdtype(inputs.dtype, np.floating),
            f"{{x}} is of {inputs.dtype}: it should be uint8 or floating",
        ),
        (
            labels.ndim == 1 and np.issubdtype(labels.dtype, np.integer),
            f"{{y}} is {labels.dtype}{list(labels.shape)}: it should be a list of "
            "whole numbers",
        ),
        (
            inputs.ndim > 1 and len(inputs) == len(labels) > 0,
            f"{{x}} is {inputs.shape} and {{y}} is {labels.shape}: they do not fit",
        ),
    ]
    wrong = [said for holds, said in checks if not holds]
    if not wrong and labels.min() < 0:
        wrong.append("{y} has labels below 0")
    if not wrong and not np.isfinite(inputs).all():
        wrong.append("{x} has numbers that are not finite")
    return wrong


def _wrong(message: str) -> ConfigError:
    return ConfigError(Problem("data.file", message))
