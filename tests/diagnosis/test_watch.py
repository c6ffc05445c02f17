"""`watch` writes every k steps; `redo` resets dormant units and nothing else."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jax_acts
from jax_acts import diagnose, watch
from jax_acts.diagnosis import monitor, tensorboard
from jax_acts.diagnosis.dormant import redo
from jax_acts.diagnosis.program import find_program, split_batch
from tests.diagnosis.networks import Case, LinenMLP, NnxMLP, cross_entropy, data, nnx

CASE = Case(depth=2, edit=None)


def test_written_statistics_are_those_of_diagnose(tmp_path):
    x, y = data(CASE)
    model = LinenMLP(CASE)
    variables = model.init(jax.random.key(0), x)
    path = tmp_path / "log.jsonl"
    measure = watch(model, path, loss=cross_entropy, every=2)
    for step in range(4):
        measure(step, variables, x, y)
    first, second = map(json.loads, path.read_text().splitlines())
    assert (first["step"], second["step"]) == (0, 2)
    assert {**first, "step": 2} == second
    result = diagnose(model, variables, x, y, loss=cross_entropy)
    assert first["loss"] == pytest.approx(result.loss, rel=1e-6)
    assert first["gradient_ratio"] == pytest.approx(result.gradient_ratio, rel=1e-4)
    for row in result.rows:
        for name in monitor.STATISTICS:
            got = first[f"{row.site}/{name}"]
            assert got == pytest.approx(row.values[name], rel=1e-4, abs=1e-8)


def test_the_state_of_an_nnx_model_is_read_at_each_measurement():
    x, y = data(CASE)
    model, logged = NnxMLP(CASE, nnx.Rngs(0)), []
    measure = watch(
        model, lambda m, step: logged.append(m), loss=cross_entropy, every=1
    )
    measure(0, x, y)
    model.layer0.bias[...] -= 50.0
    measure(1, x, y)
    assert [m["relu/dead"] for m in logged] == [0, 1]


def test_tensorboard_gets_every_metric(tmp_path):
    from tensorboardX import SummaryWriter

    with SummaryWriter(str(tmp_path)) as events:
        tensorboard(events)({"relu/dead": 0.5, "loss": 2.0}, 7)
    (file,) = tmp_path.iterdir()
    assert b"relu/dead" in file.read_bytes()
    assert b"loss" in file.read_bytes()


def test_outputs_of_a_measurement_are_of_the_size_of_the_features():
    sizes = []
    for rows in (64, 256):
        args = jnp.ones((8, 8)), jnp.ones((rows, 8))
        network = lambda w, x: jnp.mean(jax_acts.tanh(x @ w))
        pure, targets = split_batch(network, args, None, {})
        program = find_program(pure, targets, None, 1e-3, bins=0)
        shapes = jax.eval_shape(program.run, [*args], targets)
        sizes.append(sum(leaf.size for leaf in jax.tree.leaves(shapes)))
    assert sizes[0] == sizes[1] < 64


def test_unusable_options_are_errors():
    with pytest.raises(ValueError, match="every: expected at least 1, got 0"):
        watch(jnp.tanh, print, every=0)
    with pytest.raises(TypeError, match="writer: expected a function or the path"):
        watch(jnp.tanh, 3)  # pyright: ignore


def test_nan_is_one_finding():
    logged = []
    measure = watch(lambda x: jnp.tanh(x).mean(), lambda m, step: logged.append(m))
    measure(0, jnp.ones((4, 4)).at[0, 0].set(jnp.nan))
    measure(100, jnp.ones((4, 4)))
    assert [m["findings"] for m in logged] == [1, 0]


def network(params, x):
    for name in ("a", "b"):
        x = jax.nn.relu(x @ params[name]["kernel"] + params[name]["bias"])
    return x @ params["c"]["kernel"]


@pytest.mark.slow
def test_redo_resets_dormant_units_and_keeps_the_output():
    keys = jax.random.split(jax.random.key(0), 4)
    params = {
        n: {"kernel": jax.random.normal(k, (8, 8)) / 3, "bias": jnp.zeros(8)}
        for n, k in zip("abc", keys, strict=False)
    }
    off = jnp.arange(8) < 2
    for name in "ab":
        params[name]["bias"] = jnp.where(off, -99.0, 0.5)
    x = jax.random.normal(keys[3], (64, 8))
    layers = {"relu": ("a", "b"), "relu_1": ("b", "c")}
    optimizer = redo(optax.adam(1e-2), network, layers, every=3)
    loss = lambda params: jnp.square(network(params, x) - x).mean()
    step = jax.jit(
        lambda params, state: optimizer.update(
            jax.grad(loss)(params), state, params, batch=(x,)
        )
    )
    state = optimizer.init(params)
    plain = optax.adam(1e-2)
    plain_state = plain.init(params)
    for i in range(3):
        updates, plain_state = plain.update(jax.grad(loss)(params), plain_state, params)
        redone, state = step(params, state)
        after = optax.apply_updates(params, redone)
        expected = optax.apply_updates(params, updates)
        if i < 2:
            # Adam divides by the root of squares: the last bits of compiled and
            # eager gradients differ.
            close = lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
            jax.tree.map(close, after, expected)
            params = after
    assert state.resets == 4
    np.testing.assert_allclose(network(after, x), network(expected, x), rtol=1e-5)
    for name, following in (("a", "b"), ("b", "c")):
        assert (after[name]["bias"][:2] == 0).all()
        assert (after[following]["kernel"][:2] == 0).all()
        assert jnp.std(after[name]["kernel"][2:, :2]) > 0.1
        moments = state.inner[0].mu
        assert (moments[following]["kernel"][:2] == 0).all()
        close(after[name]["kernel"][2:, 2:], expected[name]["kernel"][2:, 2:])
    dead = lambda params: [r.values["dead"] for r in diagnose(network, params, x).rows]
    assert dead(params) == [0.25, 0.25]
    assert max(dead(after)) < 0.25


def test_redo_resets_units_of_an_nnx_model():
    x, y = data(CASE)
    model = NnxMLP(CASE, nnx.Rngs(0))
    model.layer0.bias[...] -= 50.0 * (jnp.arange(32) < 12)
    graph, _ = nnx.split(model)
    network = lambda params, x: nnx.merge(graph, params)(x)
    transform = redo(optax.adam(1e-3), network, {"relu": ("layer0", "layer1")}, every=1)
    optimizer = nnx.Optimizer(model, transform, wrt=nnx.Param)
    loss = lambda model: cross_entropy(model(x), y).mean()
    optimizer.update(model, nnx.grad(loss)(model), batch=(x,))
    assert optimizer.opt_state.resets[...] == 12
    first, *_ = diagnose(model, x, y, loss=cross_entropy).rows
    assert first.values["dead"] == 0


def test_unknown_layers_are_errors():
    params = {n: {"kernel": jnp.eye(3), "bias": jnp.zeros(3)} for n in "abc"}
    cases = (
        ({"relo": ("a", "b")}, "expected a site, one of relu, relu_1, got 'relo'"),
        ({"relu": ("a", "d")}, "expected a layer with a kernel, one of a, b, c"),
    )
    for layers, message in cases:
        optimizer = redo(optax.sgd(1.0), network, layers)
        with pytest.raises(ValueError, match=message):
            optimizer.update(
                params, optimizer.init(params), params, batch=(jnp.ones((4, 3)),)
            )
