"""Plots show every function of the catalogue by its values."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from jax_acts import get
from jax_acts._registry.lookup import FUNCTIONS
from tools.docs import curves


def test_specs_with_arguments_resolve_to_their_function():
    for name, spec in curves.SPECS.items():
        assert get(spec).function is FUNCTIONS[name]


@pytest.mark.parametrize(
    ("name", "count", "x", "want"),
    [
        ("swiglu", 3, 6.0, np.array([-1, 1, 4]) * 6 / (1 + np.exp(-6))),
        ("softmax", 3, 0.0, np.exp([0, 0, 1]) / np.exp([0, 0, 1]).sum()),
        ("logsumexp", 1, 0.0, [np.log(2 + np.e)]),
    ],
)
def test_gated_units_and_axis_functions_are_drawn_by_value(name, count, x, want):
    (panel,) = curves.panels(name)
    assert len(panel.curves) == count
    at = np.abs(panel.x - x).argmin()
    np.testing.assert_allclose([y[at] for y in panel.curves.values()], want, rtol=1e-5)


def test_a_kink_interrupts_the_derivative_and_shows_the_value_there():
    value, first, _ = curves.panels("relu")
    assert first.points == ((0.0, 0.0),)
    below, above = (np.asarray(first.curves[""])[first.x * s > 0] for s in (-1, 1))
    assert set(below) == {0.0}
    assert set(above) == {1.0}
    np.testing.assert_array_equal(value.curves[""][value.x > 3], value.x[value.x > 3])


def test_a_plot_is_well_formed_and_deterministic():
    for name in ("leaky_relu", "swiglu", "softmax"):
        text = curves.svg(name)
        assert text == curves.svg(name)
        root = ElementTree.fromstring(text)
        assert len(root) == len(curves.panels(name))
        lines = re.findall(r'class="c\d" points="([^"]*)"', text)
        points = np.array([p.split(",") for p in " ".join(lines).split()], float)
        assert len(points) > 10
        assert points.min() >= 0
        assert points[:, 1].max() <= curves.HEIGHT
