"""Functions with coefficients: derivatives, shapes and limits."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.interpolate import BSpline

import jax_acts.linen
import jax_acts.nnx
from jax_acts import (
    Bound,
    Learn,
    apl,
    b_spline,
    chebyshev,
    fit,
    get,
    polynorm,
    polyrelu,
    rational,
)
from jax_acts._core.compat import enable_x64
from tests.functional.formulas import DENOMINATORS, rational as quotient

INF = np.inf
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(0, 3, (5, 4))  # beyond the grids, without ties
A6, B4 = (0.3, 1.0, -0.5, 0.2, 0.1, 0.05), (0.4, -0.3, 0.2, 0.1)
C7 = (0.5, -1.0, 0.7, 0.2, -0.4, 1.5, -0.3)
SPLINE = functools.partial(b_spline, grid=(-2, 2))
SERIES = functools.partial(chebyshev, interval=(-1, 2))
# Each with its rows and numbers.
UNITS = {
    "polyrelu": (polyrelu, [(0.2, 0.5, -0.3, 0.1)]),
    **{
        f"rational {form}": (functools.partial(rational, form=form), [A6, B4])
        for form in "ABC"
    },
    **{
        f"chebyshev {outside}": (functools.partial(SERIES, outside=outside), [C7])
        for outside in ("linear", "constant", "squash")
    },
    **{
        f"b_spline {outside}": (functools.partial(SPLINE, outside=outside), [C7, 0.3])
        for outside in ("linear", "constant", "zero")
    },
    "apl": (apl, [(0.2, -0.5, 0.1), (0.3, 1.1, -2.0)]),
    "polynorm": (
        lambda x, w, b, e: polynorm(x, w, b, -1, e),
        [(0.5, -0.3, 0.2), 0.1, 1e-6],
    ),
}
every_unit = pytest.mark.parametrize("name", UNITS)


@every_unit
def test_16_bit_inputs_are_computed_in_float32_and_rounded_once(name):
    unit, given = UNITS[name]
    x = jnp.asarray(X, jnp.bfloat16)
    wide = lambda x: unit(x.astype(jnp.float32), *given).astype(x.dtype)
    np.testing.assert_array_equal(*jax.jit(lambda x: (unit(x, *given), wide(x)))(x))


@every_unit
def test_residuals_are_x_and_the_coefficients(name):
    unit, given = UNITS[name]
    x = jax.ShapeDtypeStruct(X.shape, jnp.bfloat16)
    rows = [jax.ShapeDtypeStruct(np.shape(row), jnp.float32) for row in given]
    residuals = jax.eval_shape(lambda x, *rows: jax.vjp(unit, x, *rows)[1], x, *rows)
    large = [
        a
        for a in jax.tree.leaves(residuals)
        if a.size > max(7, *(r.size for r in rows))
    ]
    assert [(a.shape, a.dtype) for a in large] == [(x.shape, x.dtype)]


@every_unit
def test_coefficients_may_differ_by_feature(name):
    unit, given = UNITS[name]
    x, draws = jnp.asarray(X, jnp.float32), np.random.default_rng(1)
    each = [
        jnp.asarray(np.asarray(row)[..., None] + draws.normal(0, 0.1, 4), jnp.float32)
        for row in given
    ]
    if name == "polynorm":
        x, each[-1] = jnp.broadcast_to(x[:, :1], x.shape), jnp.full(4, 1e-6)
    alone = jax.vmap(lambda x, *rows: unit(x[:, None], *rows)[:, 0], -1, -1)
    got, want = jax.jit(lambda *given: (unit(*given), alone(*given)))(x, *each)
    # Products and sums may be contracted in one and not in the other.
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)


@every_unit
def test_nan_propagates_to_values_and_gradients(name):
    unit, given = UNITS[name]
    both = jax.jit(jax.value_and_grad(lambda x: unit(x, *given).sum()))
    y, slope = both(jnp.full(3, jnp.nan))
    assert jnp.isnan(y)
    assert jnp.isnan(slope).all()


LIMITS = {
    "polyrelu((0.5, 1, 1))": (0.5, INF),
    "polyrelu((2, 0, 0))": (2, 2),
    "rational((0, 1, 2), (3, 4))": (0.5, 0.5),
    "rational((0, 1, 2), (3,))": (INF, INF),
    "rational((0, 1, 2), (3,), form='B')": (INF, INF),
    "rational((0, 1), (3, 0, 0), form='C')": (-INF, INF),
    "rational((0, 1, 0, 0), (0, 1, 0))": (0, 0),
    "chebyshev": (-INF, INF),
    "chebyshev(outside='constant')": (-4, 4),
    "chebyshev(outside='squash')": (-4, 4),
    "b_spline": (-INF, INF),
    "b_spline(outside='constant')": (-4, 4),
    "b_spline(outside='zero')": (0, 0),
    "b_spline(base=1, outside='zero')": (0, INF),
    "apl": (0, INF),
    "apl((-0.1,), (3,))": (-INF, INF),
}


@pytest.mark.parametrize("spec", LIMITS)
def test_values_at_infinity_are_limits(spec):
    both = jax.jit(jax.vmap(jax.value_and_grad(get(spec))))
    limits, slopes = both(jnp.array([-INF, INF]))
    np.testing.assert_allclose(limits, LIMITS[spec], rtol=1e-6, atol=1e-20)
    assert not jnp.isnan(slopes).any()


@pytest.mark.parametrize("form", DENOMINATORS)
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float16])
def test_quotients_do_not_overflow(form, dtype):
    far = [10.0, 1e3, 6e4] if dtype == jnp.float16 else [1e3, 1e8, 1e20, 1e30]
    x = jnp.array([*far, *(-v for v in far)], dtype)
    f = jax.value_and_grad(lambda x, a, b: rational(x, a, b, form=form))
    program = jax.jit(jax.vmap(f, (0, None, None)))
    # With leading coefficients of 0 the powers of 1/x underflow as well.
    rows = ((0.0, 1.0, 0.0, 0.0, 0.0, 2.0), (3.0, 0.0, 0.0, 0.0, 4.0))
    zeros = ((0.0, 1.0, 0.0, 0.0, 0.0, 0.0), (0.5, 1.0, 0.0, 0.0, 0.0))
    for a, b in (rows, zeros):
        got, slope = program(x, a, b)
        want = quotient(np.asarray(x, np.float64), a, b, form)
        eps = float(jnp.finfo(dtype).eps)
        np.testing.assert_allclose(got, want, rtol=4 * eps, atol=1e-37)
        assert jnp.isfinite(slope).all()


def test_zero_denominator_has_a_gradient():
    slope = jax.grad(lambda b: rational(2.0, (0.0, 1.0), b))((0.0, 0.0))
    np.testing.assert_array_equal(slope, [-4, -8])  # of -P |x|^i
    # At the kink of |x| the derivative is the one from the right.
    kink = jax.grad(lambda x: rational(x, (3.0, 1.0), (-0.5,)))(0.0)
    assert kink == 1 - 3 * 0.5


def test_derivatives_at_kinks_are_as_documented():
    assert jax.grad(polyrelu)(0.0) == 0
    assert jax.grad(apl)(0.0) == 0
    assert jax.grad(lambda x: apl(x, (-0.5,), (1.0,)))(1.0) == 1
    for x in (-4.0, 4.0):  # the ends of the grid and of the interval
        np.testing.assert_allclose(jax.grad(b_spline)(x), 1, rtol=1e-6)
        np.testing.assert_allclose(jax.grad(chebyshev)(x), 1, rtol=1e-6)


def test_splines_and_series_are_initially_the_identity():
    x = jnp.linspace(-9, 9, 37)
    np.testing.assert_allclose(b_spline(x), x, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(chebyshev(x), x, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(rational(x), x, rtol=2e-7)  # 1 over 1/x, beyond 1


@pytest.mark.parametrize("degree", [0, 1, 2, 5])
def test_splines_agree_with_scipy(degree):
    c = np.sin(np.arange(8.0))
    h = 2 / (8 - degree)
    knots = -1 + h * np.arange(-degree, 9)
    x = np.linspace(-0.99, 0.99, 40)
    with enable_x64(True):
        got = b_spline(x, tuple(c), grid=(-1, 1), degree=degree)
    np.testing.assert_allclose(got, BSpline(knots, c, degree)(x), atol=1e-13)


SPEC = "rational(Learn((0.0, 1.0, 0.5), per_feature=True), Learn((0.2,)))"


def test_function_linen_and_nnx_agree():
    x = jnp.asarray(X, jnp.float32)
    linen = jax_acts.linen.Activation(SPEC)
    params = linen.init(jax.random.key(0), x)["params"]
    shapes = {"numerator": (3, 4), "denominator": (1,)}
    assert jax.tree.map(jnp.shape, params) == shapes
    np.testing.assert_array_equal(params["numerator"][:, 2], [0, 1, 0.5])
    layer = jax_acts.nnx.Activation(SPEC, features=4)
    assert {n: getattr(layer, n).shape for n in shapes} == shapes
    params["numerator"] = params["numerator"] + jnp.arange(4.0)
    layer.numerator[...] = params["numerator"]
    want = rational(x, **params)
    np.testing.assert_array_equal(linen.apply({"params": params}, x), want)
    np.testing.assert_array_equal(layer(x), want)
    np.testing.assert_array_equal(get(SPEC)(x), rational(x, (0, 1, 0.5), (0.2,)))
    with pytest.raises(ValueError, match=r"numerator .* each of 4 .*\(5, 3\)"):
        layer(x[:, :3])


X4 = jnp.ones((2, 4))
BAD = {
    "one number": (
        lambda: polyrelu(X4, 1.0),
        r"a row of coefficients, of shape \(k,\)",
    ),
    "none": (lambda: chebyshev(X4, ()), "has no coefficients"),
    "other features": (
        lambda: rational(X4, jnp.ones((3, 5))),
        r"numerator has the shape \(5,\), .* x of shape \(2, 4\); .* \(4,\)",
    ),
    "more hinges": (lambda: apl(X4, (1.0,), (1.0, 2.0)), "1 slopes and 2 hinges"),
    "too few": (lambda: b_spline(X4, (1.0, 2.0)), "at least 4 coefficients, not 2"),
    "a degree": (lambda: b_spline(X4, degree=-1), "whole number from 0, not -1"),
    "a grid": (lambda: b_spline(X4, grid=(1, 1)), "the lower first"),
    "an interval": (lambda: chebyshev(X4, interval=(0, INF)), "two finite numbers"),
    "a form": (lambda: rational(X4, form="D"), "'A' or 'B' or 'C', not 'D'"),
    "outside": (lambda: b_spline(X4, outside="zeros"), "did you mean 'zero'"),
    "complex": (lambda: polyrelu(X4 * 1j), "takes real numbers"),
    "a number to learn": (
        lambda: get("rational(numerator=Learn(0.5))"),
        r"numerator of rational is a row .* Learn\(\(0.0, 1.0\)\)",
    ),
    "a row to learn": (
        lambda: get("elu(alpha=Learn((0.5, 1.0)))"),
        "alpha of elu is one number, which cannot start from the 2",
    ),
    "an empty row": (lambda: Learn(()), "a number or a tuple of some"),
}


@pytest.mark.parametrize("bad", BAD)
def test_invalid_coefficients_raise(bad):
    call, message = BAD[bad]
    with pytest.raises((ValueError, TypeError), match=message):
        call()


GRID = np.linspace(-4, 4, 201)


@pytest.mark.parametrize(
    ("unit", "error"),
    [
        ({"unit": "rational"}, 5e-3),
        ({"unit": "rational", "form": "B"}, 5e-3),
        ({"unit": "rational", "form": "C"}, 5e-3),
        ({"unit": "b_spline", "outside": "zero"}, 1e-2),
        ({"unit": "chebyshev", "coefficients": 16}, 1e-3),
    ],
    ids=str,
)
def test_fit_is_accurate_and_serializable(unit, error):
    fitted = fit("gelu", **unit)
    assert isinstance(fitted, Bound)
    assert set(fitted.learned) == set(fitted.function.rows)
    np.testing.assert_allclose(fitted(GRID), get("gelu")(GRID), atol=error)
    assert get(str(fitted)) == fitted == get(fitted.to_dict())
    assert hash(get(str(fitted))) == hash(fitted)


def test_fit_recovers_a_function_of_the_family():
    row = (0.5, -1.0, 0.25, 2.0, -0.5)
    spec = get("chebyshev", coefficients=row)
    assert fit(spec, "chebyshev", coefficients=5).learned == {
        "coefficients": Learn(row)
    }
    spec = get("rational((0, 1, 2), (0.5, 0.25))")
    fitted = fit(spec, degrees=(2, 2), per_feature=True)
    np.testing.assert_allclose(fitted(GRID), spec(GRID), atol=1e-4)
    assert fitted.learned["numerator"].per_feature


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("gelu", "spline"), "did you mean 'b_spline'"),
        (("softmax",), "is not elementwise"),
        (("log1mexp",), "is not finite from -4.0 to 4.0"),
        (("gelu", "rational", (1, -1)), "the lower first"),
    ],
)
def test_invalid_fits_raise(arguments, message):
    activation, *unit = arguments
    interval = {"interval": unit.pop()} if len(unit) > 1 else {}
    with pytest.raises(ValueError, match=message):
        fit(activation, *unit, **interval)
