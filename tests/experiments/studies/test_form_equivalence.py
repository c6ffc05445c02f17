"""The programs of the study form_equivalence, and how they are compared."""

import jax
import jax.numpy as jnp
import pytest

from experiments.form_equivalence import (
    PROGRAMS,
    STUDY,
    Config,
    compile_program,
    equal_bits,
    make_programs,
    time_calls,
)

WEIGHTS = {"kernel": jax.random.normal(jax.random.key(0), (4, 4)), "bias": jnp.ones(4)}
X = jax.random.normal(jax.random.key(1), (3, 4))


def test_there_are_three_forms_in_both_apis():
    assert tuple(make_programs("gelu")) == PROGRAMS


@pytest.mark.parametrize("form", PROGRAMS)
def test_every_form_computes_the_activation_of_the_linear_map(form):
    y, (weights, x) = make_programs("relu")[form](WEIGHTS, X)
    z = X @ WEIGHTS["kernel"] + WEIGHTS["bias"]
    assert jnp.allclose(y, jnp.maximum(z, 0), atol=1e-6)
    assert jnp.allclose(weights["bias"], (z > 0).sum(0))
    assert jnp.allclose(x, (z > 0) @ WEIGHTS["kernel"].T, atol=1e-6)


def test_different_programs_have_different_instructions():
    relu, tanh = (make_programs(name)["linen function"] for name in ("relu", "tanh"))
    again = lambda weights, x: relu(weights, x)  # another location in the sources
    first, second, other = (compile_program(p, WEIGHTS, X) for p in (relu, again, tanh))
    assert first.instructions == second.instructions
    assert first.instructions != other.instructions
    assert equal_bits(first.run(WEIGHTS, X), second.run(WEIGHTS, X))
    assert not equal_bits(first.run(WEIGHTS, X), other.run(WEIGHTS, X))


def test_a_difference_of_one_bit_counts():
    assert equal_bits(X, X + 0)
    assert not equal_bits(X, jnp.nextafter(X, X + 1))
    assert not equal_bits(jnp.zeros(1), -jnp.zeros(1))


def test_a_program_that_does_more_takes_longer():
    slow = lambda weights, x: (jax.block_until_ready(x @ x.T @ x @ x.T) + 0, None)
    quick = lambda weights, x: (x, None)
    times = time_calls({"slow": slow, "quick": quick}, WEIGHTS, X, rounds=3, calls=2)
    assert times["slow"] > times["quick"] > 0


def test_the_report_states_results_programs_and_ratios():
    config = Config(study="form_equivalence", name="f", activations=("relu",))
    config = config.to_quick()
    trainer = STUDY.prepare(config).trainer
    records = [
        record
        for batch in trainer.batches(STUDY.runs(config))
        for record in trainer.train(batch, lambda *call: None, None)
    ]
    report = STUDY.report(config, records)
    assert report.conclusion.startswith("Yes: outputs and gradients are bit-equal")
    (table,) = report.tables
    assert table.frame["equal_programs"].tolist() == [1.0]
    assert table.frame["call_layer_mean"].between(0.01, 100).all()
    assert len(report.charts) == 2
