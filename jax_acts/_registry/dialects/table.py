"""Tables of names, and the signatures that several libraries share."""

from collections.abc import Callable
from typing import Any, Literal

from jax_acts._core.arguments import Learn

Meaning = tuple[str, dict[str, Any]]
"""A function of the catalog and its arguments."""
Entry = str | Callable[..., Meaning]
"""A function of the catalog with equal arguments, or a function to its `Meaning`."""
Table = dict[str, Entry]
"""Names, separated by spaces, and what they mean."""


def to(name: str, /, **arguments: Any) -> Meaning:
    """Return a `Meaning`."""
    return name, arguments


def names(text: str) -> Table:
    """Return a table of names with the arguments of the catalog.

    >>> names("relu elu,ELU exp=exponential")
    {'relu': 'relu', 'elu ELU': 'elu', 'exp': 'exponential'}
    """
    entries = (item.partition("=") for item in text.split())
    return {
        spellings.replace(",", " "): name or spellings.split(",")[0]
        for spellings, _, name in entries
    }


def gelu_by_flag(approximate: bool = False) -> Meaning:
    """Return GELU, exact or by tanh."""
    return to("gelu_tanh" if approximate else "gelu_exact")


def gelu_by_name(approximate: Literal["none", "tanh"] = "none") -> Meaning:
    """Return GELU, exact or by tanh."""
    return to({"none": "gelu_exact", "tanh": "gelu_tanh"}[approximate])


def prelu_by_count(num_parameters: int = 1, init: float = 0.25) -> Meaning:
    """Return PReLU; the features lie along the last axis, in PyTorch along axis 1."""
    return to("leaky_relu", negative_slope=Learn(init, per_feature=num_parameters > 1))
