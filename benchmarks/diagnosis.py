"""What does `jax_acts.watch` cost a training?

    python -m benchmarks diagnosis

A training step (Adam) and a measurement (forward and backward pass, statistics, writer
of JSON Lines) take turns. The overhead is the time of a measurement over that of the
steps of one interval. Temporary memory is what the compiler plans for the gradients of
the parameters and for the measurement.
"""

import itertools
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import optax
from rich.console import Console
from rich.table import Table

import jax_acts
import jax_acts.linen
from benchmarks.harness import interleave
from benchmarks.results import DiagnosisRow, store
from jax_acts.diagnosis.program import find_program, split_batch
from jax_acts.losses import cross_entropy

ROUNDS = 11
INTERVAL = 100
"""The default of `jax_acts.watch`."""


class MLP(nn.Module):
    """Hidden layers with one activation."""

    sizes: Sequence[int]
    activation: str

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Return logits."""
        for size in self.sizes:
            x = jax_acts.linen.Dense(size, activation=self.activation)(x)
        return nn.Dense(10)(x)


class CNN(nn.Module):
    """Convolutions with a stride and one activation."""

    channels: Sequence[int]
    activation: str

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Return logits."""
        for size in self.channels:
            x = nn.Conv(size, (3, 3), strides=2)(x)
            x = jax_acts.linen.Activation(self.activation)(x)
        return nn.Dense(10)(x.mean((1, 2)))


class Transformer(nn.Module):
    """Two pre-norm blocks of attention and an MLP."""

    features: int
    activation: str

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Return logits."""
        for _ in range(2):
            y = nn.LayerNorm()(x)
            x = x + nn.MultiHeadDotProductAttention(4)(y, y)
            y = nn.LayerNorm()(x)
            x = x + jax_acts.linen.MLP(4 * self.features, self.activation)(y)
        return nn.Dense(10)(x.mean(1))


MODELS: dict[str, tuple[Any, tuple[int, ...]]] = {
    "MLP, 4 × 256, relu": (MLP((256,) * 4, "relu"), (256, 784)),
    "MLP, 4 × 256, gelu": (MLP((256,) * 4, "gelu"), (256, 784)),
    "CNN, 16-32-64, silu": (CNN((16, 32, 64), "silu"), (64, 32, 32, 3)),
    "transformer, 2 × 64, gelu": (Transformer(64, "gelu"), (32, 64, 64)),
}


def measure(model: Any, shape: tuple[int, ...], path: Path) -> tuple[float, ...]:
    """Return the time of step and measurement, and the temporary bytes of both."""
    x = jax.random.normal(jax.random.key(0), shape)
    y = jax.random.randint(jax.random.key(1), shape[:1], 0, 10)
    variables = jax.jit(model.init)(jax.random.key(2), x)
    optimizer = optax.adam(1e-3)
    loss = lambda variables, x, y: cross_entropy(model.apply(variables, x), y).mean()

    @jax.jit
    def step(variables: Any, state: Any, x: Any, y: Any) -> Any:
        updates, state = optimizer.update(jax.grad(loss)(variables, x, y), state)
        return optax.apply_updates(variables, updates), state

    state, steps = (variables, optimizer.init(variables)), itertools.count()
    watch = jax_acts.watch(model, path, loss=cross_entropy, every=1)
    runs: dict[str, Callable[[], Any]] = {
        "step": lambda: jax.block_until_ready(step(*state, x, y)),
        "measurement": lambda: watch(next(steps), variables, x, y),
    }
    times = interleave(runs, ROUNDS)
    pure, targets = split_batch(model, (variables, x, y), cross_entropy, {})
    program = find_program(pure, targets, cross_entropy, 1e-3, bins=0)
    gradient: Any = jax.jit(jax.grad(loss)).lower(variables, x, y)
    measurement: Any = program.run
    lowered = gradient, measurement.lower(jax.tree.leaves(pure.args), targets)
    sizes = [p.compile().memory_analysis().temp_size_in_bytes for p in lowered]
    return times["step"].low, times["measurement"].low, *sizes


def main() -> None:
    """Measure, store and print the cost of `watch`."""
    rows = []
    with tempfile.TemporaryDirectory() as directory:
        for title, (model, shape) in MODELS.items():
            path = Path(directory) / "log.jsonl"
            step, measurement, *sizes = measure(model, shape, path)
            rows.append(DiagnosisRow(title, step, measurement, *map(int, sizes)))
    store("diagnosis", rounds=ROUNDS, interval=INTERVAL, rows=rows)
    table = Table(
        *("model", "step (ms)", "measurement (steps)", f"overhead at {INTERVAL} (%)"),
        *("gradient (MiB)", "measurement (MiB)"),
    )
    for row in rows:
        ratio = row.measurement / row.step
        mebibytes = [f"{b / 2**20:.1f}" for b in (row.gradient_bytes, row.bytes)]
        table.add_row(
            row.model,
            f"{1e3 * row.step:.1f}",
            f"{ratio:.2f}",
            f"{100 * ratio / INTERVAL:.1f}",
            *mebibytes,
        )
    Console().print(table)
