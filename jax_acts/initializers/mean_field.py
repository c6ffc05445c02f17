"""Fixed points, depth scales, the edge of chaos, and correlation maps of wide networks.

Poole et al. 2016 (arXiv:1606.05340), Schoenholz et al. 2017 (arXiv:1611.01232), and for
the edge of chaos of other activations Hayou et al. 2019 (arXiv:1902.06853).
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jax_acts._core.bound import Bound
from jax_acts._registry.lookup import get
from jax_acts.initializers.gaussian import Moments, moments
from jax_acts.initializers.quadrature import (
    breakpoints,
    elementwise,
    in_float64,
    is_traced,
    normal_nodes,
    panel_edges,
    value_and_derivative,
)

_Q = np.geomspace(1.1e-5, 1e3, 256)  # the variances that are searched for solutions
_ROUNDING = 1e-10


class FixedPoint(NamedTuple):
    """A variance q of pre-activations that a random layer preserves."""

    weight_std: float
    r"""$\sigma_w$; weights have variance $\sigma_w^2$ / fan_in."""
    bias_std: float
    r"""$\sigma_b$."""
    q: float
    slope: float
    r"""$V'(q)$; deviations of q grow by this factor per layer."""
    chi: float
    r"""$\chi_1$; squared gradients, and squared distances of close inputs, grow by this
    factor per layer."""

    @property
    def is_stable(self) -> bool:
        """Whether deviations of q shrink."""
        return self.slope < 1 - _ROUNDING

    @property
    def q_depth(self) -> float:
        r"""Number of layers over which deviations of q change by e, $\xi_q$."""
        return _depth_scale(self.slope)

    @property
    def gradient_depth(self) -> float:
        r"""Number of layers over which squared gradients change by e, $\xi_c$."""
        return _depth_scale(self.chi)


def _depth_scale(factor: float) -> float:
    if abs(factor - 1) < _ROUNDING:
        return math.inf
    return abs(1 / math.log(factor)) if factor > 0 else 0.0


def fixed_points(
    activation: Any, weight_std: float, bias_std: float = 0.0
) -> tuple[FixedPoint, ...]:
    r"""Compute the q with $q = \sigma_w^2 E[f(\sqrt q z)^2] + \sigma_b^2$.

    >>> (point,) = fixed_points("tanh", weight_std=1.5, bias_std=0.2)
    >>> round(point.q, 4), round(point.chi, 4), round(point.gradient_depth, 1)
    (0.8709, 1.1009, 10.4)

    Args:
        activation: Anything that `jax_acts.get` accepts.
        weight_std: $\sigma_w$; `gain(activation)` has a fixed point at 1.
        bias_std: $\sigma_b$.

    Returns:
        The fixed points from 1e-5 to 1,000 by q, and 0 if it is one. Where every q is
        fixed, as for `relu` with its gain, q = 1 only.

    Raises:
        ValueError: There is none: signals grow or shrink without limit.
        TypeError: The activation is not elementwise.
    """
    f = elementwise("fixed_points", get(activation))

    def residual(m: Moments, q: Any) -> Any:
        return (weight_std**2 * m.square + bias_std**2) / q - 1

    def point(q: float) -> FixedPoint:
        m = moments(f, q)
        factor = weight_std**2
        slope, chi = float(factor * m.square_slope), float(factor * m.derivative_square)
        return FixedPoint(weight_std, bias_std, q, slope, chi)

    points = [point(q) for q in _roots(f, residual)]
    if bias_std == 0 and (slope := _slope_at_0(f)) is not None:
        chi = (weight_std * slope) ** 2
        points.insert(0, FixedPoint(weight_std, 0.0, 0.0, chi, chi))
    if not points:
        raise ValueError(
            f"fixed_points({f}): expected weight_std and bias_std with a fixed point, "
            f"got {weight_std} and {bias_std}"
        )
    return tuple(points)


def edge_of_chaos(activation: Any, bias_std: float = 0.0) -> tuple[FixedPoint, ...]:
    r"""Compute the fixed points with $\chi_1 = 1$, at which gradients keep their size.

    >>> (point,) = edge_of_chaos("tanh", bias_std=0.2)
    >>> round(point.weight_std, 4), round(point.q, 4), point.is_stable
    (1.3041, 0.5121, True)

    Args:
        activation: Anything that `jax_acts.get` accepts.
        bias_std: $\sigma_b$.

    Returns:
        The points by q. Pre-activations settle at a stable one only.

    Raises:
        ValueError: There is none: for `relu`, except without bias, and `softplus`.
        TypeError: The activation is not elementwise.
    """
    f = elementwise("edge_of_chaos", get(activation))

    def residual(m: Moments, q: Any) -> Any:
        return 1 - m.square / m.derivative_square / q - bias_std**2 / q

    def point(q: float) -> FixedPoint:
        m = moments(f, q)
        weight_std = float(m.derivative_square**-0.5)
        slope = float(m.square_slope / m.derivative_square)
        return FixedPoint(weight_std, bias_std, q, slope, 1.0)

    points = [point(q) for q in _roots(f, residual)]
    if bias_std == 0 and (slope := _slope_at_0(f)):
        points.insert(0, FixedPoint(1 / abs(slope), 0.0, 0.0, 1.0, 1.0))
    if not points:
        raise ValueError(
            f"edge_of_chaos({f}): expected a bias_std with a solution, got {bias_std}"
        )
    return tuple(points)


def _roots(f: Bound, residual: Callable[[Moments, Any], Any]) -> list[float]:
    """Return the roots in q of a residual of moments."""
    from scipy.optimize import brentq  # not needed by `import jax_acts`

    with np.errstate(all="ignore"):
        values = np.asarray(residual(moments(f, _Q), _Q))
    if np.all(np.abs(values) < _ROUNDING):
        return [1.0]
    scalar = lambda q: float(residual(moments(f, q), q))
    negative = np.signbit(values)
    is_root = np.isfinite(values[:-1] + values[1:]) & (negative[:-1] != negative[1:])
    crossings = np.flatnonzero(is_root)
    solve: Callable[..., Any] = brentq
    return [float(solve(scalar, _Q[i], _Q[i + 1], xtol=1e-14)) for i in crossings]


def _slope_at_0(f: Bound) -> float | None:
    """Return f'(0) if f(0) is 0 and f' is continuous there."""
    x = np.array([-1e-9, 0.0, 1e-9])
    y, dy = in_float64(lambda x: value_and_derivative(f, jnp.asarray(x)), x)
    smooth = np.all(np.abs(dy - dy[1]) < 1e-6) and y[1] == 0
    return float(dy[1]) if smooth else None


def correlation_map(activation: Any, correlation: Any, q: Any = 1.0) -> Any:
    r"""Compute $E[f(u) f(v)] / E[f(u)^2]$ for u, v of variance q and a correlation.

    >>> round(float(correlation_map("relu", 0.0)), 6)  # 1 / π
    0.31831

    Args:
        activation: Anything that `jax_acts.get` accepts.
        correlation: The correlation of u and v, between -1 and 1, of any shape.
        q: The variance of u and v; broadcasts against the correlation.

    Raises:
        TypeError: The activation is not elementwise.
    """
    f = elementwise("correlation_map", get(activation))
    arguments = f, panel_edges(f), correlation, q
    if is_traced(*arguments):
        return _correlation(*arguments)
    return in_float64(_correlation, *arguments)


@jax.jit
@partial(jnp.vectorize, excluded={0, 1})
def _correlation(f: Bound, edges: Any, c: Any, q: Any) -> Array:
    std = jnp.sqrt(q)
    z, weights = normal_nodes(edges, std)
    # For c -> 1 the inner mean is steep around the kinks, on the scale of r.
    r = jnp.sqrt(jnp.maximum(1 - c * c, 1e-30))
    kinks = jnp.stack([jnp.reshape(x, ()) for x in breakpoints(f)]) / std
    steps = r * np.array([-6.0, -3.0, -1.5, 0.0, 1.5, 3.0, 6.0])
    steep = (jnp.concatenate([kinks, -kinks])[:, None] + steps).ravel()
    outer, outer_weights = normal_nodes(jnp.concatenate([edges / std, steep]))

    def mean_given(z: Array) -> Array:
        y, w = normal_nodes(edges, std * r, std * c * z)
        return jnp.sum(w * f(std * (c * z + r * y)))

    means = jax.lax.map(mean_given, outer, batch_size=64)
    product = jnp.sum(outer_weights * f(std * outer) * means)
    return product / jnp.sum(weights * f(std * z) ** 2)
