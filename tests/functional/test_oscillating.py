"""What waves have besides the laws: digits next to their zeros, and bounds far out."""

import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

from jax_acts import finer, gabor, gcu
from jax_acts.testing import evaluate, nth, ulps


def zeros(f, top):
    """Returns zeros of f on (0, top), by bisection."""
    x = np.linspace(0.01, top, 8001)
    y = evaluate(f, x, np.float64)
    at = np.flatnonzero(y[1:] * y[:-1] < 0)
    low, high = x[at], x[at + 1]
    for _ in range(55):
        middle = (low + high) / 2
        left = evaluate(f, middle, np.float64) * y[at] > 0
        low, high = np.where(left, middle, low), np.where(left, high, middle)
    return low


@pytest.mark.parametrize("order", [0, 1, 2])
@pytest.mark.parametrize(("wave", "top"), [(gcu, 300), (gabor, 9), (finer, 20)])
def test_digits_are_kept_next_to_the_zeros(wave, top, order):
    g = nth(wave, order)
    z = zeros(g, top).astype(np.float32)
    assert len(z) >= 3
    x = np.concatenate([z + k * np.spacing(z) for k in range(-3, 4)]).astype(np.float32)
    want = evaluate(g, x, np.float64)
    got = evaluate(g, x, np.float32)
    # The terms are known to 2^-35 of themselves, where a formula has 2^-24.
    terms = {
        gcu: (1, 1 + x, 2 + x),
        gabor: np.exp(-(x.astype(np.float64) ** 2)) * [1 + 0 * x, 1 + x, 3 + 4 * x * x],
        finer: (1, 1 + 2 * x, np.square(1 + 2 * x)),
    }
    error = ulps(got, want, 0.0, 2.0**-35 * terms[wave][order])
    assert error.max() <= 4, f"{error.max()} ulp at {x[error.argmax()]!r}"


@pytest.mark.parametrize(
    ("wave", "arguments"),
    [(gabor, {"omega": 10.0, "scale": 10.0}), (finer, {"omega": 30})],
)
def test_values_are_right_with_the_arguments_of_the_papers(wave, arguments):
    x = np.linspace(-0.8, 0.8, 41, dtype=np.float32)
    got = np.asarray(wave(x, **arguments))
    with mpmath.workdps(40):
        want = [
            wave.spec.reference(mpmath, mpmath.mpf(float(v)), **arguments) for v in x
        ]
    # The angle, up to 50, is rounded once.
    np.testing.assert_allclose(got, np.array(want, float), rtol=0, atol=50 * 2.0**-24)


def test_finer_stays_within_its_range_beyond_its_domain():
    x = jnp.array([4097.0, 1e5, 1e10, 1e19, 1e20, 3e38])
    for y in (finer(x), finer(-x), finer(x.astype(jnp.bfloat16))):
        assert (jnp.abs(y) <= 1).all()
    assert jnp.isfinite(finer.derivative(x[:5])).all()
    assert jnp.isnan(finer(jnp.array([-jnp.inf, jnp.inf]))).all()  # it has no limit
