"""Interleaved timing of compiled programs.

Programs run in turn, in many short rounds; the lower decile over the rounds is the
time, since other work on the machine can only add to it. The unit is the time of a copy
(x + 1) of the same array. A JAX program repeats inside one compiled loop that writes to
the same buffers, so that neither dispatch nor page faults are timed; "newly allocated"
is one call per result instead, which is how PyTorch is called.
"""

import functools
import time
from collections.abc import Callable, Hashable, Mapping
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

WORK = 500_000
"""Elements that a program computes in one round, or one array if that is larger."""

Run = Callable[[], Any]
Key = TypeVar("Key", bound=Hashable)


class Timing(NamedTuple):
    """Quantiles over the rounds, in seconds."""

    low: float
    """The lower decile."""
    median: float


def value_and_gradient(f: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    """Return the program of `f` and its gradient, given the cotangent of its result."""

    def program(x: Any, cotangent: Any) -> Any:
        y, vjp = jax.vjp(f, x)
        return y, vjp(cotangent)[0]

    return program


def jax_run(
    f: Callable[[Any], Any], dtype: str, size: int, direction: str, new: bool = False
) -> Run:
    """Return a run of a JAX function.

    Args:
        f: Maps an array to an array.
        dtype: Dtype of the input.
        size: Number of elements.
        direction: "forward" or "forward_backward".
        new: Whether every call writes to newly allocated memory.
    """
    with_gradient = direction == "forward_backward"
    program = value_and_gradient(f) if with_gradient else lambda x, _: f(x)
    count = repeats(size)
    x, cotangent = inputs(dtype, size)
    cotangent = cotangent[: jax.eval_shape(f, x).size]
    if new:
        single = jax.jit(program)

        def calls() -> None:
            for _ in range(count):
                jax.block_until_ready(single(x, cotangent))

        return calls

    def loop(state: Any) -> Any:
        def body(_: Any, state: Any) -> Any:
            # The barrier keeps the compiler from hoisting the program out of the loop.
            x, cotangent, _ = jax.lax.optimization_barrier(state)
            return x, cotangent, program(x, cotangent)

        return jax.lax.fori_loop(0, count, body, state)

    shapes = jax.eval_shape(program, x, cotangent)
    zeros = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes)
    # Donated results are the buffers of the next run: no run starts with a page fault.
    compiled, state = jax.jit(loop, donate_argnums=0), [(x, cotangent, zeros)]

    def run() -> None:
        state[0] = jax.block_until_ready(compiled(state[0]))

    return run


@functools.cache
def copy_run(dtype: str, size: int, new: bool = False) -> Run:
    """Return a run of a copy, the unit of time."""
    return jax_run(lambda x: x + 1, dtype, size, "forward", new)


def repeats(size: int) -> int:
    """Return how often an array of the size is computed in a round."""
    return max(3, WORK // size)  # XLA unrolls a loop of one or two iterations


def inputs(dtype: str, size: int) -> tuple[jax.Array, jax.Array]:
    """Return inputs of standard deviation 3, and cotangents."""
    one, two = jax.random.split(jax.random.key(0))
    x = 3 * jax.random.normal(one, (size,)), jax.random.normal(two, (size,))
    return x[0].astype(dtype), x[1].astype(dtype)


def interleave(runs: Mapping[Key, Run], rounds: int) -> dict[Key, Timing]:
    """Return the time of each run, over rounds in which they take turns."""
    for run in runs.values():
        run()
    seconds = [[clock(run) for run in runs.values()] for _ in range(rounds)]
    low, median = np.quantile(np.array(seconds), (0.1, 0.5), axis=0)
    times = map(Timing, map(float, low), map(float, median))
    return dict(zip(runs, times, strict=True))


def in_copies(timing: Timing, copy: Timing) -> tuple[float, float]:
    """Return the time and its spread in units of a copy."""
    spread = (timing.median - timing.low) / copy.low
    return round(timing.low / copy.low, 3), round(spread, 3)


def clock(run: Run) -> float:
    """Return the seconds of one run."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start
