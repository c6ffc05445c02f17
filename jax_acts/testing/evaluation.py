"""Compiled programs that evaluate a function and its derivatives in every mode.

A function needs five compilations: one for each dtype, with the optimizations that
users get, since they change the last digits; and one fast compilation of all modes of
differentiation and transformation, which are compared with each other.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from jax_acts._core.compat import enable_x64
from jax_acts._core.curves import nth as nth

Elementwise = Callable[..., Array]
BLOCK = 2**16
"""The inputs of one call; it holds every value of a 16-bit dtype."""


def options(level: int, emitters: bool) -> dict[str, Any]:
    """Return compiler options; JAX 0.12 always uses the emitters of fusions."""
    has_choice = jax.__version_info__ < (0, 11)
    choice = {"xla_cpu_use_fusion_emitters": emitters} if has_choice else {}
    return {"xla_backend_optimization_level": level, **choice}


OPTIMIZED = options(3, emitters=True)
"""What XLA does by default on a CPU, whatever XLA_FLAGS says."""
QUICK = options(0, emitters=False)
"""Options that compile in a third of the time."""


def evaluate(f: Callable[..., Any], xs: NDArray[Any], dtype: Any) -> Any:
    """Return f at the inputs, computed in the dtype, also in float64."""
    with enable_x64(True), np.errstate(invalid="ignore", over="ignore"):
        return jax.tree.map(np.asarray, f(jnp.asarray(xs.astype(dtype))))


def derivatives(f: Elementwise, xs: NDArray[Any], dtype: Any) -> list[Any]:
    """Return f and its first two derivatives at the inputs.

    One program for each dtype takes blocks of one size.
    """
    blocks = np.resize(xs, (max(1, -(-xs.size // BLOCK)), BLOCK))
    results = [evaluate(_orders(f), block, dtype) for block in blocks]
    return [np.concatenate(order)[: xs.size] for order in zip(*results, strict=True)]


@functools.cache
def _orders(f: Elementwise) -> Callable[[Array], list[Array]]:
    optimized = OPTIMIZED if jax.default_backend() == "cpu" else None
    program = lambda x: [nth(f, order)(x) for order in range(3)]
    return jax.jit(program, compiler_options=optimized)


def forward(f: Elementwise) -> Elementwise:
    """Return the derivative of an elementwise function in forward mode."""
    return lambda x: jax.jvp(f, (x,), (jnp.ones_like(x),))[1]


def reverse(f: Elementwise) -> Elementwise:
    """Return the derivative of an elementwise function in reverse mode."""
    return lambda x: jax.vjp(f, x)[1](jnp.ones_like(x))[0]


def scanned(f: Elementwise) -> Elementwise:
    """Return f as a scan of one step, as in a network with scanned layers."""
    return lambda x: jax.lax.scan(lambda x, _: (f(x), None), x, length=1)[0]


def modes(f: Elementwise, points: NDArray[Any], third: NDArray[Any]) -> dict[str, Any]:
    """Return values and derivatives at the points in every mode, from one program.

    Args:
        f: An elementwise function.
        points: The inputs, in float32 and bfloat16.
        third: The inputs of the third derivative, in float32.
    """
    arguments = (np.float32(points), jnp.asarray(points, jnp.bfloat16), third)
    with np.errstate(invalid="ignore", over="ignore"):
        return jax.tree.map(np.asarray, _modes(f)(*arguments))


@functools.cache
def _modes(f: Elementwise) -> Callable[..., dict[str, Any]]:
    # The results are compared with each other: the code need not be fast.
    quick = QUICK if jax.default_backend() == "cpu" else None

    def first(x: Array) -> dict[str, Array]:
        return {
            "derivative": nth(f, 1)(x),
            "jvp": forward(f)(x),
            "vjp": reverse(f)(x),
            "vmap(grad)": jax.vmap(jax.grad(f))(x),
        }

    @functools.partial(jax.jit, compiler_options=quick)
    def program(x: Array, half: Array, third: Array) -> dict[str, Any]:
        return {
            "value": {
                "jit": f(x),
                "vmap": jax.vmap(f)(x),
                "scan": jax.lax.scan(lambda carry, x: (carry, f(x)), 0, x)[1],
                "checkpoint": jax.checkpoint(f)(x),
            },
            "float32": first(x),
            "bfloat16": first(half),
            "second": {
                "derivative": nth(f, 2)(x),
                "forward(forward)": forward(forward(f))(x),
                "forward(reverse)": forward(reverse(f))(x),
                "reverse(forward)": reverse(forward(f))(x),
                "reverse(reverse)": reverse(reverse(f))(x),
                "hessian": jnp.diag(jax.hessian(lambda x: f(x).sum())(x)),
            },
            "second of a scan": {
                "derivative": nth(f, 2)(x),
                "forward(reverse)": forward(reverse(scanned(f)))(x),
                "reverse(reverse)": reverse(reverse(scanned(f)))(x),
            },
            "third": nth(f, 3)(third),
        }

    return program


def eager(f: Elementwise, points: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Return f and its derivative in float32, one operation at a time."""
    with jax.disable_jit():
        x = jnp.asarray(points, jnp.float32)
        results = {"value": f(x), "derivative": forward(f)(x)}
        return jax.tree.map(np.asarray, results)
