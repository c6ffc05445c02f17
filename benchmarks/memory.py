"""How many bytes does a backward pass save, and a training step allocate?

    python -m benchmarks memory

Eager: bytes of the residuals of `jax.vjp` per element of a float32 input. Compiled:
temporary memory of a training step, as planned by the compiler, per element of a hidden
layer: the difference between 12 and 6 layers.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from rich.console import Console
from rich.table import Table

from benchmarks.harness import interleave
from benchmarks.libraries import catalogue, matching
from benchmarks.results import store

STEPS = ("gelu", "silu", "mish", "tanh", "elu", "softplus", "soft_sign", "relu")
BATCH, WIDTH = 2048, 256
Function = Callable[[Array], Array]
Layer = Callable[[Array, Array], Array]


def residual_bytes(f: Function) -> float:
    """Return the bytes per element that `jax.vjp` of f saves."""
    x = jnp.linspace(-3, 3, 1024)
    arrays = {id(a): a for a in jax.tree.leaves(jax.vjp(f, x)[1]) if np.ndim(a)}
    return sum(a.nbytes for a in arrays.values()) / x.size


def layer(f: Function) -> Layer:
    """Return the layer f(x) W."""
    return lambda x, w: f(x) @ w


def unrolled(layer: Layer, x: Array, weights: Array) -> Array:
    """Return the output of a Python loop over layers."""
    for w in weights:
        x = layer(x, w)
    return x


def scanned(layer: Layer, x: Array, weights: Array) -> Array:
    """Return the output of `jax.lax.scan` over layers."""
    return jax.lax.scan(lambda x, w: (layer(x, w), None), x, weights)[0]


def transformer(layer: Layer, x: Array, weights: Array) -> Array:
    """Return the output of a scan over transformer MLP blocks x + f(norm(x) W) V."""

    def block(x: Array, w: Array) -> tuple[Array, None]:
        centered = x - x.mean(-1, keepdims=True)
        scale = jax.lax.rsqrt(jnp.square(centered).mean(-1, keepdims=True))
        return x + layer(centered * scale @ w, w.T), None

    return jax.lax.scan(block, x, weights)[0]


def step(model: Callable[..., Array], layer: Layer, layers: int) -> Any:
    """Return the compiled training step and its arguments."""

    def update(weights: Array, x: Array) -> Array:
        loss = lambda w: jnp.square(model(layer, x, w)).mean()
        return weights - 0.1 * jax.grad(loss)(weights)

    weights = jnp.zeros((layers, WIDTH, WIDTH)) + jnp.eye(WIDTH)
    x = jax.random.normal(jax.random.key(0), (BATCH, WIDTH))
    return jax.jit(update).lower(weights, x).compile(), (weights, x)


def temporary_bytes(model: Callable[..., Array], layer: Layer) -> float:
    """Return the temporary bytes per hidden element of one more layer."""
    plans = [step(model, layer, n)[0].memory_analysis() for n in (12, 6)]
    sizes = [plan.temp_size_in_bytes for plan in plans]
    return (sizes[0] - sizes[1]) / (6 * BATCH * WIDTH)


def relative_times(layers: dict[str, Layer]) -> dict[str, float]:
    """Return the time of a step of 12 scanned layers relative to the first entry."""
    steps = {name: step(scanned, layer, 12) for name, layer in layers.items()}
    runs = {
        name: lambda f=f, args=args: jax.block_until_ready(f(*args))
        for name, (f, args) in steps.items()
    }
    times = interleave(runs, rounds=7)
    first = next(iter(times.values())).median
    return {name: timing.median / first for name, timing in times.items()}


def main() -> None:
    """Measure, store and print both tables."""
    ours, theirs = catalogue(), matching("jax", (jax.nn, jnp, jax.scipy.special))
    eager = {
        name: [residual_bytes(g) for g in (f, theirs.get(name)) if g is not None]
        for name, f in ours.items()
    }
    compiled = {}
    for name in STEPS:
        layers = {
            "jax.nn": layer(theirs[name]),
            "jax_acts": layer(ours[name]),
            "checkpoint": jax.checkpoint(layer(ours[name])),
        }
        compiled[name] = {
            model.__name__: {n: temporary_bytes(model, f) for n, f in layers.items()}
            for model in (unrolled, scanned, transformer)
        }
        compiled[name]["time"] = relative_times(layers)
    store("memory", batch=BATCH, width=WIDTH, eager=eager, compiled=compiled)
    _show(eager, compiled)


def _show(eager: dict[str, list[float]], compiled: dict[str, Any]) -> None:
    table = Table("function", "jax_acts", "jax.nn", title="residuals (bytes/element)")
    for name, figures in eager.items():
        table.add_row(name, *(f"{figure:.3g}" for figure in figures))
    Console().print(table)
    columns = [f"{m} {n}" for m, by in compiled[STEPS[0]].items() for n in by]
    title = "training step: temporary memory (bytes/element/layer) and relative time"
    table = Table("function", *columns, title=title)
    for name, figures in compiled.items():
        cells = [f"{v:.2f}" for by in figures.values() for v in by.values()]
        table.add_row(name, *cells)
    Console(width=160).print(table)
