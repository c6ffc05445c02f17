import gzip
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_acts.experiments.config.errors import ConfigError
from jax_acts.experiments.config.schema import TextConfig
from jax_acts.experiments.datasets import adding_problem as adding, mnist1d, text
from jax_acts.experiments.datasets.text import load_text


def test_mnist_1d_depends_on_the_seed_only():
    first, again, other = mnist1d.draw(50), mnist1d.draw(50), mnist1d.draw(50, seed=1)
    np.testing.assert_array_equal(first.x, again.x)
    assert np.abs(first.x - other.x).mean() > 0.1


def test_mnist_1d_is_standardized_and_balanced():
    signals, labels = mnist1d.draw(500)
    assert signals.shape == (500, mnist1d.LENGTH)
    assert abs(signals.mean()) < 1e-6  # float32, of float64 codes that sum to 0
    np.testing.assert_allclose(signals.std(), 1, rtol=1e-5)
    assert np.bincount(labels).tolist() == [50] * 10


def test_mnist_1d_is_not_linearly_separable():
    """The nearest class mean is a linear classifier; the paper reports 32 %."""
    signals, labels = mnist1d.draw(2000)
    means = np.stack([signals[labels == n].mean(0) for n in range(10)])
    guesses = ((signals[:, None] - means) ** 2).sum(-1).argmin(1)
    assert 0.15 < (guesses == labels).mean() < 0.45
    templates = mnist1d._templates()
    assert len(np.unique(templates, axis=0)) == 10
    np.testing.assert_allclose(templates[:, 0], 0)


@pytest.mark.slow
@pytest.mark.parametrize("length", [2, 3, 50])
def test_the_target_is_the_sum_of_the_two_marked_values(length):
    sequences, sums = adding.draw(jax.random.key(1), 200, length)
    values, marks = sequences[..., 0], sequences[..., 1]
    half = length // 2
    assert (marks[:, :half].sum(1) == 1).all()
    assert (marks[:, half:].sum(1) == 1).all()
    np.testing.assert_allclose((values * marks).sum(1), sums, rtol=1e-6)


@pytest.mark.slow
def test_the_constant_one_has_the_baseline_error():
    sums = adding.draw(jax.random.key(0), 20_000, 10).sums
    # The standard error of a variance of 20,000 sums is below 0.002.
    np.testing.assert_allclose(
        ((sums - 1) ** 2).mean(), adding.BASELINE_MSE, atol=0.006
    )


def test_codes_decode_to_the_text():
    content = "the quick brown fox " * 20
    encoded = text.encode(content)
    codes = np.concatenate([encoded.train, encoded.test])
    assert "".join(encoded.characters[n] for n in codes) == content
    assert len(encoded.test) == len(content) // 10
    assert encoded.characters[0] == " "


def test_rare_characters_share_one_code():
    content = "".join(chr(0x4E00 + n) * (400 - n) for n in range(300))
    encoded = text.encode(content)
    assert len(encoded.characters) == text.MAX_CHARACTERS + 1
    assert max(encoded.train.max(), encoded.test.max()) == text.MAX_CHARACTERS


def test_the_python_topics_are_reproducible():
    first, second = (load_text(TextConfig()) for _ in range(2))
    np.testing.assert_array_equal(first.train, second.train)
    assert len(first.train) > 300_000
    assert "e" in first.characters[:5]


def test_windows_are_contiguous_and_one_longer_than_the_input():
    codes = jnp.arange(50, dtype=jnp.uint8)
    windows = text.windows(jax.random.key(0), codes, 9, 7)
    assert windows.shape == (9, 8)
    assert (jnp.diff(windows) == 1).all()
    even = text.even_windows(codes, 3, 7)
    assert even[:, 0].tolist() == [0, 21, 42]
    assert even[-1, -1] == 49


def message(name, path=None):
    with pytest.raises(ConfigError) as caught:
        load_text(TextConfig(name=name, path=path))
    (issue,) = caught.value.issues
    return issue.message


def test_a_file_is_read_plain_or_gzipped(tmp_path):
    (tmp_path / "a.txt").write_text("hello world " * 9)
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"hello world " * 9))
    configs = [TextConfig(name="file", path=tmp_path / n) for n in ("a.txt", "a.gz")]
    plain, zipped = map(load_text, configs)
    np.testing.assert_array_equal(plain.train, zipped.train)


def test_a_missing_text_gives_the_remedy(tmp_path, monkeypatch):
    assert "did you mean 'jargon'?" in message("jargons")
    assert "expected text.path, the path of a file, got none" in message("file")
    assert "expected a readable file" in message("file", tmp_path / "none.txt")
    assert "expected text.name = 'file', got 'jargon'" in message("jargon", tmp_path)
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)
    assert "install CPython with its standard library" in message("python_topics")
