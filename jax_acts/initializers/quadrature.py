"""Gauss–Legendre quadrature over a normal density, in panels that end at kinks.

The nodes of a panel see a smooth integrand, so that the error of twenty nodes per unit
length is that of rounding. Kinks are metadata of the functions and arguments of them
(`threshold`, `piecewise`); of other functions they are located by bisection.
"""

import functools
import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.core import Tracer

from jax_acts._core.arguments import Learn
from jax_acts._core.bound import Bound
from jax_acts._core.compat import enable_x64
from jax_acts._core.curves import F64
from jax_acts._core.function import Function
from jax_acts._core.spec import Axis
from jax_acts.functional.combinators import affine

_LIMIT = 12.0  # in standard deviations; the normal density beyond is below 1e-31
_Z_EDGES = np.linspace(-_LIMIT, _LIMIT, 25)
# Edges in x, for deviations other than 1: activations vary most near 0.
_FAR = np.geomspace(32, 2048, 7)
_X_EDGES = np.concatenate([-_FAR, np.arange(-24, 25, 2), np.arange(-7, 8, 2), _FAR])
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(20)
_BATCH = 32 * len(_NODES)
_MAX_BISECTIONS, _MAX_PANELS = 40, 500


def elementwise(where: str, f: Bound) -> Bound:
    """Return the function if it maps a scalar to a scalar.

    Raises:
        TypeError: It does not.
    """
    function = f.function
    parameters = function.signature.parameters if isinstance(function, Function) else {}
    has_axis = any(p.annotation in (Axis, "Axis") for p in parameters.values())
    message = f"{where}({f}): expected an elementwise function"
    try:
        y = jax.eval_shape(f, jax.ShapeDtypeStruct((), jnp.result_type(float)))
    except Exception as error:
        raise TypeError(f"{message}: {error}") from error
    if has_axis or getattr(y, "shape", None) != ():
        raise TypeError(f"{message}, got {f}")
    return f


def is_traced(*values: Any) -> bool:
    """Return whether a value, or an argument of a `Bound`, is traced."""
    arguments = [v.arguments if isinstance(v, Bound) else v for v in values]
    return any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(arguments))


def in_float64(compute: Callable[..., Any], *args: Any) -> Any:
    """Compute a function of concrete values in float64, also while JAX traces."""
    with jax.ensure_compile_time_eval(), enable_x64(True):
        return jax.tree.map(np.asarray, compute(*args))


def normal_nodes(edges: Any, rate: Any = 1.0, shift: Any = 0.0) -> tuple[Any, Any]:
    r"""Return nodes z and weights w with $\sum w g(z) = E[g(z)]$, z standard normal.

    Args:
        edges: The values of x = rate z + shift at which panels end.
        rate: The standard deviation of x; not 0.
        shift: The mean of x.
    """
    xp: Any = jnp if is_traced(edges, rate, shift) else np  # compiles nothing
    dtype = jnp.result_type(float) if xp is jnp else np.float64
    array = lambda values: xp.asarray(values, dtype)
    inner = xp.clip((array(edges) - shift) / rate, -_LIMIT, _LIMIT)
    ends = xp.sort(xp.concatenate([array(_Z_EDGES), inner]))
    half = (ends[1:] - ends[:-1])[:, None] / 2
    z = ends[:-1, None] + half * array(1 + _NODES)
    weights = half * array(_WEIGHTS) * xp.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    return z.ravel(), weights.ravel()


def evaluate(f: Callable[[Array], Array], x: F64) -> F64:
    """Return f(x) of a vector, in batches of one shape, which compile once."""
    batches = np.pad(x, (0, -len(x) % _BATCH)).reshape(-1, _BATCH)
    values = [np.asarray(f(jnp.asarray(batch)), np.float64) for batch in batches]
    return np.concatenate(values)[: len(x)]


def panel_edges(f: Bound) -> Any:
    """Return the inputs at which the panels of a function end.

    With concrete arguments, panels are bisected until both halves agree with the whole,
    which finds the kinks of functions without metadata.
    """
    if is_traced(f):
        points = jnp.stack([jnp.reshape(point, ()) for point in breakpoints(f)])
        return jnp.concatenate([jnp.asarray(_X_EDGES), points])
    try:
        return _refined_edges(f)
    except TypeError:  # an argument is an array, which has no hash
        return _refined_edges.__wrapped__(f)


@functools.lru_cache(maxsize=256)
def _refined_edges(f: Bound) -> F64:
    points = np.asarray([float(point) for point in breakpoints(f)])
    edges = np.unique(np.concatenate([_X_EDGES, points]))
    near = edges[np.abs(edges) <= 16]
    if isinstance(f.function, Function):
        squares = lambda x: f(x) ** 2
    else:  # the integral of f² converges before a kink is located

        def squares(x: Array) -> Array:
            y, dy = value_and_derivative(f, x)
            return y**2 + dy**2

    return np.union1d(edges, in_float64(_bisect, squares, near))


def value_and_derivative(f: Callable[[Array], Array], x: Any) -> tuple[Array, Array]:
    """Return f(x) and f'(x)."""
    return jax.jvp(f, (x,), (jnp.ones_like(x),))


def _bisect(g: Callable[[Array], Array], edges: F64) -> F64:
    """Return the edges of panels in which the integral of g is converged."""
    left, width, ends = edges[:-1], np.diff(edges), [edges]
    whole = _integrals(g, left, width)
    eps = float(jnp.finfo(jnp.result_type(float)).eps)
    tolerance = 4 * eps * float(np.nansum(np.abs(whole)))
    for _ in range(_MAX_BISECTIONS):
        middle = left + width / 2
        halves = _integrals(g, [*left, *middle], np.tile(width / 2, 2)).reshape(2, -1)
        refine = np.abs(halves.sum(axis=0) - whole) > tolerance
        if not 0 < np.sum(refine) < _MAX_PANELS:  # converged, or rough everywhere
            break
        ends.append(middle[refine])
        left = np.concatenate([left[refine], middle[refine]])
        width, whole = np.tile(width[refine] / 2, 2), halves[:, refine].ravel()
    return np.concatenate(ends)


def _integrals(g: Callable[[Array], Array], left: Any, width: F64) -> F64:
    """Integrate g times the normal density over panels."""
    x = np.asarray(left)[:, None] + width[:, None] * (1 + _NODES) / 2
    values = evaluate(g, x.ravel()).reshape(x.shape)
    with np.errstate(invalid="ignore"):
        return np.sum(values * np.exp(-x * x / 2) * _WEIGHTS, axis=1) * width / 2


def breakpoints(f: Any) -> Iterator[Any]:
    """Yield the inputs at which a function may have a kink.

    Kinks are declared for default arguments. Those of other arguments are at plus or
    minus an argument: a breakpoint that is no kink costs a panel.
    """
    f = f if isinstance(f, Bound) else Bound(f)
    arguments = {
        n: v.init if isinstance(v, Learn) else v for n, v in f.arguments.items()
    }
    values = [*_flatten(arguments.values())]
    inner = [p for v in values if callable(v) for p in breakpoints(v)]
    if f.function is affine:
        rate, shift = arguments.get("rate", 1.0), arguments.get("shift", 0.0)
        yield from ((point - shift) / rate for point in inner or [0.0])
        return
    yield from (0.0, *getattr(getattr(f.function, "spec", None), "kinks", ()), *inner)
    for value in values:
        if isinstance(value, int | float | Array | np.ndarray) and jnp.ndim(value) == 0:
            yield from (value, -value)


def _flatten(values: Iterable[Any]) -> Iterator[Any]:
    for value in values:
        yield from _flatten(value) if isinstance(value, tuple) else (value,)
