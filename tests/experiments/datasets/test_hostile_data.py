"""Data and configs that are damaged, huge or made to harm: one line each, at once."""

import gzip
import io
import os
import struct
import threading
import zipfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from jax_acts.experiments.config.errors import ConfigError
from jax_acts.experiments.config.load import Source, load_config
from jax_acts.experiments.config.schema import DataConfig, StudyConfig, TextConfig
from jax_acts.experiments.datasets import host_memory
from jax_acts.experiments.datasets.dataset import Dataset, Split, make_dataset
from jax_acts.experiments.datasets.registry import load_dataset
from jax_acts.experiments.datasets.text import load_text
from tests.experiments.datasets.test_data import write_idx_folder
from tests.experiments.datasets.test_image_folder import write_image

X = np.zeros((4, 3), np.float32)
Y = np.array([0, 1, 0, 1])
SMALL = 50_000_000
"""Bytes of memory that bombs exceed and other data do not."""


def message(name: str, path: Path, **keys: object) -> str:
    """Return the config error of a dataset, which is one line."""
    with pytest.raises(ConfigError) as error:
        load_dataset(DataConfig.model_validate({"name": name, "path": path, **keys}))
    (issue,) = error.value.issues
    assert len(issue.message) < 1000
    assert "expected" in issue.message
    return issue.message


def save(path: Path, **arrays: np.ndarray) -> Path:
    given = {"x_train": X, "y_train": Y, "x_test": X, "y_test": Y} | arrays
    np.savez_compressed(path, **given)
    return path


def npy(header: str, content: bytes = b"") -> bytes:
    text = header.ljust(117) + "\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text.encode() + content


def header(shape: object, descr: str = "<f4") -> str:
    return f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape}, }}"


MEMBERS = {
    "lying shape": npy(header((10**12, 3))),
    "overflowing shape": npy(header((2**62, 2**62))),
    "negative shape": npy(header((-1, 3))),
    "objects": npy(header((4, 3), "|O"), b"\x80\x04N."),
    "no dtype": npy("{}"),
    "code": npy("__import__('os').system('x')"),
    "deep": npy("(" * 60 + ")" * 60),
    "no array": b"x_train",
    "empty": b"",
}


@pytest.mark.parametrize("content", MEMBERS.values(), ids=MEMBERS)
def test_a_damaged_member_of_an_npz_file_is_one_line(tmp_path, content):
    path = tmp_path / "own.npz"
    with zipfile.ZipFile(save(path)) as file:
        members = {name: file.read(name) for name in file.namelist()}
    with zipfile.ZipFile(path, "w") as file:
        for name, data in (members | {"x_train.npy": content}).items():
            file.writestr(name, data)
    assert "expected a file of np.savez" in message("npz", path)


@pytest.mark.parametrize("position", range(0, 1200, 37))
def test_a_damaged_npz_file_is_one_line_or_read_as_it_was(tmp_path, position):
    content = bytearray(save(tmp_path / "own.npz").read_bytes())
    content[position % len(content)] ^= 0xFF
    (tmp_path / "own.npz").write_bytes(content)
    with suppress(ConfigError):
        dataset = load_dataset(DataConfig(name="npz", path=tmp_path / "own.npz"))
        np.testing.assert_array_equal(dataset.train.y, Y)


def test_a_npy_file_with_the_suffix_npz_is_one_line(tmp_path):
    with (tmp_path / "own.npz").open("wb") as file:
        np.save(file, X)
    assert "got another format" in message("npz", tmp_path / "own.npz")


LABELS = {
    "beyond the classes": (np.array([0, 1, 0, 5]), "expected labels 0 to 2"),
    "negative": (np.array([-1, 0, 1, 0]), "expected labels 0 to 2"),
    "2^31 - 1": (np.array([0, 1, 0, 2**31 - 1]), "expected labels 0 to 2"),
    "2^63": (np.array([0, 1, 0, 2**63], np.uint64), "below 2^63"),
    "scalar": (np.array(3), "of one length > 0"),
    "empty": (np.zeros(0, int), "of one length > 0"),
    "complex": (np.zeros(4, complex), "expected y_train of an integer"),
}


@pytest.mark.parametrize(("labels", "expected"), LABELS.values(), ids=LABELS)
def test_labels_are_0_to_k_minus_1(tmp_path, labels, expected):
    assert expected in message("npz", save(tmp_path / "own.npz", y_train=labels))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint64, np.int8, np.int64])
def test_labels_of_every_integer_dtype_are_classes(dtype):
    dataset = make_dataset((X, Y.astype(dtype)), (X, Y.astype(dtype)))
    assert dataset.train.y.dtype == np.int32
    large = (Y + 2**53).astype(np.uint64)
    dataset = make_dataset((X, large), (X, large), task="classification")
    assert dataset.num_classes == 2
    with pytest.raises(ValueError, match="expected the labels of y_test in y_train"):
        make_dataset((X, large), (X, large + np.uint64(1)), task="classification")


@pytest.mark.parametrize(
    ("train", "test", "num_classes", "expected"),
    [
        ((X, Y), (X, Y + 1), 2, "expected y_test of labels 0 to 1, got 1 to 2"),
        ((X, Y - 1), (X, Y), 2, "expected y_train of labels 0 to 1, got -1 to 0"),
        ((X, Y.astype(np.uint64) + np.uint64(2**63)), (X, Y), 2, "of labels 0 to 1"),
        ((X, Y * 1.0), (X, Y), 2, "expected y_train of integers"),
        ((X[:0], Y[:0]), (X, Y), 2, "of one length > 0, got 0 and 0"),
        ((X, Y), (X[:0], Y[:0]), None, "x_test and y_test of one length > 0"),
        ((X, Y[:3]), (X, Y), 2, "got 4 and 3"),
        ((X, Y), (X, Y), 2**31, "expected 2 to 65,536 classes"),
    ],
)
def test_a_dataset_checks_itself(train, test, num_classes, expected):
    with pytest.raises(ValueError, match=expected):
        Dataset(Split(*train), Split(*test), num_classes)


@pytest.mark.parametrize("dimensions", [0, 5, 64, 65, 255])
def test_an_idx_file_with_any_number_of_dimensions_is_one_line(tmp_path, dimensions):
    write_idx_folder(tmp_path / "idx", 4, 4, (2, 2))
    path = next((tmp_path / "idx").rglob("train-images*"))
    path = path.rename(path.with_suffix("")) if path.suffix == ".gz" else path
    path.write_bytes(bytes([0, 0, 8, dimensions]) + b"\0\0\0\1" * dimensions + b"x")
    assert f"{dimensions} dimensions" in message("idx", path.parent)


@pytest.fixture
def little_memory(monkeypatch):
    monkeypatch.setattr(host_memory, "host_bytes", lambda: SMALL)


@pytest.mark.usefixtures("little_memory")
def test_bombs_are_refused_before_they_are_in_memory(tmp_path):
    bomb = gzip.compress(b"0" * (2 * SMALL))
    (tmp_path / "own.csv.gz").write_bytes(bomb)
    assert "decompressed size" in message("csv", tmp_path / "own.csv.gz")
    (tmp_path / "own.txt.gz").write_bytes(bomb)
    with pytest.raises(ConfigError, match="decompressed size"):
        load_text(TextConfig(name="file", path=tmp_path / "own.txt.gz"))
    path = save(tmp_path / "own.npz", x_train=np.zeros((SMALL // 2, 1), np.uint8))
    assert path.stat().st_size < SMALL / 50
    assert "the size that the .npz file states" in message("npz", path)
    with (tmp_path / "sparse.csv").open("wb") as file:
        file.truncate(SMALL)
    assert "the size of the file" in message("csv", tmp_path / "sparse.csv")


@pytest.mark.usefixtures("little_memory")
def test_images_that_do_not_fit_in_memory_are_refused_at_the_first(tmp_path):
    for n in range(8):
        write_image(tmp_path / "ab"[n % 2] / f"{n}.png")
    line = message("image_folder", tmp_path, image_size=1024)
    assert "got 50.3 MB (8 images of 1024 × 1024, twice)" in line


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="only POSIX has FIFOs")
def test_a_fifo_is_never_opened(tmp_path):
    results: list[BaseException | None] = []

    def read() -> None:
        fifo = tmp_path / "fifo"
        os.mkfifo(fifo)
        message("npz", fifo)
        message("csv", fifo)
        with pytest.raises(ConfigError, match="another kind of path"):
            load_text(TextConfig(name="file", path=fifo))
        with pytest.raises(ConfigError, match="not a file"):
            load_config(Source(fifo), {})
        for name in "ab":
            write_image(tmp_path / "images" / name / "0.png")
            os.mkfifo(tmp_path / "images" / name / "1.png")
        load_dataset(DataConfig(name="image_folder", path=tmp_path / "images"))
        results.append(None)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    thread.join(60)
    assert results == [None]


class Config(StudyConfig):
    rates: tuple[float, ...] = ()


TOML = {
    "deep": "rates = " + "[" * 5000 + "]" * 5000,
    "digits": f"rates = [{'1' * 5000}]",
    "date": "rates = 9999-99-99",
    "unknown keys": "\n".join(f"key{n} = {n}" for n in range(5000)),
    "too large": f"# {'x' * 10_000_000}",
    "not UTF-8": b"\xff\xfe",
    "surrogate": "name = '\\ud800'\nrates = \"\\ud800\"",
}


@pytest.mark.parametrize("content", TOML.values(), ids=TOML)
def test_a_hostile_config_is_a_few_lines(tmp_path, content):
    path = tmp_path / "x.toml"
    text = content if isinstance(content, bytes) else content.encode()
    path.write_bytes(b'study = "tiny"\n' + text)
    with pytest.raises(ConfigError) as error:
        load_config(Source(path), {"tiny": Config})
    assert len(error.value.issues) <= 21
    assert all(len(issue.message) < 500 for issue in error.value.issues)


@pytest.mark.parametrize("text", ["[" * 5000, "1" * 5000, "{a=" * 5000])
def test_a_hostile_override_is_a_line(tmp_path, text):
    path = tmp_path / "x.toml"
    path.write_text('study = "tiny"\n')
    with pytest.raises(ConfigError) as error:
        load_config(Source(path, (f"rates={text}",)), {"tiny": Config})
    assert all(len(issue.message) < 500 for issue in error.value.issues)


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("über", "uber"),
        ("_x", "x"),
        ("日本", "config"),
        (".a b", "a-b"),
        ("x" * 200, "x" * 100),
    ],
)
def test_the_name_of_a_file_is_always_a_valid_name(tmp_path, file, name):
    path = tmp_path / f"{file}.toml"
    path.write_text('study = "tiny"\n')
    assert load_config(Source(path), {"tiny": Config}).name == name


def test_numbers_of_a_csv_file_beyond_64_bits_are_one_line_or_classes(tmp_path):
    path = tmp_path / "own.csv"
    for value in (str(2**63), str(2**64), "1" * 5000, "1e999", "-1" + "0" * 400):
        buffer = io.StringIO("a,b,y\n")
        rows = [f"{n}.5,{value},{n % 2}" for n in range(10)]
        path.write_text(buffer.getvalue() + "\n".join(rows))
        with suppress(ConfigError):
            dataset = load_dataset(DataConfig(name="csv", path=path))
            assert np.isfinite(dataset.train.x).all()
