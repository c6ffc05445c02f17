"""Image datasets of the Hugging Face hub and of TensorFlow Datasets.

Their own clients (extra `hub`) download and cache them.
"""

import importlib
from typing import Any

import numpy as np

from jax_acts.experiments.datasets.dataset import Dataset, Task, make_dataset

Arrays = tuple[np.ndarray, np.ndarray]


def read_hub(name: str, task: Task | None = None) -> Dataset:
    """Read the splits "train" and "test" of `hub:dataset`.

    Raises:
        ValueError: The client is not installed, or cannot load the dataset.
    """
    hub, _, dataset = name.partition(":")
    read, package = HUBS[hub]
    try:
        client = importlib.import_module(package)
    except ImportError as error:
        message = f"expected {package} ({error}): pip install 'jax-acts[hub]'"
        raise ValueError(message) from None
    try:
        train, test = (read(client, dataset, split) for split in ("train", "test"))
    except Exception as error:  # the clients have no common base class of errors
        cause = f"{type(error).__name__}: {' '.join(str(error).split())}"
        message = f"{package} cannot load it ({cause}); data.path needs no network"
        raise ValueError(message) from error
    return make_dataset(train, test, task=task)


def _hugging_face(client: Any, dataset: str, split: str) -> Arrays:
    rows = client.load_dataset(dataset, split=split)
    image, label = (_column(rows.features, kind) for kind in ("Image", "ClassLabel"))
    return np.stack([*map(np.asarray, rows[image])]), np.asarray(rows[label])


def _column(features: Any, kind: str) -> str:
    """Return the first column of a feature type."""
    names = [name for name, f in features.items() if type(f).__name__ == kind]
    if not names:
        raise ValueError(f"expected a column of {kind}, got {', '.join(features)}")
    return names[0]


def _tensorflow(client: Any, dataset: str, split: str) -> Arrays:
    rows = client.data_source(dataset, split=split)
    images, labels = zip(*((row["image"], row["label"]) for row in rows), strict=True)
    return np.stack(images), np.asarray(labels)


HUBS = {"hf": (_hugging_face, "datasets"), "tfds": (_tensorflow, "tensorflow_datasets")}
"""The reader and the client of each hub."""
