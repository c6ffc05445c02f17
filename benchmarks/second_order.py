"""What does a training step of a physics-informed network cost, and is it accurate?

    python -m benchmarks second_order

The step is the value and the gradient of the mean squared Laplacian of an MLP over
points, with the activations of `jax.nn` and of this library, which run in turn. The
Laplacian is written as

    jax.hessian          the trace of `jax.hessian`, as most programs do
    forward over forward one pair of nested `jax.jvp` for each coordinate
    folx                 `folx.forward_laplacian`, where it is installed

The memory is what the compiler plans for temporary buffers. The accuracy is that of
derivatives of order 3 and 4 by Taylor mode (`jax.experimental.jet`) in float32 against
mpmath, relative to the largest magnitude of the derivative.
"""

import functools
import importlib
import importlib.util
import itertools
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
from jax import Array
from jax.experimental.jet import jet
from rich.console import Console
from rich.table import Table

import jax_acts
from benchmarks.harness import Run, interleave
from benchmarks.results import SecondOrderRow, TaylorRow, store
from jax_acts import Function

ROUNDS = 10
ORDERS = (3, 4)
POINTS = np.linspace(-6, 6, 241, dtype=np.float32)

Network = Callable[[Any, Array], Array]


class Size(NamedTuple):
    """An MLP and the number of points of a step."""

    inputs: int
    width: int
    depth: int
    points: int


SIZES = (Size(2, 64, 3, 1024),)
ACTIVATIONS: Mapping[str, Callable[[Array], Array]] = {
    "tanh": jnp.tanh,
    "gelu": jax.nn.gelu,
    "silu": jax.nn.silu,
    "mish": jax.nn.mish,
}
"""The functions of `jax.nn` and `jax.numpy` by their names in this library."""


def init(size: Size) -> list[tuple[Array, Array]]:
    """Return weights and biases."""
    widths = [size.inputs, *[size.width] * size.depth, 1]
    keys = jax.random.split(jax.random.key(0), len(widths))
    return [
        (jax.random.normal(key, (m, n)) / m**0.5, jnp.zeros(n))
        for key, m, n in zip(keys, widths, widths[1:], strict=False)
    ]


def network(activation: Callable[[Array], Array]) -> Network:
    """Return a scalar MLP of one point."""

    def apply(params: Any, x: Array) -> Array:
        *hidden, (w, b) = params
        for v, c in hidden:
            x = activation(x @ v + c)
        return (x @ w + b)[0]

    return apply


def laplacian_by_hessian(f: Network) -> Network:
    """Return the Laplacian as the trace of `jax.hessian`."""
    return lambda params, x: jnp.trace(jax.hessian(f, 1)(params, x))


def laplacian_by_jvp(f: Network) -> Network:
    """Return the Laplacian as a sum of nested `jax.jvp`."""

    def second(params: Any, x: Array, v: Array) -> Array:
        slope = lambda y: jax.jvp(lambda z: f(params, z), (y,), (v,))[1]
        return jax.jvp(slope, (x,), (v,))[1]

    return lambda params, x: jax.vmap(lambda v: second(params, x, v))(
        jnp.eye(x.shape[0])
    ).sum()


def laplacian_by_folx(f: Network) -> Network:
    """Return the Laplacian of `folx`."""
    folx = importlib.import_module("folx")
    return lambda params, x: (
        folx.forward_laplacian(functools.partial(f, params))(x).laplacian
    )


def idioms() -> dict[str, Callable[[Network], Network]]:
    """Return the forms of the Laplacian; folx only where it is installed."""
    forms = {
        "jax.hessian": laplacian_by_hessian,
        "forward over forward": laplacian_by_jvp,
    }
    if importlib.util.find_spec("folx"):
        forms["folx"] = laplacian_by_folx
    return forms


def compile_step(laplacian: Network, size: Size) -> tuple[Run, int]:
    """Return a training step as a run, and its temporary bytes."""
    x = jax.random.uniform(jax.random.key(1), (size.points, size.inputs))
    params = init(size)

    def loss(params: Any, x: Array) -> Array:
        return jnp.mean(jax.vmap(laplacian, (None, 0))(params, x) ** 2)

    program = jax.jit(jax.value_and_grad(loss)).lower(params, x).compile()
    plan: Any = program.memory_analysis()
    return lambda: jax.block_until_ready(program(params, x)), plan.temp_size_in_bytes


def measure(size: Size, name: str) -> Iterator[SecondOrderRow]:
    """Yield time and memory of the steps of one size with one activation."""
    theirs = ACTIVATIONS[name]
    steps = {
        (idiom, library): compile_step(form(network(f)), size)
        for idiom, form in idioms().items()
        for library, f in (
            ("jax.nn", theirs),
            ("jax_acts", getattr(jax_acts, name)),
        )
    }
    times = interleave({key: run for key, (run, _) in steps.items()}, ROUNDS)
    for (idiom, library), timing in times.items():
        yield SecondOrderRow(
            activation=name,
            inputs=size.inputs,
            width=size.width,
            depth=size.depth,
            points=size.points,
            idiom=idiom,
            library=library,
            milliseconds=round(1e3 * timing.low, 3),
            spread=round(1e3 * (timing.median - timing.low), 3),
            bytes=steps[idiom, library][1],
        )


def taylor(name: str, theirs: Callable[[Array], Array]) -> Iterator[TaylorRow]:
    """Yield the errors of the derivatives of order 3 and 4 of a function."""
    ours: Function[...] = getattr(jax_acts, name)
    reference: Any = ours.spec.reference
    with mpmath.workdps(40):
        exact = {
            order: [
                float(
                    mpmath.diff(
                        lambda t: reference(mpmath, t), mpmath.mpf(float(x)), order
                    )
                )
                for x in POINTS
            ]
            for order in ORDERS
        }
    functions = {"jax.nn": theirs, "jax_acts": ours.without_custom_jvp}
    for library, f in functions.items():
        terms = _taylor_terms(f)
        for order in ORDERS:
            yield TaylorRow(name, library, order, _error(terms[order], exact[order]))


def _taylor_terms(f: Callable[[Array], Array]) -> Mapping[int, Array | None]:
    """Return the derivatives at `POINTS` by order; None where `jet` fails."""
    series = [jnp.ones_like(POINTS), *[jnp.zeros_like(POINTS)] * (max(ORDERS) - 1)]
    try:
        _, terms = jax.jit(lambda x: jet(f, (x,), (series,)))(POINTS)
    except (NotImplementedError, jax.errors.UnexpectedTracerError):
        return dict.fromkeys(ORDERS)
    return dict(enumerate(terms, 1))


def _error(result: Any, exact: list[float]) -> float | None:
    """Return the largest error in eps of the largest magnitude; None without result."""
    if result is None:
        return None
    want = np.array(exact)
    difference = np.abs(np.asarray(result, np.float64) - want).max()
    eps = float(np.finfo(np.float32).eps)
    return round(float(difference / np.abs(want).max() / eps), 2)


def main() -> None:
    """Measure, store and print the tables."""
    load = round(os.getloadavg()[0], 1)
    errors = [row for name, f in ACTIVATIONS.items() for row in taylor(name, f)]
    steps: list[SecondOrderRow] = []
    for size, name in itertools.product(SIZES, ACTIVATIONS):
        steps += measure(size, name)
        # Stored after each activation, which takes a minute.
        store("second_order", load=load, steps=steps, taylor=errors)
    table = Table("activation", "MLP", "idiom", "library", "ms", "MiB")
    for r in steps:
        shape = f"{r.inputs}-{r.depth}x{r.width}, {r.points} points"
        figures = f"{r.milliseconds:.1f}", f"{r.bytes / 2**20:.1f}"
        table.add_row(r.activation, shape, r.idiom, r.library, *figures)
    Console().print(table)
    table = Table("function", "library", "order", "error (eps)")
    for e in errors:
        table.add_row(e.function, e.library, str(e.order), str(e.error))
    Console().print(table)
