"""Do wide random networks of every function have the moments of the theory?

    python -m benchmarks mean_field

Maps: units of random layers of width 4,096 against `moments` and `correlation_map`, for
two inputs of correlation 0.6 and mean square 1. Depth: the second moment of
pre-activations through 50 layers of width 1,024 that start at the points of
`edge_of_chaos`. All functions and points share the random weights.
"""

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from rich.console import Console
from rich.table import Table

from benchmarks.results import DepthRow, MapRow, store_rows
from jax_acts import get
from jax_acts._registry.lookup import names
from jax_acts.initializers import FixedPoint, correlation_map, edge_of_chaos, moments

BIASES = 0.0, 0.05, 0.2, 0.5, 1.0
"""Standard deviations of the biases."""
CORRELATION = 0.6
STABLE_SLOPE = 0.9
"""Below this V'(q), deviations of fewer than ten layers add up."""
NARROW = ("star_relu",)
"""Functions with a stable point that networks of width 1,024 leave: Q grows as q², and
fluctuations pass the unstable point above."""
MAP_WIDTH, MAP_LAYERS = 4096, 16
WIDTH, LAYERS, SEEDS, INPUTS = 1024, 50, 16, 4

Point = tuple[str, FixedPoint]


def functions() -> list[str]:
    """Return the elementwise functions with a finite positive second moment."""

    def has_moments(name: str) -> bool:
        try:
            return 0 < float(moments(name).square) < math.inf
        except TypeError:  # not elementwise
            return False

    return [name for name in sorted(names()) if has_moments(name)]


def points(name: str) -> list[Point]:
    """Return the points of the edge of chaos with q > 0."""
    result = []
    for bias_std in BIASES:
        try:
            solutions = edge_of_chaos(name, bias_std)
        except ValueError:
            continue
        result += [(name, point) for point in solutions if point.q > 0]
    return result


def measure_maps(chosen: Sequence[str]) -> list[MapRow]:
    """Return the deviations of random layers from the maps, in standard errors."""
    calls = [get(name) for name in chosen]

    def products(key: Array) -> Array:
        u, v = jax.random.normal(key, (2, MAP_WIDTH))
        v = CORRELATION * u + math.sqrt(1 - CORRELATION**2) * v
        return jnp.stack([jnp.stack([f(u) ** 2, f(u) * f(v)]) for f in calls])

    keys = jax.random.split(jax.random.key(0), MAP_LAYERS)
    values = np.asarray(jax.jit(lambda k: jax.lax.map(products, k))(keys), np.float64)
    rows = []
    for n, name in enumerate(chosen):
        square = float(moments(name).square)
        wants = square, square * float(correlation_map(name, CORRELATION))
        samples = values[:, n].swapaxes(0, 1).reshape(2, -1)
        errors = samples.std(axis=1) / math.sqrt(samples.shape[1])
        errors = np.maximum(errors, 1e-7 * square)  # f² of `sign` is constant
        rows.append(MapRow(name, *((samples.mean(axis=1) - wants) / errors).tolist()))
    return rows


def measure_depth(
    chosen: Sequence[Point], seeds: int = SEEDS, layers: int = LAYERS
) -> list[DepthRow]:
    """Return the largest deviation of the mean second moment at each point."""
    groups = [
        (get(name), len([*group]))
        for name, group in itertools.groupby(chosen, key=lambda point: point[0])
    ]
    ends = np.cumsum([count for _, count in groups])
    column = lambda field: jnp.array(
        [getattr(p, field) for _, p in chosen], jnp.float32
    )
    weight_std, bias_std, q = (
        column(field)[:, None, None] for field in ("weight_std", "bias_std", "q")
    )

    def layer(z: Array, key: Array) -> tuple[Array, Array]:
        keys = jax.random.split(key)
        kernel = jax.random.normal(keys[0], (WIDTH, WIDTH)) / math.sqrt(WIDTH)
        blocks = zip(groups, jnp.split(z, ends[:-1]), strict=True)
        y = jnp.concatenate([f(block) for (f, _), block in blocks])
        z = weight_std * (y @ kernel) + bias_std * jax.random.normal(keys[1], (WIDTH,))
        return z, jnp.mean(z * z, axis=(1, 2)) / q[:, 0, 0]

    @jax.jit
    def run(key: Array) -> Array:
        first, rest = jax.random.split(key)
        start = jnp.sqrt(q) * jax.random.normal(first, (INPUTS, WIDTH))
        return jax.lax.scan(layer, start, jax.random.split(rest, layers))[1]

    keys = jax.random.split(jax.random.key(0), seeds)
    ratios = np.asarray(jax.lax.map(run, keys), np.float64)
    # Squares overflow, then their products are NaN.
    mean = np.nan_to_num(ratios, nan=np.inf, posinf=np.inf).mean(axis=0)
    with np.errstate(invalid="ignore", over="ignore"):
        errors = ratios.std(axis=0, ddof=1) / math.sqrt(seeds)
    rows = []
    for n, (name, p) in enumerate(chosen):
        worst = int(np.abs(mean[:, n] - 1).argmax())
        rows.append(
            DepthRow(
                *(name, p.bias_std, p.weight_std, p.q, p.slope),
                *(float(mean[worst, n]), float(errors[worst, n]), worst + 1),
            )
        )
    return rows


def main() -> None:
    """Measure all functions, print the largest deviations and store the results."""
    chosen = functions()
    depth = measure_depth([point for name in chosen for point in points(name)])
    store_rows("mean_field_depth", depth)
    maps = measure_maps(chosen)
    store_rows("mean_field_maps", maps)
    console = Console()
    print_largest(console, maps, lambda r: max(abs(r.square), abs(r.product)))
    print_largest(console, depth, lambda r: abs(r.mean - 1))


def print_largest(
    console: Console, rows: Iterable[Any], size: Callable[..., float]
) -> None:
    """Print the ten rows with the largest deviations."""
    largest = sorted(rows, key=size, reverse=True)[:10]
    table = Table(*largest[0]._fields)
    for row in largest:
        table.add_row(*(f"{v:.4g}" if isinstance(v, float) else str(v) for v in row))
    console.print(table)
