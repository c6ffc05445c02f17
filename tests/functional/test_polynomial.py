"""Functions with learned coefficients: dtypes, residuals, shapes, limits and errors."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.interpolate import BSpline

import jax_acts.linen
import jax_acts.nnx
from jax_acts import (
    Learn,
    apl,
    b_spline,
    chebyshev,
    get,
    polynorm,
    polyrelu,
    rational,
)
from jax_acts._core.compat import enable_x64
from tests.functional.formulas import DENOMINATORS, rational as quotient

INF = np.inf
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(0, 3, (5, 4))  # also outside of the grids, without ties
A6, B4 = (0.3, 1.0, -0.5, 0.2, 0.1, 0.05), (0.4, -0.3, 0.2, 0.1)
C7 = (0.5, -1.0, 0.7, 0.2, -0.4, 1.5, -0.3)
SPLINE = functools.partial(b_spline, grid=(-2, 2))
SERIES = functools.partial(chebyshev, interval=(-1, 2))
# Function and coefficients.
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
    unit, coefficients = UNITS[name]
    x = jnp.asarray(X, jnp.bfloat16)
    f = lambda x: unit(x, *coefficients)
    wide = lambda x: f(x.astype(jnp.float32)).astype(x.dtype)
    np.testing.assert_array_equal(*jax.jit(lambda x: (f(x), wide(x)))(x))


@every_unit
def test_the_only_large_residual_is_x(name):
    unit, coefficients = UNITS[name]
    x = jax.ShapeDtypeStruct(X.shape, jnp.bfloat16)
    cs = [jax.ShapeDtypeStruct(np.shape(c), jnp.float32) for c in coefficients]
    residuals = jax.eval_shape(lambda x, *cs: jax.vjp(unit, x, *cs)[1], x, *cs)
    limit = max(7, *(c.size for c in cs))
    large = [a for a in jax.tree.leaves(residuals) if a.size > limit]
    assert [(a.shape, a.dtype) for a in large] == [(x.shape, x.dtype)]


@every_unit
def test_coefficients_can_differ_between_features(name):
    unit, coefficients = UNITS[name]
    x, rng = jnp.asarray(X, jnp.float32), np.random.default_rng(1)
    per_feature = [
        jnp.asarray(np.asarray(c)[..., None] + rng.normal(0, 0.1, 4), jnp.float32)
        for c in coefficients
    ]
    if name == "polynorm":
        x, per_feature[-1] = jnp.broadcast_to(x[:, :1], x.shape), jnp.full(4, 1e-6)
    vmapped = jax.vmap(lambda x, *cs: unit(x[:, None], *cs)[:, 0], -1, -1)
    got, want = jax.jit(lambda *a: (unit(*a), vmapped(*a)))(x, *per_feature)
    # FMA contraction can differ between the programs.
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)


@every_unit
def test_nan_propagates_to_value_and_gradient(name):
    unit, coefficients = UNITS[name]
    both = jax.jit(jax.value_and_grad(lambda x: unit(x, *coefficients).sum()))
    y, gradient = both(jnp.full(3, jnp.nan))
    assert jnp.isnan(y)
    assert jnp.isnan(gradient).all()


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
def test_an_infinite_x_gives_the_limit(spec):
    both = jax.jit(jax.vmap(jax.value_and_grad(get(spec))))
    limits, derivatives = both(jnp.array([-INF, INF]))
    np.testing.assert_allclose(limits, LIMITS[spec], rtol=1e-6, atol=1e-20)
    assert not jnp.isnan(derivatives).any()


@pytest.mark.parametrize("form", DENOMINATORS)
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float16])
def test_powers_in_a_rational_function_do_not_overflow(form, dtype):
    far = [10.0, 1e3, 6e4] if dtype == jnp.float16 else [1e3, 1e8, 1e20, 1e30]
    x = jnp.array([*far, *(-v for v in far)], dtype)
    f = jax.value_and_grad(lambda x, a, b: rational(x, a, b, form=form))
    program = jax.jit(jax.vmap(f, (0, None, None)))
    # With leading coefficients of 0, the powers of 1/x underflow.
    nonzero = ((0.0, 1.0, 0.0, 0.0, 0.0, 2.0), (3.0, 0.0, 0.0, 0.0, 4.0))
    zeros = ((0.0, 1.0, 0.0, 0.0, 0.0, 0.0), (0.5, 1.0, 0.0, 0.0, 0.0))
    for a, b in (nonzero, zeros):
        got, derivative = program(x, a, b)
        want = quotient(np.asarray(x, np.float64), a, b, form)
        eps = float(jnp.finfo(dtype).eps)
        np.testing.assert_allclose(got, want, rtol=4 * eps, atol=1e-37)
        assert jnp.isfinite(derivative).all()


def test_a_denominator_of_zeros_has_a_gradient():
    gradient = jax.grad(lambda b: rational(2.0, (0.0, 1.0), b))((0.0, 0.0))
    np.testing.assert_array_equal(gradient, [-4, -8])  # -P |x|^i
    # At the kink of |x| the derivative is the right derivative.
    kink = jax.grad(lambda x: rational(x, (3.0, 1.0), (-0.5,)))(0.0)
    assert kink == 1 - 3 * 0.5


def test_derivatives_at_kinks_are_those_documented():
    assert jax.grad(polyrelu)(0.0) == 0
    assert jax.grad(apl)(0.0) == 0
    assert jax.grad(lambda x: apl(x, (-0.5,), (1.0,)))(1.0) == 1
    for x in (-4.0, 4.0):  # the ends of the grid and of the interval
        np.testing.assert_allclose(jax.grad(b_spline)(x), 1, rtol=1e-6)
        np.testing.assert_allclose(jax.grad(chebyshev)(x), 1, rtol=1e-6)


def test_defaults_are_the_identity():
    x = jnp.linspace(-9, 9, 37)
    np.testing.assert_allclose(b_spline(x), x, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(chebyshev(x), x, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(rational(x), x, rtol=2e-7)  # 1 / (1 / x) for |x| > 1


@pytest.mark.parametrize("degree", [0, 1, 2, 5])
def test_b_spline_of_every_degree_matches_scipy(degree):
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
    with pytest.raises(ValueError, match=r"numerator: .* 4 features .*\(5, 3\)"):
        layer(x[:, :3])


ONES = jnp.ones((2, 4))
INVALID = {
    "scalar coefficients": (
        lambda: polyrelu(ONES, 1.0),
        r"coefficients: expected .* shape \(k,\)",
    ),
    "no coefficients": (lambda: chebyshev(ONES, ()), "at least 1 coefficient"),
    "other features": (
        lambda: rational(ONES, jnp.ones((3, 5))),
        r"numerator: expected .* x of shape \(2, 4\), .* got \(5,\)",
    ),
    "more hinges": (lambda: apl(ONES, (1.0,), (1.0, 2.0)), "1 slopes and 2 hinges"),
    "too few": (lambda: b_spline(ONES, (1.0, 2.0)), "at least 4 for degree 3, got 2"),
    "degree": (lambda: b_spline(ONES, degree=-1), "degree: expected .*, got -1"),
    "grid": (lambda: b_spline(ONES, grid=(1, 1)), "grid: expected .* low < high"),
    "interval": (lambda: chebyshev(ONES, interval=(0, INF)), "interval: .* finite"),
    "form": (lambda: rational(ONES, form="D"), "expected 'A' or 'B' or 'C', got 'D'"),
    "outside": (lambda: b_spline(ONES, outside="zeros"), "did you mean 'zero'"),
    "complex": (lambda: polyrelu(ONES * 1j), "x: expected real numbers"),
    "learned scalar": (
        lambda: get("rational(numerator=Learn(0.5))"),
        r"numerator: expected coefficients .*, got Learn\(0.5\)",
    ),
    "learned coefficients": (
        lambda: get("elu(alpha=Learn((0.5, 1.0)))"),
        "alpha: expected a number, got 2 coefficients",
    ),
    "empty Learn": (lambda: Learn(()), "expected a number or a tuple"),
}


@pytest.mark.parametrize("case", INVALID)
def test_invalid_coefficients_raise_with_the_valid_values(case):
    call, message = INVALID[case]
    with pytest.raises((ValueError, TypeError), match=message):
        call()
