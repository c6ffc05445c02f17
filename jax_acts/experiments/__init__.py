"""Experiments that compare activations: `compare` in Python, `jax-acts run` for TOML.

Install with `pip install 'jax-acts[experiments]'`.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jax_acts.experiments.api import Result as Result, compare as compare

__all__ = ["Result", "compare"]


def __getattr__(name: str) -> Any:
    """Import `compare` and `Result` when they are used: they need the extra."""
    if name in __all__:
        from jax_acts.experiments import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
