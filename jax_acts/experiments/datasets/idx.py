"""IDX, the file format of MNIST: four arrays of bytes, plain or gzipped.

No maintained package reads it (mlxtend's reader takes no gzip and checks no sizes).
"""

import gzip
import math
import zlib
from pathlib import Path

import numpy as np

from jax_acts._core.errors import did_you_mean
from jax_acts.experiments.datasets.dataset import Dataset, Task, make_dataset
from jax_acts.experiments.datasets.files import check_path

IDX_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
LAYOUT = f"a folder with the four files {', '.join(IDX_FILES)}"


def read_idx_folder(folder: Path, task: Task | None = None) -> Dataset:
    """Read the four IDX files of a folder.

    Raises:
        ValueError: Files are missing, damaged, or inconsistent.
    """
    check_path(folder, Path.is_dir, LAYOUT)
    names = sorted(path.name for path in folder.iterdir() if path.is_file())
    missing = [
        f"expected a file {name}[.gz] in it{did_you_mean(name, names)}"
        for name in IDX_FILES
        if not {name, f"{name}.gz"} & {*names}
    ]
    if missing:
        raise ValueError("; ".join(missing))
    x, y, x_test, y_test = (
        read_idx(folder / (f"{name}.gz" if f"{name}.gz" in names else name))
        for name in IDX_FILES
    )
    return make_dataset((x, y), (x_test, y_test), task=task)


def read_idx(path: Path) -> np.ndarray:
    """Return the array of bytes in an IDX file, which may be gzipped.

    Raises:
        ValueError: The header is invalid, or does not match the size of the file.
    """
    try:
        raw = path.read_bytes()
        content = gzip.decompress(raw) if path.suffix == ".gz" else raw
        if len(content) < 4 or content[:3] != b"\0\0\x08":  # 8: unsigned bytes
            raise ValueError("its header is not that of bytes")
        shape = tuple(np.frombuffer(content, ">u4", content[3], offset=4).tolist())
        values = np.frombuffer(content, np.uint8, offset=4 + 4 * content[3])
        if values.size != math.prod(shape):
            size = f"{values.size} bytes"
            raise ValueError(f"its header states {shape}, its content has {size}")
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise ValueError(f"{path}: expected IDX: {error}") from None
    return values.reshape(shape)
