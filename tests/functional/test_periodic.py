"""Accuracy of periodic functions close to their zeros, and bounds at large inputs."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

from jax_acts import finer, gabor, gcu, snake, snake_beta
from jax_acts.testing import evaluate, nth, ulps


def zeros(f, top):
    """Return the zeros of f in (0, top), by bisection."""
    x = np.linspace(0.01, top, 8001)
    y = evaluate(f, x, np.float64)
    index = np.flatnonzero(y[1:] * y[:-1] < 0)
    low, high = x[index], x[index + 1]
    for _ in range(55):
        middle = (low + high) / 2
        left = evaluate(f, middle, np.float64) * y[index] > 0
        low, high = np.where(left, middle, low), np.where(left, high, middle)
    return low


@pytest.mark.parametrize("order", [0, 1, 2])
@pytest.mark.parametrize(("function", "top"), [(gcu, 300), (finer, 20)])
def test_relative_error_is_bounded_next_to_the_zeros(function, top, order):
    # Their derivatives are unbounded: no absolute bound replaces this one.
    g = nth(function, order)
    z = zeros(g, top).astype(np.float32)
    assert len(z) >= 3
    x = np.concatenate([z + k * np.spacing(z) for k in range(-3, 4)]).astype(np.float32)
    want = evaluate(g, x, np.float64)
    got = evaluate(g, x, np.float32)
    # `wave` has a relative error of 2^-35 per term; a direct formula has 2^-24.
    terms = {
        gcu: (1, 1 + x, 2 + x),
        finer: (1, 1 + 2 * x, np.square(1 + 2 * x)),
    }
    error = ulps(got, want, 0.0, 2.0**-35 * terms[function][order])
    assert error.max() <= 4, f"{error.max()} ulp at {x[error.argmax()]!r}"


@pytest.mark.parametrize(
    ("function", "arguments"),
    [(gabor, {"omega": 10.0, "scale": 10.0}), (finer, {"omega": 30})],
)
def test_values_match_mpmath_with_the_arguments_of_the_papers(function, arguments):
    x = np.linspace(-0.8, 0.8, 41, dtype=np.float32)
    got = np.asarray(function(x, **arguments))
    reference = function.spec.reference
    with mpmath.workdps(40):
        want = [reference(mpmath, mpmath.mpf(float(v)), **arguments) for v in x]
    # One rounding of the angle, at most 50.
    np.testing.assert_allclose(got, np.array(want, float), rtol=0, atol=50 * 2.0**-24)


def test_finer_stays_within_its_range_beyond_its_domain():
    x = jnp.array([4097.0, 1e5, 1e10, 1e19, 1e20, 3e38])
    for y in (finer(x), finer(-x), finer(x.astype(jnp.bfloat16))):
        assert (jnp.abs(y) <= 1).all()
    assert jnp.isfinite(finer.derivative(x[:5])).all()
    assert jnp.isnan(finer(jnp.array([-jnp.inf, jnp.inf]))).all()  # no limit exists


@pytest.mark.parametrize("call", [lambda f: f, jax.jit])
def test_snake_has_its_limits_at_parameters_of_0(call):
    x = jnp.array([-2.0, 0.0, 0.5])
    value = lambda f, *arguments: np.asarray(call(f)(x, *arguments))
    np.testing.assert_array_equal(value(snake, 0.0), x)
    np.testing.assert_array_equal(value(snake.derivative, 0.0), np.ones(3))
    np.testing.assert_array_equal(value(snake.partial("alpha"), 0.0), x * x)
    np.testing.assert_array_equal(value(snake_beta, 0.0, 0.0), x)
    np.testing.assert_array_equal(value(snake_beta, 1.0, 0.0), [np.inf, 0, np.inf])
    derivative = value(snake_beta.derivative, 1.0, 0.0)
    np.testing.assert_array_equal(derivative, [np.inf, 1, np.inf])
