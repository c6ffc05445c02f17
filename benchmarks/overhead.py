"""What does jax_acts cost before any number is computed: import, call, compilation?

    python -m benchmarks.overhead

Ours and theirs are measured in turn, many times, and the least time counts: what else
the machine does can only add to it. `import jax_acts` promises to add less than 150 ms
to `import jax`, and an eager `silu` to cost at most 1.3 times that of `jax.nn`.
Compiled is the program of a function and its gradient.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

import jax_acts
from benchmarks.speed import both

_IMPORTS = """
from time import perf_counter as now
start = now(); import jax; middle = now(); import jax_acts; end = now()
print(middle - start, end - middle)
"""


def imports(repeats: int) -> tuple[float, float]:
    """Returns the seconds of `import jax`, and of `import jax_acts` after it."""
    times = []
    for _ in range(repeats):
        done = subprocess.run(
            [sys.executable, "-c", _IMPORTS],
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": ""},  # as after an install
        )
        times.append([float(t) for t in done.stdout.split()])
    theirs, ours = zip(*times, strict=True)
    return min(theirs), min(ours)


def calls(
    functions: Sequence[Callable[[Any], Any]], rounds: int, count: int
) -> list[float]:
    """Returns the seconds of one eager call of each function, on eight numbers."""
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
    """Returns the seconds to trace and compile each function and its gradient."""
    x = jax.ShapeDtypeStruct((4096,), jnp.float32)
    best = [float("inf")] * len(functions)
    for _ in range(rounds):
        for i, f in enumerate(functions):
            jax.clear_caches()
            start = time.perf_counter()
            jax.jit(both(f)).lower(x, x).compile()
            best[i] = min(best[i], time.perf_counter() - start)
    return best


def main(argv: Sequence[str] | None = None) -> None:
    """Prints a table of both."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--imports", type=int, default=10, help="processes started")
    parser.add_argument("--rounds", type=int, default=50, help="rounds of calls")
    parser.add_argument("--calls", type=int, default=500, help="calls in a round")
    parser.add_argument(
        "--compilations", type=int, default=10, help="compilations of each function"
    )
    options = parser.parse_args(argv)

    theirs, ours = imports(options.imports)
    print(f"{'':24}{'jax':>12}{'jax_acts':>12}{'ratio':>8}  promised")
    print(_row("import, added", "ms", 1e3, theirs, ours, "< 150 ms"))
    for name in ("silu", "gelu", "relu"):
        pair = [getattr(jax.nn, name), getattr(jax_acts, name)]
        theirs, ours = calls(pair, options.rounds, options.calls)
        promised = "<= 1.3" if name == "silu" else ""
        print(_row(f"eager {name}", "us", 1e6, theirs, ours, promised))
    for name in ("relu", "tanh", "silu", "gelu", "mish", "softplus", "elu"):
        pair = [getattr(jax.nn, name), getattr(jax_acts, name)]
        theirs, ours = compilations(pair, options.compilations)
        print(_row(f"compiled {name}", "ms", 1e3, theirs, ours, "<= 1.5"))
    print(f"jax {jax.__version__} on {jax.devices()[0].device_kind}")


def _row(
    what: str, unit: str, scale: float, theirs: float, ours: float, promised: str
) -> str:
    times = "".join(f"{scale * t:9.1f} {unit}" for t in (theirs, ours))
    return f"{what:24}{times}{ours / theirs:8.2f}  {promised}".rstrip()


if __name__ == "__main__":
    main()
