"""Fenchel–Young losses against their definition, and their gradient p - y."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jax_acts
from jax_acts._core.compat import enable_x64
from jax_acts.losses import entmax15_loss, entmax_loss, sparsemax_loss

LOSSES = {
    1.5: entmax15_loss,
    2.0: sparsemax_loss,
    1.3: functools.partial(entmax_loss, alpha=1.3),
    3.0: functools.partial(entmax_loss, alpha=3.0),
}
every_loss = pytest.mark.parametrize("alpha", LOSSES)


def definition(z, y, alpha):
    """Return Ω*(z) + Ω(y) - <z, y> in float64 for the Tsallis entropy -Ω."""
    with enable_x64():
        z, y = (jnp.asarray(np.asarray(a, np.float64)) for a in (z, y))
        p = jax_acts.entmax(z, alpha)
        omega = lambda q: ((q**alpha).sum(-1) - 1) / (alpha * (alpha - 1))
        return np.asarray(((p - y) * z).sum(-1) - omega(p) + omega(y))


def samples(n=6):
    rng = np.random.default_rng(0)
    z = rng.normal(size=(40, n)).astype(np.float32) * 2
    return z, rng.integers(n, size=40), rng.dirichlet(np.ones(n), size=40)


@every_loss
def test_values_agree_with_the_definition(alpha):
    z, label, soft = samples()
    for labels, y in [(label, np.eye(6)[label]), (soft, soft)]:
        want = definition(z, y, alpha)
        got = LOSSES[alpha](z, labels)
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


@every_loss
def test_gradient_in_the_logits_is_p_minus_y(alpha):
    z, label, soft = samples()
    for labels, y in [(label, np.eye(6)[label]), (soft, soft)]:
        got = jax.grad(lambda z, y=labels: LOSSES[alpha](z, y).sum())(z)
        np.testing.assert_allclose(got, jax_acts.entmax(z, alpha) - y, atol=2e-6)


@every_loss
def test_gradient_in_the_labels_agrees_with_differences(alpha):
    with enable_x64():
        z, _, y = samples()
        direction = np.roll(y, 1, -1) - y  # stays on the simplex
        f = lambda s: LOSSES[alpha](jnp.asarray(z, float), y + s * direction).sum()
        difference = (f(1e-5) - f(-1e-5)) / 2e-5
        np.testing.assert_allclose(jax.grad(f)(0.0), difference, rtol=1e-5)


@pytest.mark.parametrize(("alpha", "margin"), [(2.0, 1.0), (1.5, 2.0)])
def test_the_loss_is_0_from_its_margin_on_and_accurate_below(alpha, margin):
    gap = margin - np.array([0.0, -1.0, 1e-3, 1e-2])
    z = np.stack([np.zeros(4), gap], -1).astype(np.float32)
    got = np.asarray(LOSSES[alpha](z, np.ones(4, int)))
    np.testing.assert_array_equal(got[:2], 0)
    np.testing.assert_allclose(got[2:], definition(z, [[0, 1]] * 4, alpha)[2:], 2e-4)


@every_loss
def test_16_bit_logits_give_a_float32_loss(alpha):
    assert LOSSES[alpha](jnp.ones((2, 3), "bfloat16"), [0, 1]).dtype == jnp.float32


def test_errors_name_the_argument():
    with pytest.raises(ValueError, match="entmax_loss: alpha: expected a value above"):
        entmax_loss(jnp.zeros(3), 0, alpha=1.0)
    with pytest.raises(ValueError, match="sparsemax_loss: labels: expected class"):
        sparsemax_loss(jnp.zeros((2, 3)), jnp.zeros(3, int))
