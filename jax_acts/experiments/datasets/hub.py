"""Image sets of the Hugging Face hub and of TensorFlow Datasets, by their own clients.

These come with the extra `hub`; the sets are downloaded by them, and kept by them.
"""

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np

from jax_acts.experiments.config.errors import ConfigError, Problem

HUBS = ("hf", "tfds")

Pair = tuple[np.ndarray, np.ndarray]


def read_hub(name: str) -> tuple[np.ndarray, ...]:
    """Returns images and labels for training and for testing, of `hub:set`.

    Raises:
        ConfigError: The client is not installed, or it cannot get the set.
    """
    hub, _, dataset = name.partition(":")
    read, package = _READERS[hub]
    try:
        client = importlib.import_module(package)
    except ImportError as error:
        message = f"needs {package} ({error}): pip install 'jax-acts[hub]'"
        raise _wrong(name, message) from None
    try:
        return *read(client, dataset, "train"), *read(client, dataset, "test")
    except Exception as error:  # the clients have no common kind of error
        said = f"{type(error).__name__}: {' '.join(str(error).split())}"
        message = f"{package} cannot get it ({said}); sets on the disk need no network"
        raise _wrong(name, message) from error


def _hugging_face(client: Any, dataset: str, split: str) -> Pair:
    rows = client.load_dataset(dataset, split=split)
    label = _column(rows.features, "ClassLabel")
    image = _column(rows.features, "Image")
    return np.stack([*map(np.asarray, rows[image])]), np.asarray(rows[label])


def _column(features: Any, kind: str) -> str:
    """Returns the first column of a kind."""
    names = [name for name, f in features.items() if type(f).__name__ == kind]
    if not names:
        raise ValueError(f"no column of it is {kind} (columns: {', '.join(features)})")
    return names[0]


def _tensorflow(client: Any, dataset: str, split: str) -> Pair:
    rows = client.data_source(dataset, split=split)
    pairs = [(row["image"], row["label"]) for row in rows]
    images, labels = zip(*pairs, strict=True)
    return np.stack(images), np.asarray(labels)


_READERS: dict[str, tuple[Callable[[Any, str, str], Pair], str]] = {
    "hf": (_hugging_face, "datasets"),
    "tfds": (_tensorflow, "tensorflow_datasets"),
}


def _wrong(name: str, message: str) -> ConfigError:
    return ConfigError(Problem("data.set", f"data.set = {name!r}: {message}"))
