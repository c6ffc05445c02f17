"""Derivatives at kinks, where the mathematical function has none."""

import dataclasses
import functools
import math
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
from jax import Array

from jax_acts._core.activation import ActivationFunction
from jax_acts._core.identity import split_policies


def with_kinks(
    f: ActivationFunction[...], derivatives: Mapping[float, float]
) -> ActivationFunction[...]:
    """Return a copy of f with other derivatives at its kinks.

    Libraries disagree there: at ±1 the derivative of `jax.nn.hard_tanh` is 1, that of
    PyTorch 0.

    >>> from jax_acts import hard_tanh
    >>> torch_like = with_kinks(hard_tanh, {-1: 0, 1: 0})
    >>> x = jnp.ones(1)
    >>> hard_tanh.derivative(x), torch_like.derivative(x)
    (Array([1.], dtype=float32), Array([0.], dtype=float32))

    Args:
        f: The function.
        derivatives: A map from kinks to derivatives. Kinks that are left out keep
            theirs.

    Raises:
        ValueError: An input is not a kink of f.
    """
    for x in derivatives:
        if x not in f.spec.kinks:
            valid = ", ".join(map(str, f.spec.kinks)) or "none (f has no kinks)"
            raise ValueError(f"with_kinks({f.__name__}): expected {valid}, got {x}")
    base, policies = split_policies(f)
    items = {**dict(policies.get("kinks", ())), **derivatives}
    one_nan = lambda v: math.nan if math.isnan(v) else float(v)  # equal to itself
    kinks = tuple(sorted((float(x), one_nan(dy)) for x, dy in items.items()))
    if not kinks:
        return f
    copy = base._copies.get(kinks)
    if copy is None:  # one object for the same derivatives, so that it is traced once
        copy = base._copies[kinks] = _with_kinks(base, kinks)
    copy = copy.with_residuals(policies.get("residuals", "derivative"))
    return copy.with_implementation(policies.get("implementation", "default"))


def _with_kinks(
    f: ActivationFunction[...], derivatives: tuple[tuple[float, float], ...]
) -> ActivationFunction[...]:
    kinks = {**f.spec.kinks, **dict(derivatives)}
    copy = ActivationFunction(f._rule, dataclasses.replace(f.spec, kinks=kinks))
    x_name, *parameters = f.parameters
    dx = f._partial_rules(x_name)  # f would refer to the copy, and its program to f

    @copy.defderivative
    @functools.wraps(f._rule)
    def derivative(**arguments: Any) -> Array:
        x, dy = arguments[x_name], dx._trace(arguments, frozenset())
        for kink, value in derivatives:
            dy = jnp.where(x == kink, value, dy)
        return dy

    for name in parameters:
        if name not in f.static:
            copy.defpartial(name)(f._partial_rules(name)._rule)
    copy._origin = with_kinks, (f, dict(derivatives))
    return copy
