"""The format of MNIST: four files, each an array of bytes, plain or gzipped."""

import gzip
import math
import zlib
from pathlib import Path

import numpy as np

from jax_acts.experiments.config.errors import ConfigError, MissingData, Problem, hint

IDX_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def read_folder(folder: Path) -> tuple[np.ndarray, ...]:
    """Returns training images and labels, and test images and labels, of a folder.

    Raises:
        MissingData: There is no such folder.
        ConfigError: Files are missing, damaged, or do not fit each other.
    """
    if not folder.is_dir():
        near = [str(p) for p in sorted(folder.parent.glob("*")) if p.is_dir()]
        named = f"there is no folder {folder}{hint(str(folder), near)}"
        files = f"data.folder is one with the four files {', '.join(IDX_FILES)}"
        raise MissingData(Problem("data.folder", f"{named}; {files}"))
    paths = [_one_of(folder, name) for name in IDX_FILES]
    faults = [p for p in paths if isinstance(p, Problem)]
    if faults:
        raise ConfigError(*faults)
    arrays = [read_idx(p) for p in paths if isinstance(p, Path)]
    for images, labels, path in (
        (arrays[0], arrays[1], paths[0]),
        (arrays[2], arrays[3], paths[2]),
    ):
        if images.ndim != 3 or labels.ndim != 1 or len(images) != len(labels):
            shapes = f"{images.shape} and {labels.shape}"
            message = f"{path} and its labels do not fit: their shapes are {shapes}"
            raise ConfigError(Problem("data.folder", message))
    x, y, x_test, y_test = arrays
    if x.shape[1:] != x_test.shape[1:] or 0 in (x.size, x_test.size):
        message = f"{folder}: training images {x.shape}, test images {x_test.shape}"
        raise ConfigError(Problem("data.folder", message))
    return x, y, x_test, y_test


def _one_of(folder: Path, name: str) -> Path | Problem:
    for path in (folder / f"{name}.gz", folder / name):
        if path.is_file():
            return path
    near = hint(name, [p.name for p in sorted(folder.iterdir())])
    return Problem("data.folder", f"{folder} has no file {name}[.gz]{near}")


def read_idx(path: Path) -> np.ndarray:
    """Returns the array of bytes in an IDX file, which may be gzipped.

    Raises:
        ConfigError: It is no such file, or shorter or longer than its header says.
    """
    try:
        raw = path.read_bytes()
        content = gzip.decompress(raw) if path.suffix == ".gz" else raw
    except (OSError, EOFError, zlib.error) as error:
        raise _damaged(path, str(error)) from None
    if len(content) < 4 or content[:3] != b"\0\0\x08":  # 8 stands for bytes
        raise _damaged(path, "it does not begin as an IDX file of bytes does")
    start = 4 + 4 * content[3]
    if len(content) < start:
        raise _damaged(path, "its header is cut")
    shape = tuple(np.frombuffer(content[4:start], ">u4").tolist())
    if len(content) - start != math.prod(shape):
        size = f"{len(content) - start} bytes"
        raise _damaged(path, f"it holds {size}, and its header says {shape}")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def _damaged(path: Path, reason: str) -> ConfigError:
    return ConfigError(Problem("data.folder", f"{path} cannot be used: {reason}"))
