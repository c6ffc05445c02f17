"""The gain of an activation: how to scale a kernel so that signals keep their size.

With weights of variance gain² / fan_in, pre-activations that are standard normal in one
layer have second moment 1 in the next. The principle is of glorot2010, and the gain of
`relu` of he2015.
"""

import dataclasses
import math
from collections.abc import Callable
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from jax_acts._core.bound import Bound
from jax_acts._core.errors import did_you_mean
from jax_acts._core.function import Function
from jax_acts._core.spec import Axis
from jax_acts._registry.lookup import get

Distribution = Literal["truncated_normal", "normal", "uniform"]

_EDGE = 12.0  # beyond it the normal distribution has no weight in float64
_PANELS, _HALVINGS, _MOST = 24, 40, 500
_NODE, _WEIGHT = np.polynomial.legendre.leggauss(20)


def gain(activation: Any) -> float:
    r"""Returns $E[f(z)^2]^{-1/2}$ for a standard normal $z$.

    >>> round(gain("relu"), 4)  # the √2 of He et al. 2015
    1.4142
    >>> round(gain("tanh"), 4)
    1.5925

    Raises:
        ValueError: f is 0 everywhere, or has no finite second moment.
        TypeError: f is not a function of one number.
    """
    f = _elementwise(get(activation))
    moment = expectation(lambda z: f(z) ** 2)
    if not 0 < moment < math.inf:
        raise ValueError(f"{f} has no gain: the mean of its square is {moment}")
    return moment**-0.5


def expectation(g: Callable[[Array], Array]) -> float:
    """Returns E[g(z)] for a standard normal z.

    Panels are halved until the halves agree with the whole, by Gauss-Legendre: so kinks
    and jumps do no harm, wherever they are.
    """
    edges = np.linspace(-_EDGE, _EDGE, _PANELS + 1)
    left, width = edges[:-1], np.diff(edges)
    whole = _integrals(g, left, width)
    # Values have errors of an eps or two, which the sum must not wait for.
    eps = float(jnp.finfo(jnp.result_type(float)).eps)
    tolerance = 4 * eps * float(np.sum(np.abs(whole)))
    total = 0.0
    for _ in range(_HALVINGS):
        left, width = np.concatenate([left, left + width / 2]), np.tile(width / 2, 2)
        halves = _integrals(g, left, width)
        both = halves.reshape(2, -1).sum(axis=0)
        open_ = np.abs(both - whole) > tolerance
        total += float(np.sum(both[~open_]))
        again = np.tile(open_, 2)
        left, width, whole = left[again], width[again], halves[again]
        if not 0 < len(left) < _MOST:  # none is left, or g is rough everywhere
            break
    return total + float(np.sum(whole))


def _integrals(
    g: Callable[[Array], Array], left: NDArray[Any], width: NDArray[Any]
) -> NDArray[Any]:
    """Returns the integrals of g times the normal density over panels.

    They are evaluated so many at a time, that there is one program to compile.
    """
    z = left[:, None] + width[:, None] * (1 + _NODE) / 2
    padded = np.pad(z, ((0, -len(z) % _PANELS), (0, 0)))
    with jax.ensure_compile_time_eval():
        parts = [
            np.asarray(g(jnp.asarray(part)), np.float64)
            for part in padded.reshape(-1, _PANELS, len(_NODE))
        ]
    values = np.concatenate(parts)[: len(z)]
    density = np.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    return np.sum(values * density * _WEIGHT, axis=1) * width / 2


def _elementwise(bound: Bound) -> Bound:
    """Returns the function, if it makes one number of one number."""
    function = bound.function
    parameters = function.signature.parameters if isinstance(function, Function) else {}
    over_axis = any(p.annotation in (Axis, "Axis") for p in parameters.values())
    scalar = jax.ShapeDtypeStruct((), jnp.result_type(float))
    try:
        y = jax.eval_shape(bound, scalar)
    except Exception as error:
        raise TypeError(f"{bound} is no function of one number: {error}") from error
    if over_axis or getattr(y, "shape", None) != ():
        raise TypeError(f"{bound} is no function of one number: it has no gain")
    return bound


@dataclasses.dataclass(frozen=True)
class Initializer:
    """Makes kernels; equal ones are equal, so that layers with them trace once."""

    activation: Bound
    distribution: Distribution

    def __call__(self, *args: Any, **options: Any) -> Array:
        """Returns a kernel; the arguments are those of `jax.nn.initializers`."""
        make = jax.nn.initializers.variance_scaling(
            gain(self.activation) ** 2, "fan_in", self.distribution
        )
        return make(*args, **options)


def initializer(
    activation: Any, *, distribution: Distribution = "truncated_normal"
) -> Initializer:
    """Returns a kernel initialiser for layers that follow this activation.

    It is `jax.nn.initializers.variance_scaling` over fan_in with the scale gain², which
    is computed when a kernel is made.

    >>> kernel = initializer("relu")(jax.random.key(0), (512, 512))
    >>> round(float(jnp.var(kernel) * 512), 1)
    2.0

    Raises:
        ValueError: The name or the distribution is unknown.
        TypeError: The activation is not a function of one number.
    """
    known = get_args(Distribution)
    if distribution not in known:
        raise ValueError(
            f"there is no distribution {distribution!r}"
            f"{did_you_mean(str(distribution), known)}; there are {', '.join(known)}"
        )
    return Initializer(_elementwise(get(activation)), distribution)
