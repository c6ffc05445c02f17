import gzip
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_acts.experiments.config.errors import ConfigError
from jax_acts.experiments.datasets import adding_problem as adding, mnist1d, text


def test_drawings_are_the_same_for_a_seed_and_differ_between_seeds():
    first, again, other = mnist1d.draw(50), mnist1d.draw(50), mnist1d.draw(50, seed=1)
    np.testing.assert_array_equal(first.signals, again.signals)
    assert np.abs(first.signals - other.signals).mean() > 0.1


def test_drawings_are_standardised_and_of_all_digits():
    signals, labels = mnist1d.draw(500)
    assert signals.shape == (500, mnist1d.LENGTH)
    assert abs(signals.mean()) < 1e-6  # float32, of float64 numbers that sum to 0
    np.testing.assert_allclose(signals.std(), 1, rtol=1e-5)
    assert np.bincount(labels).tolist() == [50] * 10


def test_no_line_separates_the_drawings_and_their_outlines_do():
    """The nearest mean of a class is a linear rule: the paper has 32 % for its best."""
    signals, labels = mnist1d.draw(2000)
    means = np.stack([signals[labels == n].mean(0) for n in range(10)])
    guesses = ((signals[:, None] - means) ** 2).sum(-1).argmin(1)
    assert 0.15 < (guesses == labels).mean() < 0.45
    outlines = mnist1d._outlines()
    assert len(np.unique(outlines, axis=0)) == 10
    np.testing.assert_allclose(outlines[:, 0], 0)


@pytest.mark.slow
@pytest.mark.parametrize("length", [2, 3, 50])
def test_the_sum_asked_is_that_of_the_two_marked_numbers(length):
    sequences, sums = adding.draw(jax.random.key(1), 200, length)
    values, marks = sequences[..., 0], sequences[..., 1]
    half = length // 2
    assert (marks[:, :half].sum(1) == 1).all()
    assert (marks[:, half:].sum(1) == 1).all()
    np.testing.assert_allclose((values * marks).sum(1), sums, rtol=1e-6)


@pytest.mark.slow
def test_who_always_answers_one_has_the_blind_error():
    sums = adding.draw(jax.random.key(0), 20_000, 10).sums
    # The standard error of a variance of 20,000 sums is below 0.002.
    np.testing.assert_allclose(((sums - 1) ** 2).mean(), adding.BLIND_ERROR, atol=0.006)


def test_the_numbers_of_a_text_stand_for_its_characters():
    content = "the quick brown fox " * 20
    found = text.coded(content)
    codes = np.concatenate([found.train, found.test])
    assert "".join(found.characters[n] for n in codes) == content
    assert len(found.test) == len(content) // 10
    assert found.characters[0] == " "


def test_rare_characters_become_one():
    content = "".join(chr(0x4E00 + n) * (400 - n) for n in range(300))
    found = text.coded(content)
    assert len(found.characters) == text.MOST + 1
    assert max(found.train.max(), found.test.max()) == text.MOST


def test_the_text_of_cpython_is_found_and_is_the_same_every_time():
    first, second = text.load("python_topics"), text.load("python_topics")
    np.testing.assert_array_equal(first.train, second.train)
    assert len(first.train) > 300_000
    assert "e" in first.characters[:5]


def test_pieces_are_of_the_text_and_one_longer_than_what_they_ask():
    numbers = jnp.arange(50, dtype=jnp.uint8)
    pieces = text.windows(jax.random.key(0), numbers, 9, 7)
    assert pieces.shape == (9, 8)
    assert (jnp.diff(pieces) == 1).all()
    even = text.rows(numbers, 3, 7)
    assert even[:, 0].tolist() == [0, 21, 42]
    assert even[-1, -1] == 49


def message(name, file=None):
    with pytest.raises(ConfigError) as caught:
        text.load(name, file)
    (problem,) = caught.value.problems
    return problem.message


def test_a_text_of_ones_own_is_read_plain_or_zipped(tmp_path):
    (tmp_path / "a.txt").write_text("hello world " * 9)
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"hello world " * 9))
    plain, zipped = (text.load("file", tmp_path / name) for name in ("a.txt", "a.gz"))
    np.testing.assert_array_equal(plain.train, zipped.train)


def test_a_text_that_cannot_be_had_is_one_line_with_the_remedy(tmp_path, monkeypatch):
    assert "did you mean 'jargon'?" in message("jargons")
    assert "text.file is missing" in message("file")
    assert "cannot be read" in message("file", tmp_path / "none.txt")
    assert "is not read from a file" in message("jargon", tmp_path)
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)
    assert "install CPython with its standard library" in message("python_topics")
