import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_acts.experiments.models import CNN, MLP, RNN, Transformer
from jax_acts.experiments.models.mlp import collapse_layers, split_layers
from jax_acts.experiments.train.metrics import hidden_layer_metrics

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("pool", ["average", "stride"])
def test_the_linear_control_is_linear(pool):
    model = CNN("identity", (3, 4, 5), 10, pool)
    x, y = jax.random.normal(jax.random.key(0), (2, 4, 12, 12, 1))
    variables = jax.jit(model.init)(jax.random.key(1), x)
    apply = jax.jit(lambda x: model.apply(variables, x))
    linear = lambda x: apply(x) - apply(jnp.zeros_like(x))
    np.testing.assert_allclose(
        linear(2 * x - 3 * y),
        2 * linear(x) - 3 * linear(y),
        atol=1e-5,  # sums of some hundred float32 products of order 1
    )


def test_with_an_activation_the_network_is_not_linear():
    model = CNN("relu", (3, 4, 5), 10)
    x = jax.random.normal(jax.random.key(0), (4, 12, 12, 1))
    variables = jax.jit(model.init)(jax.random.key(1), x)
    apply = jax.jit(lambda x: model.apply(variables, x))
    zero = apply(jnp.zeros_like(x))
    assert np.allclose(apply(2 * x), 2 * apply(x) - zero, atol=1e-5)  # homogeneous
    assert not np.allclose(apply(-x), 2 * zero - apply(x), atol=1e-2)  # and not odd


def test_all_activations_start_from_the_same_weights():
    x = jnp.ones((1, 8, 8, 1))
    relu, tanh = (
        jax.jit(CNN(name, (2, 2), 10).init)(jax.random.key(0), x)["params"]
        for name in ("relu", "tanh")
    )
    jax.tree.map(np.testing.assert_array_equal, relu, tanh)


def test_a_linear_mlp_of_any_depth_is_one_matrix():
    x = jax.random.normal(jax.random.key(0), (20, 6))
    for depth in (0, 1, 5):
        model = MLP("identity", depth, 16, 3, "gain", bias=0.5)
        params = jax.jit(model.init)(jax.random.key(1), x)["params"]
        matrix, bias = collapse_layers(params)
        np.testing.assert_allclose(
            model.apply({"params": params}, x),
            x @ matrix + bias,
            atol=1e-5,  # sums of 16 float32 products of order 1, five times
        )


def test_an_mlp_with_an_activation_is_not_one_matrix():
    x = jax.random.normal(jax.random.key(0), (20, 6))
    model = MLP("relu", 2, 16, 3)
    params = jax.jit(model.init)(jax.random.key(1), x)["params"]
    matrix, bias = collapse_layers(params)
    assert not np.allclose(
        model.apply({"params": params}, x), x @ matrix + bias, atol=0.1
    )


def test_the_scanned_layers_are_the_layers_one_after_the_other():
    x = jax.random.normal(jax.random.key(0), (5, 4))
    model = MLP("tanh", 4, 8, 2)
    params = jax.jit(model.init)(jax.random.key(1), x)["params"]
    *layers, head = split_layers(params)
    y = x
    for layer in layers:
        y = jnp.tanh(y @ layer["kernel"] + layer["bias"])
    y = y @ head["kernel"] + head["bias"]
    # jnp.tanh and jax_acts.tanh may differ by one ulp.
    np.testing.assert_allclose(model.apply({"params": params}, x), y, atol=1e-6)


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_the_gain_preserves_the_rms_of_signals(activation):
    x = jax.random.normal(jax.random.key(0), (100, 256))
    model = MLP(activation, 10, 256, 10, "gain")
    params = jax.jit(model.init)(jax.random.key(1), x)["params"]
    # A width of 256 leaves a deviation of about 10 % in the RMS of ten layers.
    rms = hidden_layer_metrics(model, params, x)["preactivation_rms"]
    np.testing.assert_allclose(rms, 1, atol=0.35)


def test_gated_and_plain_blocks_have_as_many_weights():
    tokens = jnp.zeros((1, 8), int)
    sizes = set()
    for gated in (False, True):
        model = Transformer("gelu", gated, 30, 8, layers=1, features=24, heads=2)
        params = jax.eval_shape(model.init, jax.random.key(0), tokens)["params"]
        sizes.add(sum(leaf.size for leaf in jax.tree.leaves(params)))
    assert len(sizes) == 1


@pytest.mark.parametrize("gated", [False, True])
def test_the_language_model_does_not_see_what_it_predicts(gated):
    model = Transformer("silu", gated, 30, 8, layers=2, features=24, heads=2)
    tokens = jax.random.randint(jax.random.key(0), (1, 8), 0, 30)
    params = jax.jit(model.init)(jax.random.key(1), tokens)["params"]
    logits = jax.jit(lambda tokens: model.apply({"params": params}, tokens))
    other = logits(tokens.at[0, 5].add(1))
    np.testing.assert_array_equal(logits(tokens)[:, :5], other[:, :5])
    assert (logits(tokens)[:, 5:] != other[:, 5:]).any()


@pytest.mark.parametrize("cell", ["plain", "gru"])
def test_a_recurrent_network_takes_the_activation_that_it_is_given(cell):
    x = jax.random.normal(jax.random.key(0), (3, 6, 2))
    outputs = []
    for activation in ("tanh", "relu"):
        model = RNN(activation, 5, 2, cell=cell)
        variables = jax.jit(model.init)(jax.random.key(1), x)
        outputs.append(jax.jit(model.apply)(variables, x))
    assert outputs[0].shape == (3, 2)
    assert not np.allclose(*outputs)


def test_from_the_identity_a_linear_recurrence_sums_its_inputs():
    x = jax.random.normal(jax.random.key(0), (3, 6, 2))
    model = RNN("identity", 4, 1, recurrent="identity")
    params = jax.jit(model.init)(jax.random.key(1), x)["params"]
    state = (x @ params["cell"]["i"]["kernel"]).sum(1)
    expected = state @ params["head"]["kernel"]
    np.testing.assert_allclose(model.apply({"params": params}, x), expected, rtol=1e-5)
