"""Compare derivatives with central differences, in one program."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jax_acts._core.compat import enable_x64

STEP = 1e-5


def agree_with_differences(
    f: Callable[..., jax.Array], *arrays: Any, rtol: float = 1e-5, atol: float = 1e-6
) -> None:
    """Require that first and second derivatives agree with central differences.

    They are taken in float64 along a random direction, in forward and reverse mode, of
    Σ sin(f), in which every entry of f has another weight. Differences err by the
    square of the step times the third derivative, and by the ulp of f divided by the
    step, which is 1e-10 for f near 1. The default tolerances allow for derivatives of
    some thousands.
    """
    with enable_x64(True):
        x = [jnp.asarray(np.asarray(a, np.float64)) for a in arrays]
        draws = np.random.default_rng(0)
        along = [jnp.asarray(draws.normal(size=a.shape)) for a in x]
        results = jax.jit(partial(_derivatives, f))(x, along)
    for order, (forward, reverse, difference) in results.items():
        for how, got in (("forward", forward), ("reverse", reverse)):
            np.testing.assert_allclose(
                got, difference, rtol=rtol, atol=atol, err_msg=f"{order}, {how}"
            )


def _derivatives(f: Callable[..., jax.Array], x: Any, along: Any) -> dict[str, Any]:
    """Return derivatives along a direction: forward, reverse and central difference."""

    def scalar(x: Any) -> jax.Array:
        return jnp.sum(jnp.sin(f(*x)))

    def reverse(x: Any) -> jax.Array:
        return _inner(jax.grad(scalar)(x), along)

    def forward(x: Any) -> jax.Array:
        return jax.jvp(scalar, (x,), (along,))[1]

    def value_and_derivative(h: jax.Array) -> tuple[jax.Array, jax.Array]:
        at = jax.tree.map(lambda a, d: a + h * d, x, along)
        value, gradient = jax.value_and_grad(scalar)(at)
        return value, _inner(gradient, along)

    values, derivatives = jax.vmap(value_and_derivative)(jnp.array([-STEP, 0.0, STEP]))
    return {
        "first derivative": (forward(x), derivatives[1], _difference(values)),
        "second derivative": (
            jax.jvp(reverse, (x,), (along,))[1],
            _inner(jax.grad(forward)(x), along),
            _difference(derivatives),
        ),
    }


def _difference(y: jax.Array) -> jax.Array:
    return (y[2] - y[0]) / (2 * STEP)


def _inner(a: Any, b: Any) -> jax.Array:
    return sum((jnp.vdot(*pair) for pair in zip(a, b, strict=True)), jnp.zeros(()))
