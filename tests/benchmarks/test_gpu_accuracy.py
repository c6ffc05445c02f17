"""Errors on a GPU: those of a compiled function, and the stored ones."""

import os
import sys

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

from benchmarks import gpu_accuracy, results
from benchmarks.gpu_accuracy import BACKEND, compiled, evaluate, measure
from benchmarks.gpu_kernels import gradient
from benchmarks.libraries import catalogue
from benchmarks.results import AccuracyRow, load_rows
from jax_acts.testing import GPU_CONTRACT, all_values, derivatives, ulps
from tools.ptx import BEST, parse_program
from tools.ptx.compile import has_compiler

COMPILER = os.environ.get("GPU_PYTHON", sys.executable)
requires_compiler = pytest.mark.skipif(
    sys.executable == COMPILER and not has_compiler(),
    reason="the CUDA plugin of JAX is not installed; GPU_PYTHON may name a Python that "
    "has it",
)
BEYOND_CONTRACT = {"gelu_sine", "sinc", "situ", "xielu"}
"""The zeros of gelu_sine and xielu move with the parameters, and those of sinc' are
sums that cancel; rounding errors there exceed any bound in ulp. situ has two divisions.
"""


@requires_compiler
def test_gelu_of_jax_nn_rounds_as_often_as_on_a_cpu():
    """Its formula is rounded to bfloat16 after each operation, as both programs do."""
    (kernels,) = compiled("jax", ["gelu"], COMPILER)
    xs = all_values(ml_dtypes.bfloat16)
    exact = derivatives(catalogue()["gelu"], xs, np.float64)
    misrounded = lambda got, order: int(np.sum(ulps(got, exact[order]) > 0.51))
    for kernel in kernels:
        if kernel.dtype == "bfloat16":
            f = (jax.nn.gelu, gradient(jax.nn.gelu))[kernel.order]
            on_cpu = np.asarray(jax.jit(f)(jnp.asarray(xs)))
            emulated = evaluate(parse_program(kernel.text), xs, BEST)
            count = misrounded(emulated, kernel.order)
            assert count == misrounded(on_cpu, kernel.order) > 1000


@requires_compiler
def test_measured_errors_are_those_of_the_functions():
    (kernels,) = compiled("jax_acts", ["soft_sign"], COMPILER)
    rows = {(r.dtype, r.order, r.mode): r for r in measure(kernels, 10_000)}
    assert len(rows) == 3 * 2 * 2
    assert 0.5 < rows["float32", 0, "best"].max < rows["float32", 0, "worst"].max < 5.1
    assert rows["bfloat16", 1, "best"].max <= 0.501


def test_a_compiler_that_fails_reports_its_log():
    with pytest.raises(RuntimeError, match="KeyError: 'no_function'"):
        next(compiled("jax_acts", ["no_function"], sys.executable))


def test_an_interrupted_run_resumes_after_the_last_function(monkeypatch, tmp_path):
    requested = []

    def kernels(names):
        requested.append(names)
        for name in names:
            if name == "tanh" and len(requested) == 1:
                raise KeyboardInterrupt
            yield [gpu_accuracy.Kernel(name, "float32", 0, "0.10", "")]

    row = lambda name: AccuracyRow(name, "float32", 0, "best", 1, 1, 0, 0, 0, 0, 0, 0)
    measured = lambda group, count: [row(group[0].function)]
    names = ["silu", "tanh", "elu"]
    monkeypatch.setattr(results, "DATA", tmp_path)
    monkeypatch.setattr(gpu_accuracy, "measure", measured)
    monkeypatch.setattr(gpu_accuracy, "functions_of", lambda library: ("1", names))
    with pytest.raises(KeyboardInterrupt):
        gpu_accuracy.store_errors("jax_acts", kernels, 10)
    for _ in range(2):  # the last run has nothing to do
        gpu_accuracy.store_errors("jax_acts", kernels, 10)
    assert requested == [names, ["tanh", "elu"]]
    _, rows = load_rows("accuracy", AccuracyRow, "jax_acts", BACKEND)
    assert [r.function for r in rows] == sorted(names)
    gpu_accuracy.store_errors("jax_acts", kernels, 20)  # other inputs: from the start
    assert requested[-1] == names


def test_stored_errors_meet_the_contract_of_a_gpu():
    head, rows = load_rows("accuracy", AccuracyRow, "jax_acts", BACKEND)
    assert {"commit", "jax", "points"} <= head.keys()
    beyond = {
        r.function
        for r in rows
        if r.max > GPU_CONTRACT[r.dtype][r.order] or r.nonfinite or r.vanished
    }
    assert beyond == BEYOND_CONTRACT


def test_the_worst_model_is_measured_for_every_kernel():
    for library in ("jax_acts", "jax"):
        rows = load_rows("accuracy", AccuracyRow, library, BACKEND)[1]
        errors = {r[:4]: r.max for r in rows}
        functions = {r.function for r in rows}
        assert len(errors) == len(functions) * 3 * 2 * 2
        if library == "jax_acts":
            assert functions == catalogue().keys()
