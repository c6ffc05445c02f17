"""Every unusable input is an error or a finding."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
import pytest

import jax_acts
from jax_acts import diagnose

x = jax.random.normal(jax.random.key(0), (64, 4))
labels = jnp.arange(64) % 4
cross_entropy = optax.softmax_cross_entropy_with_integer_labels


def names(result):
    return [finding.name for finding in result.findings]


def test_unusable_arguments_are_errors():
    dense = nn.Dense(4)
    variables = dense.init(jax.random.key(0), x)
    cases = (
        (ValueError, "at least one activation, found none", (dense, variables, x), {}),
        (ValueError, "found none", (lambda x: jnp.maximum(x, 0), x), {}),
        (TypeError, "variables of the linen module", (dense, x), {}),
        (TypeError, "the keys a", (dense, {"a": 1}, x), {}),
        (TypeError, "a Flax module or a function, got str", ("relu", x), {}),
        (TypeError, "inputs and targets", (jax.nn.relu, x), {"loss": cross_entropy}),
        (
            TypeError,
            "the targets of a loss follow them.*missing 1 required positional argument",
            (nn.Sequential([dense, nn.relu]), variables, x),
            {"loss": cross_entropy},
        ),
        (TypeError, "a function of outputs and", (jax.nn.relu, x, x), {"loss": "mse"}),
        (TypeError, "a function, got the class Dense", (nn.Dense, variables, x), {}),
        (
            ValueError,
            r"relu: expected an input with elements",
            (jax.nn.relu, x[:0]),
            {},
        ),
        (ValueError, "positive eps .* got eps = -1", (jax.nn.relu, x), {"eps": -1}),
        (ValueError, "at least 0 bins, got", (jax.nn.relu, x), {"bins": -1}),
        (
            ValueError,
            r"the loss failed for outputs of shape \(64, 4\) and targets of shape "
            r"\(32,\)",
            (jax.nn.relu, x, labels[:32]),
            {"loss": cross_entropy},
        ),
        (
            ValueError,
            r"the model failed for arguments of shape \(64, 4\), \(3,\)",
            (lambda x, w: jax.nn.relu(x @ w), x, jnp.ones(3)),
            {},
        ),
    )
    for error, message, args, options in cases:
        with pytest.raises(error, match=message):
            diagnose(*args, **options)


def test_a_scalar_site_is_one_unit():
    result = diagnose(lambda x: jax.nn.relu(jnp.sum(x)), x)
    (row,) = result.rows
    assert (row.units, row.rows) == (1, 1)
    assert row.values["pre_grad_rms"] == 1
    assert "relu" in str(result)


def test_a_traced_call_is_an_error():
    with pytest.raises(TypeError, match=r"outside of jax\.jit"):
        jax.jit(lambda x: diagnose(jax.nn.relu, x).loss)(x)


def test_nan_in_data_and_parameters_is_a_finding():
    f = lambda w, x: jnp.tanh(x @ w["kernel"]).mean()
    w = {"kernel": jnp.eye(4)}
    (finding,) = diagnose(f, w, x.at[3, 1].set(jnp.nan)).findings
    assert finding.name == "NaN"
    assert "1 of 256 elements of [1] of the arguments" in finding.evidence
    (finding,) = diagnose(f, {"kernel": jnp.full((4, 4), jnp.inf)}, x).findings
    assert "16 of 16 elements of [0]['kernel']" in finding.evidence


def test_nan_in_the_gradient_is_a_finding():
    norm = lambda x: jnp.sqrt(jnp.square(jax.nn.relu(x - 100)).sum())
    result = diagnose(norm, x)
    assert names(result) == ["NaN"]
    assert "the gradient after relu is not finite" in result.findings[0].evidence


def test_activations_in_loops_and_branches_are_a_finding():
    def model(x):
        x = jax.lax.while_loop(lambda x: x.max() > 1, lambda x: jnp.tanh(x) / 2, x)
        return jax.lax.cond(x.sum() > 0, jax_acts.silu, jnp.sin, jax.nn.gelu(x))

    result = diagnose(model, x)
    assert [row.site for row in result.rows] == ["gelu"]
    assert [(f.name, f.site) for f in result.findings] == [
        ("not measured", "tanh in `while`"),
        ("not measured", "silu in `cond`"),
    ]
    with pytest.raises(ValueError, match="found tanh in `while`, not measured"):
        diagnose(lambda x: jax.lax.while_loop(lambda x: x.max() > 1, jnp.tanh, x), x)


def test_labels_out_of_range_and_broadcast_targets_are_findings():
    model = lambda x: jnp.tanh(x) @ jnp.eye(4)
    assert names(diagnose(model, x, labels + 1, loss=cross_entropy)) == ["labels"]
    column = lambda x: jnp.tanh(x) @ jnp.ones((4, 1))
    result = diagnose(column, x, x[:, 0], loss=lambda y, t: jnp.square(y - t))
    assert names(result) == ["broadcast targets"]


def test_a_small_batch_is_a_finding_not_a_dead_unit():
    off = lambda x: jax.nn.relu(x - 9).sum()
    assert names(diagnose(off, x[:8])) == ["small batch"]
