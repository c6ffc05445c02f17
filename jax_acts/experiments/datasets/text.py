"""Text to learn to write character by character, found on the machine as it runs."""

import gzip
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from jax_acts.experiments.config.errors import ConfigError, Problem, hint


class Text(NamedTuple):
    """A text as numbers of characters, the last tenth of it kept for testing."""

    train: NDArray[np.uint8]
    test: NDArray[np.uint8]
    characters: str
    """Character i is the one that the number i stands for."""


class Source(NamedTuple):
    """A text that can be named in a config."""

    title: str
    origin: str
    install: str
    """The command that puts it on the disk."""
    read: Callable[[], str]


MOST = 255
"""The kinds of characters that are kept; rarer ones become one that stands for all."""
_OTHER = "\N{REPLACEMENT CHARACTER}"


def load(name: str, file: Path | None = None) -> Text:
    """Returns the text of that name, or of the user's own file where it is "file".

    Raises:
        ConfigError: There is no such text, it is not on the disk, or it is too short.
    """
    if name == "file":
        content = _own(file)
    elif file is not None:
        message = f"text.file: the text {name!r} is not read from a file of yours"
        raise ConfigError(Problem("text.file", message))
    elif name not in TEXTS:
        known = [*TEXTS, "file"]
        said = f"no text {name!r}{hint(name, known)} (texts: {', '.join(known)})"
        raise ConfigError(Problem("text.set", said))
    else:
        content = _installed(name)
    return coded(content)


def coded(content: str) -> Text:
    """Returns the text as numbers, the most frequent character 0.

    >>> text = coded("abacabadabacabae" * 8)
    >>> text.characters, text.train[:4].tolist(), len(text.test)
    ('abcde', [0, 1, 0, 2], 13)
    """
    kinds, codes, counts = np.unique(
        np.array([*content]), return_inverse=True, return_counts=True
    )
    order = np.argsort(-counts, kind="stable")
    kept = "".join(kinds[order][:MOST])
    rank = np.minimum(np.argsort(order), MOST).astype(np.uint8)
    cut = len(content) * 9 // 10
    numbers = rank[codes]
    characters = kept + (_OTHER if len(kinds) > MOST else "")
    return Text(numbers[:cut], numbers[cut:], characters)


def windows(key: Array, text: Array, count: int, length: int) -> Array:
    """Returns so many pieces of length + 1 from random places, int32.

    Each gives `length` characters and, one place later, those that follow them.
    """
    starts = jax.random.randint(key, (count,), 0, len(text) - length)
    return text[starts[:, None] + jnp.arange(length + 1)].astype(jnp.int32)


def rows(text: Array, count: int, length: int) -> Array:
    """Returns as `windows` does pieces at equal distances, the same every time."""
    starts = jnp.linspace(0, len(text) - length - 1, count).astype(jnp.int32)
    return text[starts[:, None] + jnp.arange(length + 1)].astype(jnp.int32)


def _installed(name: str) -> str:
    try:
        return TEXTS[name].read()
    except (ImportError, OSError, EOFError) as error:
        said = f"text.set = {name!r}: not on this machine ({error})"
        message = f"{said}; this gets it: {TEXTS[name].install}"
        raise ConfigError(Problem("text.set", message)) from None


def _own(file: Path | None) -> str:
    if file is None:
        message = "text.file is missing: the file to learn from"
        raise ConfigError(Problem("text.file", message))
    try:
        return _plain(file)
    except (OSError, EOFError, UnicodeDecodeError) as error:
        message = f"text.file = {str(file)!r}: cannot be read: {error}"
        raise ConfigError(Problem("text.file", message)) from None


def _plain(path: Path) -> str:
    raw = path.read_bytes()
    return (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode()


def _python_topics() -> str:
    from pydoc_data.topics import topics  # 465 kB, of no use to other texts

    return "\n".join(topics[name] for name in sorted(topics))


def _jargon() -> str:
    path = Path("/usr/share/doc/jargon-text/jargon.txt.gz")
    return gzip.decompress(path.read_bytes()).decode("utf-8", "replace")


TEXTS: Mapping[str, Source] = MappingProxyType(
    {
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
)
