"""The choice of a derivative where there is none."""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
from jax import Array

from jax_acts._core.activation import ActivationFunction


def with_kinks(
    f: ActivationFunction[...], derivatives: Mapping[float, float]
) -> ActivationFunction[...]:
    """Returns f with other derivatives at its kinks, and the same everywhere else.

    Libraries take different ones: `jax.nn.hard_tanh` has 1 at ±1, PyTorch has 0.

    >>> from jax_acts import hard_tanh
    >>> torch_like = with_kinks(hard_tanh, {-1: 0, 1: 0})
    >>> hard_tanh.derivative(1.0), torch_like.derivative(1.0)
    (Array(1., dtype=float32), Array(0., dtype=float32))

    Args:
        f: The function.
        derivatives: For each input its derivative. Kinks that are not among them keep
            theirs.

    Raises:
        ValueError: One of the inputs is no kink of f.
    """
    known = dict(f.spec.kinks)
    for x in derivatives:
        if x not in known:
            kinks = ", ".join(map(str, known)) or "none"
            raise ValueError(f"{x} is no kink of {f.__name__}; it has {kinks}")
    given = {float(x): float(slope) for x, slope in derivatives.items()}
    return _chosen(f, tuple(sorted(given.items())))


@functools.cache
def _chosen(
    f: ActivationFunction[...], given: tuple[tuple[float, float], ...]
) -> ActivationFunction[...]:
    """Returns the same object for the same choice, so that it is traced once."""
    spec = dataclasses.replace(f.spec, kinks={**f.spec.kinks, **dict(given)})
    return _WithKinks(f, spec, given)


class _WithKinks(ActivationFunction[...]):
    """A function that pickles as the choice that it was made by."""

    def __init__(
        self,
        f: ActivationFunction[...],
        spec: Any,
        given: tuple[tuple[float, float], ...],
    ) -> None:
        super().__init__(f._rule, spec)
        self._made = f, given
        x_name = f.parameters[0]

        @functools.wraps(f._rule)
        def derivative(**arguments: Any) -> Array:
            x = arguments[x_name]
            slope = f.derivative(**arguments)
            for kink, value in given:
                slope = jnp.where(x == kink, value, slope)
            return slope

        self.defderivative(derivative)
        for name in f.parameters[1:]:
            if name not in f.static:
                self.defpartial(name)(f.partial(name)._rule)

    def __reduce__(self) -> tuple[Any, ...]:
        f, given = self._made
        return with_kinks, (f, dict(given))
