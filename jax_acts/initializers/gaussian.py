"""Moments of an activation and its derivative under a normal density; gains."""

import math
from functools import partial
from typing import Any, Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
import numpy as np

from jax_acts._core.bound import Bound
from jax_acts._core.errors import check_choice
from jax_acts._registry.lookup import get
from jax_acts.initializers.quadrature import (
    elementwise,
    evaluate,
    in_float64,
    is_traced,
    normal_nodes,
    panel_edges,
    value_and_derivative,
)

Mode = Literal["forward", "backward", "compromise"]


class Moments(NamedTuple):
    r"""Moments of f under a normal density of mean 0 and variance q."""

    mean: Any
    r"""$E[f(u)]$."""
    square: Any
    r"""$E[f(u)^2]$."""
    derivative_square: Any
    r"""$E[f'(u)^2]$."""
    square_slope: Any
    r"""$\frac{d}{dq} E[f(u)^2] = E[f(u) f'(u) u] / q$."""


def moments(activation: Any, q: Any = 1.0) -> Moments:
    r"""Compute the moments of $f(u)$ and $f'(u)$ for $u \sim N(0, q)$.

    Concrete arguments are computed in float64. Traced ones, q or arguments of the
    activation, are computed in the dtype of JAX and are differentiable.

    >>> m = moments("relu")
    >>> float(m.square), float(m.derivative_square), round(float(m.mean), 6)
    (0.5, 0.5, 0.398942)
    >>> gain_of = lambda slope: moments(get("leaky_relu", negative_slope=slope)).square
    >>> jax.grad(lambda slope: gain_of(slope) ** -0.5)(0.5)  # of (2 / (1 + a²))^½
    Array(-0.5059644, dtype=float32, weak_type=True)

    Args:
        activation: Anything that `jax_acts.get` accepts.
        q: The variance of u, of any shape.

    Raises:
        TypeError: The activation is not elementwise.
    """
    f = elementwise("moments", get(activation))
    arguments = f, panel_edges(f), q
    traced = is_traced(f, q)
    return _moments(*arguments) if traced else in_float64(_moments, *arguments)


@jax.jit
@partial(jnp.vectorize, excluded={0, 1})
def _moments(f: Bound, edges: Any, q: Any) -> Moments:
    std = jnp.sqrt(q)
    z, weights = normal_nodes(edges, std)
    x = std * z
    y, dy = value_and_derivative(f, x)
    expectation = lambda values: jnp.sum(weights * values)
    return Moments(
        expectation(y),
        expectation(y * y),
        expectation(dy * dy),
        expectation(y * dy * x) / q,
    )


def gain(activation: Any, mode: Mode = "forward") -> float:
    r"""Compute the standard deviation of weights, times $\sqrt{n}$, that keeps signals.

    With weights of variance gain² / n, where n is fan_in, the second moment of standard
    normal pre-activations is that of the next layer ("forward"), $E[f(z)^2]^{-1/2}$;
    where n is fan_out, that of gradients is the same ("backward"),
    $E[f'(z)^2]^{-1/2}$. "compromise" has the mean of both moments in place of one, and
    for the identity is the initializer of Glorot and Bengio (2010).

    >>> round(gain("relu"), 6)  # the √2 of He et al. (2015)
    1.414214
    >>> round(gain("tanh"), 6), round(gain("tanh", "backward"), 6)
    (1.592537, 1.467414)

    Args:
        activation: Anything that `jax_acts.get` accepts.
        mode: "forward", "backward" or "compromise".

    Raises:
        ValueError: f or its derivative is 0 everywhere, or has no finite second moment.
        TypeError: f is not elementwise.
    """
    check_choice("gain", "mode", mode, get_args(Mode))
    f = elementwise("gain", get(activation))
    z, weights = normal_nodes(panel_edges(f))
    squares = 0.0
    if mode != "backward":
        squares += in_float64(evaluate, f, z) ** 2
    if mode != "forward":
        derivative = lambda x: value_and_derivative(f, x)[1]
        squares += in_float64(evaluate, derivative, z) ** 2
    if mode == "compromise":
        squares /= 2
    with np.errstate(invalid="ignore"):
        value = float(np.sum(weights * squares))
    if not 0 < value < math.inf:
        raise ValueError(
            f"gain({f}): expected a finite positive second moment, got {value}"
        )
    return value**-0.5
