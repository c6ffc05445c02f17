"""What every activation of the catalogue has besides the laws."""

import copy
import inspect
import math
import pickle
import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental.jet import jet

from jax_acts import shifted_softplus, snake, snake_beta, sugar
from jax_acts._core.compat import enable_x64
from jax_acts.testing import derivatives, off_kinks, telling
from tests.conftest import quickly

BIBLIOGRAPHY = Path(__file__).parents[2] / "jax_acts" / "references.bib"


def inputs(f):
    """Returns a few inputs in the domain, off the kinks."""
    x = np.array([0.1, 0.75, 1.25, 2.6, 5.5, -0.1, -0.75, -1.25, -2.6, -5.5])
    return jnp.asarray(off_kinks(x, f.spec), jnp.float32)


def parameters(f):
    """Returns the differentiable arguments after x, with their defaults."""
    names = [n for n in f.parameters[1:] if n not in f.static]
    return {n: jnp.float32(f.signature.parameters[n].default) for n in names}


def test_range_is_reached(f):
    low, high = f.spec.range
    y = derivatives(f, telling(np.float64, 20_000, f.spec), np.float64)[0]
    for bound, reached in ((low, np.nanmin(y)), (high, np.nanmax(y))):
        if math.isinf(bound):
            assert abs(reached) > 100, "the bound is infinite, but values stay small"
        else:
            assert abs(reached - bound) < 1e-3, f"values come no nearer than {reached}"


def test_minus_zero_stays_minus_zero(f):
    if f in (snake, snake_beta, shifted_softplus, sugar):
        return  # x and a square: -0 + 0 is 0; the value of relu, the slope of silu
    value, slope, _ = derivatives(f, np.array([-0.0]), np.float32)
    if value[0] == 0 and slope[0] > 0:
        assert np.signbit(value[0])


def test_citations_resolve(f):
    known = set(re.findall(r"@\w+\{(\w+),", BIBLIOGRAPHY.read_text()))
    assert set(f.spec.cite.split()) <= known


def test_docstring_has_the_formula_and_an_example(f):
    first = f.__doc__.split("\n\n")[0]
    assert re.search(r"\$.+\$", first), "the first sentence states the formula"
    assert ">>>" in f.__doc__, "an example shows what it does"


def test_docstring_explains_every_argument(f):
    for name in f.parameters[1:]:
        assert re.search(rf"^ +{name}: ", f.__doc__, re.MULTILINE), name


def test_oracle_has_the_defaults_of_the_function(f):
    ours = [p.default for n, p in f.signature.parameters.items() if n not in f.static]
    theirs = [
        p.default for p in inspect.signature(f.spec.reference).parameters.values()
    ]
    assert ours[1:] == theirs[2:]


def test_derivatives_in_parameters_agree_with_differences(f):
    x, h = np.asarray(inputs(f), np.float64), 1e-6
    for name, value in parameters(f).items():
        if not np.isfinite(value):
            continue
        at = np.asarray(value, np.float64)

        def program(x, a, n=name):
            along = lambda a: f(x, **{n: a})
            sides = jax.vmap(along)(a + jnp.array([-h, h]))
            auto = jax.jvp(along, (a,), (jnp.ones_like(a),))[1]
            return sides, f.partial(n)(x, **{n: a}), auto

        with enable_x64(True):
            (left, right), got, auto = jax.device_get(quickly(program)(x, at))
        # Central differences err by h² f''' / 6, and by the last place of f over h.
        np.testing.assert_allclose(got, (right - left) / (2 * h), rtol=1e-6, atol=1e-8)
        # Two programs may contract different products and sums.
        np.testing.assert_allclose(got, auto, rtol=1e-15)


@pytest.mark.slow
def test_parameters_may_be_traced_and_mapped(f):
    x = inputs(f)
    for name, value in parameters(f).items():

        def program(x, a, n=name):
            along = lambda a: f(x, **{n: a})
            return jax.vmap(along)(jnp.stack([a] * 3)), along(a), f(x)

        mapped, one, default = quickly(program)(x, value)
        # Other shapes may contract other products and sums.
        np.testing.assert_allclose(mapped, np.stack([one] * 3), rtol=1.2e-7, atol=3e-8)
        # The default is a constant, whose digits beyond float32 may be used.
        np.testing.assert_allclose(one, default, rtol=2e-6, atol=1e-7)


def test_a_wide_parameter_does_not_widen_the_output(f):
    x = inputs(f).astype(jnp.bfloat16)
    for name, value in parameters(f).items():

        def program(x, a, n=name):
            y, pullback = jax.vjp(lambda x, a: f(x, **{n: a}), x, a)
            return y, *pullback(jnp.ones_like(y))

        y, dx, da = jax.eval_shape(program, x, value)
        assert (y.dtype, dx.dtype, da.dtype) == (x.dtype, x.dtype, value.dtype)


def test_integers_and_booleans_become_the_default_float(f):
    x = jnp.arange(1, 4)
    both = quickly(lambda x: (f(x), f(x.astype(jnp.float32))))(x)
    np.testing.assert_array_equal(*both)
    for dtype in (jnp.int8, jnp.uint8, jnp.bool_):
        y = jax.eval_shape(f, jax.ShapeDtypeStruct((3,), dtype))
        assert y.dtype == jnp.float32


def test_complex_is_refused(f):
    with pytest.raises(TypeError, match=f"{f.__name__} takes real numbers"):
        f(jnp.array(1j))


def test_pickle_and_copy_give_the_function_itself(f):
    for g in (f, f.derivative, f.derivative.derivative):
        assert pickle.loads(pickle.dumps(g)) is g is copy.deepcopy(g)
        assert hash(g) == hash(copy.copy(g))


@pytest.mark.slow
def test_the_plain_rule_goes_through_jet(f):
    x = jnp.float32(0.3)
    want = [y[0] for y in derivatives(f, np.array([0.3]), np.float32)]
    series = [jnp.float32(1.0), jnp.float32(0.0)]
    y, terms = quickly(lambda x: jet(f.without_custom_jvp, (x,), (series,)))(x)
    # The rules use polynomials, whose derivatives are a little less exact.
    np.testing.assert_allclose(y, want[0], rtol=1e-6)
    if f.spec.surrogate is not None:
        return  # by the plain rule a value has the derivatives of its own
    np.testing.assert_allclose(terms[0], want[1], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(terms[1], want[2], rtol=1e-3, atol=1e-3)


def test_unknown_and_missing_arguments_are_named():
    from jax_acts import silu

    with pytest.raises(TypeError, match="did you mean 'beta'"):
        silu(1.0, bta=2.0)
    with pytest.raises(TypeError, match=r"silu\(x.*missing a required argument: 'x'"):
        silu()
    with pytest.raises(ValueError, match=r"x \(2,\), beta \(3,\)"):
        silu(jnp.ones(2), jnp.ones(3))
    with pytest.raises(TypeError, match="has no derivative in 'gamma'"):
        silu.partial("gamma")
