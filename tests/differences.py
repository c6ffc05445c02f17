"""Derivatives compared with differences, in one program."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jax_acts._core.compat import enable_x64
from tests.conftest import quickly

STEP = 1e-5


def agree_with_differences(
    f: Callable[..., jax.Array], *arrays: Any, rtol: float = 1e-5, atol: float = 1e-6
) -> None:
    """Requires that forward, reverse and second derivatives are what f moves by.

    In float64, along a random direction, of a sum of sines of f: its entries count
    differently. Differences err by the square of the step times the third derivative,
    and by the last place of f over the step: 1e-10 of what is of order 1. The default
    tolerances leave room for derivatives of some thousands.
    """
    with enable_x64(True):
        x = [jnp.asarray(np.asarray(a, np.float64)) for a in arrays]
        draws = np.random.default_rng(0)
        along = [jnp.asarray(draws.normal(size=a.shape)) for a in x]
        found = quickly(partial(_found, f))(x, along)
    for order, (forward, reverse, difference) in found.items():
        for how, got in (("forward", forward), ("reverse", reverse)):
            np.testing.assert_allclose(
                got, difference, rtol=rtol, atol=atol, err_msg=f"{order}, {how}"
            )


def _found(f: Callable[..., jax.Array], x: Any, along: Any) -> dict[str, Any]:
    """Returns derivatives along a direction: forward, reverse and by differences."""

    def scalar(x: Any) -> jax.Array:
        return jnp.sum(jnp.sin(f(*x)))

    def pulled(x: Any) -> jax.Array:
        return _inner(jax.grad(scalar)(x), along)

    def pushed(x: Any) -> jax.Array:
        return jax.jvp(scalar, (x,), (along,))[1]

    def both(h: jax.Array) -> tuple[jax.Array, jax.Array]:
        at = jax.tree.map(lambda a, d: a + h * d, x, along)
        value, gradient = jax.value_and_grad(scalar)(at)
        return value, _inner(gradient, along)

    values, slopes = jax.vmap(both)(jnp.array([-STEP, 0.0, STEP]))
    return {
        "first derivative": (pushed(x), slopes[1], _difference(values)),
        "second derivative": (
            jax.jvp(pulled, (x,), (along,))[1],
            _inner(jax.grad(pushed)(x), along),
            _difference(slopes),
        ),
    }


def _difference(y: jax.Array) -> jax.Array:
    return (y[2] - y[0]) / (2 * STEP)


def _inner(a: Any, b: Any) -> jax.Array:
    return sum((jnp.vdot(*both) for both in zip(a, b, strict=True)), jnp.zeros(()))
