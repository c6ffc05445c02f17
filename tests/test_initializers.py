"""Gains are accurate, and their kernels preserve the second moment of signals."""

import math
import pickle
from typing import get_args

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from scipy.integrate import quad

import jax_acts.linen
import jax_acts.nnx
from jax_acts import Bound, gain, get, relu
from jax_acts._core.compat import enable_x64
from jax_acts.initializers import ScaledOrthogonal, initializer
from jax_acts.initializers.gaussian import Mode

KEY = jax.random.key(0)


@pytest.mark.parametrize(
    ("spec", "known"),
    [
        ("identity", 1),
        ("relu", math.sqrt(2)),
        ("leaky_relu(0.5)", math.sqrt(2 / 1.25)),
        ("selu", 1),  # by its construction
        ("step", math.sqrt(2)),
        ("relu_squared", math.sqrt(2 / 3)),
        ("erf", (2 / math.pi * math.asin(2 / 3)) ** -0.5),
        ("sine(1)", (0.5 - math.exp(-2) / 2) ** -0.5),
        ("exponential", math.exp(-1)),
        ("tanh", 1.592537),
        ("gelu_exact", 1.533530),
    ],
)
def test_gains_agree_with_closed_forms(spec, known):
    assert gain(spec) == pytest.approx(known, rel=1e-6)  # in float32


@pytest.mark.parametrize(
    "spec",
    [
        "silu",
        "mish",
        "hard_tanh(min_val=-1.37, max_val=0.3)",
        "elu(0.7)",
        "step(0.123)",
        "threshold(0.77, -3)",
        "relu6",
    ],
)
def test_gains_agree_with_adaptive_quadrature(spec):
    f = get(spec)
    with enable_x64(True):
        density = lambda z: math.exp(-z * z / 2) / math.sqrt(2 * math.pi)
        square = lambda z: float(f(z)) ** 2 * density(z)
        breaks = [v for v in f.arguments.values() if isinstance(v, float)] + [0.0, 6.0]
        want, _ = quad(square, -12, 12, points=breaks, epsabs=1e-12, limit=200)
    assert gain(f) == pytest.approx(want**-0.5, rel=1e-9)


@pytest.mark.parametrize("mode", get_args(Mode))
def test_kinks_and_jumps_without_metadata_cost_no_accuracy(mode):
    declared = get("leaky_relu(0.3)")
    assert gain(lambda x: jnp.where(x > 0, x, 0.3 * x), mode) == pytest.approx(
        gain(declared, mode), rel=1e-9
    )
    moved = get("affine", shift=-0.1, of=declared)
    assert gain(moved, mode) == pytest.approx(
        gain(lambda x: declared(x - 0.1), mode), rel=1e-9
    )
    if mode != "forward":
        return
    for jump in (-3.3, math.sqrt(2) / 7, 0.0, 5.1):
        got = gain(lambda z, jump=jump: jnp.where(z > jump, 1.0, 0.0)) ** -2
        assert got == pytest.approx(math.erfc(jump / math.sqrt(2)) / 2, abs=1e-11)


def test_functions_of_other_libraries_have_a_gain():
    assert gain(jax.nn.silu) == pytest.approx(gain("silu"), rel=1e-6)
    assert gain(lambda x: 2 * x) == pytest.approx(0.5, rel=1e-6)


def softmax_of_all(x):
    """Depend on several inputs."""
    return jax.nn.softmax(x, axis=-1)


def pair(x):
    """Return two outputs per input."""
    return jnp.stack([x, x])


@pytest.mark.parametrize("other", [softmax_of_all, pair, "rrelu(training=True)"])
@pytest.mark.parametrize("compute", [gain, initializer])
def test_the_gain_of_a_function_that_is_not_elementwise_is_an_error(compute, other):
    with pytest.raises(TypeError, match="expected an elementwise function"):
        compute(other)


def test_functions_without_a_second_moment_have_no_gain():
    with pytest.raises(
        ValueError, match=r"expected a finite positive second moment, got 0\.0"
    ):
        gain("threshold(inf)")
    with pytest.raises(ValueError, match="second moment, got nan"):
        gain("log1mexp")  # of positive numbers only
    with pytest.raises(ValueError, match="unknown activation 'rleu'"):
        initializer("rleu")
    with pytest.raises(
        ValueError, match=r"initializer: distribution: .* 'truncated_normal'\?"
    ):
        initializer("relu", distribution="trunated_normal")


@pytest.mark.parametrize("distribution", ["truncated_normal", "normal", "uniform"])
def test_a_kernel_has_the_variance_of_the_gain(distribution):
    kernel = initializer("gelu", distribution=distribution)(KEY, (700, 900))
    # The relative standard error of the variance of n values is sqrt(2 / n): 0.2 %.
    assert float(jnp.var(kernel)) * 700 == pytest.approx(gain("gelu") ** 2, rel=0.01)


# A layer of width n adds a relative error of sqrt((E f⁴ / (E f²)² - 1) / n), common to
# all inputs if E f is not 0; later layers damp it, or, as with relu, pass it on.
TOLERANCE = {"identity": 0.02, "tanh": 0.02, "selu": 0.02, "elu": 0.08, "relu": 0.2}


@pytest.mark.slow
@pytest.mark.parametrize("name", TOLERANCE)
def test_the_second_moment_is_preserved_through_ten_layers(name):
    f, make = get(name), initializer(name)

    @jax.jit
    def moments(key):
        first, *keys = jax.random.split(key, 11)
        z = jax.random.normal(first, (256, 1024))
        moments = []
        for key in keys:
            z = f(z) @ make(key, (1024, 1024))
            moments.append(jnp.mean(z**2))
        return jnp.stack(moments)

    sizes = np.asarray(moments(KEY))
    assert np.abs(sizes - 1).max() < TOLERANCE[name], sizes


def test_initializers_compare_hash_and_pickle_by_value():
    make = initializer("relu")
    assert make == initializer(Bound(relu)) != initializer("tanh")
    assert hash(make) == hash(initializer("ReLU"))
    assert pickle.loads(pickle.dumps(make)) == make
    layer = jax_acts.linen.Dense(64, activation="relu", kernel_init=make)
    assert layer == jax_acts.linen.Dense(
        64, activation="relu", kernel_init=initializer("relu")
    )
    kernel = layer.init(KEY, jnp.ones((1, 512)))["params"]["kernel"]
    assert float(jnp.var(kernel)) * 512 == pytest.approx(2, rel=0.05)


def test_kernels_match_the_activation_in_linen_and_nnx():
    x, rngs = jnp.ones((1, 512)), nnx.Rngs(0)
    options = {"activation": "silu", "kernel_init": "match"}
    dense = jax_acts.linen.Dense(512, **options)
    gated = jax_acts.linen.GatedDense(512, **options)
    mlp = jax_acts.linen.MLP(512, **options)
    linen = [dense.init(KEY, x)["params"]]
    linen += [gated.init(KEY, x)["params"][name] for name in ("gate", "up")]
    linen += [mlp.init(KEY, x)["params"][name] for name in ("down", "up")]
    layer = jax_acts.nnx.Dense(512, 512, rngs=rngs, **options)
    pair = jax_acts.nnx.GatedDense(512, 512, rngs=rngs, **options)
    block = jax_acts.nnx.MLP(512, 512, rngs=rngs, **options)
    kernels = [layer.kernel, pair.gate.kernel, pair.up.kernel]
    kernels += [block.down.kernel, block.up.kernel]
    want = [gain("silu") ** 2] * 4 + [1.0]  # no activation precedes the last
    for values in ([p["kernel"] for p in linen], [k[...] for k in kernels]):
        # The relative standard error of the variance of n values is sqrt(2 / n): 0.3 %.
        assert [float(jnp.var(v)) * 512 for v in values] == pytest.approx(
            want, rel=0.02
        )
    with pytest.raises(ValueError, match=r"kernel_init: .* did you mean 'match'"):
        jax_acts.linen.Dense(3, activation="relu", kernel_init="mtach")


def test_modes_are_fans_and_gains():
    for mode, count in (("forward", 300), ("backward", 900), ("compromise", 600)):
        kernel = initializer("tanh", mode=mode)(KEY, (300, 900))
        want = gain("tanh", mode) ** 2 / count
        assert float(jnp.var(kernel)) == pytest.approx(want, rel=0.02), mode
    assert gain("tanh", "compromise") == pytest.approx(
        ((gain("tanh") ** -2 + gain("tanh", "backward") ** -2) / 2) ** -0.5
    )


@pytest.mark.parametrize("shape", [(40, 40), (16, 64), (64, 16)])
def test_scaled_orthogonal_kernels_keep_the_mean_square(shape):
    kernel = ScaledOrthogonal(3.0)(KEY, shape)
    small = kernel @ kernel.T if shape[0] < shape[1] else kernel.T @ kernel
    scale = 9 * max(shape[1] / shape[0], 1)
    assert small == pytest.approx(scale * np.eye(min(shape)), abs=1e-5 * scale)
