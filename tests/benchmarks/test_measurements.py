"""Measurements run and return plausible results; times are never asserted."""

import importlib
import math
import os
import platform
import re
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jax_acts
from benchmarks import (
    axis,
    instructions,
    limits,
    losses,
    mlp,
    overhead,
    pages,
    second_order,
    small,
)
from benchmarks.results import MLPSize
from jax_acts.testing import same_limit


@pytest.mark.slow
def test_overhead_reports_import_call_and_compile_times(capsys):
    overhead.main(1, 1, 2, 1)
    table = capsys.readouterr().out
    rows = ("import, added", "eager silu", "eager gelu", "eager relu", "compiled silu")
    for row in rows:
        times = re.search(rf"{row} +([\d.]+) .s +([\d.]+) .s +([\d.]+)", table)
        assert times is not None, table
        assert all(float(t) > 0 for t in times.groups()), table


def test_limits_reports_a_wrong_limit():
    def naive_silu(xs, dtype):
        with np.errstate(invalid="ignore"):  # -inf / inf
            return [{"jit": (xs / (1 + np.exp(-xs))).astype(dtype)}]

    (row,) = limits.measure("silu", naive_silu, np.float32)
    assert math.isnan(row.below)
    assert (row.below_want, row.above_want) == (0, math.inf)
    assert not same_limit(row.below, row.below_want, np.float32)
    assert same_limit(row.above, row.above_want, np.float32)
    assert row.subnormal <= 0.5


def test_axis_measures_every_library_that_has_the_function():
    rows = [
        *axis.measure("logsumexp", 1000, "forward_backward", rounds=2),
        *axis.measure("sparsemax", 1000, "forward", rounds=2),
    ]
    assert [r.library for r in rows] == ["jax_acts", "jax", "jax_acts"]
    assert all(r.copies > 0 for r in rows), rows


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="sets CPU affinity")
def test_small_measures_calls_and_training_steps(monkeypatch):
    programs = {"call": (small.call, (4096,)), "training step": (small.train, (64,))}
    monkeypatch.setattr(small, "PROGRAMS", programs)
    cores = len(os.sched_getaffinity(0))
    rows = small.measure(cores, names=("relu",), rounds=2)
    assert len(os.sched_getaffinity(0)) == cores
    libraries = ["jax_acts", "jax"]
    assert [r[:3] for r in rows] == [
        ("relu", n, p) for p in programs for n in libraries
    ]
    assert all(r.microseconds > 0 and r.spread >= 0 for r in rows), rows


def test_losses_compares_with_exact_values():
    rows = {}
    for name, loss in losses.losses():
        rows[name] = {(r.margin, r.offset): r for r in losses.measure(name, loss)}
    ours, optax = (rows[name][20, 0] for name in ("jax_acts", "optax"))
    assert optax.value == optax.gradient == 0 < ours.exact
    assert abs(ours.value / ours.exact - 1) < 1e-6
    assert abs(ours.gradient / ours.exact_gradient - 1) < 1e-6


def test_losses_times_every_head():
    rows = [*losses.times((8, 4, 16), rounds=2)]
    names = ["optax", "cross_entropy", "linear_cross_entropy"]
    assert [r.loss for r in rows] == names
    assert all(r.seconds > 0 for r in rows), rows


@pytest.mark.slow
def test_mlp_compares_memory_products_and_gradients():
    size = MLPSize(layers=2, features=16, hidden=48, tokens=512)
    rows = {r.residuals: r for r in mlp.measure(size, size)}
    assert rows.keys() == mlp.VARIANTS.keys()
    order = ("jax.nn", "all", "named, norm outside", "named", "int8", "recompute")
    sizes = [rows[name].bytes for name in order]
    assert sizes == sorted(sizes, reverse=True)
    assert [rows[name].dots for name in order] == [9, 9, 9, 9, 9, 11]
    for name, row in rows.items():
        assert row.loss_error < 1e-6, row
        assert row.gradient_error < (0.02 if name == "int8" else 1e-5), row
        assert row.cosine > 0.9998, row


def test_laplacians_and_taylor_terms_agree():
    size = second_order.Size(2, 4, 2, 3)
    f = second_order.network(jax_acts.tanh)
    params, x = second_order.init(size), jnp.array([0.3, -0.2])
    forms = second_order.idioms()
    results = {name: jax.jit(form(f))(params, x) for name, form in forms.items()}
    first, *others = results.values()
    for other in others:
        np.testing.assert_allclose(other, first, rtol=1e-5)
    rows = second_order.taylor("tanh", jnp.tanh)
    errors = {(r.library, r.order): r.error for r in rows}
    assert len(errors) == 4
    # A third derivative is a sum of products of rounded terms.
    assert all(error is not None and error < 100 for error in errors.values()), errors


@pytest.mark.skipif(
    platform.machine() != "x86_64" or not shutil.which("objdump"),
    reason="counts x86 instructions with objdump of GNU binutils",
)
def test_instructions_counts_compiled_loops():
    row = instructions.measure("silu")
    copy = instructions.count(lambda x: x + 1)
    assert None not in (copy, *row)
    assert [loop.slow for loop in row[1:] if loop] == [
        1,
        1,
        1,
    ]  # the division of the sigmoid
    sizes = [loop.instructions for loop in (copy, *row[1:3]) if loop]
    assert sizes[0] < 8 < 20 < sizes[1] < sizes[2] < 100


@pytest.mark.parametrize("name", ["accuracy", "losses", "performance", "second_order"])
def test_page_is_a_function_of_the_stored_results(name, monkeypatch, tmp_path):
    module = importlib.import_module(f"benchmarks.pages.{name}")
    monkeypatch.setattr(module, "DOCS", tmp_path)
    module.write()
    stored = (pages.DOCS / f"{name}.md").read_text(encoding="utf-8")
    assert (tmp_path / f"{name}.md").read_text(encoding="utf-8") == stored
