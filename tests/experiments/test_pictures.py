import numpy as np
import pytest
from PIL import Image

from jax_acts.experiments.config.errors import MissingData
from jax_acts.experiments.config.schema import Data
from jax_acts.experiments.datasets.registry import load
from tests.experiments.test_data import message

GREY, COLOUR = (90,), (10, 200, 60)


def put(path, pixel=GREY, sides=(6, 5), **options):
    """Writes a picture of one colour, `sides` wide and high."""
    path.parent.mkdir(parents=True, exist_ok=True)
    mode = "L" if len(pixel) == 1 else "RGB"
    Image.new(mode, sides, pixel if len(pixel) > 1 else pixel[0]).save(path, **options)


def pictures(folder, **keys):
    return Data(set="pictures", folder=folder, **keys)


def test_pictures_that_are_divided_are_read_as_they_are(tmp_path):
    put(tmp_path / "train" / "dog" / "1.png", (3,))
    put(tmp_path / "train" / "cat" / "more" / "1.PNG", (1,))
    put(tmp_path / "train" / "cat" / "2.bmp", (2,))
    put(tmp_path / "val" / "dog" / "1.png", (5,))
    put(tmp_path / "val" / "cat" / "1.png", (4,))
    (tmp_path / "train" / "notes.txt").write_text("not a picture")
    (tmp_path / "train" / "cat" / "._2.png").write_bytes(b"what a system leaves")
    put(tmp_path / "train" / ".trash" / "1.png")
    found = load(pictures(tmp_path))
    assert found.train.images.shape == (3, 5, 6, 1)  # height before width
    assert found.train.images.dtype == np.uint8
    seen = lambda split: {*zip(split.images[:, 4, 5, 0], split.labels, strict=True)}
    assert seen(found.train) == {(1, 0), (2, 0), (3, 1)}
    assert seen(found.test) == {(4, 0), (5, 1)}
    assert found.classes == 2


def test_other_pictures_are_divided_and_keep_their_labels(tmp_path):
    for i in range(10):
        put(tmp_path / "cat" / f"{i}.png", (i,))
        put(tmp_path / "dog" / f"{i}.png", (100 + i,))
    found = load(pictures(tmp_path))
    assert len(found.train.labels) == 16
    assert len(found.test.labels) == 4
    for split in found.train, found.test:
        assert (split.labels == split.images[:, 0, 0, 0] // 100).all()


def test_the_first_pictures_are_of_several_classes(tmp_path):
    for part in "train", "test":
        for i in range(20):
            put(tmp_path / part / "cat" / f"{i}.png")
            put(tmp_path / part / "dog" / f"{i}.png")
    found = load(pictures(tmp_path, train=10, test=10))
    for split in found.train, found.test:
        assert 2 <= split.labels.sum() <= 8


def test_one_picture_in_colours_gives_all_three_channels(tmp_path):
    put(tmp_path / "a" / "1.png", COLOUR)
    put(tmp_path / "b" / "1.png", GREY)
    put(tmp_path / "b" / "2.png", GREY)
    found = load(pictures(tmp_path))
    pixels = np.concatenate([s.images[:, 0, 0] for s in (found.train, found.test)])
    assert sorted(pixels.tolist()) == [[10, 200, 60], [90, 90, 90], [90, 90, 90]]


def test_pictures_are_cut_scaled_and_turned_upright(tmp_path):
    put(tmp_path / "a" / "1.png", sides=(20, 10))
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turned
    put(tmp_path / "b" / "1.jpg", sides=(6, 5), exif=exif)
    put(tmp_path / "b" / "2.jpg", sides=(5, 6))
    assert load(pictures(tmp_path, side=4)).shape == (4, 4, 1)
    said = message(pictures(tmp_path))
    assert "b/1.jpg is 5 × 6 pixels" in said
    assert "a/1.png 20 × 10; with data.side = 10 all become squares of 10" in said
    (tmp_path / "a" / "1.png").unlink()
    put(tmp_path / "a" / "1.png", sides=(5, 6))
    assert load(pictures(tmp_path)).shape == (6, 5, 1)


def test_a_folder_without_pictures_by_class_is_refused(tmp_path):
    assert "has no pictures by class" in message(pictures(tmp_path))
    put(tmp_path / "cat" / "1.png")
    assert "has pictures of cat alone" in message(pictures(tmp_path))
    put(tmp_path / "train" / "cat" / "1.png")
    put(tmp_path / "train" / "dog" / "1.png")
    assert "of test, val, valid, validation, none" in message(pictures(tmp_path))
    put(tmp_path / "test" / "cat" / "1.png")
    put(tmp_path / "test" / "dgo" / "1.png")
    assert "train has no such class; did you mean 'dog'?" in message(pictures(tmp_path))


def test_a_picture_that_is_none_is_named(tmp_path):
    put(tmp_path / "a" / "1.png")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "1.png").write_bytes(b"no picture")
    said = message(pictures(tmp_path))
    assert f"{tmp_path}/b/1.png cannot be used" in said
    Image.fromarray(np.zeros((5, 6), np.uint16)).save(tmp_path / "b" / "1.png")
    said = message(pictures(tmp_path))
    assert "its pixels have more than 8 bits" in said
    noise = np.random.default_rng(0).integers(0, 256, (40, 30), np.uint8)
    Image.fromarray(noise).save(tmp_path / "b" / "1.png")
    whole = (tmp_path / "b" / "1.png").read_bytes()
    (tmp_path / "b" / "1.png").write_bytes(whole[: len(whole) // 2])
    assert f"{tmp_path}/b/1.png cannot be used" in message(pictures(tmp_path, side=8))


def test_keys_that_are_missing_or_of_no_use_are_named(tmp_path):
    assert "data.folder is missing" in message(Data(set="pictures"))
    assert "has a size already" in message(Data(set="digits", side=8))
    with pytest.raises(MissingData, match="there is no folder"):
        load(pictures(tmp_path / "none"))
