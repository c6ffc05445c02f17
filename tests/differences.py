"""Derivatives compared with differences, in one program."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jax_acts._compat import enable_x64

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
        found = jax.jit(lambda x, along: _found(f, x, along))(x, along)
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

    def difference(g: Callable[[Any], jax.Array]) -> jax.Array:
        ahead, behind = (
            jax.tree.map(lambda a, d, h=h: a + h * d, x, along) for h in (STEP, -STEP)
        )
        return (g(ahead) - g(behind)) / (2 * STEP)

    return {
        "first derivative": (pushed(x), pulled(x), difference(scalar)),
        "second derivative": (
            jax.jvp(pulled, (x,), (along,))[1],
            _inner(jax.grad(pushed)(x), along),
            difference(pulled),
        ),
    }


def _inner(a: Any, b: Any) -> jax.Array:
    return sum((jnp.vdot(*both) for both in zip(a, b, strict=True)), jnp.zeros(()))
