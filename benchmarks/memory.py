"""What does a backward pass keep, and how much memory does a training step take?

    python -m benchmarks.memory

Eager: the bytes that `jax.vjp` keeps for one element of float32. Compiled: the
temporary memory of a whole step of training, as the compiler plans it, for one element
of the hidden layers and one layer more: 12 layers against 6.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import typer
from jax import Array
from rich.console import Console
from rich.table import Table

from benchmarks.peers import catalogue, found
from benchmarks.speed import clock, processor

RESULT = Path(__file__).parent / "results" / f"memory-{jax.default_backend()}.json"
STEPS = ("gelu", "silu", "mish", "tanh", "elu", "softplus", "soft_sign", "relu")
BATCH, WIDTH = 2048, 256
Function = Callable[[Array], Array]
Layer = Callable[[Array, Array], Array]


def kept(f: Function) -> float:
    """Returns the bytes for one element that `jax.vjp` of f keeps."""
    x = jnp.linspace(-3, 3, 1024)
    arrays = {id(a): a for a in jax.tree.leaves(jax.vjp(f, x)[1]) if np.ndim(a)}
    return sum(a.nbytes for a in arrays.values()) / x.size


def plain(f: Function) -> Layer:
    """Returns a layer, f(x) W."""
    return lambda x, w: f(x) @ w


def lean(f: Function) -> Layer:
    """Returns the same layer, whose backward pass keeps x alone."""
    return jax.checkpoint(plain(f))


def unrolled(layer: Layer, x: Array, weights: Array) -> Array:
    """Returns the last output of layers one after the other."""
    for w in weights:
        x = layer(x, w)
    return x


def scanned(layer: Layer, x: Array, weights: Array) -> Array:
    """Returns the same by `jax.lax.scan`."""
    return jax.lax.scan(lambda x, w: (layer(x, w), None), x, weights)[0]


def transformer(layer: Layer, x: Array, weights: Array) -> Array:
    """Returns the same of blocks x + f(norm(x) W) V, as in a transformer."""

    def block(x: Array, w: Array) -> tuple[Array, None]:
        centred = x - x.mean(-1, keepdims=True)
        normal = centred * jax.lax.rsqrt(jnp.square(centred).mean(-1, keepdims=True))
        return x + layer(normal @ w, w.T), None

    return jax.lax.scan(block, x, weights)[0]


def step(model: Callable[..., Array], layer: Layer, layers: int) -> Any:
    """Returns the compiled step of training, and its arguments."""

    def update(weights: Array, x: Array) -> Array:
        loss = lambda w: jnp.square(model(layer, x, w)).mean()
        return weights - 0.1 * jax.grad(loss)(weights)

    weights = jnp.zeros((layers, WIDTH, WIDTH)) + jnp.eye(WIDTH)
    x = jax.random.normal(jax.random.key(0), (BATCH, WIDTH))
    return jax.jit(update).lower(weights, x).compile(), (weights, x)


def temporary(model: Callable[..., Array], layer: Layer) -> float:
    """Returns the bytes of temporary memory for one element of one layer more."""
    plans = [step(model, layer, n)[0].memory_analysis() for n in (12, 6)]
    sizes = [plan.temp_size_in_bytes for plan in plans]
    return (sizes[0] - sizes[1]) / (6 * BATCH * WIDTH)


def times(layers: dict[str, Layer]) -> dict[str, float]:
    """Returns the time of a step of 12 scanned layers, against that of the first."""
    steps = {name: step(scanned, layer, 12) for name, layer in layers.items()}
    runs = [
        lambda f=f, args=args: jax.block_until_ready(f(*args))
        for f, args in steps.values()
    ]
    for run in runs:
        run()
    seconds = np.array([[clock(run) for run in runs] for _ in range(7)])
    ratios = np.median(seconds / seconds[:, :1], axis=0)
    return dict(zip(layers, map(float, ratios), strict=True))


def main() -> None:
    """Prints both tables, and stores them."""
    ours, theirs = catalogue(), found("jax", (jax.nn, jnp, jax.scipy.special))
    eager = {
        name: [kept(f), *([kept(theirs[name])] if name in theirs else [])]
        for name, f in ours.items()
    }
    compiled = {}
    for name in STEPS:
        layers = {
            "jax.nn": plain(theirs[name]),
            "jax_acts": plain(ours[name]),
            "lean": lean(ours[name]),
        }
        compiled[name] = {
            which.__name__: {n: temporary(which, one) for n, one in layers.items()}
            for which in (unrolled, scanned, transformer)
        }
        compiled[name]["time"] = times(layers)
    show(eager, compiled)
    machine = {"machine": processor(), "cores": os.cpu_count()}
    head = {"jax": jax.__version__, **machine, "batch": BATCH, "width": WIDTH}
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(
        json.dumps(head | {"eager": eager, "compiled": compiled}, indent=1)
    )


def show(eager: dict[str, list[float]], compiled: dict[str, Any]) -> None:
    """Prints both tables."""
    table = Table("function", "jax_acts", "jax.nn", title="Kept, bytes for an element")
    for name, figures in eager.items():
        table.add_row(name, *(f"{figure:.3g}" for figure in figures))
    Console().print(table)
    title = "Temporary memory of a step, bytes for an element and layer; and its time"
    columns = [
        f"{w} {n}"
        for w in ("unrolled", "scanned", "transformer", "time")
        for n in ("jax.nn", "jax_acts", "lean")
    ]
    table = Table("function", *columns, title=title)
    for name, figures in compiled.items():
        cells = [f"{v:.2f}" for by in figures.values() for v in by.values()]
        table.add_row(name, *cells)
    Console(width=160).print(table)


def table() -> list[str]:
    """Returns what is stored of steps of training, for the page."""
    compiled = json.loads(RESULT.read_text())["compiled"]
    kinds = list(next(iter(compiled.values())))
    lines = [f"| function | {' | '.join(kinds)} |", "|---" * (len(kinds) + 1) + "|"]
    for name, by_kind in compiled.items():
        cells = [
            " / ".join(f"{v:.{2 if kind == 'time' else 1}f}" for v in figures.values())
            for kind, figures in by_kind.items()
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


if __name__ == "__main__":
    typer.run(main)
