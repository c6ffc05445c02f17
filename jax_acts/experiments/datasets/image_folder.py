"""Images in folders, one folder per class.

data/train/cat/1.png  data/train/dog/2.jpg  data/test/cat/3.png …
data/cat/1.png        data/dog/2.jpg        …, divided 4 : 1

torchvision, Keras and `datasets` read this layout too; each would bring its framework.
"""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from rich.console import Console
from rich.progress import track

from jax_acts._core.errors import did_you_mean
from jax_acts.experiments.datasets.dataset import Dataset, divide, shuffle
from jax_acts.experiments.datasets.files import check_path
from jax_acts.experiments.datasets.host_memory import check_memory

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
TESTS = ("test", "val", "valid", "validation")
LAYOUT = "a folder with CLASS/*.png, or train/CLASS/*.png and test/CLASS/*.png"
MAX_FILES = 1_000_000
"""Maximum number of files and folders in a folder of images; a disk has more."""

ImagesByClass = dict[str, list[Path]]


def read_image_folder(folder: Path, image_size: int | None) -> Dataset:
    """Read images as uint8 `(n, height, width, channels)`, classes sorted by name.

    There are three channels if any image has colors, else one.

    Args:
        folder: The folder.
        image_size: Height and width (pixels) to which images are cropped and scaled;
            None where all images have one size.

    Raises:
        ValueError: The folder has fewer than two classes, or images are invalid or of
            several sizes.
    """
    check_path(folder, Path.is_dir, LAYOUT)
    train, test = _find_splits(folder)
    labeled = [
        (path, n)
        for split in (train, test)
        for n, name in enumerate(train)
        for path in split.get(name, ())
    ]
    paths, labels = zip(*labeled, strict=True)
    images = _read_images(paths, image_size)
    channels = max(image.shape[-1] for image in images)
    x = np.stack([np.broadcast_to(p, (*p.shape[:2], channels)) for p in images])
    y = np.array(labels, np.int32)
    if not test:
        return Dataset(*divide(x, y), len(train))
    size = sum(map(len, train.values()))
    # Shuffled, as the first examples would be of one class.
    splits = shuffle(x[:size], y[:size]), shuffle(x[size:], y[size:])
    return Dataset(*splits, len(train))


def _find_splits(folder: Path) -> tuple[ImagesByClass, ImagesByClass]:
    """Return the images for training and for testing; the latter may be empty."""
    if not (folder / "train").is_dir():
        return _find_images(folder), {}
    tests = [folder / name for name in TESTS if (folder / name).is_dir()]
    if len(tests) != 1:
        got = " and ".join(path.name for path in tests) or "none"
        raise ValueError(f"expected one of {', '.join(TESTS)}, got {got}")
    train, test = _find_images(folder / "train"), _find_images(tests[0])
    for name in test:
        if name not in train:
            near = did_you_mean(name, train)
            raise ValueError(f"{tests[0] / name}: expected a class of train{near}")
    return train, test


def _find_images(folder: Path) -> ImagesByClass:
    """Return the images of each class folder, without hidden files."""
    classes: ImagesByClass = {}
    console = Console(stderr=True)
    with console.status("searching images") as status:
        visited = 0
        for child in filter(Path.is_dir, sorted(folder.glob("[!.]*"))):
            images = []
            for entry in _walk(child):
                visited += 1
                if visited > MAX_FILES:
                    raise ValueError(
                        f"{folder}: expected at most {MAX_FILES:,} files and folders "
                        f"in it, got more by {child.name!r}; {LAYOUT}"
                    )
                if visited % 10_000 == 0:
                    status.update(f"searching images: {visited:,} files")
                path = Path(entry.path)
                if path.suffix.lower() in SUFFIXES and entry.is_file():
                    images.append(path)
            if images:
                classes[child.name] = sorted(images)
    if len(classes) < 2:
        only = f"images of {next(iter(classes), '')!r} only"
        raise ValueError(
            f"{folder}: expected 2 or more classes ({LAYOUT}; {', '.join(SUFFIXES)}), "
            f"got {only if classes else 'no images by class'}"
        )
    return classes


def _walk(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Yield what a folder holds at any depth; links to folders are not followed."""
    pending = [folder]
    while pending:
        with suppress(PermissionError), os.scandir(pending.pop()) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                yield entry
                if entry.is_dir(follow_symlinks=False):
                    pending.append(Path(entry.path))


def _read_images(paths: Sequence[Path], image_size: int | None) -> list[np.ndarray]:
    """Read images in threads, with a progress bar in a terminal."""
    console = Console(stderr=True)
    images: list[np.ndarray] = []
    with ThreadPoolExecutor() as pool:
        pixels = track(
            pool.map(partial(_read_pixels, image_size=image_size), paths),
            "reading images",
            len(paths),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        try:
            for path, image in zip(paths, pixels, strict=True):
                images.append(image)
                _check_image(path, image, paths, images[0])
        except ValueError:
            pool.shutdown(cancel_futures=True)
            raise
    return images


def _check_image(
    path: Path, image: np.ndarray, paths: Sequence[Path], first: np.ndarray
) -> None:
    """Check the memory of all images at the first one, and the size of the others."""
    height, width, _ = first.shape
    if image is first:
        size = f"{len(paths):,} images of {height} × {width}, twice"
        check_memory(2 * len(paths) * height * width * 3, size)
    h, w, _ = image.shape
    if (h, w) != (height, width):
        raise ValueError(
            f"{path}: expected {width} × {height} pixels as in {paths[0]}, "
            f"got {w} × {h}; data.image_size = {min(width, height)} crops and "
            "scales all images"
        )


def _read_pixels(path: Path, image_size: int | None) -> np.ndarray:
    """Return bytes `(height, width, channels)`, with one channel or three."""
    try:
        with Image.open(path) as image:
            if image.mode[0] in "IF":
                raise ValueError("expected 8 bits per channel, got more")
            is_gray = image.mode in ("1", "L", "LA")
            image = ImageOps.exif_transpose(image).convert("L" if is_gray else "RGB")
            if image_size is not None:
                image = ImageOps.fit(image, (image_size, image_size))
            return np.asarray(image).reshape(image.height, image.width, -1)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path}: expected an image: {error}") from None
