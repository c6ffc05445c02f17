"""`cross_entropy` at every margin, offset and class count, against mpmath."""

import functools
import itertools

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import optax
import pytest

from jax_acts.losses import cross_entropy
from jax_acts.testing import ulps

INF = np.inf
MARGINS = (0, 1, 5, 15, 20, 40, 80)
OFFSETS = (0, 1e4, 1e6, 1e8, -1e8)
CLASSES = (2, 3, 10, 100)
MAX_ULP = 4
"""1.3 of the exponential, 1.5 of log1p, and the sum of up to 100 terms."""
OPTIONS = (
    {},
    {"label_smoothing": 0.1},
    {"z_loss": 1e-2},
    {"temperature": 3.0},
    {"soft_cap": 5.0},
    {"label_smoothing": 0.2, "z_loss": 0.1, "temperature": 0.7, "soft_cap": 9.0},
)


def logits_with_margin(margin, offset, classes, dtype):
    """Return logits whose entry 1 exceeds the others, of scale 1, by the margin."""
    x = np.random.default_rng(classes).normal(size=classes) + offset
    x[1] = offset + margin
    return x.astype(dtype)


def loss_reference(x, label):
    """Return log Σ e^(x_j - x_label) as (hi, lo), by mpmath."""
    with mpmath.workdps(60):
        exact = [mpmath.mpf(float(v)) for v in x]
        others = [v for j, v in enumerate(exact) if j != label]
        loss = mpmath.log1p(mpmath.fsum(mpmath.exp(v - exact[label]) for v in others))
        return float(loss), float(loss - float(loss))


def reference(
    x, y, where=True, label_smoothing=0.0, soft_cap=None, z_loss=0.0, temperature=1.0
):
    """Return the loss by its formula, in the dtype of x."""
    z = x / temperature
    z = z if soft_cap is None else soft_cap * jnp.tanh(z / soft_cap)
    z = jnp.where(where, z, -INF)
    valid = z > -INF
    log_sum = jax.nn.logsumexp(z, axis=-1)
    count = valid.sum(-1, keepdims=True)
    y = (1 - label_smoothing) * y + label_smoothing * valid / count
    nll = jnp.where(valid & (y != 0), y * (log_sum[..., None] - z), 0).sum(-1)
    return nll + z_loss * log_sum**2


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_values_are_within_4_ulp_at_every_margin(dtype):
    function = jax.jit(cross_entropy)
    largest = 6e4 if dtype == "float16" else INF
    for offset, margin, classes in itertools.product(OFFSETS, MARGINS, CLASSES):
        if abs(offset) > largest:
            continue
        x = logits_with_margin(margin, offset, classes, dtype)
        for label in (0, 1):
            got = function(x, label)
            assert got.dtype == jnp.float32
            want = loss_reference(x.astype(np.float64), label)
            error = ulps(np.array([got]), *(np.array([v]) for v in want))[0]
            assert error <= MAX_ULP, (
                f"margin {margin}, offset {offset}, {classes} classes, label {label}: "
                f"expected {want[0]}, got {got} ({error:.3g} ulp)"
            )


def test_optax_and_jax_nn_round_the_loss_of_margin_20_to_0():
    x, label = jnp.array([0.0, 20.0]), jnp.array(1)
    assert optax.softmax_cross_entropy_with_integer_labels(x, label) == 0
    assert jax.nn.log_softmax(x)[1] == 0
    assert cross_entropy(x, label) > 2e-9


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("soft", [False, True], ids=["index", "soft"])
def test_derivatives_agree_with_the_formula(options, soft):
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.normal(size=(5, 7)) * 3, jnp.float32)
    t = jnp.asarray(rng.normal(size=x.shape), jnp.float32)
    label = jnp.asarray(rng.integers(7, size=5))
    y = jax.nn.softmax(2 * t) if soft else jax.nn.one_hot(label, 7)
    f = functools.partial(cross_entropy, labels=y if soft else label, **options)
    g = functools.partial(reference, y=y, **options)

    @jax.jit
    def derivatives(x, t):
        total = lambda h: lambda x: h(x).sum()
        return [
            (
                h(x),
                jax.jvp(h, (x,), (t,))[1],
                jax.grad(total(h))(x),
                jax.hessian(total(h))(x),
            )
            for h in (f, g)
        ]

    got, want = derivatives(x, t)
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-6)


def test_gradient_of_a_confident_row_is_not_0():
    x = jnp.array([[0.0, 20.0, -3.0], [0.0, 40.0, 0.0]])
    gradient = jax.grad(lambda x: cross_entropy(x, jnp.array([1, 1])).sum())(x)
    p = np.exp(np.array([[-20.0, 0, -23], [-40, 0, -40]]))
    p[:, 1] = -p[:, 0] - p[:, 2]
    np.testing.assert_allclose(gradient, p, rtol=1e-6)


def test_differentiates_smoothing_and_z_loss():
    x, y = jnp.array([1.0, 2.0, 0.0]), jnp.array(0)
    f = lambda e, c: cross_entropy(x, y, label_smoothing=e, z_loss=c)
    g = lambda e, c: reference(x, jax.nn.one_hot(y, 3), label_smoothing=e, z_loss=c)
    for transform in (jax.grad, jax.hessian):
        got, want = (transform(h, (0, 1))(0.1, 0.2) for h in (f, g))
        for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("soft", [False, True], ids=["index", "soft"])
def test_masked_rows_are_finite_in_all_derivatives(options, soft):
    x = jnp.array([[1.0, -INF, 2.0], [-INF, -INF, -INF], [1.0, 2.0, 9.0]])
    where = jnp.array([[1, 1, 1], [1, 1, 1], [1, 0, 1]], bool)
    label = jnp.array([0, 1, 2])
    labels = jax.nn.one_hot(label, 3) if soft else label
    f = lambda x: cross_entropy(x, labels, where=where, **options)
    value, tangent = jax.jvp(f, (x,), (jnp.ones_like(x),))
    gradient = jax.grad(lambda x: f(x).sum())(x)
    for v in (value, tangent, gradient):
        assert np.isfinite(v).all(), v
    assert value[1] == 0
    np.testing.assert_array_equal(gradient[1], 0)
    assert gradient[2, 1] == 0


def test_infinite_and_nan_logits():
    x = jnp.array([[INF, 0.0], [0.0, INF], [INF, INF], [np.nan, 0.0], [0.0, -INF]])
    np.testing.assert_array_equal(
        cross_entropy(x, jnp.array([0, 0, 0, 1, 1])),
        np.array([0, INF, np.log(2), np.nan, INF], np.float32),
    )


def test_ignored_examples_have_no_loss_and_no_gradient():
    x = jnp.array([[1.0, 2.0], [np.nan, 3.0]])
    f = lambda x: cross_entropy(x, jnp.array([0, -100]), ignore_index=-100)
    value, gradient = f(x), jax.grad(lambda x: f(x).sum())(x)
    assert value[1] == 0
    np.testing.assert_array_equal(gradient[1], 0)
    np.testing.assert_array_equal(value[0], cross_entropy(x[0], 0))


@pytest.mark.parametrize("label", [-1, 2, 100])
def test_a_label_out_of_range_gives_nan(label):
    assert np.isnan(cross_entropy(jnp.array([1.0, 2.0]), label))


def test_terms_sum_to_the_loss():
    x, y = jnp.array([[1.0, 2.0, 3.0]]), jnp.array([2])
    terms = cross_entropy(x, y, z_loss=0.1, return_terms=True)
    np.testing.assert_allclose(terms.cross_entropy, cross_entropy(x, y), rtol=1e-6)
    np.testing.assert_array_equal(terms.loss, cross_entropy(x, y, z_loss=0.1))
    np.testing.assert_allclose(
        terms.z_loss, 0.1 * jax.nn.logsumexp(x, axis=-1) ** 2, rtol=1e-6
    )


def test_the_axis_of_the_classes_may_be_any():
    x = jax.random.normal(jax.random.key(0), (4, 3, 5))
    y = jax.random.randint(jax.random.key(1), (4, 5), 0, 3)
    soft = jax.nn.one_hot(y, 3, axis=1)
    want = cross_entropy(jnp.moveaxis(x, 1, -1), y)
    np.testing.assert_array_equal(cross_entropy(x, y, axis=1), want)
    np.testing.assert_allclose(cross_entropy(x, soft, axis=1), want, rtol=2e-6)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_residual_is_one_array_of_the_dtype_of_the_logits(dtype):
    x = jax.ShapeDtypeStruct((8, 16), dtype)
    loss = lambda x: cross_entropy(x, jnp.zeros(8, int)).sum()
    saved = jax.eval_shape(lambda x: jax.vjp(loss, x)[1], x)
    arrays = [a for a in jax.tree.leaves(saved) if a.shape == x.shape]
    assert [a.dtype for a in arrays] == [x.dtype]


@pytest.mark.parametrize(
    ("labels", "options", "message"),
    [
        (np.zeros((2, 3), int), {}, r"labels: expected class indices of shape \(2,\)"),
        (np.zeros(2), {}, r"or probabilities of shape \(2, 3\), got float32 \(2,\)"),
        (np.zeros((2, 3)), {"ignore_index": 0}, "ignore_index: expected integer"),
        (np.zeros((2, 3)), {"axis_name": "i"}, "axis_name: expected integer"),
        (np.zeros(2, int), {"axis": 2}, "axis: expected -2 to 1"),
    ],
)
def test_errors_name_the_argument(labels, options, message):
    with pytest.raises((TypeError, ValueError), match=message):
        cross_entropy(jnp.zeros((2, 3)), labels, **options)
