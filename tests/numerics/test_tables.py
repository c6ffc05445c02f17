"""Generated coefficients: polynomials and zeros agree with their functions."""

import mpmath
import numpy as np
import pytest

from jax_acts._numerics import coefficients
from jax_acts._numerics.polynomial import fold_half_line, polynomial, polynomial_hi_lo
from jax_acts._numerics.root import Root, patch_near_zero
from jax_acts.testing import ulps
from tests.numerics.blocks import F32, F64, evaluate, exact, mp, relative_error
from tools.coefficients import derivative_zero, main, polynomials, sources

ROOTS = {
    name: value for name, value in vars(coefficients).items() if isinstance(value, Root)
}
both_dtypes = pytest.mark.parametrize("dtype", [F32, F64])


@both_dtypes
def test_polynomials_have_the_error_of_their_fit(dtype):
    for name, target in polynomials():
        table = getattr(coefficients, name)
        ends = float(target.low), float(target.ends[dtype])
        y = np.random.default_rng(0).uniform(*ends, 20).astype(dtype)
        got = evaluate(lambda y, table=table: polynomial(y, table), (y,))
        hi, lo = exact(target.f, (y,))
        c, x = np.array(table[dtype]), abs(y).astype(np.float64)
        # Horner's rule: each term is rounded at most 2 n times.
        size = np.polyval(abs(c)[::-1], x)
        bound = 2 * c.size * np.finfo(dtype).eps * size
        assert np.all(abs((got - hi) - lo) <= bound), name


@both_dtypes
def test_the_terms_of_a_polynomial_are_its_low_word(dtype):
    y = np.random.default_rng(0).uniform(-0.01, 0.01, 200).astype(dtype)
    table = coefficients.SERF_GATE_LEFT
    error = relative_error(
        lambda y: (
            y * 0 + polynomial_hi_lo(y, table)[0],
            polynomial_hi_lo(y, table)[1],
        ),
        dict(polynomials())["SERF_GATE_LEFT"].f,
        (y,),
    )
    assert error < np.finfo(dtype).eps / 8


def test_the_half_line_is_folded():
    a = np.array([0.0, 2.5, 40.0, 1e30])
    np.testing.assert_allclose(evaluate(fold_half_line, (a,)), [-1, 0, 37.5 / 42.5, 1])


@pytest.mark.parametrize("name", ROOTS)
def test_the_zero_has_double_word_precision(name):
    root, want = ROOTS[name], derivative_zero(name)
    for dtype, bits in ((F32, 48), (F64, 105)):
        hi, lo = map(mp.mpf, root.zero[dtype])
        assert abs(hi + lo - want.zero) < abs(want.zero) * mp.mpf(2) ** -bits
    assert abs(root.slope / want.slope - 1) < 1e-15


@pytest.mark.parametrize("name", ["SERF_1", "FINER_2", "GCU_1_FIRST"])
@both_dtypes
def test_the_relative_error_is_bounded_near_a_zero(name, dtype):
    root, want = ROOTS[name], derivative_zero(name)
    zero = root.zero[dtype][0]
    steps = np.array([0.0, 1e-7, -1e-7, 1e-4, 0.01, -0.1, 0.2]) * root.radius
    x = (zero + steps).astype(dtype)
    got = evaluate(lambda x: patch_near_zero(x, x * 0, root), (x,))
    f = lambda x: want.factor.f(x - want.zero) * (x - want.zero)
    hi, lo = exact(f, (x,))
    assert ulps(got, hi, lo).max() <= 3
    far = np.array([zero + 1.01 * root.radius], dtype)
    assert evaluate(lambda x: patch_near_zero(x, x * 0 + 7, root), (far,)) == 7


def test_tables_are_generated_by_name(tmp_path, monkeypatch):
    monkeypatch.setattr("tools.coefficients.TARGET", tmp_path / "coefficients.py")
    source = coefficients.__file__
    with open(source) as file:
        text = file.read()
    (tmp_path / "coefficients.py").write_text(text)
    main(["EXP", "SERF_1", "TWO_OVER_PI"])
    assert (tmp_path / "coefficients.py").read_text() == text
    assert {name for name, _ in sources()} <= set(vars(coefficients))
    assert mpmath.mp.dps == 60
