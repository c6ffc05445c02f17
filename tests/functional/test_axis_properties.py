"""Properties of functions along an axis: derivatives, axes, masks, limits, errors."""

import copy
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_acts import (
    get,
    hardmax,
    log_softmax,
    logmeanexp,
    logsumexp,
    maxout,
    softmax,
    softmin,
    solu,
    sparsemax,
    standardize,
)
from tests.functional.conftest import random_vectors

INF = np.inf
KEY = jax.random.key(0)
SMOOTH = [softmax, softmin, log_softmax, logsumexp, logmeanexp, solu, sparsemax]
SHAPE_PRESERVING = [
    softmax,
    softmin,
    log_softmax,
    solu,
    sparsemax,
    hardmax,
    standardize,
]
MASKABLE = [softmax, softmin, log_softmax, logsumexp, logmeanexp]

name = lambda function: function.__name__
every_function = pytest.mark.parametrize(
    "function", [*SMOOTH, hardmax, standardize], ids=name
)


@pytest.mark.parametrize(("function", "sign"), [(softmin, -1), (solu, 1)])
def test_values_of_softmin_and_solu_match_the_formula(function, sign):
    for scale in (1e-3, 1, 10):
        x = random_vectors(50, 7, scale, np.float32)
        e = np.exp(sign * x.astype(np.float64))
        want = e / e.sum(-1, keepdims=True) * (x if function is solu else 1)
        # softmax is within 4 ulp of 1.2e-7; the product is rounded.
        np.testing.assert_allclose(function(x), want, rtol=6e-7)


@pytest.mark.slow
@pytest.mark.parametrize("function", SMOOTH, ids=name)
def test_second_derivatives_agree_for_every_nesting(function):
    x = jnp.asarray(random_vectors(1, 4, 1, np.float32)[0])
    g = lambda x: jnp.sum(function(x, axis=-1) * jnp.arange(1.0, 5))
    both = jax.jacfwd, jax.jacrev
    nestings = [outer(inner(g)) for outer in both for inner in both]
    nested = jax.jit(lambda x: [nesting(x) for nesting in nestings])(x)
    for hessian in nested[1:]:
        np.testing.assert_allclose(hessian, nested[0], rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_the_residual_is_the_softmax(dtype):
    x = jnp.asarray(random_vectors(3, 40, 1, np.float32), dtype)
    for function in (softmax, log_softmax, lambda x: logsumexp(x, axis=-1)):
        residuals = jax.tree.leaves(jax.vjp(function, x)[1])
        assert [(r.shape, r.dtype) for r in residuals] == [(x.shape, x.dtype)]


@pytest.mark.slow
@pytest.mark.parametrize("function", MASKABLE, ids=name)
def test_fully_masked_or_infinite_inputs_have_derivative_0(function):
    expected = 0.0 if function in (softmax, softmin) else -INF
    infinite = jnp.full(3, INF if function is softmin else -INF)
    mask = jnp.zeros(3, bool)

    def value_and_derivatives(x, where):
        g = lambda x: function(x, axis=-1, where=where)
        total = lambda x: jnp.sum(g(x))
        tangent = jax.jvp(g, (x,), (jnp.ones(3),))[1]
        return g(x), (jax.grad(total)(x), tangent, jax.hessian(total)(x))

    for x, where in ((infinite, None), (jnp.array([1.0, 2, INF]), mask)):
        value, derivatives = jax.jit(value_and_derivatives)(x, where)
        np.testing.assert_array_equal(value, jnp.full_like(value, expected))
        for derivative in derivatives:
            np.testing.assert_array_equal(derivative, jnp.zeros_like(derivative))


@pytest.mark.parametrize("function", MASKABLE, ids=name)
def test_masked_entries_are_excluded(function):
    x = jnp.array([[1.0, jnp.nan, 3.0, INF], [2.0, -INF, 1e38, 0.0]])
    where = jnp.array([[True, False, True, False], [True, False, False, True]])
    unmasked = jnp.array([[1.0, 3.0], [2.0, 0.0]])
    y, want = function(x, axis=-1, where=where), function(unmasked, axis=-1)
    if y.ndim == 2:
        excluded = -INF if function is log_softmax else 0.0
        np.testing.assert_array_equal(y[~where], jnp.full(4, excluded))
        y = y[where].reshape(2, 2)
    np.testing.assert_array_equal(y, want)

    def finite_sum(x):
        y = function(x, axis=-1, where=where)
        return jnp.sum(jnp.where(jnp.isfinite(y), y, 0))

    gradient = jax.grad(finite_sum)(x)
    assert jnp.isfinite(gradient).all()
    np.testing.assert_array_equal(gradient[~where], jnp.zeros(4))


def test_infinite_logits_give_the_limits():
    x = jnp.array([INF, 0.0, INF, -INF])
    np.testing.assert_array_equal(softmax(x), [0.5, 0, 0.5, 0])
    half = np.float32(-np.log(2))
    np.testing.assert_allclose(log_softmax(x), [half, -INF, half, -INF], rtol=1e-7)
    assert logsumexp(x) == logmeanexp(x) == INF
    np.testing.assert_array_equal(sparsemax(x), [0.5, 0, 0.5, 0])
    np.testing.assert_array_equal(solu(jnp.array([-INF, 1.0])), [0, 1])
    for function in (softmax, log_softmax, logsumexp, sparsemax):
        first = lambda x, function=function: function(x).reshape(-1)[0]
        assert not jnp.isnan(jax.grad(first)(x)).any()


@every_function
def test_nan_propagates_along_the_axis_only(function):
    x = jnp.array([[0.0, jnp.nan, 1.0], [0.0, 1.0, 2.0]])
    y = function(x, axis=-1).reshape(2, -1)
    assert jnp.isnan(y[0]).all()
    assert not jnp.isnan(y[1]).any()


@pytest.mark.parametrize("function", [softmax, log_softmax, logsumexp], ids=name)
def test_nan_propagates_to_gradients_along_the_axis_only(function):
    x = jnp.array([[0.0, jnp.nan, 1.0], [0.0, 1.0, 2.0]])
    g = jax.grad(lambda x: function(x, axis=-1)[..., :1].sum())(x)
    assert jnp.isnan(g[0]).all()
    assert not jnp.isnan(g[1]).any()


@pytest.mark.parametrize("function", SHAPE_PRESERVING, ids=name)
def test_every_axis_matches_the_last_axis(function):
    several = ((0, 2), (-1, 0), None)
    if function is sparsemax:
        for axis in several:
            with pytest.raises(ValueError, match="one axis"):
                function(jnp.ones((2, 3, 4)), axis=axis)
        several = ()

    def both(x, axis):
        given = axis if isinstance(axis, tuple) else (axis,)
        axes = sorted(a % 3 for a in (range(3) if axis is None else given))
        last = range(3 - len(axes), 3)
        moved = jnp.moveaxis(x, axes, last)
        flat = moved.reshape(*moved.shape[: 3 - len(axes)], -1)
        want = jnp.moveaxis(function(flat).reshape(moved.shape), last, axes)
        return function(x, axis=axis), want

    every = (0, 1, -1, *several)
    x = random_vectors(6, 4, 1, np.float32).reshape(2, 3, 4)
    results = jax.jit(lambda x: [both(x, axis) for axis in every])(x)
    for axis, (got, want) in zip(every, results, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-7, err_msg=f"{axis}")


@pytest.mark.slow
@every_function
def test_eager_jit_and_vmap_agree(function):
    x = jnp.asarray(random_vectors(5, 7, 2, np.float32))
    g = lambda x: function(x, axis=-1)
    gradient = jax.grad(lambda x: jnp.sum(g(x) ** 2))
    with jax.disable_jit():
        eager = g(x)
    ways = lambda x: [h(x) for h in (g, jax.vmap(g), lambda x: jax.lax.map(g, x))]
    for got in (*jax.jit(ways)(x), eager):
        np.testing.assert_allclose(got, g(x), rtol=1e-6, atol=1e-7)
    gradients = jax.jit(lambda x: (jax.vmap(gradient)(x), gradient(x)))(x)
    np.testing.assert_allclose(*gradients, rtol=1e-5, atol=1e-6)


@every_function
def test_invalid_arguments_raise_with_the_valid_values(function):
    with pytest.raises(TypeError, match=f"{function.__name__}: .: expected real"):
        function(jnp.ones(3) * 1j)
    with pytest.raises(ValueError, match=r"axis: expected -2 to 1 .*got 2"):
        function(jnp.ones((2, 3)), axis=2)
    if "where" in function.parameters:
        with pytest.raises(ValueError, match=r"where: expected .*\(2, 3\), got \(4,\)"):
            function(jnp.ones((2, 3)), where=jnp.ones(4, bool))
        with pytest.raises(TypeError, match="expected a boolean mask, got float32"):
            function(jnp.ones((2, 3)), where=jnp.ones(3))
        message = "one axis" if function is sparsemax else "different axes"
        with pytest.raises(ValueError, match=message):
            function(jnp.ones((2, 3)), axis=(0, -2))


@every_function
def test_integers_and_booleans_become_the_default_float(function):
    both = lambda x: (function(x), function(x.astype(jnp.float32)))
    x = [jnp.arange(1, 4).astype(d) for d in (jnp.int32, jnp.uint8, jnp.bool_)]
    for got, want in jax.jit(lambda xs: [both(x) for x in xs])(x):
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("function", SHAPE_PRESERVING, ids=name)
def test_shape_and_dtype_are_preserved(function):
    def both(x):
        y, pullback = jax.vjp(function, x)
        return y, pullback(y)[0]

    shapes = [(), (0,), (3,), (2, 0, 3), (3, 0)]
    inputs = [(shape, jnp.float32) for shape in shapes]
    inputs += [((2, 3, 4), d) for d in (jnp.float32, jnp.bfloat16, jnp.float16)]
    for shape, dtype in inputs:
        for array in jax.eval_shape(both, jax.ShapeDtypeStruct(shape, dtype)):
            assert (array.shape, array.dtype) == (shape, dtype)


@pytest.mark.parametrize("function", [*SMOOTH, hardmax, standardize, maxout], ids=name)
def test_pickle_and_copy_return_the_function_itself(function):
    assert pickle.loads(pickle.dumps(function)) is function is copy.deepcopy(function)


def test_layers_accept_an_axis():
    from jax_acts import linen, nnx

    x = jnp.asarray(random_vectors(3, 4, 1, np.float32))
    for spec in ("softmax(axis=0)", "torch:softmax(dim=0)", "sparsemax(0)"):
        want = get(spec)(x)
        np.testing.assert_allclose(want.sum(0), 1, rtol=1e-6)
        layer = linen.Activation(spec)
        np.testing.assert_array_equal(layer.apply(layer.init(KEY, x), x), want)
        np.testing.assert_array_equal(nnx.Activation(spec)(x), want)
