"""Planted faults are found and named; healthy models have no finding."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import pytest

import jax_acts
import jax_acts.linen
import jax_acts.losses
from tests.diagnosis.networks import (
    CLASSES,
    FORMS,
    Case,
    binary_cross_entropy,
    cross_entropy,
    negative_log_likelihood,
    squared_error,
)

relu = Case("relu")
tanh = Case("tanh")
deep = Case("leaky_relu", scanned=True)
shallow = functools.partial(Case, depth=1)


def edit(layer, name, f):
    """Return an edit of a parameter; the scanned layers have no name."""

    def apply(layers):
        parameters = layers[layer] if layer else layers
        parameters[name] = f(parameters[name])

    return apply


def scaled(rms):
    return lambda kernel: kernel / jnp.sqrt(jnp.mean(kernel**2, (-2, -1))).max() * rms


def planted(case, change):
    return Case(**{**vars(case), "edit": change})


UNIT = jnp.arange(32)[:, None] == 3

# The name of the finding, the site where it is expected, and the model.
FAULTS = {
    "dead layer": (
        ("dead layer", "relu_1"),
        planted(relu, edit("layer1", "bias", lambda b: b - 50)),
    ),
    "saturation": (
        ("saturation", "tanh_2"),
        planted(tanh, edit("layer2", "kernel", lambda k: 30 * k)),
    ),
    "vanishing gradient": (
        ("vanishing gradient", "layers/leaky_relu/0"),
        planted(deep, edit("", "kernel", scaled(0.3 / 32**0.5))),
    ),
    "exploding gradient": (
        ("exploding gradient", "layers/leaky_relu/0"),
        planted(deep, edit("", "kernel", scaled(4.5 / 32**0.5))),
    ),
    "relu before softmax cross-entropy": (
        ("output activation", ""),
        shallow(head="relu"),
    ),
    "sigmoid before sigmoid cross-entropy": (
        ("output activation", ""),
        shallow(head="sigmoid", outputs=1, loss=binary_cross_entropy),
    ),
    "logits where the loss takes probabilities": (
        ("output activation", ""),
        shallow(loss=negative_log_likelihood),
    ),
    "double softmax": (("double softmax", ""), shallow(head="softmax")),
    "squashed regression output": (
        ("squashed output", ""),
        shallow(head="tanh", outputs=1, loss=squared_error, targets=3.0),
    ),
    "NaN source": (("NaN", "relu"), shallow(first="log")),
    "unused unit": (
        ("unused units", "relu_1"),
        planted(relu, edit("layer2", "kernel", lambda k: jnp.where(UNIT, 0, k))),
    ),
    "kernel scale": (
        ("kernel scale", "relu_1"),
        planted(relu, edit("layer1", "kernel", lambda k: jnp.sign(k))),
    ),
}
HEALTHY = {
    "relu": relu,
    "tanh": tanh,
    "ten layers in a scan": deep,
    "regression": shallow(outputs=1, loss=squared_error, targets=3.0),
    "probabilities": shallow(head="softmax", loss=negative_log_likelihood),
    "binary": shallow(outputs=1, loss=binary_cross_entropy),
}


@pytest.mark.parametrize("form", ["nnx", pytest.param("linen", marks=pytest.mark.slow)])
def test_planted_faults_are_found_and_named(form):
    for fault, (expected, case) in FAULTS.items():
        result = FORMS[form](case, bins=0)
        names = {(f.name, f.site) for f in result.findings}
        assert expected in names, f"{fault}: {result}"
        assert len(names) <= 2, f"{fault}: {result}"
        for finding in result.findings:
            assert all(finding._replace(site="-")), finding


@pytest.mark.parametrize("form", ["nnx", pytest.param("linen", marks=pytest.mark.slow)])
def test_healthy_models_have_no_finding(form):
    for name, case in HEALTHY.items():
        result = FORMS[form](case, bins=0)
        assert result.findings == [], f"{name}: {result}"


def test_nan_is_traced_to_its_line():
    result = FORMS["linen"](shallow(first="log"), bins=0)
    (finding,) = result.findings
    assert finding.evidence.startswith("`log` at "), finding
    assert "NaN" in finding.evidence
    assert "networks.py" in finding.evidence


class CNN(nn.Module):
    @nn.compact
    def __call__(self, x):
        for size in (8, 16):
            x = nn.Conv(size, (3, 3))(x)
            x = nn.relu(nn.BatchNorm(use_running_average=False)(x))
            x = nn.max_pool(x, (2, 2), (2, 2))
        return nn.Dense(CLASSES)(x.mean((1, 2)))


class LSTM(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = x.reshape(len(x), 16, -1)
        return nn.Dense(CLASSES)(nn.RNN(nn.OptimizedLSTMCell(16))(x).mean(1))


class Transformer(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.Dense(16)(x.reshape(len(x), 16, -1))
        for _ in range(2):
            y = nn.LayerNorm()(x)
            x = x + nn.MultiHeadDotProductAttention(2)(y, y)
            y = nn.RMSNorm()(x)
            x = x + jax_acts.linen.MLP(32, "silu", gated=True)(y)
        return nn.Dense(CLASSES)(nn.LayerNorm()(x.mean(1)))


class Autoencoder(nn.Module):
    @nn.compact
    def __call__(self, x):
        y = nn.gelu(nn.Dense(32)(x.reshape(len(x), -1)))
        y = jax_acts.linen.Dense(32, activation="selu")(nn.Dense(8)(y))
        return nn.sigmoid(nn.Dense(64)(y)).reshape(x.shape)


@pytest.mark.slow
def test_healthy_architectures_have_no_finding():
    x = jax.random.normal(jax.random.key(0), (64, 8, 8, 1))
    labels = jnp.arange(64) % CLASSES
    images = jax.nn.sigmoid(x)
    cases = (
        (CNN(), labels, cross_entropy, {"mutable": ["batch_stats"]}),
        (LSTM(), labels, cross_entropy, {}),
        (Transformer(), labels, jax_acts.losses.cross_entropy, {}),
        (Autoencoder(), images, squared_error, {}),
    )
    for model, targets, loss, options in cases:
        variables = jax.jit(model.init)(jax.random.key(1), x)
        result = jax_acts.diagnose(
            model, variables, x, targets, loss=loss, bins=0, **options
        )
        assert result.findings == [], f"{type(model).__name__}: {result}"
