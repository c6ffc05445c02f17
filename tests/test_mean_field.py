"""Gaussian moments agree with sampled wide networks, fixed points with iteration."""

import contextlib
import math

import jax
import numpy as np
import pytest

from benchmarks import mean_field
from benchmarks.mean_field import NARROW, STABLE_SLOPE
from benchmarks.results import DepthRow, MapRow, load_rows
from jax_acts import gain, get
from jax_acts._registry.lookup import names
from jax_acts.initializers import (
    FixedPoint,
    correlation_map,
    edge_of_chaos,
    fixed_points,
    moments,
    quadrature,
)

C = np.array([-0.9, 0.0, 0.3, 0.9, 0.999])


def test_the_correlation_maps_of_relu_and_erf_are_the_closed_forms():
    arc = np.sqrt(1 - C**2) + (math.pi - np.arccos(C)) * C
    assert correlation_map("relu", C) == pytest.approx(arc / math.pi, abs=1e-12)
    erf = np.arcsin(2 * C / 3) / math.asin(2 / 3)
    assert correlation_map("erf", C) == pytest.approx(erf, abs=1e-12)


def test_the_moments_of_a_shifted_function_are_those_of_the_function():
    """Kinks of the inner function are located through `affine`."""
    m = moments(get("affine", scale=2.0, rate=-3.0, shift=0.7, of=get("relu")))
    density = math.exp(-(0.7**2) / 18) / math.sqrt(2 * math.pi)
    inside = (1 + math.erf(0.7 / 3 / math.sqrt(2))) / 2  # P(-3 z + 0.7 > 0)
    assert float(m.mean) == pytest.approx(2 * (0.7 * inside + 3 * density), rel=1e-12)
    assert float(m.derivative_square) == pytest.approx(36 * inside, rel=1e-12)


def test_moments_are_differentiable_in_parameters_and_in_q():
    square = lambda a: moments(get("leaky_relu", negative_slope=a)).square
    assert float(jax.grad(square)(0.5)) == pytest.approx(0.5, rel=1e-6)
    # The derivative of E[f'²] in the position of a kink is the density there.
    inside = lambda a: moments(get("hard_tanh", max_val=a)).derivative_square
    density = math.exp(-0.125) / math.sqrt(2 * math.pi)
    assert float(jax.grad(inside)(0.5)) == pytest.approx(density, rel=1e-6)
    square = lambda q: moments("tanh", q).square
    slope = moments("tanh", 0.7).square_slope
    assert float(jax.grad(square)(0.7)) == pytest.approx(float(slope), rel=1e-5)


@pytest.mark.parametrize(
    ("spec", "bias_std", "weight_std"),
    [("tanh", 0.2, 1.3041), ("elu", 0.2, 1.2293), ("gelu", 0.5, 1.3998)],
)
def test_at_the_edge_of_chaos_gradients_keep_their_size(spec, bias_std, weight_std):
    (point,) = edge_of_chaos(spec, bias_std)
    assert point.is_stable
    assert point.weight_std == pytest.approx(weight_std, abs=1e-4)
    q = point.q * 1.1  # the iteration returns to a stable point
    for _ in range(60):
        m = moments(spec, q)
        q = point.weight_std**2 * float(m.square) + bias_std**2
    deviation = 0.1 * point.q * point.slope**60
    assert q == pytest.approx(point.q, abs=2 * deviation + 1e-12)
    assert point.weight_std**2 * float(m.derivative_square) == pytest.approx(
        1, abs=0.1 * point.slope**59 + 1e-9
    )
    (same,) = fixed_points(spec, point.weight_std, bias_std)
    assert same.q == pytest.approx(point.q, rel=1e-6)
    assert same.gradient_depth > 1e6


def test_gains_have_a_fixed_point_at_one():
    assert [p.q for p in fixed_points("relu", math.sqrt(2))] == [1.0]  # of all
    zero, one = fixed_points("gelu_exact", gain("gelu_exact"))
    assert (zero.q, one.is_stable) == (0, False)
    assert one.slope == pytest.approx(1.144063, abs=1e-6)
    (selu,) = fixed_points("selu", gain("selu"))
    assert selu.q == pytest.approx(1, rel=1e-9)
    assert selu.slope == pytest.approx(0.782648, abs=1e-6)


@pytest.mark.parametrize(("spec", "bias_std"), [("relu", 0.1), ("softplus", 0.0)])
def test_functions_without_an_edge_of_chaos_are_errors(spec, bias_std):
    with pytest.raises(ValueError, match="bias_std with a solution, got"):
        edge_of_chaos(spec, bias_std)
    with pytest.raises(ValueError, match="weight_std and bias_std with a fixed point"):
        fixed_points("relu", 1.5, 0.1)


_, MAPS = load_rows("mean_field_maps", MapRow)
_, DEPTH = load_rows("mean_field_depth", DepthRow)


def test_every_elementwise_function_is_measured():
    elementwise = set()
    for name in names():
        with contextlib.suppress(TypeError):
            quadrature.elementwise("", get(name))
            elementwise.add(name)
    # log1mexp is defined for positive inputs only: it has no Gaussian moments.
    assert {row.function for row in MAPS} == elementwise - {"log1mexp"}
    assert {row.function for row in DEPTH} < elementwise


def check_maps(rows):
    """The largest of 200 normal variables exceeds 4.5 with a probability of 0.1 %."""
    worst = max(rows, key=lambda row: max(abs(row.square), abs(row.product)))
    assert max(abs(worst.square), abs(worst.product)) < 4.5, worst


def is_stable(row):
    return row.slope < STABLE_SLOPE and row.function not in NARROW


def check_depth(rows):
    """Deviations of 1 / (1 - V'(q)) layers add up; they are independent."""
    beyond = [row for row in rows if is_stable(row) and not abs(row.mean - 1) < 0.1]
    assert not beyond, beyond


def test_layers_of_width_4096_have_the_moments_of_the_maps():
    check_maps(MAPS)
    check_maps(mean_field.measure_maps(["tanh", "relu"]))


def test_the_second_moment_stays_within_ten_percent_through_fifty_layers():
    check_depth(DEPTH)
    point = ("tanh", edge_of_chaos("tanh", 0.2)[0])
    check_depth(mean_field.measure_depth([point], layers=5))


@pytest.mark.slow
def test_the_second_moment_of_every_tenth_function_stays_within_ten_percent():
    """The points are stored ones: their solution takes minutes."""
    rows = sorted(filter(is_stable, DEPTH), key=lambda row: -row.slope)
    best = {row.function: row for row in rows}
    point = lambda r: FixedPoint(r.weight_std, r.bias_std, r.q, r.slope, 1.0)
    points = [(name, point(best[name])) for name in sorted(best)[::10]]
    check_depth(mean_field.measure_depth(points))
