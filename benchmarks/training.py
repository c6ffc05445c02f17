"""How long does a step of training take, against the same model with `jax.nn`?

    python -m benchmarks.training

A convolutional network, a perceptron and a block of a transformer, in float32. Models
that differ in nothing but their activation take a step in turn, in many rounds, and the
lower quartile of the times counts.
"""

import json
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import typer
from jax import Array
from rich.console import Console
from rich.table import Table

import jax_acts
from benchmarks.speed import clock

RESULT = Path(__file__).parent / "results" / f"training-{jax.default_backend()}.json"
NAMES = ("relu", "tanh", "silu", "gelu", "mish", "softplus")
ROUNDS = 101

Function = Callable[[Array], Array]
Model = Callable[[Function, Any, Array], Array]


def perceptron(f: Function, weights: list[Array], x: Array) -> Array:
    """Returns the last output of layers of one width."""
    for w in weights:
        x = f(x @ w)
    return x


def convolutional(f: Function, weights: list[Array], x: Array) -> Array:
    """Returns the same of convolutions by 3 x 3."""
    convolve = partial(jax.lax.conv_general_dilated, window_strides=(1, 1))
    for w in weights:
        x = f(
            convolve(x, w, padding="SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
        )
    return x


def transformer(f: Function, weights: list[Array], x: Array) -> Array:
    """Returns the output of a block: attention of one head, then two products."""
    q, k, v, up, down = weights
    scores = (x @ q) @ (x @ k).swapaxes(-1, -2) / x.shape[-1] ** 0.5
    x = x + jax.nn.softmax(scores) @ (x @ v)
    return x + f(x @ up) @ down


def models() -> dict[str, tuple[Model, list[Array], Array]]:
    """Returns each model with its weights and an input."""
    shapes: dict[str, tuple[Model, list[tuple[int, ...]], tuple[int, ...]]] = {
        "perceptron": (perceptron, 4 * [(256, 256)], (512, 256)),
        "convolutional": (
            convolutional,
            [(3, 3, 3, 16), (3, 3, 16, 16)],
            (16, 32, 32, 3),
        ),
        "transformer": (
            transformer,
            [*3 * [(128, 128)], (128, 512), (512, 128)],
            (8, 64, 128),
        ),
    }
    return {
        title: (
            model,
            [normal(w) / math.prod(w[:-1]) ** 0.5 for w in weights],
            normal(x),
        )
        for title, (model, weights, x) in shapes.items()
    }


def normal(shape: tuple[int, ...]) -> Array:
    """Returns normal numbers."""
    return jax.random.normal(jax.random.key(math.prod(shape)), shape)


def step(
    model: Model, f: Function, weights: list[Array], x: Array
) -> Callable[[], Any]:
    """Returns a run of a compiled step of gradient descent."""

    @jax.jit
    def update(weights: list[Array], x: Array) -> list[Array]:
        loss = lambda w: jnp.square(model(f, w, x)).mean()
        slopes = jax.grad(loss)(weights)
        return [w - 0.1 * g for w, g in zip(weights, slopes, strict=True)]

    return lambda: jax.block_until_ready(update(weights, x))


def measure(runs: list[Callable[[], Any]]) -> list[float]:
    """Returns the seconds of each, the lower quartile over rounds in turn."""
    for run in runs:
        run()
    seconds = np.array([[clock(run) for run in runs] for _ in range(ROUNDS)])
    return [float(s) for s in np.quantile(seconds, 0.25, axis=0)]


def main() -> None:
    """Prints the table, and stores it."""
    results: dict[str, dict[str, list[float]]] = {}
    for title, (model, weights, x) in models().items():
        pairs = [(getattr(jax.nn, n), getattr(jax_acts, n)) for n in NAMES]
        runs = [step(model, f, weights, x) for pair in pairs for f in pair]
        times = measure(runs)
        results[title] = {n: times[2 * i : 2 * i + 2] for i, n in enumerate(NAMES)}
    head = {"jax": jax.__version__, "rounds": ROUNDS}
    RESULT.write_text(json.dumps(head | {"seconds": results}, indent=1) + "\n")
    table = Table("model", *NAMES, title="Time of a step: jax.nn over jax_acts")
    for title, times in results.items():
        table.add_row(title, *(f"{a / b:.2f}" for a, b in times.values()))
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
