"""Images in folders, one folder per class.

data/train/cat/1.png  data/train/dog/2.jpg  data/test/cat/3.png …
data/cat/1.png        data/dog/2.jpg        …, divided 4 : 1

torchvision, Keras and `datasets` read this layout too; each would bring its framework.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ExifTags, Image, ImageOps
from rich.console import Console
from rich.progress import track

from jax_acts.experiments.config.errors import ConfigError, ConfigIssue, did_you_mean
from jax_acts.experiments.datasets.dataset import Dataset, divide, shuffle
from jax_acts.experiments.datasets.files import check_folder

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
TRAIN, TESTS = "train", ("test", "val", "valid", "validation")
LAYOUT = "CLASS/*.png, or train/CLASS/*.png and test/CLASS/*.png"
MAX_FILES = 1_000_000  # visited per folder; a home folder has more

ImagesByClass = dict[str, list[Path]]


def read_image_folder(folder: Path, image_size: int | None) -> Dataset:
    """Read images as uint8 `(n, height, width, channels)`, classes sorted by name.

    There are three channels if any image has colors, else one.

    Args:
        folder: The folder.
        image_size: Height and width (pixels) to which images are cropped and scaled;
            None where all images have one size.

    Raises:
        MissingDataError: The folder does not exist.
        ConfigError: It has fewer than two classes, or images are invalid or of several
            sizes.
    """
    train, test = _find_splits(folder)
    labeled = [
        (path, n)
        for split in (train, test)
        for n, name in enumerate(train)
        for path in split.get(name, ())
    ]
    paths = [path for path, _ in labeled]
    if image_size is None:
        _check_one_size(paths, _map(_read_size, paths, "sizes of images"))
    images = _map(lambda path: _read_pixels(path, image_size), paths, "images")
    channels = max(image.shape[-1] for image in images)
    x = np.stack([np.broadcast_to(p, (*p.shape[:2], channels)) for p in images])
    y = np.array([label for _, label in labeled], np.int32)
    if not test:
        return Dataset(*divide(x, y), len(train))
    size = sum(map(len, train.values()))
    # Shuffled, as the first examples would be of one class.
    splits = shuffle(x[:size], y[:size]), shuffle(x[size:], y[size:])
    return Dataset(*splits, len(train))


def _find_splits(folder: Path) -> tuple[ImagesByClass, ImagesByClass]:
    """Return the images for training and for testing; the latter may be empty."""
    check_folder(folder, LAYOUT)
    if not (folder / TRAIN).is_dir():
        return _find_images(folder), {}
    tests = [folder / name for name in TESTS if (folder / name).is_dir()]
    if len(tests) != 1:
        got = " and ".join(path.name for path in tests) or "none"
        raise _error(folder, f"expected one of {', '.join(TESTS)}, got {got}")
    train, test = _find_images(folder / TRAIN), _find_images(tests[0])
    for name in test:
        if name not in train:
            near = did_you_mean(name, train)
            raise _error(tests[0] / name, f"expected a class of {TRAIN}{near}")
    return train, test


def _find_images(folder: Path) -> ImagesByClass:
    """Return the images of each class folder, without hidden files."""
    classes: ImagesByClass = {}
    visible = (p for p in sorted(folder.iterdir()) if not p.name.startswith("."))
    for child in filter(Path.is_dir, visible):
        files = [*islice(child.rglob("*"), MAX_FILES + 1)]
        if len(files) > MAX_FILES:
            raise _error(child, f"expected at most {MAX_FILES:,} files, got more")
        images = [
            path
            for path in sorted(files)
            if path.suffix.lower() in SUFFIXES
            and not any(p.startswith(".") for p in path.relative_to(child).parts)
        ]
        if images:
            classes[child.name] = images
    if len(classes) < 2:
        only = f"images of {next(iter(classes), '')!r} only"
        got = only if classes else "no images by class"
        suffixes = ", ".join(SUFFIXES)
        raise _error(
            folder, f"expected 2 or more classes ({LAYOUT}; {suffixes}), got {got}"
        )
    return classes


def _map(read: Callable[[Path], Any], paths: Sequence[Path], what: str) -> list[Any]:
    """Apply `read` to each path in threads, with a progress bar in a terminal."""
    console = Console(stderr=True)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(
            track(
                pool.map(read, paths),
                f"reading {what}",
                len(paths),
                console=console,
                transient=True,
                disable=not console.is_terminal,
            )
        )


def _read_size(path: Path) -> tuple[int, int]:
    """Return width and height in the EXIF orientation."""

    def read(image: Image.Image) -> tuple[int, int]:
        turned = image.getexif().get(ExifTags.Base.Orientation, 1) > 4
        return (image.height, image.width) if turned else (image.width, image.height)

    return _read(path, read)


def _read_pixels(path: Path, image_size: int | None) -> np.ndarray:
    """Return bytes `(height, width, channels)`, with one channel or three."""

    def read(image: Image.Image) -> np.ndarray:
        if image.mode[0] in "IF":
            raise ValueError("expected 8 bits per channel, got more")
        is_gray = image.mode in ("1", "L", "LA")
        image = ImageOps.exif_transpose(image).convert("L" if is_gray else "RGB")
        if image_size is not None:
            image = ImageOps.fit(image, (image_size, image_size))
        return np.asarray(image).reshape(image.height, image.width, -1)

    return _read(path, read)


def _read(path: Path, read: Callable[[Image.Image], Any]) -> Any:
    try:
        with Image.open(path) as image:
            return read(image)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise _error(path, f"expected an image: {error}") from None


def _check_one_size(paths: Sequence[Path], sizes: Sequence[tuple[int, int]]) -> None:
    first = sizes[0]
    for path, size in zip(paths, sizes, strict=True):
        if size != first:
            raise _error(
                path,
                f"expected {first[0]} × {first[1]} pixels as in {paths[0]}, "
                f"got {size[0]} × {size[1]}; data.image_size = {min(first)} crops and "
                "scales all images",
            )


def _error(path: Path, message: str) -> ConfigError:
    return ConfigError(ConfigIssue("data.path", f"{path}: {message}"))
