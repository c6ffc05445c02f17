"""Readers of the user's files: .npz, .csv, and IDX, the format of MNIST.

They raise `ValueError`, and `FileNotFoundError` where there is no such path;
`load_dataset` adds the config key.
"""

import gzip
import io
import math
import zipfile
import zlib
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd

from jax_acts._core.errors import did_you_mean
from jax_acts.experiments.config.errors import ConfigIssue, MissingDataError
from jax_acts.experiments.datasets.dataset import (
    Dataset,
    Task,
    check_finite,
    divide,
    make_dataset,
    standardize,
)
from jax_acts.experiments.datasets.host_memory import check_memory

ARRAYS = ("x_train", "y_train", "x_test", "y_test")
CSV_LAYOUT = "a .csv file with a header, or a folder with train.csv and test.csv"
IDX_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
CHUNK_BYTES = 2**24
"""Bytes that are decompressed at a time."""
IDX_LAYOUT = f"a folder with the four files {', '.join(IDX_FILES)}"


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
        with zipfile.ZipFile(path) as file:
            size = sum(member.file_size for member in file.infolist())
        check_memory(size, "the size that the .npz file states")
        with np.load(path) as file:
            arrays = dict(file)
    except Exception as error:  # a damaged file raises errors of many modules
        reason = str(error) or type(error).__name__
        raise ValueError(f"expected a file of np.savez: {reason}") from None
    others = {
        n: type(a).__name__ for n, a in arrays.items() if type(a) is not np.ndarray
    }
    if others:  # `np.load` returns members other than .npy as bytes
        raise ValueError(f"expected a file of np.savez, got {others}")
    missing = [name for name in ARRAYS if name not in arrays]
    if missing:
        got = f"{', '.join(arrays) or 'none'}{did_you_mean(missing[0], arrays)}"
        raise ValueError(f"expected the arrays {', '.join(ARRAYS)}, got {got}")
    x, y, x_test, y_test = (arrays[name] for name in ARRAYS)
    return make_dataset((x, y), (x_test, y_test), task=task)


def read_csv(
    path: Path, label_column: str | None = None, task: Task | None = None
) -> Dataset:
    """Read a table; one file is divided 4 : 1 by a fixed shuffle.

    Feature columns are numbers, scaled to mean 0 and standard deviation 1 on the
    training rows. A label column of strings has classes, one of integers has classes
    unless `task` is "regression", one of fractional numbers has regression targets.

    Args:
        path: A file, or a folder with train.csv and test.csv.
        label_column: The column to predict; the last one by default.
        task: Overrides what the type of the label column says.

    Raises:
        ValueError: A file is not a table, or its columns are invalid.
    """
    files = [path / "train.csv", path / "test.csv"] if path.is_dir() else [path]
    for file in files:
        check_path(file, Path.is_file, CSV_LAYOUT, ".csv", ".csv.gz")
    tables = [_features_and_labels(_read_table(f), label_column) for f in files]
    train, test = divide(*tables[0]) if len(tables) == 1 else tables
    if train[1].dtype.kind not in "iuf":
        task = task or "classification"
    x, x_test = standardize(train[0], train[0]), standardize(test[0], train[0])
    return make_dataset((x, train[1]), (x_test, test[1]), task=task)


def _read_table(path: Path) -> pd.DataFrame:
    if path.suffix == ".gz":  # pandas would decompress without a limit
        return pd.read_csv(io.BytesIO(read_bytes(path)))
    check_memory(path.stat().st_size, "the size of the file")
    return pd.read_csv(path, compression=None)


def _features_and_labels(
    table: pd.DataFrame, label_column: str | None
) -> tuple[np.ndarray, np.ndarray]:
    columns = [str(c) for c in table.columns]
    label = columns[-1] if label_column is None else label_column
    if label not in columns:
        got = f"{', '.join(columns)}{did_you_mean(label, columns)}"
        raise ValueError(f"expected a label column {label!r}, got the columns {got}")
    features, labels = table.drop(columns=label), table[label]
    if not features.shape[1]:
        raise ValueError(f"expected feature columns, got {label!r} only")
    for name, column in features.items():
        if column.dtype.kind not in "iufb":
            text = pd.to_numeric(column, errors="coerce").isna() & column.notna()
            first = column[text].iloc[0] if text.any() else column.iloc[0]
            raise ValueError(
                f"expected numbers in column {name!r}, got {first!r}; "
                "encode or drop the column"
            )
        check_finite(f"column {name!r}", column.to_numpy(float))
    if labels.isna().any():
        raise ValueError(
            f"expected labels in column {label!r}, got {labels.isna().sum()} empty, "
            f"the first in row {int(labels.isna().argmax())}"
        )
    if labels.dtype.kind not in "iuf":
        return features.to_numpy(float), labels.astype(str).to_numpy(str)
    return features.to_numpy(float), labels.to_numpy()


def read_idx_folder(folder: Path, task: Task | None = None) -> Dataset:
    """Read the four IDX files of a folder.

    Raises:
        ValueError: Files are missing, damaged, or inconsistent.
    """
    check_path(folder, Path.is_dir, IDX_LAYOUT)
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

    No maintained package reads it (mlxtend's reader takes no gzip and checks no sizes).

    Raises:
        ValueError: The header is invalid, or does not match the size of the file.
    """
    try:
        content = read_bytes(path)
        if len(content) < 4 or content[:3] != b"\0\0\x08":  # 8: unsigned bytes
            raise ValueError("its header is not that of bytes")
        if not 1 <= content[3] <= 4:
            raise ValueError(f"its header states {content[3]} dimensions")
        shape = tuple(np.frombuffer(content, ">u4", content[3], offset=4).tolist())
        values = np.frombuffer(content, np.uint8, offset=4 + 4 * content[3])
        if values.size != math.prod(shape):
            size = f"{values.size} bytes"
            raise ValueError(f"its header states {shape}, its content has {size}")
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise ValueError(f"{path}: expected IDX: {error}") from None
    return values.reshape(shape)


def read_bytes(path: Path) -> bytes:
    """Return the content of a file, decompressed where its suffix is .gz.

    Raises:
        ValueError: It is larger than half of the memory, compressed or not.
    """
    if path.exists() and not path.is_file():  # reading a FIFO may never end
        raise ValueError("expected a file, got another kind of path")
    check_memory(path.stat().st_size, "the size of the file")
    if path.suffix != ".gz":
        return path.read_bytes()
    content = bytearray()
    with gzip.open(path) as file:
        while chunk := file.read(CHUNK_BYTES):
            content += chunk
            check_memory(2 * len(content), "the decompressed size, twice")
    return bytes(content)


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
