"""Parts of error messages."""

import difflib
from collections.abc import Iterable
from typing import Any


def did_you_mean(name: str, valid: Iterable[str]) -> str:
    """Return "; did you mean 'silu'?", or "" if no valid name is close.

    >>> did_you_mean("sliu", ["silu", "relu"])
    "; did you mean 'silu'?"
    >>> did_you_mean("x_train", ["y_train", "X_train"])  # case does not count
    "; did you mean 'X_train'?"
    """
    names = {v.lower(): v for v in reversed([*valid])}
    close = difflib.get_close_matches(name.lower(), list(names), 1)
    return f"; did you mean {names[close[0]]!r}?" if close else ""


def check_choice(where: str, argument: str, value: Any, valid: tuple[Any, ...]) -> None:
    """Raise a ValueError unless a static argument is one of the valid values."""
    if value not in valid:
        choices = " or ".join(map(repr, valid))
        strings = [v for v in valid if isinstance(v, str)]
        near = did_you_mean(value, strings) if isinstance(value, str) else ""
        raise ValueError(
            f"{where}: {argument}: expected {choices}, got {value!r}{near}"
        )
