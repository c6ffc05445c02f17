"""Surrogate gradients of step, sign and round."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

from jax_acts import Learn, get, heaviside, round, sign, step
from jax_acts._core.compat import enable_x64

U = np.array([-2.3, -0.7, -0.2, 0.1, 0.6, 3.1])

FORMULAS = {
    "straight_through": lambda m, u: m.mpf(1) + 0 * u,
    "clipped": lambda m, u: m.mpf(1 if abs(u) <= 1 else 0),
    "fast_sigmoid": lambda m, u: 1 / (1 + abs(u)) ** 2,
    "arctan": lambda m, u: 1 / (1 + u * u),
    "triangle": lambda m, u: max(1 - abs(u), m.mpf(0)),
    "gaussian": lambda m, u: m.exp(-u * u),
    "sigmoid": lambda m, u: 1 / m.cosh(u / 2) ** 2,
}


def reference(name, u, sharpness, height):
    """Return γ s(k u) and its derivative in u, by mpmath."""
    s = lambda v: height * FORMULAS[name](mpmath, sharpness * v)
    with mpmath.workdps(40):
        values = [s(mpmath.mpf(v)) for v in u]
        h = mpmath.mpf(10) ** -12
        derivatives = [(s(v + h) - s(v - h)) / (2 * h) for v in map(mpmath.mpf, u)]
        return np.array(values, float), np.array(derivatives, float)


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMULAS)
def test_derivatives_match_the_formula_of_the_surrogate(name):
    with enable_x64(True):
        first, second = reference(name, U, 1.25, 0.5)
        bind = lambda f: lambda v: f(v, sharpness=1.25, height=0.5, surrogate=name)
        for f in (bind(step), bind(sign)):
            np.testing.assert_allclose(jax.vmap(jax.grad(f))(U), first, rtol=1e-14)
            got = jax.vmap(jax.grad(jax.grad(f)))(U)
            # The reference is a central difference with step 1e-12.
            np.testing.assert_allclose(got, second, rtol=1e-11, atol=1e-15)
        u = np.array([-0.3, -0.2, 0.1, 0.45])  # distances to the jump at 1/2
        got = jax.vmap(jax.grad(bind(round)))(u + 0.5)
        first, _ = reference(name, u, 1.25, 0.5)
        np.testing.assert_allclose(got, first, rtol=1e-13)  # x - 1/2 is rounded


@pytest.mark.parametrize("name", FORMULAS)
def test_forward_and_reverse_mode_agree_and_are_linear_in_the_tangent(name):
    f = lambda v: step(v, surrogate=name)
    x, t = jnp.float32(U), jnp.float32(U[::-1].copy())
    _, tangent = jax.jvp(f, (x,), (t,))
    _, doubled = jax.jvp(f, (x,), (2 * t,))
    (cotangent,) = jax.vjp(f, x)[1](t)
    np.testing.assert_array_equal(tangent, cotangent)
    np.testing.assert_array_equal(doubled, 2 * tangent)


def test_without_a_surrogate_the_derivative_is_zero():
    for f in (step, sign, round):
        np.testing.assert_array_equal(jax.vmap(jax.grad(f))(jnp.float32(U)), 0)


def test_a_surrogate_does_not_change_the_value():
    for f in (step, sign, round):
        for name in FORMULAS:
            np.testing.assert_array_equal(f(U, surrogate=name), f(U))


def test_only_the_threshold_has_a_nonzero_partial_derivative():
    f = lambda v, t, k, g: step(v, t, k, g, surrogate="arctan")
    dx, dt, dk, dg = jax.grad(f, argnums=(0, 1, 2, 3))(0.7, 1.0, 2.0, 0.5)
    assert dt == -dx == pytest.approx(-0.5 / (1 + 0.36), rel=1e-6)
    assert dk == dg == 0
    bound = get("step(threshold=Learn(1.0), surrogate='arctan')")
    assert bound.learned == {"threshold": Learn(1.0)}


def test_sharpness_may_be_traced():
    dx = jax.vmap(lambda k: step.derivative(0.5, 0.0, k, surrogate="triangle"))
    np.testing.assert_allclose(dx(jnp.array([0.5, 1.0, 4.0])), [0.75, 0.5, 0])


def test_the_value_at_the_jump_is_an_argument():
    assert heaviside is step
    assert [float(step(0.0, at_threshold=v)) for v in (0.0, 0.5, 1.0)] == [0, 0.5, 1]
    assert [float(sign(0.0, at_zero=v)) for v in (-1.0, 0.0, 1.0)] == [-1, 0, 1]
    np.testing.assert_array_equal(round(jnp.array([0.5, 1.5, -0.5])), [0, 2, 0])


def test_clipped_sign_is_that_of_binarized_networks():
    """Courbariaux et al. 2016, equation 4, with the derivative of hard tanh."""
    f = lambda x: sign(x, at_zero=1.0, surrogate="clipped")
    x = jnp.array([-1.5, -1.0, 0.0, 0.3, 1.5])
    np.testing.assert_array_equal(f(x), [-1, -1, 1, 1, 1])
    np.testing.assert_array_equal(jax.vmap(jax.grad(f))(x), [0, 1, 1, 1, 0])


@pytest.mark.parametrize("function", [step, sign, round])
def test_an_unknown_surrogate_raises_with_the_nearest_name(function):
    name = function.__name__
    with pytest.raises(ValueError, match=f"{name}: .*did you mean 'arctan'"):
        function(1.0, surrogate="arctn")
    with pytest.raises(ValueError, match="did you mean 'arctan'"):
        get(f"{name}(surrogate='arctn')")
