"""Discontinuous functions with surrogate gradients: step, sign and round.

Their derivative is 0. With `surrogate=`, forward and reverse mode use γ s(k u) instead,
where u is the distance to the jump and s, with s(0) = 1, is one of

    straight_through  1                                         bengio2013
    clipped           1 if |u| ≤ 1, else 0                      courbariaux2016
    fast_sigmoid      1 / (1 + |u|)²                            zenke2018
    arctan            1 / (1 + u²)                              fang2021
    triangle          max(1 - |u|, 0)                           esser2016, bellec2018
    gaussian          exp(-u²)
    sigmoid           1 / cosh(u/2)² = 4 σ(u) σ(-u)

The second derivative is γ k s'(k u). The value does not depend on k or γ, and its
derivatives in them are 0. k and γ are arrays, so a training schedule can change them.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal, get_args

import jax.numpy as jnp
from jax import Array

from jax_acts._core.activation import activation
from jax_acts._core.errors import check_choice
from jax_acts._numerics.bitwise import (
    copysign,
    propagate_nan,
)
from jax_acts._numerics.types import Real
from jax_acts.functional.algebraic import arctan, soft_sign
from jax_acts.functional.hard import hard_tanh
from jax_acts.functional.hyperbolic import tanh
from jax_acts.functional.normal import gaussian

__all__ = [
    "heaviside",
    "round",
    "sign",
    "step",
]

Surrogate = Literal[
    "straight_through",
    "clipped",
    "fast_sigmoid",
    "arctan",
    "triangle",
    "gaussian",
    "sigmoid",
]


@activation
def _triangle(u: Real) -> Array:
    return jnp.maximum(1 - jnp.abs(u), 0)


@_triangle.defderivative
def _triangle_dx(u: Real) -> Array:
    return propagate_nan(u, jnp.where(jnp.abs(u) < 1, -jnp.sign(u), 0.0))


_SURROGATES: Mapping[str, Callable[[Real], Array]] = MappingProxyType(
    {
        "straight_through": lambda u: propagate_nan(u, 1.0),
        "clipped": hard_tanh.derivative,
        "fast_sigmoid": soft_sign.derivative,
        "arctan": arctan.derivative,
        "triangle": _triangle,
        "gaussian": gaussian,
        "sigmoid": lambda u: tanh.derivative(0.5 * u),
    }
)


def _check_surrogate(name: str, surrogate: str | None) -> None:
    check_choice(name, "surrogate", surrogate, (*get_args(Surrogate), None))


def _surrogate_derivative(
    name: str, surrogate: str | None, u: Real, sharpness: Real, height: Real
) -> Array:
    """Return γ s(k u) at distance u from a jump; 0 without a surrogate."""
    _check_surrogate(name, surrogate)
    if surrogate is None:
        return propagate_nan(u, 0.0)
    return height * _SURROGATES[surrogate](sharpness * u)


@activation(
    cite="zenke2018 fang2021 bellec2018 esser2016 bengio2013",
    range=(0, 1),
    kinks={0: 0},
    reference=lambda m, x, threshold=0, sharpness=1, height=1: m.mpf(x >= threshold),
)
def step(
    x: Real,
    threshold: Real = 0.0,
    sharpness: Real = 1.0,
    height: Real = 1.0,
    *,
    at_threshold: float = 1.0,
    surrogate: Surrogate | None = None,
) -> Array:
    r"""Step, or Heaviside function, 1 if $x \ge \theta$, else 0.

    The derivative is 0, or with a surrogate $\gamma\,s(k (x - \theta))$; the derivative
    in $\theta$ is its negative.

    Args:
        x: The input.
        threshold: $\theta$.
        sharpness: $k$, the reciprocal width of the surrogate derivative.
        height: $\gamma$, the surrogate derivative at the threshold.
        at_threshold: The value at the threshold.
        surrogate: $s$: "straight_through", "clipped", "fast_sigmoid" (SuperSpike),
            "arctan", "triangle", "gaussian" or "sigmoid". None: the derivative is 0.

    Raises:
        ValueError: `surrogate` is unknown.

    >>> step(jnp.array([-2.0, 0.0, 3.0]))
    Array([0., 1., 1.], dtype=float32)
    >>> step.derivative(0.5, threshold=1.0, sharpness=2.0, surrogate="fast_sigmoid")
    Array(0.25, dtype=float32, weak_type=True)
    """
    _check_surrogate("step", surrogate)
    below = jnp.where(x == threshold, at_threshold, 0.0)
    return propagate_nan(x, jnp.where(x > threshold, 1.0, below))


@step.defderivative
def step_dx(
    x: Real,
    threshold: Real = 0.0,
    sharpness: Real = 1.0,
    height: Real = 1.0,
    *,
    at_threshold: float = 1.0,
    surrogate: Surrogate | None = None,
) -> Array:
    return _surrogate_derivative("step", surrogate, x - threshold, sharpness, height)


@step.defpartial("threshold")
def step_dthreshold(
    x: Real,
    threshold: Real = 0.0,
    sharpness: Real = 1.0,
    height: Real = 1.0,
    *,
    at_threshold: float = 1.0,
    surrogate: Surrogate | None = None,
) -> Array:
    return -_surrogate_derivative("step", surrogate, x - threshold, sharpness, height)


heaviside = step


@activation(
    cite="courbariaux2016 bengio2013",
    range=(-1, 1),
    kinks={0: 0},
    reference=lambda m, x, sharpness=1, height=1: m.sign(x),
)
def sign(
    x: Real,
    sharpness: Real = 1.0,
    height: Real = 1.0,
    *,
    at_zero: float = 0.0,
    surrogate: Surrogate | None = None,
) -> Array:
    r"""Sign, 1 if $x > 0$, else $-1$ if $x < 0$, else 0.

    The derivative is 0, or with a surrogate $\gamma\,s(k x)$. Binarized networks use
    `sign(x, at_zero=1.0, surrogate="clipped")`.

    Args:
        x: The input.
        sharpness: $k$, the reciprocal width of the surrogate derivative.
        height: $\gamma$, the surrogate derivative at 0.
        at_zero: The value at 0.
        surrogate: $s$, see `step`. None: the derivative is 0.

    Raises:
        ValueError: `surrogate` is unknown.

    >>> sign(jnp.array([-2.0, 0.0, 3.0]))
    Array([-1.,  0.,  1.], dtype=float32)
    """
    _check_surrogate("sign", surrogate)
    nonpositive = jnp.where(x < 0, -1.0, at_zero)
    return propagate_nan(x, jnp.where(x > 0, 1.0, nonpositive))


@sign.defderivative
def sign_dx(
    x: Real,
    sharpness: Real = 1.0,
    height: Real = 1.0,
    *,
    at_zero: float = 0.0,
    surrogate: Surrogate | None = None,
) -> Array:
    return _surrogate_derivative("sign", surrogate, x, sharpness, height)


@activation(
    cite="bengio2013",
    kinks={n + 0.5: 0 for n in range(-6, 6)},  # The kinks near 0; the list is infinite.
    reference=lambda m, x, sharpness=1, height=1: m.nint(x),
)
def round(
    x: Real,
    sharpness: Real = 1.0,
    height: Real = 1.0,
    *,
    surrogate: Surrogate | None = None,
) -> Array:
    r"""Round to nearest, $\lfloor x + 1/2 \rfloor$, ties to even.

    The derivative is 0, or with a surrogate $\gamma\,s(k u)$, where $u$ is the distance
    to the nearest jump. Quantized networks use
    `round(x, surrogate="straight_through")`.

    Args:
        x: The input.
        sharpness: $k$, the reciprocal width of the surrogate derivative.
        height: $\gamma$, the surrogate derivative at a jump.
        surrogate: $s$, see `step`. None: the derivative is 0.

    Raises:
        ValueError: `surrogate` is unknown.

    >>> round(jnp.array([-1.7, 0.5, 1.5]))
    Array([-2.,  0.,  2.], dtype=float32)
    """
    _check_surrogate("round", surrogate)
    # Pallas for Triton has floor, but no round.
    low = jnp.floor(x)
    fraction = x - low
    is_odd = low != 2 * jnp.floor(0.5 * low)
    up = (fraction > 0.5) | ((fraction == 0.5) & is_odd)
    return copysign(jnp.where(up, low + 1, low), x)


@round.defderivative
def round_dx(
    x: Real,
    sharpness: Real = 1.0,
    height: Real = 1.0,
    *,
    surrogate: Surrogate | None = None,
) -> Array:
    finite = jnp.where(jnp.isinf(x), 0.0, x)
    u = finite - (jnp.floor(finite) + 0.5)
    return _surrogate_derivative("round", surrogate, u, sharpness, height)
