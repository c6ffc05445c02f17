import numpy as np
import pytest
from PIL import Image

from jax_acts.experiments.config.errors import MissingDataError
from jax_acts.experiments.config.schema import DataConfig
from jax_acts.experiments.datasets import image_folder
from jax_acts.experiments.datasets.registry import load_dataset
from tests.experiments.datasets.test_data import message

GRAY, COLOR = (90,), (10, 200, 60)


def write_image(path, pixel=GRAY, size=(6, 5), **options):
    """Write an image of one color; size is (width, height)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    mode = "L" if len(pixel) == 1 else "RGB"
    Image.new(mode, size, pixel if len(pixel) > 1 else pixel[0]).save(path, **options)


def images(path, **keys):
    return DataConfig(name="image_folder", path=path, **keys)


def test_train_and_test_folders_are_read(tmp_path):
    write_image(tmp_path / "train" / "dog" / "1.png", (3,))
    write_image(tmp_path / "train" / "cat" / "more" / "1.PNG", (1,))
    write_image(tmp_path / "train" / "cat" / "2.bmp", (2,))
    write_image(tmp_path / "val" / "dog" / "1.png", (5,))
    write_image(tmp_path / "val" / "cat" / "1.png", (4,))
    (tmp_path / "train" / "notes.txt").write_text("not an image")
    (tmp_path / "train" / "cat" / "._2.png").write_bytes(b"a file of the system")
    write_image(tmp_path / "train" / ".trash" / "1.png")
    dataset = load_dataset(images(tmp_path))
    assert dataset.train.x.shape == (3, 5, 6, 1)  # height before width
    assert dataset.train.x.dtype == np.uint8
    examples = lambda split: {*zip(split.x[:, 4, 5, 0], split.y, strict=True)}
    assert examples(dataset.train) == {(1, 0), (2, 0), (3, 1)}
    assert examples(dataset.test) == {(4, 0), (5, 1)}
    assert dataset.num_classes == 2


def test_one_folder_is_divided(tmp_path):
    for i in range(10):
        write_image(tmp_path / "cat" / f"{i}.png", (i,))
        write_image(tmp_path / "dog" / f"{i}.png", (100 + i,))
    dataset = load_dataset(images(tmp_path))
    assert len(dataset.train.y) == 16
    assert len(dataset.test.y) == 4
    for split in dataset.train, dataset.test:
        assert (split.y == split.x[:, 0, 0, 0] // 100).all()


def test_the_first_images_are_of_several_classes(tmp_path):
    for part in "train", "test":
        for i in range(20):
            write_image(tmp_path / part / "cat" / f"{i}.png")
            write_image(tmp_path / part / "dog" / f"{i}.png")
    dataset = load_dataset(images(tmp_path, num_train=10, num_test=10))
    for split in dataset.train, dataset.test:
        assert 2 <= split.y.sum() <= 8


def test_one_color_image_gives_all_images_three_channels(tmp_path):
    write_image(tmp_path / "a" / "1.png", COLOR)
    write_image(tmp_path / "b" / "1.png", GRAY)
    write_image(tmp_path / "b" / "2.png", GRAY)
    dataset = load_dataset(images(tmp_path))
    pixels = np.concatenate([s.x[:, 0, 0] for s in (dataset.train, dataset.test)])
    assert sorted(pixels.tolist()) == [[10, 200, 60], [90, 90, 90], [90, 90, 90]]


def test_images_are_cropped_scaled_and_rotated_by_exif(tmp_path):
    write_image(tmp_path / "a" / "1.png", size=(20, 10))
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    write_image(tmp_path / "b" / "1.jpg", size=(6, 5), exif=exif)
    write_image(tmp_path / "b" / "2.jpg", size=(5, 6))
    assert load_dataset(images(tmp_path, image_size=4)).input_shape == (4, 4, 1)
    line = message(images(tmp_path))
    assert f"{tmp_path}/b/1.jpg: expected 20 × 10 pixels as in" in line
    assert "a/1.png, got 5 × 6; data.image_size = 10 crops and scales all" in line
    (tmp_path / "a" / "1.png").unlink()
    write_image(tmp_path / "a" / "1.png", size=(5, 6))
    assert load_dataset(images(tmp_path)).input_shape == (6, 5, 1)


def test_a_folder_without_classes_is_refused(tmp_path):
    assert "expected 2 or more classes" in message(images(tmp_path))
    write_image(tmp_path / "cat" / "1.png")
    assert "got images of 'cat' only" in message(images(tmp_path))
    write_image(tmp_path / "train" / "cat" / "1.png")
    write_image(tmp_path / "train" / "dog" / "1.png")
    assert "expected one of test, val, valid, validation, got none" in message(
        images(tmp_path)
    )
    write_image(tmp_path / "test" / "cat" / "1.png")
    write_image(tmp_path / "test" / "dgo" / "1.png")
    assert "test/dgo: expected a class of train; did you mean 'dog'?" in message(
        images(tmp_path)
    )


def test_a_damaged_image_is_named(tmp_path):
    write_image(tmp_path / "a" / "1.png")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "1.png").write_bytes(b"no image")
    line = message(images(tmp_path))
    assert f"{tmp_path}/b/1.png: expected an image" in line
    Image.fromarray(np.zeros((5, 6), np.uint16)).save(tmp_path / "b" / "1.png")
    line = message(images(tmp_path))
    assert "expected 8 bits per channel, got more" in line
    noise = np.random.default_rng(0).integers(0, 256, (40, 30), np.uint8)
    Image.fromarray(noise).save(tmp_path / "b" / "1.png")
    whole = (tmp_path / "b" / "1.png").read_bytes()
    (tmp_path / "b" / "1.png").write_bytes(whole[: len(whole) // 2])
    assert f"{tmp_path}/b/1.png: expected an image" in message(
        images(tmp_path, image_size=8)
    )


def test_a_missing_path_is_refused(tmp_path):
    assert "data.path: expected a path" in message(DataConfig(name="image_folder"))
    with pytest.raises(MissingDataError, match="got no such path"):
        load_dataset(images(tmp_path / "none"))


def test_the_walk_of_a_folder_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(image_folder, "MAX_FILES", 2)
    for n in range(3):
        write_image(tmp_path / "cat" / f"{n}.png")
    line = message(images(tmp_path))
    assert f"{tmp_path}: expected at most 2 files and folders in it, got more" in line
    for n in range(3):  # spread over classes
        write_image(tmp_path / "few" / f"class{n}" / "0.png")
    line = message(images(tmp_path / "few"))
    assert "got more by 'class2'" in line
