"""Approximate instructions stay within the bounds of the manual, and reach them."""

from fractions import Fraction

import mpmath
import numpy as np
import pytest

from tests.tools.exact import samples
from tools.ptx import BEST, NEAREST, execute, worst
from tools.ptx.approximations import ulp

TINY = 2.0**-126
EXACT = {
    "rcp": lambda a: 1 / a,
    "sqrt": mpmath.sqrt,
    "rsqrt": lambda a: 1 / mpmath.sqrt(a),
    "ex2": lambda a: mpmath.mpf(2) ** a,
    "lg2": lambda a: mpmath.log(a, 2),
    "tanh": mpmath.tanh,
}
BOUND = {
    "rcp": lambda a, y: ulp(y),
    "sqrt": lambda a, y: np.abs(y) * 2.0**-23,
    "rsqrt": lambda a, y: np.abs(y) * 2.0**-22.9,
    # The 2 ulp are from the correctly rounded result.
    "ex2": lambda a, y: 2.5 * ulp(y),
    "lg2": lambda a, y: np.where((a > 0.5) & (a < 2), 1, np.abs(y)) * 2.0**-22,
    "tanh": lambda a, y: np.abs(y) * 2.0**-11,
}
MODELS = [NEAREST, BEST, worst(0)]


def inputs(name):
    xs = np.concatenate([samples("f32", 400), np.float32([0.6, 0.99, 1.01, 1.9, 2.5])])
    xs = xs[xs != 0]
    if name in ("sqrt", "rsqrt", "lg2"):
        xs = np.unique(np.abs(xs))
        xs = xs[xs != 1]
    return xs[np.abs(xs) < 120] if name == "ex2" else xs


def exact(name, xs):
    with mpmath.mp.workprec(100):
        return np.array([float(EXACT[name](mpmath.mpf(float(x)))) for x in xs])


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
@pytest.mark.parametrize("name", EXACT)
def test_functions_are_within_the_bound(name, model):
    xs = inputs(name)
    want = exact(name, xs)
    representable = (np.abs(want) >= 2.0**-149) & (np.abs(want) < 2.0**128)
    got = execute(f"{name}.approx.f32", xs, model=model).astype(np.float64)
    # Below the least normal number the error of a relative bound is rounding.
    bound = np.maximum(BOUND[name](xs, want), 2.0**-150) * (1 + 2.0**-40)
    error = np.abs(got - want)[representable] / bound[representable]
    assert error.max() <= 1
    if model.name == "worst":
        reached = error[np.abs(want[representable]) > TINY]
        assert np.median(reached) > 0.3
        assert reached.max() > (0.75 if name == "ex2" else 0.9)
        signs = np.sign(got - want)
        assert {-1, 1} <= set(signs[representable])


def quotients():
    a, b = samples("f32", 3000, 1), samples("f32", 3000, 2)
    count = min(len(a), len(b))
    a, b = a[:count][b[:count] != 0], b[:count][b[:count] != 0]
    exact = [Fraction(float(x)) / Fraction(float(y)) for x, y in zip(a, b, strict=True)]
    inside = np.array([TINY <= abs(q) < 2**127 for q in exact])
    return (
        a[inside],
        b[inside],
        [q for q, keep in zip(exact, inside, strict=True) if keep],
    )


@pytest.mark.parametrize(
    ("model", "least", "most"),
    [
        (NEAREST, 0.49, 0.5),
        (
            BEST,
            0.8,
            1.5,
        ),  # the reciprocal and the product are rounded: 1 ulp and 0.5 ulp
        (worst(0), 1.9, 2),
        (worst(0, by_reciprocal=True), 1.9, 2.5),  # 2 ulp and 0.5 ulp
    ],
)
def test_division_is_within_its_bound(model, least, most):
    a, b, exact = quotients()
    got = execute("div.full.f32", a, b, model=model)
    size = ulp(np.array([float(q) for q in exact]))
    error = [
        abs(Fraction(float(y)) - q) / Fraction(u)
        for y, q, u in zip(got, exact, map(float, size), strict=True)
    ]
    assert least < max(error) <= most


def test_the_best_model_keeps_quotients_by_powers_of_two():
    a = np.float32(np.random.default_rng(0).normal(size=500))
    for power in np.float32(2.0) ** np.arange(-20, 20, dtype=np.float32):
        np.testing.assert_array_equal(
            execute("div.full.f32", a, power, model=BEST), a / power
        )


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_special_values_are_those_of_the_manual(model):
    xs = np.float32([-np.inf, -0.0, 0.0, np.inf, np.nan, -1.0])
    nan, inf = np.nan, np.inf
    table = {
        "rcp": [-0.0, -inf, inf, 0.0, nan],
        "sqrt": [nan, -0.0, 0.0, inf, nan, nan],
        "rsqrt": [nan, -inf, inf, 0.0, nan, nan],
        "lg2": [nan, -inf, -inf, inf, nan, nan],
        "tanh": [-1.0, -0.0, 0.0, 1.0, nan],
    }
    for name, want in table.items():
        got = execute(f"{name}.approx.f32", xs[: len(want)], model=model)
        assert [str(v) for v in np.abs(got)] == [
            str(v) for v in np.abs(np.float32(want))
        ]
        number = ~np.isnan(want)
        assert np.signbit(got[number]).tolist() == np.signbit(want)[number].tolist()
    assert execute("ex2.approx.f32", np.float32(0), model=model) == 1
    assert execute("ex2.approx.f32", np.float32(-inf), model=model) == 0
    assert execute("ex2.approx.f32", np.float32(inf), model=model) == inf


def test_flushing_replaces_subnormal_operands_and_results():
    small = np.float32([1e-40, -1e-40])
    np.testing.assert_array_equal(
        execute("rcp.approx.ftz.f32", small), np.float32([np.inf, -np.inf])
    )
    assert execute("rcp.approx.f32", np.float32(2.0**127)) == 2.0**-127
    assert execute("rcp.approx.ftz.f32", np.float32(2.0**127)) == 0
    assert execute("ex2.approx.f32", np.float32(-127.0)) == 2.0**-127
    assert execute("ex2.approx.ftz.f32", np.float32(-127.0)) == 0


def test_division_by_a_huge_number_vanishes_only_in_the_fast_form():
    a, b = np.float32(2.0**120), np.float32(-(2.0**127))
    assert execute("div.full.f32", a, b, model=BEST) == -(2.0**-7)
    assert execute("div.approx.f32", a, b, model=BEST) == 0
    assert np.signbit(execute("div.approx.f32", a, b, model=BEST))
    assert np.isnan(execute("div.approx.f32", np.float32(np.inf), b, model=BEST))
