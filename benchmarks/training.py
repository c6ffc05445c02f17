"""How long does a training step take, compared with the same model with `jax.nn`?

    python -m benchmarks training

An MLP, a CNN and a transformer block in float32, with gradient descent. Models that
differ only in their activation take turns; `benchmarks.harness` describes the timing.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from rich.console import Console
from rich.table import Table

import jax_acts
from benchmarks.harness import interleave
from benchmarks.results import store

NAMES = ("relu", "tanh", "silu", "gelu", "mish", "softplus")
ROUNDS = 101

Function = Callable[[Array], Array]
Model = Callable[[Function, Any, Array], Array]


def mlp(f: Function, weights: list[Array], x: Array) -> Array:
    """Return f(… f(x W_1) …)."""
    for w in weights:
        x = f(x @ w)
    return x


def cnn(f: Function, weights: list[Array], x: Array) -> Array:
    """Return the same with 3 × 3 convolutions."""
    convolve = partial(jax.lax.conv_general_dilated, window_strides=(1, 1))
    for w in weights:
        x = f(
            convolve(x, w, padding="SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
        )
    return x


def transformer(f: Function, weights: list[Array], x: Array) -> Array:
    """Return the output of a block: single-head attention and a two-layer MLP."""
    q, k, v, up, down = weights
    scores = (x @ q) @ (x @ k).swapaxes(-1, -2) / x.shape[-1] ** 0.5
    x = x + jax.nn.softmax(scores) @ (x @ v)
    return x + f(x @ up) @ down


def models() -> dict[str, tuple[Model, list[Array], Array]]:
    """Return each model with its weights and an input."""
    shapes: dict[str, tuple[Model, list[tuple[int, ...]], tuple[int, ...]]] = {
        "MLP": (mlp, 4 * [(256, 256)], (512, 256)),
        "CNN": (
            cnn,
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
    """Return standard normal values."""
    return jax.random.normal(jax.random.key(math.prod(shape)), shape)


def step(
    model: Model, f: Function, weights: list[Array], x: Array
) -> Callable[[], Any]:
    """Return a run of a compiled step of gradient descent."""

    @jax.jit
    def update(weights: list[Array], x: Array) -> list[Array]:
        loss = lambda w: jnp.square(model(f, w, x)).mean()
        gradients = jax.grad(loss)(weights)
        return [w - 0.1 * g for w, g in zip(weights, gradients, strict=True)]

    return lambda: jax.block_until_ready(update(weights, x))


def main() -> None:
    """Measure, store and print the speedups."""
    results: dict[str, dict[str, list[float]]] = {}
    for title, (model, weights, x) in models().items():
        runs = {
            (name, module): step(model, getattr(module, name), weights, x)
            for name in NAMES
            for module in (jax.nn, jax_acts)
        }
        times = interleave(runs, ROUNDS)
        results[title] = {
            n: [times[n, jax.nn].low, times[n, jax_acts].low] for n in NAMES
        }
    store("training", rounds=ROUNDS, seconds=results)
    table = Table("model", *NAMES, title="training step: speedup vs jax.nn (×)")
    for title, seconds in results.items():
        table.add_row(title, *(f"{a / b:.2f}" for a, b in seconds.values()))
    Console().print(table)
