"""Gated linear units: values, orders and layouts, residuals, dtypes and errors."""

import copy
import functools
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import expit

from jax_acts import (
    bilinear,
    drelu,
    geglu,
    glu,
    gtu,
    linen,
    nnx,
    qgeglu,
    reglu,
    seglu,
    situ_glu,
    sreglu,
    swiglu,
    swiglu_clamped,
    swiglu_oai,
)
from jax_acts._core.compat import enable_x64
from tests.functional.formulas import FORMULAS

UNITS = [
    glu,
    bilinear,
    gtu,
    reglu,
    sreglu,
    drelu,
    seglu,
    geglu,
    qgeglu,
    swiglu,
    swiglu_oai,
    swiglu_clamped,
    situ_glu,
]
RANDOM = np.random.default_rng(0)
GATE, VALUE = (
    jnp.asarray(RANDOM.normal(0, 6, (3, 4)).astype(np.float32)) for _ in "gv"
)
X = jnp.concatenate([VALUE, GATE], -1)

every_unit = pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.__name__)
separate = lambda unit: lambda gate, value: unit(gate, value=value)
fused = lambda unit: functools.partial(unit, order="value_first", layout="split")


@every_unit
def test_values_match_the_numpy_formula(unit):
    with enable_x64(True):
        gate, value = np.asarray(GATE, np.float64), np.asarray(VALUE, np.float64)
        want = FORMULAS[unit.__name__](gate, value)
        np.testing.assert_allclose(unit(gate, value=value), want, rtol=1e-14)
    # Two or three factors within 3 ulp (6e-8 each), and the rounding of the products.
    np.testing.assert_allclose(unit(GATE, value=VALUE), want, rtol=1e-6, atol=1e-36)


@every_unit
def test_every_order_and_layout_gives_the_same_result(unit):
    want = unit(GATE, value=VALUE)
    orders = {"value_first": (VALUE, GATE), "gate_first": (GATE, VALUE)}
    for order, arrays in orders.items():
        split = jnp.concatenate(arrays, -1)
        interleaved = jnp.stack(arrays, -1).reshape(split.shape)
        for layout, x in {"split": split, "interleaved": interleaved}.items():
            np.testing.assert_array_equal(unit(x, order=order, layout=layout), want)
    transposed = unit(X.T, axis=0, order="value_first", layout="split")
    np.testing.assert_array_equal(transposed.T, want)


def test_only_swiglu_oai_has_another_default_order_and_layout():
    for unit in UNITS:
        order, layout = (
            unit.signature.parameters[name].default for name in ("order", "layout")
        )
        assert order == ("gate_first" if unit is swiglu_oai else "value_first")
        assert layout == ("interleaved" if unit is swiglu_oai else "split")


def test_glu_matches_jax_nn():
    np.testing.assert_allclose(glu(X), jax.nn.glu(X), rtol=1e-6)
    np.testing.assert_allclose(glu(X.T, 0), jax.nn.glu(X.T, 0), rtol=1e-6)


def test_geglu_without_approximation_uses_the_exact_gelu():
    want = VALUE * jax.nn.gelu(GATE.astype(jnp.float32), approximate=False)
    got = geglu(GATE, VALUE, approximate=False)
    # jax.nn.gelu cancels for negative inputs.
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("limit", [1.0, 2.0, 10.0])
def test_swiglu_clamped_clips_before_or_after_the_activation(limit):
    gate = jnp.array([limit - 0.25, limit, limit + 5])
    silu = lambda g: np.asarray(g) * expit(np.asarray(g))
    references = {
        False: silu(np.minimum(gate, limit)),
        True: np.minimum(silu(gate), limit),
    }
    for after, want in references.items():
        got = swiglu_clamped(gate, jnp.ones(3), limit, after=after)
        np.testing.assert_allclose(got, want, rtol=1e-6)


def test_derivative_at_a_limit_is_the_one_sided_derivative_from_inside():
    for unit in (swiglu_oai, swiglu_clamped):
        limit = unit.signature.parameters["limit"].default
        gradient = jax.grad(unit, argnums=(0, 1))
        assert all(d != 0 for d in gradient(jnp.float32(limit), jnp.float32(limit)))
        assert gradient(jnp.float32(limit + 1), jnp.float32(limit + 1)) == (0, 0)


@every_unit
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_residuals_are_the_inputs(unit, dtype):
    for f, arrays in ((separate(unit), (GATE, VALUE)), (fused(unit), (X,))):
        arrays = tuple(a.astype(dtype) for a in arrays)
        y, pullback = jax.eval_shape(lambda *a, f=f: jax.vjp(f, *a), *arrays)
        residuals = [(r.shape, r.dtype) for r in jax.tree.leaves(pullback) if r.ndim]
        assert residuals == [(a.shape, a.dtype) for a in arrays]
        assert y.dtype == dtype


@every_unit
@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_16_bit_inputs_are_rounded_once(unit, dtype):
    x = X.astype(dtype)
    want = fused(unit)(x.astype(jnp.float32)).astype(dtype)
    np.testing.assert_array_equal(fused(unit)(x), want)


@every_unit
def test_eager_jit_and_vmap_agree(unit):
    f = separate(unit)
    with jax.disable_jit():
        eager = f(GATE, VALUE)
    for got in (jax.jit(f)(GATE, VALUE), jax.vmap(f)(GATE, VALUE), eager):
        np.testing.assert_allclose(got, f(GATE, VALUE), rtol=1e-6, atol=1e-7)


@every_unit
def test_invalid_arguments_raise_with_the_valid_values(unit):
    with pytest.raises(ValueError, match=r"an even size along axis -1, got .*\(2, 3\)"):
        unit(jnp.ones((2, 3)))
    with pytest.raises(ValueError, match=r"axis: expected -2 to 1 .*got 2"):
        unit(jnp.ones((2, 4)), axis=2)
    with pytest.raises(ValueError, match="expected one axis"):
        unit(jnp.ones((2, 4)), axis=(0, 1))
    with pytest.raises(ValueError, match="an array with an axis"):
        unit(1.0)
    with pytest.raises(ValueError, match=r"one shape, got \(2,\) and \(3,\)"):
        unit(jnp.ones(2), value=jnp.ones(3))
    with pytest.raises(ValueError, match="did you mean 'gate_first'"):
        unit(X, order="gates_first")
    with pytest.raises(ValueError, match="layout: expected 'split' or 'interleaved'"):
        unit(X, layout="chunk")
    with pytest.raises(TypeError, match=f"{unit.__name__}: x: expected real numbers"):
        unit(jnp.ones(2) * 1j)
    with pytest.raises(TypeError, match=f"{unit.__name__}: value: expected real"):
        unit(jnp.ones(2), value=jnp.ones(2) * 1j)


@every_unit
def test_empty_and_integer_inputs_are_accepted(unit):
    assert unit(jnp.zeros((0, 4))).shape == (0, 2)
    assert unit(jnp.zeros((2, 0))).shape == (2, 0)
    np.testing.assert_array_equal(unit(jnp.arange(4)), unit(jnp.arange(4.0)))
    mixed = unit(GATE.astype(jnp.bfloat16), value=VALUE)
    assert mixed.dtype == jnp.float32


@every_unit
def test_pickle_copy_and_layers_return_the_function_itself(unit):
    assert pickle.loads(pickle.dumps(unit)) is unit is copy.deepcopy(unit)
    layer = linen.Activation(unit.__name__)
    np.testing.assert_array_equal(layer.apply({}, X), unit(X))
    np.testing.assert_array_equal(nnx.Activation(unit.__name__)(X), unit(X))
