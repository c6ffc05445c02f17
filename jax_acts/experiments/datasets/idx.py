"""IDX, the file format of MNIST: four arrays of bytes, plain or gzipped.

No maintained package reads it (mlxtend's reader takes no gzip and checks no sizes).
"""

import gzip
import math
import zlib
from pathlib import Path

import numpy as np

from jax_acts.experiments.config.errors import ConfigError, ConfigIssue, did_you_mean
from jax_acts.experiments.datasets.dataset import Dataset, Task, make_dataset
from jax_acts.experiments.datasets.files import check_folder

IDX_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def read_idx_folder(folder: Path, task: Task | None = None) -> Dataset:
    """Read the four IDX files of a folder.

    Raises:
        MissingDataError: The folder does not exist.
        ConfigError: Files are missing, damaged, or inconsistent.
    """
    check_folder(folder, f"the four files {', '.join(IDX_FILES)}")
    paths = [_find(folder, name) for name in IDX_FILES]
    issues = [p for p in paths if isinstance(p, ConfigIssue)]
    if issues:
        raise ConfigError(*issues)
    x, y, x_test, y_test = (read_idx(p) for p in paths if isinstance(p, Path))
    where = f"data.path = {str(folder)!r}"
    return make_dataset((x, y), (x_test, y_test), task=task, where=where)


def _find(folder: Path, name: str) -> Path | ConfigIssue:
    for path in (folder / f"{name}.gz", folder / name):
        if path.is_file():
            return path
    near = did_you_mean(name, [p.name for p in sorted(folder.iterdir())])
    message = f"data.path = {str(folder)!r}: expected a file {name}[.gz] in it{near}"
    return ConfigIssue("data.path", message)


def read_idx(path: Path) -> np.ndarray:
    """Return the array of bytes in an IDX file, which may be gzipped.

    Raises:
        ConfigError: The header is invalid, or does not match the size of the file.
    """
    try:
        raw = path.read_bytes()
        content = gzip.decompress(raw) if path.suffix == ".gz" else raw
    except (OSError, EOFError, zlib.error) as error:
        raise _damaged(path, str(error)) from None
    if len(content) < 4 or content[:3] != b"\0\0\x08":  # 8: unsigned bytes
        raise _damaged(path, "its header is not that of bytes")
    start = 4 + 4 * content[3]
    if len(content) < start:
        raise _damaged(path, "its header is truncated")
    shape = tuple(np.frombuffer(content[4:start], ">u4").tolist())
    if len(content) - start != math.prod(shape):
        size = f"{len(content) - start} bytes"
        raise _damaged(path, f"its header states {shape}, its content has {size}")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def _damaged(path: Path, reason: str) -> ConfigError:
    return ConfigError(ConfigIssue("data.path", f"{path}: expected IDX: {reason}"))
