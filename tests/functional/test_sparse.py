"""Sparsemax and entmax against 80-bit bisection; hardmax, maxout and crelu."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jax_acts.linen
import jax_acts.nnx
from jax_acts import (
    crelu,
    entmax,
    entmax15,
    get,
    hardmax,
    maxout,
    softmax,
    sparsemax,
)
from jax_acts._core.compat import enable_x64
from tests.functional.conftest import random_vectors

INF = np.inf
GOLDEN = json.loads((Path(__file__).parents[1] / "data" / "entmax.json").read_text())
KEY = jax.random.key(0)
ALPHAS = [1.0, 1 + 1e-6, 1.01, 1.3, 1.5, 1.9, 2.0, 3.0]
FORMS = {
    "sparsemax": (2.0, sparsemax),
    "entmax15": (1.5, entmax15),
    **{f"entmax({a})": (a, lambda x, a=a, **k: entmax(x, a, **k)) for a in ALPHAS},
}
every_form = pytest.mark.parametrize(("alpha", "function"), FORMS.values(), ids=FORMS)
every_axis = pytest.mark.parametrize("axis", [-1, 0, None])


def reference(x, alpha):
    """Return entmax in 80-bit arithmetic, with tau by bisection."""
    z = x.astype(np.longdouble)
    z = z - z.max(-1, keepdims=True)
    if alpha == 1:
        e = np.exp(z)
        return e / e.sum(-1, keepdims=True)
    a = np.longdouble(alpha) - 1
    low = np.full_like(z[:, :1], -1)
    high = -(np.longdouble(z.shape[-1]) ** -a)
    for _ in range(70):
        tau = (low + high) / 2
        over = (np.maximum(a * z - tau, 0) ** (1 / a)).sum(-1, keepdims=True) > 1
        low, high = np.where(over, tau, low), np.where(over, high, tau)
    y = np.maximum(a * z - (low + high) / 2, 0) ** (1 / a)
    return y / y.sum(-1, keepdims=True)


def reference_jvp(y, alpha, t):
    """Return the directional derivative of entmax along t, by its formula."""
    inside = y > 0
    s = np.where(inside, np.where(inside, y, 1) ** (2 - np.longdouble(alpha)), 0)
    return s * (t - (s * t).sum(-1, keepdims=True) / s.sum(-1, keepdims=True))


@every_form
@pytest.mark.parametrize("scale", [1e-3, 2])
def test_values_match_80_bit_bisection(alpha, function, scale):
    for n in (2, 10, 1000):
        x = random_vectors(5, n, scale, np.float32)
        want = reference(x, alpha)
        error = np.abs(np.asarray(function(x)).astype(np.longdouble) - want)
        # The limit is in ulp of the maximum, whose logarithm is rounded. For alpha > 2
        # the root amplifies the error at the edge of the support. The factor of 2 there
        # is empirical: without it 10 ulp were measured where 8.6 were allowed.
        ulp = np.spacing(want.max(-1, keepdims=True).astype(np.float32))
        limit = 4 + 2 * np.log(n)
        if alpha > 2:
            ratio = np.where(want > 0, want, 1) / want.max(-1, keepdims=True)
            limit = 2 * limit * np.minimum(ratio ** (2 - alpha), 1e4)
        assert (error <= limit * ulp).all(), (n, (error / ulp).max())


@pytest.mark.parametrize("name", ["sparsemax", "entmax15"])
def test_values_match_where_newton_converges_slowly(name):
    alpha, function = FORMS[name]
    for n in (16, 1024):
        for x in (np.linspace(0, 1, n) ** 2, np.arange(1, n + 1) ** -0.3):
            x = (x[None] / (alpha - 1)).astype(np.float32)
            want = reference(x, alpha)
            ulp = np.spacing(want.max().astype(np.float32))
            error = np.abs(np.asarray(function(x)) - want) / ulp
            assert error.max() <= 4 + 2 * np.log(n), (n, error.max())


@every_form
def test_a_vector_is_independent_of_the_iterations_of_others(alpha, function):
    x = random_vectors(5, 7, 2, np.float32)
    other = np.concatenate([x[:4], np.linspace(0, 1, 7, dtype=np.float32)[None] ** 2])
    np.testing.assert_array_equal(function(x)[:4], function(other)[:4])


@every_form
def test_float64_values_match_80_bit_bisection(alpha, function):
    x = random_vectors(20, 50, 2)
    want = reference(x, alpha)
    with enable_x64(True):
        got = np.asarray(function(jnp.asarray(x)))
    # For alpha > 2 an error of eps at the edge of the support becomes sqrt(eps).
    atol = 1e-14 if alpha <= 2 else 1e-9
    np.testing.assert_allclose(got, want.astype(np.float64), rtol=0, atol=atol)


@pytest.mark.slow
@every_form
def test_derivatives_match_the_formula(alpha, function):
    x = random_vectors(20, 10, 2, np.float32)
    t = random_vectors(20, 10, 1, np.float32, seed=1)
    want = reference_jvp(reference(x, alpha), alpha, t.astype(np.longdouble))
    forward = jax.jvp(function, (x,), (t,))[1]
    backward = jax.vjp(function, x)[1](jnp.asarray(t))[0]
    # The weights y^(2 - alpha) amplify the error of y at the edge of the support.
    limit = (
        1e-6 if alpha <= 1.5 else 2e-4 if alpha < 2 else 1e-6 if alpha == 2 else 1e-3
    )
    for got in (forward, backward):
        np.testing.assert_allclose(got, want.astype(np.float64), rtol=limit, atol=limit)


@pytest.mark.slow
def test_entmax_at_alpha_1_is_softmax_with_a_derivative_in_alpha():
    with enable_x64(True):
        x = jnp.asarray(random_vectors(5, 6, 1))
        np.testing.assert_allclose(entmax(x, 1.0), softmax(x), rtol=1e-14)
        dalpha = jax.jvp(lambda a: entmax(x, a), (1.0,), (1.0,))[1]
        h = 1e-4  # one-sided difference (alpha >= 1) with error h²
        y = [entmax(x, 1 + i * h) for i in range(3)]
        want = (4 * y[1] - 3 * y[0] - y[2]) / (2 * h)
        np.testing.assert_allclose(dalpha, want, atol=1e-6)
        dalpha2 = jax.jacfwd(jax.jacrev(lambda a: entmax(x, a)))(1.0)
        want = (y[2] - 2 * y[1] + y[0]) / h**2
        np.testing.assert_allclose(dalpha2, want, atol=2e-3)
        np.testing.assert_allclose(
            jax.jacrev(lambda x: entmax(x, 1.0))(x), jax.jacrev(softmax)(x), atol=1e-15
        )


@pytest.mark.slow
@every_form
def test_derivatives_outside_the_support_are_0(alpha, function):
    x = jnp.array([0.0, 0.2, -200.0])
    for jac in (jax.jacfwd, jax.jacrev):
        j = jac(function)(x)
        np.testing.assert_array_equal(j[2], jnp.zeros(3))
        np.testing.assert_array_equal(j[:, 2], jnp.zeros(3))
        assert j[0, 0] > 0


@pytest.mark.slow
@every_form
@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_16_bit_inputs_are_computed_in_float32_and_rounded_once(alpha, function, dtype):
    x = jnp.asarray(random_vectors(5, 300, 2, np.float32), dtype)
    want = function(x.astype(jnp.float32)).astype(dtype)
    np.testing.assert_array_equal(function(x), want)


@every_form
def test_infinite_and_nan_vectors(alpha, function):
    x = [
        [-INF, -INF, -INF],
        [INF, 0, INF],
        [jnp.nan, 0, 1],
        [3e38, -3e38, 0],
        [1, 1, -INF],
    ]
    y, pull = jax.vjp(function, jnp.array(x))
    want = [[0, 0, 0], [0.5, 0, 0.5], [jnp.nan] * 3, [1, 0, 0], [0.5, 0.5, 0]]
    np.testing.assert_allclose(y, jnp.array(want), rtol=2e-7)
    (g,) = pull(jnp.arange(15.0).reshape(5, 3))
    np.testing.assert_array_equal(g[0], jnp.zeros(3))
    np.testing.assert_array_equal(g[3], jnp.zeros(3))
    assert jnp.isfinite(g[jnp.array([1, 4])]).all()
    assert jnp.isnan(g[2]).all()


@pytest.mark.slow
@every_form
def test_masked_entries_are_excluded(alpha, function):
    x = jnp.array([[1.0, jnp.nan, 1.3, INF], [0.2, -INF, 1e38, 0.0], [1.0, 2, 3, 4]])
    where = jnp.array([[1, 0, 1, 0], [1, 0, 0, 1], [0, 0, 0, 0]], bool)
    g = lambda x: function(x, where=where)
    y, pull = jax.vjp(g, x)
    want = function(jnp.array([[1.0, 1.3], [0.2, 0.0]]))
    np.testing.assert_allclose(y[:2][where[:2]].reshape(2, 2), want, rtol=2e-6)
    for array in (y, pull(jnp.arange(12.0).reshape(3, 4))[0]):
        np.testing.assert_array_equal(array[~where], jnp.zeros(8))
        assert jnp.isfinite(array).all()


@pytest.mark.slow
@every_form
def test_eager_jit_vmap_and_other_axes_agree(alpha, function):
    x = jnp.asarray(random_vectors(5, 7, 1, np.float32))
    want = function(x)
    ways = lambda x: (jax.vmap(function)(x), function(x.T, axis=0).T)
    with jax.disable_jit(alpha in (1.3, 1.5, 2.0)):  # op by op is slow
        eager = function(x)
    for got in (*jax.jit(ways)(x), eager):
        # For alpha > 2 the root amplifies rounding differences between programs.
        np.testing.assert_allclose(got, want, atol=3e-7 if alpha <= 2 else 1e-4)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_the_residual_is_the_output(dtype):
    x = jnp.asarray(random_vectors(3, 40, 1, np.float32), dtype)
    for function in (entmax15, lambda x: entmax(x, 1.3)):
        leaves = jax.tree.leaves(jax.vjp(function, x)[1])
        residuals = [(a.shape, a.dtype) for a in leaves if jnp.shape(a)]
        assert residuals == [(x.shape, x.dtype)]


@pytest.mark.parametrize("function", [entmax15, entmax])
def test_shape_and_dtype_are_preserved(function):
    def both(x):
        y, pull = jax.vjp(function, x)
        return y, pull(y)[0]

    for dtype in (jnp.float32, jnp.bfloat16):
        for shape in ((), (0,), (2, 3, 4)):
            for array in jax.eval_shape(both, jax.ShapeDtypeStruct(shape, dtype)):
                assert (array.shape, array.dtype) == (shape, dtype)


def test_alpha_below_1_raises_or_gives_nan():
    x = jnp.ones(3)
    for call in (entmax, entmax.without_custom_jvp, get("entmax")):
        with pytest.raises(ValueError, match=r"alpha: expected .* got 0\.5"):
            call(x, alpha=0.5)
    with pytest.raises(ValueError, match=r"alpha: expected .* got nan"):
        entmax(x, np.nan)
    assert jnp.isnan(entmax(x, jnp.float32(0.5))).all()
    with pytest.raises(ValueError, match=r"alpha: expected .*, got \(4,\)"):
        entmax(jnp.ones((2, 3)), jnp.ones(4))


def test_alpha_can_differ_between_vectors():
    x, a = jnp.asarray(random_vectors(3, 4, 1, np.float32)), jnp.array([1.0, 1.5, 2.0])
    each = jnp.stack([entmax(r, b) for r, b in zip(x, a, strict=True)])
    np.testing.assert_allclose(entmax(x, a[:, None]), each, atol=2e-7)


@pytest.mark.slow
def test_layers_learn_alpha():
    x = jnp.asarray(random_vectors(4, 5, 1, np.float32))
    spec = "entmax(alpha=Learn(1.5))"
    linen = jax_acts.linen.Activation(spec)
    variables = linen.init(KEY, x)
    nnx, name = jax_acts.nnx.Activation(spec), "alpha"
    assert getattr(nnx, name)[...] == variables["params"]["alpha"] == 1.5
    np.testing.assert_array_equal(linen.apply(variables, x), nnx(x))
    square_norm = lambda y: jnp.sum(jnp.square(y))
    loss = lambda a: square_norm(entmax(x, a))
    grads = jax.grad(lambda v: square_norm(linen.apply(v, x)))(variables)
    # Positive: a larger alpha concentrates the distribution.
    assert grads["params"]["alpha"] > 0.1
    np.testing.assert_allclose(grads["params"]["alpha"], jax.grad(loss)(1.5))


@pytest.mark.slow
@pytest.mark.parametrize("alpha", GOLDEN["values"])
def test_values_and_gradients_match_the_entmax_package(alpha):
    weights = np.arange(6.0)
    exact = {"1.5": [entmax15], "2.0": [sparsemax]}.get(alpha, [])
    with enable_x64(True):
        x, a = jnp.asarray(GOLDEN["x"]), float(alpha)
        for f in (lambda x: entmax(x, a), *exact):
            g = jax.grad(lambda x, f=f: jnp.sum(f(x) * weights))(x)
            # The bisection of the package stops a few ulp (float64) from the root.
            np.testing.assert_allclose(f(x), GOLDEN["values"][alpha], atol=1e-14)
            np.testing.assert_allclose(g, GOLDEN["gradients"][alpha], atol=1e-13)
        dalpha = jax.grad(lambda a: jnp.sum(entmax(x, a) * weights))(a)
        np.testing.assert_allclose(dalpha, GOLDEN["in_alpha"][alpha], rtol=1e-12)


def test_hardmax_is_1_at_the_first_maximum_only():
    x = jnp.array([[1.0, 3.0, 3.0], [-INF, -INF, -INF]])
    np.testing.assert_array_equal(hardmax(x), [[0, 1, 0], [1, 0, 0]])
    np.testing.assert_array_equal(hardmax(x, None), [[0, 1, 0], [0, 0, 0]])
    np.testing.assert_array_equal(
        jax.grad(lambda x: hardmax(x).sum())(x), jnp.zeros((2, 3))
    )


@every_axis
def test_straight_through_hardmax_has_the_derivatives_of_softmax(axis):
    x = jnp.asarray(random_vectors(3, 4, 1, np.float32))
    hard = lambda x: hardmax(x, axis, straight_through=True)
    soft = lambda x: softmax(x, axis)
    np.testing.assert_array_equal(hard(x), hardmax(x, axis))
    both = jax.jit(lambda x: [jax.vjp(f, x)[1](x)[0] for f in (hard, soft)])
    np.testing.assert_allclose(*both(x), rtol=1e-6, atol=1e-8)


def test_straight_through_hardmax_of_infinities_is_hardmax():
    empty = jnp.full(3, -INF)
    np.testing.assert_array_equal(hardmax(empty, straight_through=True), hardmax(empty))


@pytest.mark.parametrize("scale", [1e-4, 0.1, 1, 100])
def test_sparsemax_matches_bisection(scale):
    for n in (1, 2, 10, 3000):
        x = random_vectors(20, n, scale, np.float32)
        got = np.asarray(sparsemax(x), np.float64)
        low, high = x.max(-1) - 1.0, x.max(-1).astype(np.float64)
        for _ in range(100):
            tau = (low + high) / 2
            over = np.maximum(x - tau[:, None], 0).sum(-1) > 1
            low, high = np.where(over, tau, low), np.where(over, high, tau)
        # The limit is in ulp of 1, the width of the support.
        np.testing.assert_allclose(got, np.maximum(x - tau[:, None], 0), atol=3e-7)
        np.testing.assert_allclose(got.sum(-1), 1, atol=3e-7 * np.sqrt(n))


def test_sparsemax_jacobian_is_0_outside_the_support():
    x = jnp.array([0.0, 1.0, 1.5, -3.0])
    jacobian = [[0, 0, 0, 0], [0, 0.5, -0.5, 0], [0, -0.5, 0.5, 0], [0, 0, 0, 0]]
    for jac in (jax.jacfwd, jax.jacrev):
        np.testing.assert_array_equal(jac(sparsemax)(x), jacobian)
    np.testing.assert_array_equal(sparsemax(jnp.full(3, -INF)), jnp.zeros(3))


def test_maxout_is_the_elementwise_maximum_of_the_pieces():
    x = jnp.asarray(random_vectors(4, 6, 1, np.float32))
    want = jnp.maximum(jnp.maximum(x[:, :2], x[:, 2:4]), x[:, 4:])
    np.testing.assert_array_equal(maxout(x, pieces=3), want)
    np.testing.assert_array_equal(maxout(x.T, 0, pieces=3), want.T)
    with pytest.raises(ValueError, match="a multiple of 4 entries, got 6"):
        maxout(x, pieces=4)


def test_crelu_concatenates_along_the_axis():
    x = jnp.asarray(random_vectors(4, 6, 1, np.float32))
    want = jnp.concatenate([jnp.maximum(x, 0), jnp.maximum(-x, 0)], 0)
    np.testing.assert_array_equal(crelu(x, axis=0), want)
    np.testing.assert_array_equal(jax.grad(lambda x: crelu(x).sum())(x), jnp.sign(x))
    assert jax.grad(lambda x: crelu(x).sum())(jnp.zeros(1)) == 0
    with pytest.raises(ValueError, match="crelu: expected one axis"):
        crelu(x, axis=(0, 1))
    with pytest.raises(ValueError, match="got a scalar"):
        crelu(x[0, 0])
