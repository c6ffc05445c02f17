"""Softmax and its family: their values, derivatives and corner cases.

The truth of long rows is in 80-bit arithmetic, that of short ones in mpmath.
"""

import copy
import pickle

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

import jax_acts
from jax_acts import (
    get,
    gumbel_softmax,
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
from jax_acts._compat import enable_x64
from jax_acts.testing import ulps
from tests.differences import agree_with_differences

INF = np.inf
KEY = jax.random.key(0)
FAMILY = [softmax, softmin, log_softmax, logsumexp, logmeanexp, solu, sparsemax]
ROWWISE = [softmax, softmin, log_softmax, solu, sparsemax, hardmax, standardize]
MASKED = [softmax, softmin, log_softmax, logsumexp, logmeanexp]
LIMIT = 4  # ulp: 1 of e^x, 2 of the sum, and the rounding of the quotient

name = lambda function: function.__name__


def rows(count, n, scale, dtype, seed=0):
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(count, n)) * scale).astype(dtype)


def in_two_parts(x):
    """Returns extended numbers as a float64 and the rest."""
    high = x.astype(np.float64)
    return high, (x - high).astype(np.float64)


def extended(x, temperature=1):
    """Returns softmax, log_softmax and logsumexp in 80-bit arithmetic."""
    x = x.astype(np.longdouble) / np.longdouble(temperature)
    m = x.max(-1, keepdims=True)
    e = np.exp(x - m)
    ties = (x == m).sum(-1, keepdims=True)
    size = np.log1p(np.where(x == m, 0, e).sum(-1, keepdims=True) + (ties - 1))
    return e / e.sum(-1, keepdims=True), (x - m) - size, (m + size)[..., 0]


def agree(function, x, got, want, limit=LIMIT):
    error = ulps(np.asarray(got), *in_two_parts(want))
    worst = np.unravel_index(np.argmax(error), error.shape)
    assert error.max() <= limit, (
        f"{function} is {error.max():.3g} ulp off at {worst} of shape {error.shape}: "
        f"{np.asarray(got)[worst]!r}, not {want[worst]!r}; x = {x[worst[0]]}"
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scale", [1e-3, 1, 10, 60])
@pytest.mark.parametrize(
    ("count", "n"), [(5000, 2), (5000, 3), (2000, 10), (200, 1000), (4, 32_000)]
)
def test_values_are_right_to_the_last_places(count, n, scale, dtype):
    x = rows(count, n, scale, dtype)
    p, log_p, size = extended(x)
    with enable_x64(dtype == np.float64):
        agree("softmax", x, softmax(x), p)
        agree("log_softmax", x, log_softmax(x), log_p)
        # The maximum and the logarithm of the sum may cancel, each of them rounded.
        got = np.asarray(logsumexp(x, axis=-1))
    scale = np.maximum(np.abs(size), np.abs(x.max(-1)))
    error = np.abs(got - size) / np.spacing(scale.astype(dtype))
    assert error.max() <= LIMIT


def test_values_agree_with_mpmath():
    for x in ([0.0, -20.0, -30.0], [1e4, 1e4 - 3.3, 7.0], [0.1, 0.1, -80.0], [-5.0]):
        x = np.array(x, np.float32)
        with mpmath.workdps(60):
            e = [mpmath.exp(mpmath.mpf(float(v))) for v in x]
            s = sum(e)
            p = np.array([float(v / s) for v in e])
            log_p = np.array([float(mpmath.log(v / s)) for v in e])
            mean = float(mpmath.log(s / len(x)))
        assert ulps(np.asarray(softmax(x)), p).max() <= LIMIT
        assert ulps(np.asarray(log_softmax(x)), log_p).max() <= LIMIT
        assert ulps(np.asarray(logmeanexp(x))[None], np.array([mean])).max() <= LIMIT


def test_the_loss_of_a_confident_model_is_not_lost():
    x = jnp.array([0.0, -20.0, -30.0])
    np.testing.assert_allclose(log_softmax(x)[0], -2.0612472e-09, rtol=1e-6)
    np.testing.assert_allclose(logsumexp(x), 2.0612472e-09, rtol=1e-6)
    np.testing.assert_allclose(
        jax.grad(lambda x: log_softmax(x)[0])(x),
        [2.0612472e-09, -2.0611537e-09, -9.357623e-14],
        rtol=1e-6,
    )


@pytest.mark.parametrize("temperature", [1e-20, 0.1, 1 / 3, 1.0, 7.0, 1e20])
def test_temperature_divides_the_logits(temperature):
    t = np.float32(temperature)
    x = rows(2000, 5, max(1, temperature), np.float32)
    p, log_p, _ = extended(x, t)
    agree("softmax", x, softmax(x, temperature=t), p)
    agree("log_softmax", x, log_softmax(x, temperature=t), log_p)


def test_any_finite_logits_and_temperature_give_finite_probabilities():
    for size in (1e-30, 1.0, 1e12, 3e38):
        x = size * jnp.array([[1.0, -1.0, 0.5], [1.0, 1.0, -1.0]])
        for temperature in (0.0, 1e-30, 1 / 3, 3.0, 1e30, INF):
            with jax.disable_jit():
                eager = softmax(x, temperature=temperature)
            both = eager, jax.jit(lambda x, t: softmax(x, -1, None, t))(x, temperature)
            for p in both:
                np.testing.assert_allclose(p.sum(-1), 1, rtol=1e-6)
            np.testing.assert_allclose(*both, rtol=1e-6)


def test_temperature_0_shares_the_whole_among_the_maxima():
    x = jnp.array([3.0, 1.0, 3.0, -INF])
    np.testing.assert_array_equal(softmax(x, temperature=0.0), [0.5, 0, 0.5, 0])
    assert jnp.isnan(softmax(x, temperature=-1.0)).all()


def test_temperature_is_one_number_for_each_row():
    x, t = jnp.array(rows(3, 4, 1, np.float32)), jnp.array([[0.5], [1.0], [2.0]])
    each = jnp.stack([softmax(a, temperature=b[0]) for a, b in zip(x, t, strict=True)])
    np.testing.assert_array_equal(softmax(x, temperature=t), each)
    with pytest.raises(ValueError, match=r"temperature has shape \(4,\)"):
        softmax(x, temperature=jnp.ones(4))


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_16_bit_rows_are_added_up_in_float32_and_rounded_once(dtype):
    for n in (10, 1000, 2**16, 2**20):
        x = jnp.asarray(rows(2, n, 3, np.float32), dtype)
        for function in (softmax, log_softmax):
            np.testing.assert_array_equal(
                function(x), function(x.astype(jnp.float32)).astype(dtype)
            )
        y = logsumexp(x, axis=-1)
        np.testing.assert_array_equal(
            y, logsumexp(x.astype(jnp.float32), -1).astype(dtype)
        )
    even = softmax(jnp.zeros(2**16, dtype))
    assert even.astype(jnp.float32).sum() == 1
    grad = jax.grad(lambda x: log_softmax(x)[0])(jnp.zeros(2**20, dtype))
    assert jnp.isfinite(grad).all()


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.float16, jnp.float64])
@pytest.mark.parametrize("function", [softmax, log_softmax], ids=name)
def test_gradients_of_a_row_sum_to_0(function, dtype):
    pull = jax.jit(lambda x, c: jax.vjp(function, x)[1](c)[0])
    wide = np.float64 if dtype == jnp.float64 else np.float32
    info = jnp.finfo(dtype)
    for n in (2, 10, 32_000):
        for scale in (1e-3, 1, 10, 60):
            x = rows(3, n, scale, wide)
            for c in (rows(3, n, 1, wide, seed=1), np.eye(3, n), np.ones((3, n))):
                with enable_x64(dtype == jnp.float64):
                    got = pull(jnp.asarray(x, dtype), jnp.asarray(c, dtype))
                got = np.asarray(got).astype(np.longdouble)
                last = np.abs(got).max(-1) * float(info.eps)
                flushed = n * float(info.tiny)
                rest = np.abs(got.sum(-1))
                assert (rest <= last + flushed).all(), (n, scale, rest / last)


@pytest.mark.parametrize("function", [softmax, log_softmax], ids=name)
def test_gradients_agree_with_float64(function):
    both = jax.jit(
        lambda x, c: (jax.vjp(function, x)[1](c)[0], jax.jvp(function, (x,), (c,))[1])
    )
    for n, scale in ((2, 1), (2, 30), (10, 1), (10, 10), (200, 3)):
        x = rows(500, n, scale, np.float32)
        c = rows(500, n, 1, np.float32, seed=1)
        got = both(x, c)
        with enable_x64(True):
            want = both(x.astype(np.float64), c.astype(np.float64))
        with enable_x64(True):
            p = np.asarray(softmax(x.astype(np.float64)))
        # An entry may be a difference of terms that are greater than it.
        others = lambda v: v.sum(-1, keepdims=True) - v
        terms = {
            (softmax, "backward"): p * (np.abs(c) * others(p) + others(p * np.abs(c))),
            (softmax, "forward"): p * (np.abs(c) * others(p) + others(p * np.abs(c))),
            (log_softmax, "backward"): np.abs(c) * others(p) + p * others(np.abs(c)),
            (log_softmax, "forward"): np.abs(c) + np.sum(p * np.abs(c), -1)[:, None],
        }
        for direction, a, b in zip(("backward", "forward"), got, want, strict=True):
            size = np.max(terms[function, direction], -1, keepdims=True)
            error = np.abs(np.asarray(a, np.float64) - np.asarray(b)) / (size + 1e-30)
            assert error.max() <= 12 * 2**-24, (
                direction,
                n,
                scale,
                error.max() * 2**24,
            )


@pytest.mark.parametrize("function", FAMILY, ids=name)
def test_derivatives_agree_with_differences(function):
    agree_with_differences(lambda x: function(x, axis=-1), rows(3, 4, 1, np.float64))


@pytest.mark.parametrize("function", [softmax, log_softmax, softmin], ids=name)
def test_derivatives_in_the_temperature_agree_with_differences(function):
    tempered = lambda x, t: function(x, temperature=t)
    agree_with_differences(tempered, rows(3, 4, 1, np.float64), 0.7)


def test_the_derivative_in_the_temperature_of_a_masked_row_is_finite():
    masked = jnp.array([1.0, -INF, 2.0])
    assert jnp.isfinite(jax.grad(lambda t: softmax(masked, temperature=t)[0])(0.7))


@pytest.mark.parametrize("function", FAMILY, ids=name)
def test_second_derivatives_agree_in_every_nesting(function):
    x = jnp.asarray(rows(1, 4, 1, np.float32)[0])
    g = lambda x: jnp.sum(function(x, axis=-1) * jnp.arange(1.0, 5))
    both = jax.jacfwd, jax.jacrev
    nestings = [outer(inner(g)) for outer in both for inner in both]
    nested = jax.jit(lambda x: [nesting(x) for nesting in nestings])(x)
    for other in nested[1:]:
        np.testing.assert_allclose(other, nested[0], rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_backward_keeps_the_probabilities_alone(dtype):
    x = jnp.asarray(rows(3, 40, 1, np.float32), dtype)
    for function in (softmax, log_softmax, lambda x: logsumexp(x, axis=-1)):
        residuals = jax.tree.leaves(jax.vjp(function, x)[1])
        assert [(r.shape, r.dtype) for r in residuals] == [(x.shape, x.dtype)]


@pytest.mark.parametrize("function", MASKED, ids=name)
def test_a_row_of_which_nothing_counts_is_empty_and_has_derivative_0(function):
    empty = 0.0 if function in (softmax, softmin) else -INF
    dead = INF if function is softmin else -INF
    nothing = jnp.zeros(3, bool)
    for x, where in ((jnp.full(3, dead), None), (jnp.array([1.0, 2, INF]), nothing)):
        g = lambda x, where=where: function(x, axis=-1, where=where)
        np.testing.assert_array_equal(g(x), jnp.full_like(g(x), empty))
        total = lambda x, g=g: jnp.sum(g(x))
        np.testing.assert_array_equal(jax.grad(total)(x), jnp.zeros(3))
        _, slope = jax.jvp(g, (x,), (jnp.ones(3),))
        np.testing.assert_array_equal(slope, jnp.zeros_like(slope))
        np.testing.assert_array_equal(jax.hessian(total)(x), jnp.zeros((3, 3)))


@pytest.mark.parametrize("function", MASKED, ids=name)
def test_what_is_masked_does_not_count(function):
    x = jnp.array([[1.0, jnp.nan, 3.0, INF], [2.0, -INF, 1e38, 0.0]])
    where = jnp.array([[True, False, True, False], [True, False, False, True]])
    kept = jnp.array([[1.0, 3.0], [2.0, 0.0]])
    y, want = function(x, axis=-1, where=where), function(kept, axis=-1)
    if y.ndim == 2:
        rest = jnp.where(where, 0, y)
        excluded = -INF if function is log_softmax else 0.0
        np.testing.assert_array_equal(rest[~where], jnp.full(4, excluded))
        y = y[where].reshape(2, 2)
    np.testing.assert_array_equal(y, want)

    def finite_part(x):
        y = function(x, axis=-1, where=where)
        return jnp.sum(jnp.where(jnp.isfinite(y), y, 0))

    slope = jax.grad(finite_part)(x)
    assert jnp.isfinite(slope).all()
    np.testing.assert_array_equal(slope[~where], jnp.zeros(4))


def test_infinite_logits_give_the_limits():
    x = jnp.array([INF, 0.0, INF, -INF])
    np.testing.assert_array_equal(softmax(x), [0.5, 0, 0.5, 0])
    half = np.float32(-np.log(2))
    np.testing.assert_allclose(log_softmax(x), [half, -INF, half, -INF], rtol=1e-7)
    assert logsumexp(x) == logmeanexp(x) == INF
    np.testing.assert_array_equal(sparsemax(x), [0.5, 0, 0.5, 0])
    np.testing.assert_array_equal(solu(jnp.array([-INF, 1.0])), [0, 1])
    for function in (softmax, log_softmax, logsumexp, sparsemax):
        assert not jnp.isnan(
            jax.grad(lambda x, function=function: function(x).reshape(-1)[0])(x)
        ).any()


@pytest.mark.parametrize("function", [*FAMILY, hardmax, standardize], ids=name)
def test_nan_makes_its_row_nan_and_no_other(function):
    x = jnp.array([[0.0, jnp.nan, 1.0], [0.0, 1.0, 2.0]])
    y = function(x, axis=-1).reshape(2, -1)
    assert jnp.isnan(y[0]).all()
    assert not jnp.isnan(y[1]).any()


@pytest.mark.parametrize("function", [softmax, log_softmax, logsumexp], ids=name)
def test_nan_makes_the_gradients_of_its_row_nan(function):
    x = jnp.array([[0.0, jnp.nan, 1.0], [0.0, 1.0, 2.0]])
    g = jax.grad(lambda x: function(x, axis=-1)[..., :1].sum())(x)
    assert jnp.isnan(g[0]).all()
    assert not jnp.isnan(g[1]).any()


@pytest.mark.parametrize("function", ROWWISE, ids=name)
@pytest.mark.parametrize("axis", [0, 1, -1, (0, 2), (-1, 0), None])
def test_axes_are_those_of_the_rows(function, axis):
    if function is sparsemax and not isinstance(axis, int):
        with pytest.raises(ValueError, match="takes one axis"):
            function(jnp.ones((2, 3, 4)), axis=axis)
        return
    x = jnp.asarray(rows(6, 4, 1, np.float32).reshape(2, 3, 4))
    given = range(3) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    last = sorted(a % 3 for a in given)
    moved = jnp.moveaxis(x, last, range(3 - len(last), 3))
    flat = moved.reshape(*moved.shape[: 3 - len(last)], -1)
    want = jnp.moveaxis(
        function(flat).reshape(moved.shape), range(3 - len(last), 3), last
    )
    np.testing.assert_allclose(function(x, axis=axis), want, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("function", [*FAMILY, hardmax, standardize], ids=name)
def test_eager_jit_and_vmap_agree(function):
    x = jnp.asarray(rows(5, 7, 2, np.float32))
    g = lambda x: function(x, axis=-1)
    with jax.disable_jit():
        eager = g(x)
    for got in (jax.jit(g)(x), jax.vmap(g)(x), jax.lax.map(g, x), eager):
        np.testing.assert_allclose(got, g(x), rtol=1e-6, atol=1e-7)
    slope = jax.vmap(jax.grad(lambda x: jnp.sum(g(x) ** 2)))(x)
    np.testing.assert_allclose(
        slope, jax.grad(lambda x: jnp.sum(g(x) ** 2))(x), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize(
    "reference",
    [
        jax.nn.softmax,
        jax.nn.log_softmax,
        jax.nn.logsumexp,
        jax.nn.logmeanexp,
        jax.nn.standardize,
    ],
    ids=name,
)
def test_ordinary_inputs_give_what_jax_nn_gives(reference):
    function = getattr(jax_acts, reference.__name__)
    x = jnp.asarray(rows(4, 6, 1, np.float32))
    where = jnp.asarray(rows(4, 6, 1, np.float32, seed=1) > -0.5)
    for arguments in ({}, {"axis": 0}, {"axis": (0, 1)}, {"where": where}):
        np.testing.assert_allclose(
            function(x, **arguments), reference(x, **arguments), rtol=3e-5, atol=1e-6
        )


def test_logsumexp_has_factors_signs_and_axes_as_in_jax():
    a = jnp.asarray(rows(4, 6, 3, np.float32))
    b = jnp.asarray(rows(4, 6, 1, np.float32, seed=1)).at[0, 0].set(0)
    for axis, keepdims in ((None, True), (0, False), (-1, True), ((0, 1), False)):
        given = {"axis": axis, "keepdims": keepdims, "return_sign": True}
        for factor in (None, b, jnp.abs(b), jnp.zeros(6)):
            got = logsumexp(a, b=factor, **given)
            want = jax.nn.logsumexp(a, b=factor, **given)
            for one, other in zip(got, want, strict=True):
                assert one.shape == other.shape
                np.testing.assert_allclose(one, other, rtol=2e-5, atol=1e-6)
    assert jnp.isnan(logsumexp(a, b=-jnp.abs(b)))
    agree_with_differences(lambda a, b: logsumexp(a, -1, b), a, np.abs(b) + 0.1)


def test_logmeanexp_of_equal_numbers_is_that_number():
    for v in (0.0, 0.1, 80.0, -1e30):
        for n in (1, 3, 1000):
            assert logmeanexp(jnp.full(n, v)) == jnp.float32(v)


@pytest.mark.parametrize("function", [*FAMILY, hardmax, standardize], ids=name)
def test_bad_arguments_are_refused_with_what_is_valid(function):
    with pytest.raises(TypeError, match=f"{function.__name__} takes real numbers"):
        function(jnp.ones(3) * 1j)
    with pytest.raises(ValueError, match=r"axis 2 is out of range.*valid is -2 to 1"):
        function(jnp.ones((2, 3)), axis=2)
    if "where" in function.parameters:
        with pytest.raises(ValueError, match=r"where has shape \(4,\).*to \(2, 3\)"):
            function(jnp.ones((2, 3)), where=jnp.ones(4, bool))
        with pytest.raises(TypeError, match="where is a boolean mask, not float32"):
            function(jnp.ones((2, 3)), where=jnp.ones(3))
        several = "takes one axis" if function is sparsemax else "twice"
        with pytest.raises(ValueError, match=several):
            function(jnp.ones((2, 3)), axis=(0, -2))


@pytest.mark.parametrize("function", [*FAMILY, hardmax, standardize], ids=name)
@pytest.mark.parametrize("dtype", [jnp.int32, jnp.uint8, jnp.bool_])
def test_integers_and_booleans_become_the_default_float(function, dtype):
    x = jnp.arange(1, 4).astype(dtype)
    np.testing.assert_array_equal(function(x), function(x.astype(jnp.float32)))


@pytest.mark.parametrize("function", ROWWISE, ids=name)
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.float16])
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 3), (3, 0), (2, 3, 4)])
def test_shape_and_dtype_are_kept(function, dtype, shape):
    def both(x):
        y, pullback = jax.vjp(function, x)
        return y, pullback(y)[0]

    for array in jax.eval_shape(both, jax.ShapeDtypeStruct(shape, dtype)):
        assert (array.shape, array.dtype) == (shape, dtype)


@pytest.mark.parametrize("function", [*FAMILY, hardmax, standardize, maxout], ids=name)
def test_pickle_and_copy_give_the_function_itself(function):
    assert pickle.loads(pickle.dumps(function)) is function is copy.deepcopy(function)


def test_hardmax_is_1_at_the_first_maximum_alone():
    x = jnp.array([[1.0, 3.0, 3.0], [-INF, -INF, -INF]])
    np.testing.assert_array_equal(hardmax(x), [[0, 1, 0], [1, 0, 0]])
    np.testing.assert_array_equal(hardmax(x, None), [[0, 1, 0], [0, 0, 0]])
    np.testing.assert_array_equal(
        jax.grad(lambda x: hardmax(x).sum())(x), jnp.zeros((2, 3))
    )


def test_hardmax_may_have_the_derivatives_of_softmax():
    x = jnp.asarray(rows(3, 4, 1, np.float32))
    for axis in (-1, 0, None):
        hard = lambda x, axis=axis: hardmax(x, axis, straight_through=True)
        np.testing.assert_array_equal(hard(x), hardmax(x, axis))
        got, want = (
            jax.vjp(f, x)[1](x)[0]
            for f in (hard, lambda x, axis=axis: softmax(x, axis))
        )
        np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-8)
    empty = jnp.full(3, -INF)
    np.testing.assert_array_equal(hardmax(empty, straight_through=True), hardmax(empty))


@pytest.mark.parametrize("scale", [1e-4, 0.1, 1, 100])
def test_sparsemax_is_the_nearest_distribution(scale):
    for n in (1, 2, 10, 3000):
        x = rows(20, n, scale, np.float32)
        got = np.asarray(sparsemax(x), np.float64)
        # tau is found again by bisection.
        low, high = x.max(-1) - 1.0, x.max(-1).astype(np.float64)
        for _ in range(100):
            tau = (low + high) / 2
            over = np.maximum(x - tau[:, None], 0).sum(-1) > 1
            low, high = np.where(over, tau, low), np.where(over, high, tau)
        # All is to the last place of 1, which is the width of what counts.
        np.testing.assert_allclose(got, np.maximum(x - tau[:, None], 0), atol=3e-7)
        np.testing.assert_allclose(got.sum(-1), 1, atol=3e-7 * np.sqrt(n))


def test_sparsemax_moves_within_its_support_only():
    x = jnp.array([0.0, 1.0, 1.5, -3.0])
    jacobian = [[0, 0, 0, 0], [0, 0.5, -0.5, 0], [0, -0.5, 0.5, 0], [0, 0, 0, 0]]
    for jac in (jax.jacfwd, jax.jacrev):
        np.testing.assert_array_equal(jac(sparsemax)(x), jacobian)
    np.testing.assert_array_equal(sparsemax(jnp.full(3, -INF)), jnp.zeros(3))


def test_gumbel_softmax_draws_from_the_distribution():
    x = jnp.array([0.0, 1.0, -1.0, 2.0])
    keys = jax.random.split(KEY, 20_000)
    draws = jax.vmap(lambda key: gumbel_softmax(x, key, hard=True))(keys)
    np.testing.assert_array_equal(draws.sum(-1), jnp.ones(20_000))
    # The standard error of a frequency is at most 1 / sqrt(4 · 20000).
    np.testing.assert_allclose(draws.mean(0), softmax(x), atol=4 * 0.0036)
    soft = gumbel_softmax(x, KEY, tau=0.01)
    hard = gumbel_softmax(x, KEY, tau=0.01, hard=True)
    np.testing.assert_allclose(soft, hard, atol=1e-3)


def test_a_hard_draw_has_the_derivative_of_the_soft_one():
    x = jnp.asarray(rows(3, 4, 1, np.float32))
    for axis in (-1, 0, None):
        slopes = [
            jax.grad(
                lambda x, tau, hard=hard, axis=axis: jnp.sum(
                    gumbel_softmax(x, KEY, tau, hard, axis)[0, :2]
                ),
                argnums=(0, 1),
            )(x, 0.7)
            for hard in (False, True)
        ]
        jax.tree.map(np.testing.assert_array_equal, *slopes)


def test_standardize_does_not_lose_the_variance_of_a_distant_row():
    x = jnp.array([1e4 + 1, 1e4 + 2, 1e4 + 3])
    want = np.array([-1, 0, 1]) / np.sqrt(2 / 3 + 1e-5)
    np.testing.assert_allclose(standardize(x), want, rtol=1e-6)
    np.testing.assert_allclose(
        standardize(x, mean=10002.0, variance=2 / 3), want, rtol=1e-6
    )
    with pytest.raises(ValueError, match="not 'slow'"):
        standardize(x, algorithm="slow")


def test_maxout_takes_the_greatest_of_each_place():
    x = jnp.asarray(rows(4, 6, 1, np.float32))
    parts = x[:, :2], x[:, 2:4], x[:, 4:]
    want = jnp.maximum(jnp.maximum(*parts[:2]), parts[2])
    np.testing.assert_array_equal(maxout(x, pieces=3), want)
    np.testing.assert_array_equal(maxout(x.T, 0, pieces=3), want.T)
    with pytest.raises(ValueError, match="has size 6, which does not divide into 4"):
        maxout(x, pieces=4)


def test_a_layer_takes_an_axis():
    from jax_acts import linen, nnx

    x = jnp.asarray(rows(3, 4, 1, np.float32))
    for spec in ("softmax(axis=0)", "torch:softmax(dim=0)", "sparsemax(0)"):
        want = get(spec)(x)
        np.testing.assert_allclose(want.sum(0), 1, rtol=1e-6)
        layer = linen.Activation(spec)
        np.testing.assert_array_equal(layer.apply(layer.init(KEY, x), x), want)
        np.testing.assert_array_equal(nnx.Activation(spec)(x), want)
