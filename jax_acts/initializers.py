"""Gains and kernel initializers that keep the second moment of pre-activations.

With weights of variance gain² / fan_in, standard normal pre-activations of one layer
have second moment 1 in the next. The principle is that of glorot2010; the gain of
`relu` is that of he2015. The initializers of `jax.nn.initializers` are here too.
"""

import dataclasses
import math
from collections.abc import Callable
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.nn.initializers import (
    constant as constant,
    delta_orthogonal as delta_orthogonal,
    glorot_normal as glorot_normal,
    glorot_uniform as glorot_uniform,
    he_normal as he_normal,
    he_uniform as he_uniform,
    kaiming_normal as kaiming_normal,
    kaiming_uniform as kaiming_uniform,
    lecun_normal as lecun_normal,
    lecun_uniform as lecun_uniform,
    normal as normal,
    ones as ones,
    orthogonal as orthogonal,
    truncated_normal as truncated_normal,
    uniform as uniform,
    variance_scaling as variance_scaling,
    xavier_normal as xavier_normal,
    xavier_uniform as xavier_uniform,
    zeros as zeros,
)
from numpy.typing import NDArray

from jax_acts._core.bound import Bound
from jax_acts._core.errors import check_choice
from jax_acts._core.function import Function
from jax_acts._core.spec import Axis
from jax_acts._registry.lookup import get

Distribution = Literal["truncated_normal", "normal", "uniform"]

_INTEGRATION_LIMIT = 12.0  # the normal density beyond is below 1e-31
_PANELS, _MAX_BISECTIONS, _MAX_PANELS = 24, 40, 500
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(20)


def gain(activation: Any) -> float:
    r"""Compute $E[f(z)^2]^{-1/2}$ for a standard normal $z$.

    >>> round(gain("relu"), 4)  # the √2 of He et al. 2015
    1.4142
    >>> round(gain("tanh"), 4)
    1.5925

    Raises:
        ValueError: f is 0 everywhere, or its second moment is not finite.
        TypeError: f is not elementwise.
    """
    f = _elementwise(get(activation))
    moment = expectation(lambda z: f(z) ** 2)
    if not 0 < moment < math.inf:
        raise ValueError(
            f"gain({f}): expected a finite positive second moment, got {moment}"
        )
    return moment**-0.5


def expectation(g: Callable[[Array], Array]) -> float:
    """Compute E[g(z)] for a standard normal z, by adaptive Gauss-Legendre quadrature.

    Panels are bisected until both halves agree with the whole, so that kinks and jumps
    cost no accuracy.
    """
    edges = np.linspace(-_INTEGRATION_LIMIT, _INTEGRATION_LIMIT, _PANELS + 1)
    left, width = edges[:-1], np.diff(edges)
    whole = _integrals(g, left, width)
    # Rounding errors of g are an eps or two and cannot be refined away.
    eps = float(jnp.finfo(jnp.result_type(float)).eps)
    tolerance = 4 * eps * float(np.sum(np.abs(whole)))
    total = 0.0
    for _ in range(_MAX_BISECTIONS):
        left, width = np.concatenate([left, left + width / 2]), np.tile(width / 2, 2)
        halves = _integrals(g, left, width)
        sums = halves.reshape(2, -1).sum(axis=0)
        refine = np.abs(sums - whole) > tolerance
        total += float(np.sum(sums[~refine]))
        again = np.tile(refine, 2)
        left, width, whole = left[again], width[again], halves[again]
        if not 0 < len(left) < _MAX_PANELS:  # converged, or g is rough everywhere
            break
    return total + float(np.sum(whole))


def _integrals(
    g: Callable[[Array], Array], left: NDArray[Any], width: NDArray[Any]
) -> NDArray[Any]:
    """Integrate g times the normal density over panels.

    g is evaluated on batches of one shape, which compile once.
    """
    z = left[:, None] + width[:, None] * (1 + _NODES) / 2
    padded = np.pad(z, ((0, -len(z) % _PANELS), (0, 0)))
    with jax.ensure_compile_time_eval():
        batches = [
            np.asarray(g(jnp.asarray(batch)), np.float64)
            for batch in padded.reshape(-1, _PANELS, len(_NODES))
        ]
    values = np.concatenate(batches)[: len(z)]
    density = np.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    return np.sum(values * density * _WEIGHTS, axis=1) * width / 2


def _elementwise(bound: Bound) -> Bound:
    """Return the function if it maps a scalar to a scalar."""
    function = bound.function
    parameters = function.signature.parameters if isinstance(function, Function) else {}
    has_axis = any(p.annotation in (Axis, "Axis") for p in parameters.values())
    scalar = jax.ShapeDtypeStruct((), jnp.result_type(float))
    where = f"gain({bound}): expected an elementwise function"
    try:
        y = jax.eval_shape(bound, scalar)
    except Exception as error:
        raise TypeError(f"{where}: {error}") from error
    if has_axis or getattr(y, "shape", None) != ():
        raise TypeError(f"{where}, got {bound}")
    return bound


@dataclasses.dataclass(frozen=True)
class Initializer:
    """Kernel initializer; compared by value, so that equal layers are traced once."""

    activation: Bound
    distribution: Distribution

    def __call__(self, *args: Any, **options: Any) -> Array:
        """Return a kernel; the arguments are those of `jax.nn.initializers`."""
        init = variance_scaling(gain(self.activation) ** 2, "fan_in", self.distribution)
        return init(*args, **options)


def initializer(
    activation: Any, *, distribution: Distribution = "truncated_normal"
) -> Initializer:
    """Return a kernel initializer for layers that follow this activation.

    It is `jax.nn.initializers.variance_scaling` over fan_in with scale gain², which is
    computed when a kernel is made.

    >>> kernel = initializer("relu")(jax.random.key(0), (512, 512))
    >>> round(float(jnp.var(kernel) * 512), 1)
    2.0

    Raises:
        ValueError: The name or the distribution is unknown.
        TypeError: The activation is not elementwise.
    """
    check_choice("initializer", "distribution", distribution, get_args(Distribution))
    return Initializer(_elementwise(get(activation)), distribution)
