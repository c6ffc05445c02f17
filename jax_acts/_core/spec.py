"""What is declared about a function: annotations of its arguments, and metadata."""

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

from jax import Array

Coefficients = Array | tuple[float, ...]
"""Coefficients along the first axis; the other axes broadcast against x."""
Axis = int | tuple[int, ...] | None
"""One axis, several, or all (None)."""
InnerFunction = Callable[..., Array]
"""An elementwise function that another function calls; static."""
InnerFunctions = tuple[InnerFunction, ...]
"""A tuple of inner functions; static."""

STATIC_TYPES = (bool, Axis, "bool", "Axis", InnerFunction, InnerFunctions)
"""Annotations of arguments that are static wherever they stand."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ActivationSpec:
    """Metadata of a function at its default arguments; the tests check every field."""

    cite: str = ""
    """Keys in `references.bib`, separated by spaces."""
    range: tuple[float, float] = (-math.inf, math.inf)
    """Infimum and supremum of the values."""
    domain: tuple[float, float] = (-math.inf, math.inf)
    """Interval on which the function is defined; it is NaN elsewhere."""
    kinks: Mapping[float, float] = dataclasses.field(default_factory=dict)
    """Inputs without a derivative, mapped to the value that `derivative` returns."""
    bounds: Mapping[str, tuple[float, float]] = dataclasses.field(default_factory=dict)
    """Arguments mapped to the interval, ends included, on which value and derivatives
    are finite; `Learn` projects to it."""
    limits: Mapping[str, tuple[float, ...]] = dataclasses.field(default_factory=dict)
    """Arguments mapped to the points, 0 or ∞, where the formula is NaN and f has a
    limit: values close to the points replace them."""
    exact: bool = False
    """Whether the value is exact in 16 bits, and so is computed there.

    XLA fuses a rectifier of the dtype of a matmul or convolution into it.
    """
    reference: Callable[..., Any] | None = None
    """mpmath reference `f(m, x, *args)`, where `m` is the module mpmath."""
    surrogate: Callable[..., Any] | None = None
    """mpmath reference of the function whose derivatives replace those of `reference`.

    The derivatives then differ from those of the values, and no property test compares
    the two.
    """

    def reference_of(self, order: int) -> Callable[..., Any] | None:
        """Return the reference that the derivative of this order belongs to."""
        return (order and self.surrogate) or self.reference
