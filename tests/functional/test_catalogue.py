"""Metadata, parameters and transformations of elementwise functions; export list."""

import copy
import importlib
import inspect
import math
import pickle
import pkgutil
import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental.jet import jet

import jax_acts
from jax_acts import functional, shifted_softplus, snake, snake_beta, sugar
from jax_acts._core.compat import enable_x64
from jax_acts._core.function import Function
from jax_acts.testing import derivatives, off_kinks, sample_inputs
from jax_acts.testing.properties import NUM_POINTS
from tests.conftest import ACTIVATIONS, check_each

BIBLIOGRAPHY = Path(__file__).parents[2] / "jax_acts" / "references.bib"


def inputs(f):
    """Return a few inputs in the domain, away from kinks."""
    x = np.array([0.1, 0.75, 1.25, 2.6, 5.5, -0.1, -0.75, -1.25, -2.6, -5.5])
    return jnp.asarray(off_kinks(x, f.spec), jnp.float32)


def parameters(f):
    """Return the differentiable arguments after x, with their defaults."""
    names = [n for n in f.parameters[1:] if n not in f.static]
    return {n: jnp.float32(f.signature.parameters[n].default) for n in names}


def test_the_range_is_attained(f):
    low, high = f.spec.range
    y = derivatives(f, sample_inputs(np.float64, 20_000, f.spec), np.float64)[0]
    for bound, extremum in ((low, np.nanmin(y)), (high, np.nanmax(y))):
        if math.isinf(bound):
            assert abs(extremum) > 100, f"expected an infinite bound, got {extremum}"
        else:
            assert abs(extremum - bound) < 1e-3, f"expected {bound}, got {extremum}"


def test_negative_zero_is_preserved(f):
    # x plus a square (-0 + 0 = 0), or the value of relu with the derivative of silu.
    if f in (snake, snake_beta, shifted_softplus, sugar):
        return
    value, dx, _ = derivatives(f, np.array([-0.0]), np.float32)
    if value[0] == 0 and dx[0] > 0:
        assert np.signbit(value[0])


def test_citations_resolve():
    known = set(re.findall(r"@\w+\{(\w+),", BIBLIOGRAPHY.read_text()))
    cited = {key: n for n, f in ACTIVATIONS.items() for key in f.spec.cite.split()}
    assert {key: n for key, n in cited.items() if key not in known} == {}


def test_docstring_has_a_formula_and_an_example():
    check_each(has_a_formula_and_an_example, ACTIVATIONS.values())


def has_a_formula_and_an_example(f):
    summary = f.__doc__.split("\n\n")[0]
    assert re.search(r"\$.+\$", summary), "expected a formula in the summary"
    assert ">>>" in f.__doc__, "expected an example"


def test_docstring_documents_every_argument():
    check_each(documents_every_argument, ACTIVATIONS.values())


def documents_every_argument(f):
    for name in f.parameters[1:]:
        assert re.search(rf"^ +{name}: ", f.__doc__, re.MULTILINE), name


def test_reference_has_the_defaults_of_the_function():
    check_each(has_the_defaults_of_its_reference, ACTIVATIONS.values())


def has_the_defaults_of_its_reference(f):
    arguments = [p for n, p in f.signature.parameters.items() if n not in f.static]
    reference = list(inspect.signature(f.spec.reference).parameters.values())
    defaults = lambda parameters: [p.default for p in parameters]
    assert defaults(arguments[1:]) == defaults(reference[2:])


def test_partial_derivatives_match_finite_differences(f):
    x, h = np.asarray(inputs(f), np.float64), 1e-6
    for name, value in parameters(f).items():
        if not np.isfinite(value):
            continue
        value = np.asarray(value, np.float64)

        def program(x, a, n=name):
            bound = lambda a: f(x, **{n: a})
            left, right = jax.vmap(bound)(a + jnp.array([-h, h]))
            jvp = jax.jvp(bound, (a,), (jnp.ones_like(a),))[1]
            return (right - left) / (2 * h), f.partial(n)(x, **{n: a}), jvp

        with enable_x64(True):
            difference, partial, jvp = jax.device_get(jax.jit(program)(x, value))
        # Central differences: truncation h² f''' / 6 and rounding eps |f| / h.
        np.testing.assert_allclose(partial, difference, rtol=1e-6, atol=1e-8)
        # FMA contraction can differ between the programs.
        np.testing.assert_allclose(partial, jvp, rtol=1e-15)


@pytest.mark.slow
def test_parameters_can_be_traced_and_vmapped(f):
    x = inputs(f)
    for name, value in parameters(f).items():

        def program(x, a, n=name):
            bound = lambda a: f(x, **{n: a})
            return jax.vmap(bound)(jnp.stack([a] * 3)), bound(a), f(x)

        mapped, traced, default = jax.jit(program)(x, value)
        # FMA contraction can differ between shapes.
        want = np.stack([traced] * 3)
        np.testing.assert_allclose(mapped, want, rtol=1.2e-7, atol=3e-8)
        # Constant defaults can be used with more than float32 precision.
        np.testing.assert_allclose(traced, default, rtol=2e-6, atol=1e-7)


def test_a_float32_parameter_does_not_promote_a_16_bit_output(f):
    x = inputs(f).astype(jnp.bfloat16)
    for name, value in parameters(f).items():

        def program(x, a, n=name):
            y, pullback = jax.vjp(lambda x, a: f(x, **{n: a}), x, a)
            return y, *pullback(jnp.ones_like(y))

        y, dx, da = jax.eval_shape(program, x, value)
        assert (y.dtype, dx.dtype, da.dtype) == (x.dtype, x.dtype, value.dtype)


def test_integers_and_booleans_become_the_default_float(f):
    x = jnp.arange(1, NUM_POINTS + 1)
    with jax.disable_jit():  # operations of this size are compiled for `eager`
        np.testing.assert_array_equal(f(x), f(x.astype(jnp.float32)))
    for dtype in (jnp.int8, jnp.int32, jnp.uint8, jnp.bool_):
        y = jax.eval_shape(f, jax.ShapeDtypeStruct((3,), dtype))
        assert y.dtype == jnp.float32


def test_complex_input_raises():
    check_each(complex_input_raises, ACTIVATIONS.values())


def complex_input_raises(f):
    with pytest.raises(TypeError, match=f"{f.__name__}: x: expected real numbers"):
        f(jnp.array(1j))


def test_pickle_and_copy_return_the_function_itself():
    check_each(is_pickled_and_copied_by_name, ACTIVATIONS.values())


def is_pickled_and_copied_by_name(f):
    for g in (f, f.derivative, f.derivative.derivative):
        assert pickle.loads(pickle.dumps(g)) is g is copy.deepcopy(g)
        assert hash(g) == hash(copy.copy(g))


@pytest.mark.slow
def test_the_value_without_custom_jvp_supports_jet(f):
    x = jnp.float32(0.3)
    want = [y[0] for y in derivatives(f, np.array([0.3]), np.float32)]
    series = [jnp.float32(1.0), jnp.float32(0.0)]
    y, terms = jax.jit(lambda x: jet(f.without_custom_jvp, (x,), (series,)))(x)
    # Derivatives of approximating polynomials are less accurate than the values.
    np.testing.assert_allclose(y, want[0], rtol=1e-6)
    if f.spec.surrogate is not None:
        return  # without the custom JVP the derivatives are not those of the surrogate
    np.testing.assert_allclose(terms[0], want[1], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(terms[1], want[2], rtol=1e-3, atol=1e-3)


def test_unknown_and_missing_arguments_raise_with_their_names():
    from jax_acts import silu

    with pytest.raises(TypeError, match="did you mean 'beta'"):
        silu(1.0, bta=2.0)
    with pytest.raises(TypeError, match=r"silu\(x.*missing a required argument: 'x'"):
        silu()
    with pytest.raises(ValueError, match=r"x \(2,\), beta \(3,\)"):
        silu(jnp.ones(2), jnp.ones(3))
    with pytest.raises(TypeError, match="expected one of x, beta, got 'gamma'"):
        silu.partial("gamma")


def test_every_function_is_exported_once():
    families = [
        importlib.import_module(f"{functional.__name__}.{info.name}")
        for info in pkgutil.iter_modules(functional.__path__)
    ]
    names = [name for module in families for name in module.__all__]
    assert sorted(names) == sorted(functional.__all__) == sorted(set(names))
    for module in families:
        functions = {n for n, f in vars(module).items() if defined_in(module, f)}
        assert {n for n in functions if not n.startswith("_")} == set(module.__all__)
    for name in names:
        assert getattr(jax_acts, name) is getattr(functional, name)


def defined_in(module, f):
    return isinstance(f, Function) and f.__module__ == module.__name__
