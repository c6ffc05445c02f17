r"""Shaped activations: deep networks that train without residual connections or norms.

A shaped activation is $a f(b x + c) + d$, with constants solved for a depth, so that
the kernel of a network of that depth neither collapses nor decorrelates inputs at
initialization. Q is the map of squared lengths from layer to layer and C that of
correlations, both of standard normal pre-activations:

    dks (Martens et al. 2021, arXiv:2110.01765)   Q(1) = Q'(1) = 1, C(0) = 0, C'(1) > 1
    tat (Zhang et al. 2022, arXiv:2203.08120)     Q(1) = Q'(1) = C'(1) = 1, C''(1) > 0

Both assume weights of variance 1 / fan_in, better orthogonal, biases 0, and inputs of
mean square 1 for each example.
"""

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jax_acts._core.bound import Bound
from jax_acts._registry.lookup import get
from jax_acts.functional.combinators import affine
from jax_acts.functional.rectified import leaky_relu, relu
from jax_acts.initializers.quadrature import (
    elementwise,
    in_float64,
    normal_nodes,
    panel_edges,
)

_TRIES = 50
_MAX_RESIDUAL = 1e-7
# Of |a b| max |f'|: steeper solutions have unstable Q maps. The package `dks` bounds
# a b, which is the same for functions of slope 1.
_MAX_SLOPE = 2.0


def dks(activation: Any, depth: int, *, slope: float = 1.5) -> Bound:
    """Shape an activation by Deep Kernel Shaping.

    >>> shaped = dks("tanh", depth=50)
    >>> {name: round(shaped.arguments[name], 4) for name in ("scale", "rate", "shift")}
    {'scale': 10.6044, 'rate': 0.1284, 'shift': 0.5708}

    Args:
        activation: Anything that `jax_acts.get` accepts. The negative slope of
            `leaky_relu` is solved for in place of the rate b.
        depth: The number of layers with an activation.
        slope: The derivative at 1 of the correlation map of the network, above 1; with
            a larger one the network is further from linear.

    Returns:
        `affine` of the activation.

    Raises:
        ValueError: The activation has no solution, as `relu`, or an argument is out of
            range.
        TypeError: The activation is not elementwise.
    """
    where, f = _checked("dks", activation, depth)
    if not slope > 1:
        raise ValueError(f"{where}: slope: expected a number above 1, got {slope}")
    layer_slope = slope ** (1 / depth)
    edges = panel_edges(f)
    solves_slope = f.function is leaky_relu

    def constants(p: Array) -> dict[str, Any]:
        names = ("negative_slope", "shift") if solves_slope else ("rate", "shift")
        return {"rate": 1.0, **dict(zip(names, p, strict=True))}

    def residuals(p: Array) -> tuple[Array, dict[str, Array]]:
        maps, solved = _local_maps(f, edges, **constants(p))
        return jnp.stack([maps[0] - 1, maps[1] - layer_slope]), solved

    first = (0.0, 0.5) if solves_slope else (1.0, 0.1)
    starts = _starts(first, (0.0, 1.0, -1.0), high=(1 if solves_slope else 2, 3))
    return _shaped(where, f, residuals, starts)


def tat(
    activation: Any, depth: int, *, curvature: float = 0.3, correlation: float = 0.9
) -> Bound:
    """Shape an activation by Tailored Activation Transformation.

    >>> shaped = tat("leaky_relu", depth=50)
    >>> round(shaped.arguments["of"].arguments["negative_slope"], 4)
    0.4305

    Args:
        activation: Anything that `jax_acts.get` accepts, with a continuous derivative;
            or `leaky_relu`, whose negative slope is solved for.
        depth: The number of layers with an activation.
        curvature: The second derivative at 1 of the correlation map of the network; of
            activations other than `leaky_relu`.
        correlation: The correlation of the outputs for uncorrelated inputs; of
            `leaky_relu`.

    Returns:
        `affine` of the activation.

    Raises:
        ValueError: The activation has kinks, or no solution, or an argument is out of
            range.
        TypeError: The activation is not elementwise.
    """
    where, f = _checked("tat", activation, depth)
    if not curvature > 0:
        raise ValueError(
            f"{where}: curvature: expected a positive number, got {curvature}"
        )
    if f.function is leaky_relu:
        return _tat_leaky_relu(where, depth, correlation)
    kinks = getattr(getattr(f.function, "spec", None), "kinks", {})
    if kinks:
        raise ValueError(
            f"{where}: expected a continuous derivative, got a kink at "
            f"{', '.join(f'{x:g}' for x in kinks)}, where C''(1) is infinite; "
            "use leaky_relu or dks"
        )
    layer_curvature = curvature / depth
    edges = panel_edges(f)

    def residuals(p: Array) -> tuple[Array, dict[str, Array]]:
        rate, shift, offset = p
        maps, solved = _local_maps(f, edges, rate, shift, offset)
        return jnp.stack([*maps]) - jnp.array([1.0, 1.0, layer_curvature]), solved

    centers = (0.0, 1.0, -1.0)
    starts = _starts((1.0, 0.1), centers, centers, high=(2, 3, 3))
    return _shaped(where, f, residuals, starts, _MAX_SLOPE / _steepest(f))


def _checked(method: str, activation: Any, depth: int) -> tuple[str, Bound]:
    """Return the prefix of error messages and the activation."""
    f = elementwise(method, get(activation))
    where = f"{method}({f})"
    if isinstance(depth, bool) or not isinstance(depth, int) or depth < 1:
        raise ValueError(f"{where}: depth: expected a positive integer, got {depth!r}")
    if f.function is relu:
        raise ValueError(
            f"{where}: expected a function with a solution; use leaky_relu"
        )
    return where, f


def _local_maps(
    f: Bound,
    edges: Any,
    rate: Any = 1.0,
    shift: Any = 0.0,
    offset: Any = None,
    **arguments: Any,
) -> tuple[tuple[Array, ...], dict[str, Array]]:
    """Return Q'(1), C'(1), C''(1) of scale (f(rate z + shift) + offset), and constants.

    The scale gives Q(1) = 1; without an offset, the mean is 0: C(0) = 0.
    """
    z, w = normal_nodes(edges, rate, shift)
    g = lambda z: f(rate * z + shift, **arguments)
    dg = lambda z: jax.jvp(g, (z,), (jnp.ones_like(z),))[1]
    y, (dy, ddy) = g(z), jax.jvp(dg, (z,), (jnp.ones_like(z),))
    offset = -jnp.sum(w * y) if offset is None else offset
    y = y + offset
    square = jnp.sum(w * y * y)
    scale = square**-0.5
    solved = {"scale": scale, "rate": rate, "shift": shift, "offset": scale * offset}
    maps = tuple(jnp.sum(w * v) / square for v in (y * dy * z, dy * dy, ddy * ddy))
    return maps, solved | arguments


def _starts(*grids: tuple[float, ...], high: tuple[float, ...]) -> Iterator[Any]:
    """Yield a grid of starting points, then random points up to `high`."""
    yield from itertools.product(*grids)
    random = np.random.default_rng(0)
    low = [0.0, *(-h for h in high[1:])]
    for _ in range(_TRIES):
        yield random.uniform(low, high)


def _shaped(
    where: str,
    f: Bound,
    residuals: Callable[[Array], tuple[Array, dict[str, Array]]],
    starts: Iterator[Any],
    max_slope: float = math.inf,
) -> Bound:
    """Return `affine` of f with the first solution from the starting points."""
    from scipy.optimize import root  # not needed by `import jax_acts`

    compiled = jax.jit(residuals)
    error = lambda p: in_float64(compiled, np.asarray(p, np.float64))[0]
    for start in starts:
        with np.errstate(all="ignore"):
            solution = root(error, np.asarray(start), tol=1e-12)
        residual, constants = in_float64(compiled, solution.x)
        if not np.abs(residual).max() < _MAX_RESIDUAL:
            continue
        values = {name: float(value) for name, value in constants.items()}
        if abs(values["scale"] * values["rate"]) < max_slope:
            slope = values.pop("negative_slope", None)
            inner = f if slope is None else Bound(leaky_relu, negative_slope=slope)
            return Bound(affine, **values, of=inner)
    raise ValueError(
        f"{where}: expected a function with a solution, found none from {_TRIES} "
        "starting points"
    )


def _steepest(f: Bound) -> float:
    """Return the largest |f'(x)| on a grid."""
    derivative = lambda x: jax.jvp(f, (x,), (jnp.ones_like(x),))[1]
    slopes = in_float64(derivative, np.linspace(-8, 8, 641))
    return float(np.nanmax(np.abs(slopes)))


def _tat_leaky_relu(where: str, depth: int, correlation: float) -> Bound:
    from scipy.optimize import brentq

    def error(slope: float) -> float:
        c = 0.0
        for _ in range(depth):
            angle = np.sqrt(1 - c * c) + (np.pi - np.arccos(c)) * c
            c = (1 - slope) ** 2 * angle / np.pi + 2 * slope * c
            c = min(c / (1 + slope**2), 1.0)
        return c - correlation

    if not 0 < correlation < error(0.0) + correlation:
        raise ValueError(
            f"{where}: correlation: expected a number between 0 and "
            f"{error(0.0) + correlation:.3g}, which relu reaches at depth {depth}, got "
            f"{correlation}"
        )
    root: Any = brentq(error, 0.0, 1.0, xtol=1e-14)
    slope = float(root)
    scale = (2 / (1 + slope**2)) ** 0.5
    return Bound(affine, scale=scale, of=Bound(leaky_relu, negative_slope=slope))
