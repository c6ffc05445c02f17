"""Pictures in folders, one folder for each class, as people keep their own.

data/train/cat/1.png  data/train/dog/2.jpg  data/test/cat/3.png …
data/cat/1.png        data/dog/2.jpg        …, which are to be divided
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ExifTags, Image, ImageOps
from rich.console import Console
from rich.progress import track

from jax_acts.experiments.config.errors import ConfigError, MissingData, Problem, hint

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
TRAIN, TESTS = "train", ("test", "val", "valid", "validation")
LAYOUT = "class/*.png, or train/class/*.png and test/class/*.png"

Labelled = list[tuple[Path, int]]


def read_pictures(
    folder: Path, side: int | None
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Returns bytes `(n, height, width, channels)` and labels, of one part or of two.

    There are three channels if any picture has colours. Labels count the classes in the
    order of their names.

    Args:
        folder: The folder.
        side: To how many pixels each side is cut and scaled; None, if all pictures are
            of one size.

    Raises:
        MissingData: There is no such folder.
        ConfigError: It has no pictures by class, or some cannot be read, or are of
            another size.
    """
    parts = _parts(folder)
    paths = [path for part in parts for path, _ in part]
    if side is None:
        _refuse_several_sizes(paths, _each(_sides, paths, "sizes of pictures"))
    pixels = _each(lambda path: _pixels(path, side), paths, "pictures")
    channels = max(image.shape[-1] for image in pixels)
    images = np.stack([np.broadcast_to(p, (*p.shape[:2], channels)) for p in pixels])
    labels = np.array([label for part in parts for _, label in part], np.int32)
    cut = [len(parts[0])] * (len(parts) - 1)
    return [*zip(np.split(images, cut), np.split(labels, cut), strict=True)]


def _parts(folder: Path) -> list[Labelled]:
    """Returns the paths with their labels, of all, or of training and of testing."""
    if not folder.is_dir():
        near = [str(p) for p in sorted(folder.parent.glob("*")) if p.is_dir()]
        message = f"there is no folder {folder}{hint(str(folder), near)}"
        raise MissingData(Problem("data.folder", f"{message}; it has {LAYOUT}"))
    if not (folder / TRAIN).is_dir():
        return [_labelled(folder, _classes(folder))]
    tests = [folder / name for name in TESTS if (folder / name).is_dir()]
    if len(tests) != 1:
        found = " and ".join(path.name for path in tests) or "none"
        raise _wrong(f"{folder} has {TRAIN} and, of {', '.join(TESTS)}, {found}")
    classes = _classes(folder / TRAIN)
    for name in _classes(tests[0]):
        if name not in classes:
            near = hint(name, classes)
            raise _wrong(f"{tests[0] / name}: {TRAIN} has no such class{near}")
    return [_labelled(folder / TRAIN, classes), _labelled(tests[0], classes)]


def _classes(folder: Path) -> list[str]:
    """Returns the folders with pictures in a folder, in the order of their names."""
    names = [
        path.name
        for path in sorted(folder.iterdir())
        if path.is_dir() and not path.name.startswith(".") and _within(path)
    ]
    if len(names) < 2:
        found = f"pictures of {names[0]} alone" if names else "no pictures by class"
        raise _wrong(f"{folder} has {found}: it has {LAYOUT} ({', '.join(SUFFIXES)})")
    return names


def _labelled(folder: Path, classes: Sequence[str]) -> Labelled:
    return [(p, i) for i, name in enumerate(classes) for p in _within(folder / name)]


def _within(folder: Path) -> list[Path]:
    """Returns the pictures in a folder and the folders in it, but for hidden ones."""
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in SUFFIXES
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]


def _each(read: Callable[[Path], Any], paths: Sequence[Path], what: str) -> list[Any]:
    """Returns what is read of each path, some at a time, with a bar in a terminal."""
    console = Console(stderr=True)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = pool.map(read, paths)
        return list(
            track(
                results,
                f"reading {what}",
                len(paths),
                console=console,
                transient=True,
                disable=not console.is_terminal,
            )
        )


def _sides(path: Path) -> tuple[int, int]:
    """Returns width and height, which a camera may have noted to be exchanged."""

    def read(image: Image.Image) -> tuple[int, int]:
        turned = image.getexif().get(ExifTags.Base.Orientation, 1) > 4
        return (image.height, image.width) if turned else (image.width, image.height)

    return _read(path, read)


def _pixels(path: Path, side: int | None) -> np.ndarray:
    """Returns bytes `(height, width, channels)`, with one channel or three."""

    def read(image: Image.Image) -> np.ndarray:
        if image.mode[0] in "IF":
            raise ValueError("its pixels have more than 8 bits")
        grey = image.mode in ("1", "L", "LA")
        image = ImageOps.exif_transpose(image).convert("L" if grey else "RGB")
        if side is not None:
            image = ImageOps.fit(image, (side, side))
        return np.asarray(image).reshape(image.height, image.width, -1)

    return _read(path, read)


def _read(path: Path, read: Callable[[Image.Image], Any]) -> Any:
    """Returns what is read of a picture.

    Raises:
        ConfigError: It is none, or damaged.
    """
    try:
        with Image.open(path) as image:
            return read(image)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise _wrong(f"{path} cannot be used: {error}") from None


def _refuse_several_sizes(
    paths: Sequence[Path], sides: Sequence[tuple[int, int]]
) -> None:
    first = sides[0]
    for path, other in zip(paths, sides, strict=True):
        if other != first:
            raise _wrong(
                f"{path} is {other[0]} × {other[1]} pixels, {paths[0]} {first[0]} × "
                f"{first[1]}; with data.side = {min(first)} all become squares of "
                f"{min(first)}"
            )


def _wrong(message: str) -> ConfigError:
    return ConfigError(Problem("data.folder", message))
