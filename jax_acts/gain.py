"""The gain of an activation: how to scale a kernel so that signals keep their size.

With weights of variance gain² / fan_in, pre-activations that are standard normal in one
layer have second moment 1 in the next. The principle is of glorot2010, and the gain of
`relu` of he2015.
"""

import functools
import math
from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.nn.initializers import Initializer

from jax_acts._activation import ActivationFunction
from jax_acts._bound import Bound
from jax_acts.registry import get

_EDGE = 12.0  # beyond it the normal distribution has no weight in float64
_PANELS, _NODES = 24, 20


def gain(activation: Any) -> float:
    r"""Returns $E[f(z)^2]^{-1/2}$ for a standard normal $z$.

    >>> round(gain("relu"), 4)  # the √2 of He et al. 2015
    1.4142
    >>> round(gain("tanh"), 4)
    1.5925
    """
    f = get(activation)
    moment = expectation(lambda z: f(z) ** 2, kinks(f))
    if moment <= 0:
        raise ValueError(f"{f} is 0 for every input: it has no gain")
    return moment**-0.5


def expectation(g: Callable[[Array], Array], kinks: tuple[float, ...] = ()) -> float:
    """Returns E[g(z)] for a standard normal z, by Gauss-Legendre between the kinks."""
    edges = np.linspace(-_EDGE, _EDGE, _PANELS + 1)
    edges = np.unique(np.concatenate([edges, np.clip(kinks, -_EDGE, _EDGE)]))
    node, weight = np.polynomial.legendre.leggauss(_NODES)
    half = np.diff(edges)[:, None] / 2
    z = (edges[:-1, None] + half) + half * node
    density = half * weight * np.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    with jax.ensure_compile_time_eval():
        values = np.asarray(g(jnp.asarray(z)), np.float64)
    return float(np.sum(values * density))


def kinks(bound: Bound) -> tuple[float, ...]:
    """Returns where the function, at its default arguments, has no derivative."""
    function = bound.function
    facts = function.facts if isinstance(function, ActivationFunction) else None
    return tuple(facts.kinks) if facts else ()


def initializer(
    activation: Any,
    *,
    distribution: Literal["truncated_normal", "normal", "uniform"] = "truncated_normal",
) -> Initializer:
    """Returns a kernel initialiser for layers that follow this activation.

    It is `jax.nn.initializers.variance_scaling` over fan_in with the scale gain², which
    is computed when the first kernel is made.

    >>> kernel = initializer("relu")(jax.random.key(0), (512, 512))
    >>> round(float(jnp.var(kernel) * 512), 1)
    2.0
    """
    f = get(activation)
    scaling = functools.partial(
        jax.nn.initializers.variance_scaling, mode="fan_in", distribution=distribution
    )
    return lambda *args, **options: scaling(gain(f) ** 2)(*args, **options)
