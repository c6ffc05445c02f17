"""Shaped activations have the maps of DKS and TAT, and the constants of `dks`."""

import itertools
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_acts import get
from jax_acts.initializers import moments
from jax_acts.initializers.quadrature import in_float64
from jax_acts.shaping import dks, tat

GOLDEN = json.loads((Path(__file__).parent / "data" / "dks.json").read_text())
METHODS = {"dks": dks, "tat": tat}
FAST = ["dks tanh 50", "tat silu 50", "tat leaky_relu 50", "dks selu 50", "tat elu 50"]
# The solver of `dks` stops at relative errors of 1e-8.
TOLERANCE = 1e-7


def check(key):
    """Compare constants and values with those of `dks`, up to a reflection."""
    method, name, depth = key.split()
    golden = {"input_scale": 1.0, "input_shift": 0.0, "output_shift": 0.0}
    golden |= GOLDEN[key]
    scale, rate = golden["output_scale"], golden["input_scale"]
    shaped = METHODS[method](name, int(depth))
    got = shaped.arguments
    assert got["scale"] == pytest.approx(scale, rel=TOLERANCE), key
    assert abs(got.get("rate", 1.0)) == pytest.approx(abs(rate), rel=TOLERANCE), key
    slope = golden.get("negative_slope")
    inner = get(name) if slope is None else get(name, negative_slope=slope)
    x = np.linspace(-3, 3, 61)
    theirs = lambda x: (
        scale * (inner(rate * x + golden["input_shift"]) + golden["output_shift"])
    )
    y = in_float64(shaped, x)
    # The maps of f(x), f(-x) and -f(x) are equal.
    signs = itertools.product((1, -1), repeat=2)
    errors = [np.abs(y - a * in_float64(theirs, b * x)).max() for a, b in signs]
    # The mean of squares is 1, and the output scale multiplies errors of the shifts.
    assert min(errors) < TOLERANCE * scale, (key, errors)


@pytest.mark.parametrize("key", FAST)
def test_shaped_activations_have_the_constants_of_dks(key):
    check(key)


@pytest.mark.slow
def test_all_shaped_activations_have_the_constants_of_dks():
    for key in GOLDEN.keys() - FAST:
        check(key)


@pytest.mark.parametrize("name", ["sigmoid", "mish"])
def test_dks_has_the_maps_of_the_paper(name):
    shaped = dks(name, 20, slope=2.0)
    m = moments(shaped)
    assert float(m.mean) == pytest.approx(0, abs=1e-9)  # C(0) = 0
    assert float(m.square) == pytest.approx(1, rel=1e-9)
    assert float(m.square_slope) == pytest.approx(1, rel=1e-9)
    assert float(m.derivative_square) ** 20 == pytest.approx(2, rel=1e-9)


def test_tat_has_the_maps_of_the_paper():
    shaped = tat("gelu", 20, curvature=0.5)
    m = moments(shaped)
    assert float(m.square) == pytest.approx(1, rel=1e-9)
    assert float(m.square_slope) == pytest.approx(1, rel=1e-9)
    assert float(m.derivative_square) == pytest.approx(1, rel=1e-9)
    slope = lambda x: jax.jvp(shaped, (x,), (jnp.ones_like(x),))[1]
    bend = moments(slope).derivative_square
    assert 20 * float(bend) == pytest.approx(0.5, rel=1e-6)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        (lambda: dks("relu", 50), r"dks\(relu\): .* a solution; use leaky_relu"),
        (lambda: tat("selu", 50), r"tat\(selu\): .* a kink at 0"),
        (lambda: dks("tanh", 0), "depth: expected a positive integer, got 0"),
        (lambda: dks("tanh", 5, slope=1.0), "slope: expected a number above 1"),
        (lambda: tat("tanh", 5, curvature=0.0), "curvature: expected a positive"),
        (lambda: tat("leaky_relu", 2), "correlation: expected .* depth 2, got 0.9"),
        (lambda: dks("step", 50), r"dks\(step\): .* found none from 50"),
    ],
)
def test_shapes_without_a_solution_are_errors(shape, message):
    with pytest.raises(ValueError, match=message):
        shape()


def test_shaped_activations_are_specs():
    shaped = tat("leaky_relu", 50)
    assert get(str(shaped)) == shaped
    assert get(shaped.to_dict()) == shaped
