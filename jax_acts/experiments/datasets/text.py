"""Text for character-level language models, from files already on the machine."""

import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from jax_acts._core.errors import did_you_mean
from jax_acts.experiments.config.errors import value_errors_at
from jax_acts.experiments.config.schema import TextConfig
from jax_acts.experiments.datasets.files import read_bytes


class Text(NamedTuple):
    """Character codes of a text; the last tenth is for testing."""

    train: NDArray[np.uint8]
    test: NDArray[np.uint8]
    characters: str
    """`characters[i]` is the character of code i."""


class Source(NamedTuple):
    """A text that configs name."""

    title: str
    origin: str
    install: str
    """The command that installs it."""
    read: Callable[[], str]


MAX_CHARACTERS = 255
"""Distinct characters with a code of their own; rarer ones share one code."""
_OTHER = "\N{REPLACEMENT CHARACTER}"


def load_text(config: TextConfig) -> Text:
    """Load a text by name, or the user's file where the name is "file".

    Raises:
        ConfigError: The name is unknown, or the text cannot be read.
    """
    name, path = config.name, config.path
    if path is not None:
        with value_errors_at("text.path", str(path)):
            if name != "file":
                raise ValueError(f"expected text.name = 'file', got {name!r}")
            return encode(_read_file(path))
    with value_errors_at("text.name", name):
        if name == "file":
            raise ValueError("expected text.path, the path of a file, got none")
        if name not in TEXTS:
            near = did_you_mean(name, (*TEXTS, "file"))
            raise ValueError(f"expected one of {', '.join(TEXTS)}, file{near}")
        return encode(_read_installed(TEXTS[name]))


def encode(content: str) -> Text:
    """Return character codes, sorted by frequency: the most frequent character is 0.

    >>> text = encode("abacabadabacabae" * 8)
    >>> text.characters, text.train[:4].tolist(), len(text.test)
    ('abcde', [0, 1, 0, 2], 13)
    """
    distinct, codes, counts = np.unique(
        np.array([*content]), return_inverse=True, return_counts=True
    )
    order = np.argsort(-counts, kind="stable")
    characters = "".join(distinct[order][:MAX_CHARACTERS])
    rank = np.minimum(np.argsort(order), MAX_CHARACTERS).astype(np.uint8)
    num_train = len(content) * 9 // 10
    encoded = rank[codes]
    characters += _OTHER if len(distinct) > MAX_CHARACTERS else ""
    return Text(encoded[:num_train], encoded[num_train:], characters)


def windows(key: Array, text: Array, count: int, length: int) -> Array:
    """Return `count` windows of length + 1 at random positions, int32.

    The first `length` characters are inputs, the last `length` are targets.
    """
    starts = jax.random.randint(key, (count,), 0, len(text) - length, jnp.int32)
    return text[starts[:, None] + jnp.arange(length + 1)].astype(jnp.int32)


def even_windows(text: Array, count: int, length: int) -> Array:
    """Return `count` windows of length + 1 at equal distances, int32."""
    ends = 0, len(text) - length - 1
    starts = jnp.linspace(*ends, count, dtype=jnp.float32).astype(jnp.int32)
    return text[starts[:, None] + jnp.arange(length + 1)].astype(jnp.int32)


def _read_installed(source: Source) -> str:
    try:
        return source.read()
    except (ImportError, OSError, EOFError) as error:
        message = f"not on this machine ({error}): {source.install}"
        raise FileNotFoundError(message) from None


def _read_file(path: Path) -> str:
    try:
        return read_bytes(path).decode()
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise ValueError(f"expected a readable file: {error}") from None


def _python_topics() -> str:
    from pydoc_data.topics import topics  # 465 kB

    return "\n".join(topics[name] for name in sorted(topics))


def _jargon() -> str:
    path = Path("/usr/share/doc/jargon-text/jargon.txt.gz")
    return read_bytes(path).decode("utf-8", "replace")


TEXTS: Mapping[str, Source] = {
    "python_topics": Source(
        "Python's help topics",
        "the language reference as `help()` shows it, from the running CPython "
        "(PSF licence)",
        "install CPython with its standard library (Debian: libpython3-stdlib)",
        _python_topics,
    ),
    "jargon": Source(
        "the Jargon File 4.4.7",
        "the Jargon File, edited by E. S. Raymond (public domain)",
        "apt-get install jargon-text (Debian, Ubuntu)",
        _jargon,
    ),
}
