"""Combinators: values and derivatives follow from the inner functions."""

import json
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import jax_acts.linen
import jax_acts.nnx
from jax_acts import (
    Bound,
    Learn,
    affine,
    capped,
    elu,
    get,
    piecewise,
    relu,
    self_gated,
    sigmoid,
    silu,
    soft_sign,
    softcap,
    sugar,
    tanh,
)
from jax_acts._core.compat import enable_x64
from jax_acts.testing import check_activation

X = np.array([-3.2, -1.1, -0.4, 0.3, 0.9, 2.7])

FORMULAS = {
    # Spec of a combinator: the same function as a formula.
    "affine(scale=2.0, rate=3.0, shift=-1.0, offset=0.5, of=tanh)": (
        lambda x: 2 * jnp.tanh(3 * x - 1) + 0.5
    ),
    "blend(weight=0.3, first=relu, second=tanh)": (
        lambda x: 0.7 * jnp.maximum(x, 0) + 0.3 * jnp.tanh(x)
    ),
    # xSiLU and xGELU with a = 0.1, and SMU-1 with alpha = 0.25 and mu = 0.75
    "blend(weight=1.2, first=affine(scale=0.5), second=silu)": (
        lambda x: x * (1.2 * jax.nn.sigmoid(x) - 0.1)
    ),
    "blend(weight=1.2, first=affine(scale=0.5), second=gelu_exact)": (
        lambda x: x * (1.2 * jax.scipy.stats.norm.cdf(x) - 0.1)
    ),
    "blend(weight=0.75, second=squareplus(b=1.0))": (
        lambda x: (1.25 * x + jnp.sqrt((0.75 * x) ** 2 + 0.75**2)) / 2
    ),
    "residual(scale=0.5, of=sine)": lambda x: x + 0.5 * jnp.sin(x),
    "self_gated(of=sigmoid)": jax.nn.silu,
    "self_gated(of=hard_sigmoid)": jax.nn.hard_silu,
    "piecewise(breakpoints=(-1.0, 1.0), functions=(tanh, square, sine))": (
        lambda x: jnp.where(x < -1, jnp.tanh(x), jnp.where(x < 1, x * x, jnp.sin(x)))
    ),
    "sum(functions=(gelu_exact, sine, square))": (
        lambda x: x * jax.scipy.stats.norm.cdf(x) + jnp.sin(x) + x * x
    ),
    "product(functions=(tanh, sine, square))": (
        lambda x: jnp.tanh(x) * jnp.sin(x) * x * x
    ),
    "capped(cap=2.0, of=elu(alpha=0.5))": (
        lambda x: 2 * jnp.tanh(jnp.where(x > 0, x, 0.5 * jnp.expm1(x)) / 2)
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("spec", FORMULAS)
def test_values_and_two_derivatives_match_the_formula(spec):
    f, g = get(spec), FORMULAS[spec]
    with enable_x64(True):
        x = jnp.asarray(X)
        for _ in range(3):
            # The derivative of jnp.tanh, 1 - tanh², cancels.
            want = jax.vmap(g)(x)
            np.testing.assert_allclose(jax.vmap(f)(x), want, rtol=1e-12, atol=1e-13)
            f, g = jax.grad(f), jax.grad(g)


@pytest.mark.parametrize("spec", FORMULAS)
def test_a_nested_spec_round_trips(spec):
    bound = get(spec)
    assert str(bound) == spec
    assert get(json.loads(json.dumps(bound.to_dict()))) == bound
    assert pickle.loads(pickle.dumps(bound)) == bound
    assert hash(get(spec)) == hash(bound)


@pytest.mark.slow
def test_every_property_holds_for_a_combinator():
    # With a scale > 1, underflow of the inner function would exceed the contract.
    check_activation(
        get("affine(scale=0.25, rate=2.0, of=sigmoid)"),
        reference=lambda m, x: 0.25 / (1 + m.exp(-2 * x)),
        range=(0, 0.25),
    )


@pytest.mark.slow
def test_every_property_holds_for_surrogate_derivatives():
    """Without `surrogate=`, derivatives are compared with differences of the values."""
    f = get("sugar(forward=relu, surrogate=soft_sign)")
    check_activation(
        f,
        reference=lambda m, x: max(x, 0),
        surrogate=lambda m, x: x / (1 + abs(x)),
        range=(0, np.inf),
    )
    with pytest.raises(AssertionError, match="differences"):
        check_activation(f)


def test_step_with_a_surrogate_equals_sugar():
    f = get("step(sharpness=25.0, surrogate='fast_sigmoid')")
    surrogate = "affine(scale=0.04, rate=25.0, of=soft_sign)"
    g = get(f"sugar(forward=step, surrogate={surrogate})")
    np.testing.assert_array_equal(f(X), g(X))
    gradient = lambda f: jax.vmap(jax.grad(f))(jnp.float32(X))
    np.testing.assert_allclose(gradient(f), gradient(g), rtol=3e-7)


def test_infinite_inputs_give_no_nan():
    x = jnp.array([-jnp.inf, jnp.inf])
    gate = Bound(self_gated, of=sigmoid)
    np.testing.assert_array_equal(gate(x), [0, jnp.inf])
    np.testing.assert_array_equal(jax.vmap(jax.grad(gate))(x), [0, 1])
    assert float(capped(jnp.inf, 4.0)) == 4
    gated = get("product(functions=(identity, sigmoid, relu))")
    np.testing.assert_array_equal(gated(x), [0, jnp.inf])
    np.testing.assert_array_equal(jax.vmap(jax.grad(gated))(-x[1:]), [0])
    np.testing.assert_array_equal(capped(X, 3.0), softcap(X, 3.0))


def test_only_arguments_of_the_combinator_can_be_learned():
    spec = get("affine(scale=Learn(1.5), of=tanh)")
    assert spec.learned == {"scale": Learn(1.5)}
    layer = jax_acts.linen.Activation(spec)
    variables = layer.init(jax.random.key(0), jnp.ones(3))
    nnx_layer = jax_acts.nnx.Activation(spec)
    assert jax.tree.leaves(nnx.state(nnx_layer, nnx.Param)) == [1.5]
    np.testing.assert_array_equal(layer.apply(variables, X), nnx_layer(X))
    grads = jax.grad(lambda v: layer.apply(v, jnp.float32(X)).sum())(variables)
    np.testing.assert_allclose(grads["params"]["scale"], np.tanh(X).sum(), rtol=3e-6)
    with pytest.raises(TypeError, match="inner function cannot learn its arguments"):
        get("affine(of=prelu)")


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        ("affine(of=slu)", "unknown activation 'slu'; did you mean"),
        ("affine(of=3)", "a name, a function or a dict"),
        ("leaky_relu(silu)", "leaky_relu: expected a value, or a string in quotes"),
        ("torch:elu(silu)", "elu: expected a value, or a string in quotes"),
        ("piecewise(functions=silu)", "piecewise: expected a value"),
        ("affine(of=" * 10 + "silu" + ")" * 10, "at most 8 nested functions"),
    ],
)
def test_an_invalid_inner_function_raises_with_the_reason(spec, complaint):
    with pytest.raises((ValueError, TypeError)) as error:
        get(spec)
    assert complaint in str(error.value)


def test_an_inner_function_can_have_a_name_of_another_library():
    bound = get({"name": "affine", "rate": 2.0, "of": "keras:leaky_relu"})
    assert str(bound) == "affine(rate=2.0, of=leaky_relu(negative_slope=0.2))"
    assert float(affine(-1.0, of=jnp.tanh)) == float(jnp.tanh(-1.0))


def test_an_invalid_inner_function_raises_when_called():
    with pytest.raises(TypeError, match="affine: expected a function, got 'silu'"):
        affine(1.0, of="silu")
    with pytest.raises(TypeError, match=r"get\('affine\(of=silu\)'\)"):
        Bound(affine, of="silu")
    with pytest.raises(ValueError, match="expected 3 for 2 breakpoints, got 2"):
        piecewise(1.0, breakpoints=(0.0, 1.0), functions=(relu, tanh))
    with pytest.raises(ValueError, match="breakpoints: expected increasing"):
        piecewise(1.0, breakpoints=(1.0, 0.0), functions=(relu, tanh, silu))


def test_a_bound_inner_function_without_arguments_equals_the_function():
    assert Bound(affine, of=Bound(tanh)) == Bound(affine, of=tanh)
    assert Bound(affine, of=Bound(elu, alpha=0.5)) != Bound(affine, of=elu)
    assert Bound(sugar, surrogate=soft_sign) == get("sugar(surrogate=soft_sign)")


@pytest.mark.parametrize("inner", ["exponential", "silu"])
def test_a_scale_multiplies_the_underflow_threshold_of_the_inner_function(inner):
    f, scale = get("affine", scale=2.0**40, of=inner), 2.0**40
    x = np.linspace(-104, -80, 4001, dtype=np.float32)
    got = np.asarray(f(x), np.float64)
    with enable_x64(True):
        want = np.asarray(f(jnp.asarray(x, jnp.float64)))
    error, relative = np.abs(got - want), 3 * 2.0**-23 * np.abs(want)
    tiny = scale * float(np.finfo(np.float32).tiny)
    assert (error <= relative + tiny).all(), (
        f"at x = {x[np.argmax(error - relative)]!r}"
    )
    normal = np.abs(want) > 1.01 * tiny
    assert 500 < normal.sum() < 3500, "both sides of the threshold are tested"
    worst = x[normal][np.argmax((error - relative)[normal])]
    assert (error <= relative)[normal].all(), f"at x = {worst!r}"
