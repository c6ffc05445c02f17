"""Gated units: which numbers are the gates, their derivatives, what they keep."""

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
two = lambda unit: lambda gate, value: unit(gate, value=value)
packed = lambda unit: functools.partial(unit, order="value_first", layout="split")


@every_unit
def test_values_are_right_to_the_last_places(unit):
    with enable_x64(True):
        gate, value = np.asarray(GATE, np.float64), np.asarray(VALUE, np.float64)
        want = FORMULAS[unit.__name__](gate, value)
        np.testing.assert_allclose(unit(gate, value=value), want, rtol=1e-14)
    # Two or three factors, each within 3 ulp of 6e-8, and their products.
    np.testing.assert_allclose(unit(GATE, value=VALUE), want, rtol=1e-6, atol=1e-36)


@every_unit
def test_both_orders_and_layouts_hold_the_same_numbers(unit):
    want = unit(GATE, value=VALUE)
    for order, parts in {
        "value_first": (VALUE, GATE),
        "gate_first": (GATE, VALUE),
    }.items():
        halves = jnp.concatenate(parts, -1)
        pairs = jnp.stack(parts, -1).reshape(halves.shape)
        for layout, x in {"split": halves, "interleaved": pairs}.items():
            np.testing.assert_array_equal(unit(x, order=order, layout=layout), want)
    turned = unit(X.T, axis=0, order="value_first", layout="split")
    np.testing.assert_array_equal(turned.T, want)


def test_only_the_unit_of_gpt_oss_has_another_form_by_default():
    for unit in UNITS:
        order, layout = (
            unit.signature.parameters[name].default for name in ("order", "layout")
        )
        other = unit is swiglu_oai
        assert order == ("gate_first" if other else "value_first")
        assert layout == ("interleaved" if other else "split")


def test_glu_is_that_of_jax_nn():
    np.testing.assert_allclose(glu(X), jax.nn.glu(X), rtol=1e-6)
    np.testing.assert_allclose(glu(X.T, 0), jax.nn.glu(X.T, 0), rtol=1e-6)


def test_geglu_has_both_forms_of_gelu():
    want = VALUE * jax.nn.gelu(GATE.astype(jnp.float32), approximate=False)
    got = geglu(GATE, VALUE, approximate=False)
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)  # theirs cancels


@pytest.mark.parametrize("limit", [1.0, 2.0, 10.0])
def test_clamping_before_and_after_are_two_units(limit):
    gate = jnp.array([limit - 0.25, limit, limit + 5])
    silu = lambda g: np.asarray(g) * expit(np.asarray(g))
    both = (
        swiglu_clamped(gate, jnp.ones(3), limit, after=after) for after in (False, True)
    )
    for got, want in zip(
        both,
        (silu(np.minimum(gate, limit)), np.minimum(silu(gate), limit)),
        strict=True,
    ):
        np.testing.assert_allclose(got, want, rtol=1e-6)


def test_at_a_limit_the_derivative_is_that_from_inside():
    for unit in (swiglu_oai, swiglu_clamped):
        limit = unit.signature.parameters["limit"].default
        slope = jax.grad(unit, argnums=(0, 1))
        assert all(d != 0 for d in slope(jnp.float32(limit), jnp.float32(limit)))
        assert slope(jnp.float32(limit + 1), jnp.float32(limit + 1)) == (0, 0)


@every_unit
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_backward_keeps_what_it_was_given_alone(unit, dtype):
    for f, arrays in ((two(unit), (GATE, VALUE)), (packed(unit), (X,))):
        arrays = tuple(a.astype(dtype) for a in arrays)
        y, pullback = jax.eval_shape(lambda *a, f=f: jax.vjp(f, *a), *arrays)
        kept = [(r.shape, r.dtype) for r in jax.tree.leaves(pullback) if r.ndim]
        assert kept == [(a.shape, a.dtype) for a in arrays]
        assert y.dtype == dtype


@every_unit
@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_16_bit_inputs_are_rounded_once(unit, dtype):
    x = X.astype(dtype)
    want = packed(unit)(x.astype(jnp.float32)).astype(dtype)
    np.testing.assert_array_equal(packed(unit)(x), want)


@every_unit
def test_eager_jit_and_vmap_agree(unit):
    f = two(unit)
    with jax.disable_jit():
        eager = f(GATE, VALUE)
    for got in (jax.jit(f)(GATE, VALUE), jax.vmap(f)(GATE, VALUE), eager):
        np.testing.assert_allclose(got, f(GATE, VALUE), rtol=1e-6, atol=1e-7)


@every_unit
def test_bad_arguments_are_refused_with_what_is_valid(unit):
    with pytest.raises(ValueError, match=r"halves axis -1, but its size 3 is odd"):
        unit(jnp.ones((2, 3)))
    with pytest.raises(ValueError, match=r"axis 2 is out of range.*valid is -2 to 1"):
        unit(jnp.ones((2, 4)), axis=2)
    with pytest.raises(ValueError, match="takes one axis"):
        unit(jnp.ones((2, 4)), axis=(0, 1))
    with pytest.raises(ValueError, match="needs an axis"):
        unit(1.0)
    with pytest.raises(ValueError, match=r"gates have the shape \(2,\).*values \(3,\)"):
        unit(jnp.ones(2), value=jnp.ones(3))
    with pytest.raises(ValueError, match="did you mean 'gate_first'"):
        unit(X, order="gates_first")
    with pytest.raises(ValueError, match="layout is 'split' or 'interleaved'"):
        unit(X, layout="chunk")
    with pytest.raises(TypeError, match=f"{unit.__name__} takes real numbers; x"):
        unit(jnp.ones(2) * 1j)
    with pytest.raises(TypeError, match=f"{unit.__name__} takes real numbers; value"):
        unit(jnp.ones(2), value=jnp.ones(2) * 1j)


@every_unit
def test_empty_inputs_and_integers_are_taken(unit):
    assert unit(jnp.zeros((0, 4))).shape == (0, 2)
    assert unit(jnp.zeros((2, 0))).shape == (2, 0)
    np.testing.assert_array_equal(unit(jnp.arange(4)), unit(jnp.arange(4.0)))
    mixed = unit(GATE.astype(jnp.bfloat16), value=VALUE)
    assert mixed.dtype == jnp.float32


@every_unit
def test_pickle_copy_and_layers_give_the_function_itself(unit):
    assert pickle.loads(pickle.dumps(unit)) is unit is copy.deepcopy(unit)
    layer = linen.Activation(unit.__name__)
    np.testing.assert_array_equal(layer.apply({}, X), unit(X))
    np.testing.assert_array_equal(nnx.Activation(unit.__name__)(X), unit(X))
