"""Range reduction: the hardest inputs, and the choice of the short reduction on CPU."""

from functools import partial

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
from jax import lax
from jax.sharding import Mesh, PartitionSpec as P

from jax_acts import cosine, finer, gabor, gcu, sine, sine_relu, snake, snake_beta
from jax_acts._numerics import trig
from jax_acts.testing import ulps

PERIODIC = (cosine, finer, gabor, gcu, sine, sine_relu, snake, snake_beta)
FAR = 1e6
"""Beyond the short reduction."""


def closest_to_multiples(low, high):
    """Return the m 2^e that are closest to multiples of π/2, by continued fractions."""
    result = []
    with mpmath.workdps(80):
        for e in range(low, high):
            ratio = mpmath.mpf(2) ** e / (mpmath.pi / 2)
            whole = int(ratio)
            rest, numerators, denominators = ratio - whole, (1, whole), (0, 1)
            while denominators[1] < 2**24:
                if denominators[1] >= 2**12:
                    result.append(denominators[1] * 2.0**e)
                rest = 1 / rest
                whole = int(rest)
                rest -= whole
                step = lambda pair, whole=whole: (pair[1], whole * pair[1] + pair[0])
                numerators, denominators = step(numerators), step(denominators)
    return np.array(result, np.float32)


def test_sines_are_accurate_next_to_every_kind_of_zero():
    x = closest_to_multiples(-24, 103)
    x = np.concatenate([x, -x])
    for name, f, reference, bound in (  # the bounds of the docstrings
        ("sin", trig.sin, mpmath.sin, 1.7),
        ("cos", partial(trig.sin, eighths=2), mpmath.cos, 1.7),
        ("sin²", trig.sin_squared, lambda v: mpmath.sin(v) ** 2, 3.9),
    ):
        got = np.asarray(jax.jit(f)(x))
        with mpmath.workdps(80):
            exact = [reference(mpmath.mpf(float(v))) for v in x]
            want = np.array([float(v) for v in exact])
        error = ulps(got, want)
        worst = error.argmax()
        assert error[worst] <= bound, f"{name}({x[worst]!r}): {error[worst]} ulp"


def test_a_result_does_not_depend_on_the_other_elements():
    x = np.random.default_rng(0).normal(0, 20, 999).astype(np.float32)
    for f in PERIODIC:
        for g in (f, f.derivative):
            near, far = np.asarray(g(x)), np.asarray(g(np.append(x, FAR)))[:-1]
            np.testing.assert_array_equal(near, far, g.__name__)


def test_under_vmap_one_condition_selects_the_loop():
    x = jnp.ones((3, 5))
    for f in (sine, jax.vmap(sine), jax.vmap(jax.grad(lambda v: sine(v).sum()))):
        text = str(jax.make_jaxpr(f)(x if f is not sine else x[0]))
        assert "custom_vmap_call" in text
    y = jax.vmap(sine)(jnp.array([[1.0, 2.0], [FAR, 3.0]]))
    np.testing.assert_allclose(y, np.sin([[1.0, 2.0], [FAR, 3.0]]), rtol=3e-7)


def test_the_choice_survives_every_transformation():
    x = jnp.array([0.5, -2.0, FAR])
    third = jax.vmap(jax.grad(jax.grad(jax.grad(sine))))
    np.testing.assert_allclose(third(x), -np.cos(np.float64(x)), rtol=3e-7)
    with jax.disable_jit():
        np.testing.assert_array_equal(jax.vmap(sine)(x), np.asarray(sine(x)))
        np.testing.assert_allclose(jax.vmap(jax.grad(sine))(x), jnp.cos(x), rtol=3e-7)
    mesh = Mesh(np.array(jax.devices()[:1]), ("d",))
    sharded = jax.shard_map(sine, mesh=mesh, in_specs=P("d"), out_specs=P("d"))
    gradient = jax.grad(lambda x: sharded(x).sum())
    np.testing.assert_array_equal(jax.jit(sharded)(x), sine(x))
    np.testing.assert_array_equal(jax.jit(gradient)(x), sine.derivative(x))
    scanned = lax.map(sine, x)
    np.testing.assert_array_equal(scanned, sine(x))
