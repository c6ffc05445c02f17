"""What is wrong with a config, said in one line for each fault."""

import difflib
from collections.abc import Iterable
from typing import NamedTuple


class Problem(NamedTuple):
    """A fault of a config: the dotted key it is about, and what to say of it."""

    key: str
    message: str


class ConfigError(Exception):
    """A config that cannot be run, with every fault that was found."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__(*problems)  # which a pickled one is made of again
        self.problems = problems

    def __str__(self) -> str:
        return "; ".join(p.message for p in self.problems)


class MissingData(ConfigError):
    """A config whose data are not on the disk: it says how to get them."""


class RunError(Exception):
    """A run that cannot go on, for a reason outside its config."""


def hint(name: str, known: Iterable[str]) -> str:
    """Returns "; did you mean 'relu'?", or nothing where no known name is near.

    >>> hint("rellu", ["relu", "tanh"])
    "; did you mean 'relu'?"
    """
    near = difflib.get_close_matches(name, list(known), 1)
    return f"; did you mean {near[0]!r}?" if near else ""
