"""Curves: locations of discontinuities, and functions that have no curve."""

import numpy as np
import pytest

from jax_acts import get
from jax_acts._core.curves import curve, evaluate_vector, find_jumps


def test_jumps_are_located_anywhere():
    for location in (0.0, 1 / 3, -2.0, 1.9, np.pi):
        for at in (0.0, 0.5, 1.0):
            f = lambda x, c=location, v=at: np.heaviside(np.asarray(x) - c, v)
            (jump,) = find_jumps(f, np.linspace(-6, 6, 2000))
            assert jump.x == pytest.approx(location, abs=1e-8)
            assert (jump.left, jump.right) == (0, 1)
    steep = lambda x: np.tanh(1e4 * np.asarray(x))
    assert find_jumps(steep, np.linspace(-6, 6, 2000)) == []


def test_a_function_along_an_axis_has_values_but_no_curve():
    np.testing.assert_allclose(evaluate_vector(get("softmax"), [0.0, 0.0]), [0.5, 0.5])
    with pytest.raises(ValueError, match="softmax: expected an elementwise function"):
        curve(get("softmax"))
    with pytest.raises(ValueError, match="expected an output of the shape"):
        evaluate_vector(get("logsumexp"), [0.0, 0.0])
