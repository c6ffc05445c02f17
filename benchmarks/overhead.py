"""What do import, eager calls and compilation cost, compared with `jax.nn`?

    python -m benchmarks overhead

Measured in turn, many times; the minimum is reported, since other work on the machine
can only add time. Targets: `import jax_acts` adds less than 150 ms to `import jax`; an
eager `silu` takes at most 1.3 times that of `jax.nn`; compiling a function and its
gradient takes at most 1.5 times as long.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import typer

import jax_acts
from benchmarks.harness import value_and_gradient

_IMPORTS = """
from time import perf_counter as now
start = now(); import jax; middle = now(); import jax_acts; end = now()
print(middle - start, end - middle)
"""


def imports(repeats: int) -> tuple[float, float]:
    """Return the seconds of `import jax`, and of `import jax_acts` after it."""
    times = []
    for _ in range(repeats):
        process = subprocess.run(
            [sys.executable, "-c", _IMPORTS],
            check=True,
            capture_output=True,
            text=True,
            env={
                **os.environ,
                "PYTHONDONTWRITEBYTECODE": "",
            },  # with bytecode, as installed
        )
        times.append([float(t) for t in process.stdout.split()])
    theirs, ours = zip(*times, strict=True)
    return min(theirs), min(ours)


def calls(
    functions: Sequence[Callable[[Any], Any]], rounds: int, count: int
) -> list[float]:
    """Return the seconds of one eager call of each function, on eight elements."""
    x = jnp.linspace(-3, 3, 8)
    for f in functions:
        f(x).block_until_ready()
    best = [float("inf")] * len(functions)
    for _ in range(rounds):
        for i, f in enumerate(functions):
            start = time.perf_counter()
            for _ in range(count - 1):
                f(x)
            f(x).block_until_ready()
            best[i] = min(best[i], (time.perf_counter() - start) / count)
    return best


def compilations(functions: Sequence[Callable[[Any], Any]], rounds: int) -> list[float]:
    """Return the seconds to trace and compile each function and its gradient."""
    x = jax.ShapeDtypeStruct((4096,), jnp.float32)
    best = [float("inf")] * len(functions)
    for _ in range(rounds):
        for i, f in enumerate(functions):
            jax.clear_caches()
            start = time.perf_counter()
            jax.jit(value_and_gradient(f)).lower(x, x).compile()
            best[i] = min(best[i], time.perf_counter() - start)
    return best


Count = Annotated[int, typer.Option(min=1)]


def main(
    import_repeats: Count = 10,
    rounds: Count = 50,
    calls_per_round: Count = 500,
    compile_repeats: Count = 10,
) -> None:
    """Print the times of both, their ratio and the target."""
    theirs, ours = imports(import_repeats)
    print(f"{'':24}{'jax':>12}{'jax_acts':>12}{'ratio':>8}  target")
    print(_row("import, added", "ms", 1e3, theirs, ours, "< 150 ms"))
    for name in ("silu", "gelu", "relu"):
        pair = [getattr(jax.nn, name), getattr(jax_acts, name)]
        theirs, ours = calls(pair, rounds, calls_per_round)
        target = "<= 1.3" if name == "silu" else ""
        print(_row(f"eager {name}", "us", 1e6, theirs, ours, target))
    for name in ("relu", "tanh", "silu", "gelu", "mish", "softplus", "elu"):
        pair = [getattr(jax.nn, name), getattr(jax_acts, name)]
        theirs, ours = compilations(pair, compile_repeats)
        print(_row(f"compiled {name}", "ms", 1e3, theirs, ours, "<= 1.5"))
    print(f"jax {jax.__version__} on {jax.devices()[0].device_kind}")


def _row(
    title: str, unit: str, scale: float, theirs: float, ours: float, target: str
) -> str:
    times = "".join(f"{scale * t:9.1f} {unit}" for t in (theirs, ours))
    return f"{title:24}{times}{ours / theirs:8.2f}  {target}".rstrip()
