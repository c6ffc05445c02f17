"""Print the PTX of the functions of a library, for `benchmarks.gpu_accuracy`.

    python -m benchmarks.gpu_kernels jax_acts silu gelu_tanh

It runs in an environment that has the CUDA plugin of JAX, which need not have the other
packages of the benchmarks. Each line is a JSON object: function, dtype, order,
version of JAX and text.
"""

import json
import os
import sys
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from benchmarks.libraries import catalogue, matching
from tools.ptx.compile import compile_ptx

DTYPES = ("float32", "bfloat16", "float16")


def functions(library: str) -> dict[str, Callable[..., Any]]:
    """Return the elementwise functions of jax_acts or of JAX, by our name."""
    if library == "jax_acts":
        return dict(catalogue())
    return matching("jax", (jax.nn, jnp, jax.scipy.special))


def gradient(f: Callable[..., Any]) -> Callable[[jax.Array], jax.Array]:
    """Return the derivative of an elementwise function, in reverse mode."""

    def derivative(x: jax.Array) -> jax.Array:
        y, vjp = jax.vjp(f, x)
        return vjp(jnp.ones_like(y))[0]

    return derivative


def main(library: str, *names: str) -> None:
    """Print the kernels of some functions of a library."""
    available = functions(library)
    for name in names:
        f = available[name]
        for dtype in DTYPES:
            for order, program in enumerate((f, gradient(f))):
                text = compile_ptx(program, dtype)
                line = {"function": name, "dtype": dtype, "order": order}
                line |= {"jax": jax.__version__, "text": text}
                print(json.dumps(line), flush=True)


if __name__ == "__main__":
    os.environ["JAX_PLATFORMS"] = "cpu"
    main(*sys.argv[1:])
