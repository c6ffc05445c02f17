"""Lookup by name. The registry is the namespace of `jax_acts.functional`."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from jax import Array

from jax_acts import functional
from jax_acts._bound import Bound
from jax_acts._function import Function, nearest

FUNCTIONS: Mapping[str, Function[...]] = MappingProxyType(
    {k: v for k, v in vars(functional).items() if isinstance(v, Function)}
)
"""Every function by every name it has in `jax_acts.functional`."""


def get(spec: str | Bound | Callable[..., Array], **arguments: Any) -> Bound:
    """Returns the function of that name."""
    if isinstance(spec, Bound):
        return Bound(spec.function, **{**spec.arguments, **arguments})
    if callable(spec):
        return Bound(spec, **arguments)
    if spec not in FUNCTIONS:
        raise ValueError(f"no activation {spec!r}{nearest(spec, list(FUNCTIONS))}")
    return Bound(FUNCTIONS[spec], **arguments)
