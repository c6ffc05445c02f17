"""Output heads, and the losses of independent labels."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jax_acts.losses import binary_cross_entropy, head, stablemax, stablemax_loss

HEADS = ("identity", "sigmoid", "softmax", "sparsemax", "entmax15")
TASKS = ("regression", "binary", "multilabel", "multiclass")


@pytest.mark.parametrize("name", HEADS)
def test_gradient_of_a_head_is_its_output_minus_the_labels(name):
    pair = head(name)
    x, y = jnp.array([0.3, -1.0, 2.0]), jnp.array([0.0, 1.0, 0.0])
    gradient = jax.grad(lambda x: pair.loss(x, y).sum())(x)
    np.testing.assert_allclose(gradient, pair.activation(x) - y, atol=1e-6)


@pytest.mark.parametrize("task", TASKS)
def test_every_task_has_a_head_and_refuses_the_others(task):
    suitable = [name for name in HEADS if task in head(name).tasks]
    assert suitable
    for name in HEADS:
        if name in suitable:
            head(name, task)
        else:
            with pytest.raises(ValueError, match=f"head: {name} for {task}: .*; use"):
                head(name, task)


def test_errors_name_the_valid_values():
    with pytest.raises(ValueError, match=r"expected identity, sigmoid, .*, got relu"):
        head("relu")
    with pytest.raises(ValueError, match="did you mean 'binary'"):
        head("sigmoid", "binery")


def test_binary_cross_entropy_is_exact_at_every_margin():
    x = jnp.array([-80.0, -20.0, 0.0, 20.0, 80.0])
    want = np.log1p(np.exp(-np.abs(np.asarray(x, np.float64))))
    np.testing.assert_allclose(binary_cross_entropy(x, x > 0), want, rtol=5e-7)
    assert binary_cross_entropy(jnp.array([np.inf, -np.inf]), [1, 0]).tolist() == [0, 0]


def test_binary_cross_entropy_agrees_with_optax():
    x = jnp.linspace(-9, 9, 19)
    y = jnp.linspace(0, 1, 19)
    want = optax.sigmoid_binary_cross_entropy(x, y)
    np.testing.assert_allclose(binary_cross_entropy(x, y), want, rtol=1e-6)


def test_masked_entries_of_binary_cross_entropy_have_no_gradient():
    x = jnp.array([1.0, np.nan])
    f = lambda x: binary_cross_entropy(x, 1.0, where=jnp.array([True, False])).sum()
    value, gradient = jax.value_and_grad(f)(x)
    assert np.isfinite(value)
    assert gradient[1] == 0


def test_binary_cross_entropy_weights_and_smooths():
    x = jnp.array([2.0])
    weighted = binary_cross_entropy(x, 1.0, pos_weight=3.0)
    np.testing.assert_allclose(weighted, 3 * binary_cross_entropy(x, 1.0), rtol=1e-6)
    smooth = binary_cross_entropy(x, 1.0, label_smoothing=0.2)
    np.testing.assert_allclose(smooth, binary_cross_entropy(x, 0.9), rtol=1e-6)


def test_stablemax_sums_to_1_and_excludes_masked_entries():
    x = jnp.array([-3.0, 0.0, 5.0, 100.0])
    where = jnp.array([True, True, True, False])
    p = stablemax(x, where=where)
    np.testing.assert_allclose(p, [0.25 / 7.25, 1 / 7.25, 6 / 7.25, 0], rtol=1e-6)
    loss = stablemax_loss(x[:3], jnp.array(2))
    np.testing.assert_allclose(loss, -np.log(6 / 7.25), rtol=1e-6)
