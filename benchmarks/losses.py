"""Do losses keep small values, and how much memory does a linear head take?

    python -m benchmarks losses

Cross-entropy of three logits with a margin and an offset, in float32: the relative
error of the loss and of the derivative in the logit of the label, per library; the
exact values come from mpmath. And the temporary memory that the compiler plans for
value and gradients of a linear head with its loss, and their time at a smaller size.
"""

import functools
import importlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import optax
from jax import Array
from rich.console import Console
from rich.table import Table

from benchmarks.harness import interleave
from benchmarks.results import LossMemoryRow, LossRow, LossTimeRow, store
from jax_acts.losses import cross_entropy, linear_cross_entropy

MARGINS = (0, 5, 10, 15, 20, 40, 80)
OFFSETS = (0, 1e4, 1e6, 1e8)
HEADS = (
    (4096, 512, 32_000),
    (8192, 1024, 50_257),
    (8192, 2048, 128_256),
)
"""Rows, features and vocabulary."""
TIMED = (1024, 128, 16_384)
ROUNDS = 9


class Loss(NamedTuple):
    """The loss of one library, of NumPy logits `(classes,)` and a label."""

    version: str
    value_and_gradient: Callable[[Any, int], tuple[float, Any]]


def of_jax(version: str, loss: Callable[[Array, Array], Array]) -> Loss:
    """Return a loss of a JAX library."""
    program = jax.jit(jax.value_and_grad(lambda x, y: loss(x[None], y[None])[0]))

    def value_and_gradient(logits: Any, label: int) -> tuple[float, Any]:
        value, gradient = program(jnp.asarray(logits), jnp.asarray(label))
        return float(value), np.asarray(gradient, np.float64)

    return Loss(version, value_and_gradient)


def of_torch() -> Loss:
    """Return `torch.nn.functional.cross_entropy`."""
    torch = importlib.import_module("torch")

    def value_and_gradient(logits: Any, label: int) -> tuple[float, Any]:
        x = torch.tensor(logits).requires_grad_()
        loss = torch.nn.functional.cross_entropy(x[None], torch.tensor([label]))
        (gradient,) = torch.autograd.grad(loss, x)
        return float(loss), gradient.double().numpy()

    return Loss(torch.__version__, value_and_gradient)


def of_keras() -> Loss:
    """Return `keras.losses.sparse_categorical_crossentropy` of logits."""
    keras = importlib.import_module("keras")
    loss = functools.partial(
        keras.losses.sparse_categorical_crossentropy, from_logits=True
    )
    return of_jax(keras.__version__, lambda x, y: loss(y, x))


def losses() -> Iterator[tuple[str, Loss]]:
    """Yield the losses of the libraries that are installed."""
    import jax_acts

    yield "jax_acts", of_jax(jax_acts.__version__, cross_entropy)
    integer_labels = optax.softmax_cross_entropy_with_integer_labels
    yield "optax", of_jax(optax.__version__, integer_labels)

    def negative_log_softmax(x: Array, y: Array) -> Array:
        return -jnp.take_along_axis(jax.nn.log_softmax(x), y[:, None], 1)[:, 0]

    yield "jax.nn", of_jax(jax.__version__, negative_log_softmax)
    for name, load in {"torch": of_torch, "keras": of_keras}.items():
        try:
            yield name, load()
        except ImportError:
            Console(stderr=True).print(f"benchmarks losses: {name} is not installed")


def exact(logits: Any, label: int) -> tuple[float, float]:
    """Return the loss and the derivative in the logit of the label."""
    with mpmath.workdps(60):
        x = [mpmath.mpf(float(v)) for v in logits]
        others = [v for j, v in enumerate(x) if j != label]
        rest = mpmath.fsum(mpmath.exp(v - x[label]) for v in others)
        return float(mpmath.log1p(rest)), float(-rest / (1 + rest))


def measure(name: str, loss: Loss) -> Iterator[LossRow]:
    """Yield the errors of one library at every margin and offset."""
    for offset in OFFSETS:
        for margin in MARGINS:
            logits = np.array([0, margin, -0.5], np.float32) + np.float32(offset)
            value, gradient = loss.value_and_gradient(logits, 1)
            want, want_gradient = exact(logits, 1)
            yield LossRow(
                library=name,
                version=loss.version,
                margin=margin,
                offset=offset,
                value=value,
                exact=want,
                gradient=float(gradient[1]),
                exact_gradient=want_gradient,
            )


def linear_heads() -> dict[str, Callable[[Array, Array, Array], Array]]:
    """Return the losses of a linear head, by name."""

    def logits(x: Array, w: Array) -> Array:
        return jnp.dot(x, w, preferred_element_type=jnp.float32)

    integer_labels = optax.softmax_cross_entropy_with_integer_labels
    return {
        "optax": lambda x, w, y: integer_labels(logits(x, w), y),
        "cross_entropy": lambda x, w, y: cross_entropy(logits(x, w), y),
        "linear_cross_entropy": linear_cross_entropy,
    }


def value_and_gradients(loss: Callable[[Array, Array, Array], Array]) -> Any:
    """Return the program of the mean loss and its gradients in x and w."""
    return jax.jit(jax.value_and_grad(lambda *a: loss(*a).mean(), (0, 1)))


def memory(
    loss: Callable[[Array, Array, Array], Array], head: tuple[int, int, int], dtype: str
) -> int:
    """Return the temporary bytes of the mean loss with gradients in x and w."""
    rows, features, vocabulary = head
    shapes = (
        jax.ShapeDtypeStruct((rows, features), dtype),
        jax.ShapeDtypeStruct((features, vocabulary), dtype),
        jax.ShapeDtypeStruct((rows,), jnp.int32),
    )
    plan: Any = value_and_gradients(loss).lower(*shapes).compile().memory_analysis()
    return plan.temp_size_in_bytes


def times(
    head: tuple[int, int, int] = TIMED, rounds: int = ROUNDS
) -> Iterator[LossTimeRow]:
    """Yield the time of each linear head; the heads take turns."""
    rows, features, vocabulary = head
    keys = jax.random.split(jax.random.key(0), 3)
    x = jax.random.normal(keys[0], (rows, features))
    w = jax.random.normal(keys[1], (features, vocabulary)) / features**0.5
    labels = jax.random.randint(keys[2], (rows,), 0, vocabulary)
    programs = {n: value_and_gradients(loss) for n, loss in linear_heads().items()}
    runs = {
        name: lambda f=f: jax.block_until_ready(f(x, w, labels))
        for name, f in programs.items()
    }
    for name, timing in interleave(runs, rounds).items():
        yield LossTimeRow(name, *head, timing.low)


def main() -> None:
    """Measure, store and print the tables."""
    rows = [row for name, loss in losses() for row in measure(name, loss)]
    memories = [
        LossMemoryRow(name, dtype, *head, memory(loss, head, dtype))
        for dtype in ("float32", "bfloat16")
        for head in HEADS
        for name, loss in linear_heads().items()
    ]
    store("losses", errors=rows, memory=memories)
    timed = [*times()]
    store("losses_time", rounds=ROUNDS, rows=timed)
    _show(rows, memories, timed)


def _show(
    rows: list[LossRow], memories: list[LossMemoryRow], timed: list[LossTimeRow]
) -> None:
    table = Table("library", "margin", "offset", "loss", "exact", "gradient", "exact")
    for r in rows:
        figures = (r.value, r.exact, r.gradient, r.exact_gradient)
        cells = [f"{v:.4g}" for v in (r.margin, r.offset, *figures)]
        table.add_row(r.library, *cells)
    Console().print(table)
    table = Table("loss", "dtype", "rows", "features", "vocabulary", "MiB")
    for m in memories:
        table.add_row(*map(str, m[:-1]), f"{m.bytes / 2**20:.0f}")
    Console().print(table)
    table = Table("loss", "rows", "features", "vocabulary", "seconds")
    for t in timed:
        table.add_row(*map(str, t[:-1]), f"{t.seconds:.3f}")
    Console().print(table)
