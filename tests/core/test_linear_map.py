"""Linear maps with a transpose of their own, in every transformation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_acts._core.linear_map import linear_map

X = jnp.array([0.5, 1.0, 2.0])


def sine(calls):
    """Return Σ s sin(x), whose tangent is a `linear_map`; `calls` counts transposes."""

    def transpose(residuals, cotangent):
        calls.append(1)
        x, s = residuals
        return s * jnp.cos(x) * cotangent, jnp.sum(jnp.sin(x)) * cotangent

    def tangent(residuals, tangents):
        x, s = residuals
        dx, ds = tangents
        return jnp.sum(s * jnp.cos(x) * dx) + ds * jnp.sum(jnp.sin(x))

    @jax.custom_jvp
    def f(x, s):
        return s * jnp.sum(jnp.sin(x))

    @f.defjvp
    def f_jvp(primals, tangents):
        return f(*primals), linear_map(tangent, transpose, primals, tangents)

    return f


def plain(x, s):
    return s * jnp.sum(jnp.sin(x))


TRANSFORMATIONS = {
    "grad": lambda f: jax.grad(f, (0, 1))(X, 2.0),
    "jvp": lambda f: jax.jvp(f, (X, 2.0), (X, 1.0)),
    "jit": lambda f: jax.jit(jax.grad(f, (0, 1)))(X, 2.0),
    "linearize": lambda f: jax.linearize(f, X, 2.0)[1](X, 1.0),
    "hessian": lambda f: jax.hessian(f, (0, 1))(X, 2.0),
    "reverse over reverse": lambda f: jax.jacrev(jax.grad(f, (0, 1)), (0, 1))(X, 2.0),
    "vmap of x": lambda f: jax.vmap(jax.grad(f, (0, 1)), (0, None))(X[:, None], 2.0),
    "vmap of s": lambda f: jax.vmap(jax.grad(f, (0, 1)), (None, 0))(X, X),
    "grad of vmap": lambda f: jax.grad(lambda x: jax.vmap(f, (None, 0))(x, X).sum())(X),
    "jvp of vmap": lambda f: jax.jvp(
        lambda x: jax.vmap(f, (1, None))(x, 2.0), (jnp.outer(X, X),), (jnp.outer(X, X),)
    ),
}


@pytest.mark.parametrize("name", TRANSFORMATIONS)
def test_transformations_agree_with_autodiff(name):
    got, want = (TRANSFORMATIONS[name](f) for f in (sine([]), plain))
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-6)


def test_reverse_mode_uses_the_given_transpose():
    calls = []
    jax.grad(sine(calls))(X, 2.0)
    assert calls
