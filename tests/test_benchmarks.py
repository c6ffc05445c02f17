"""Benchmarks run; what they measure is for people to look at."""

import math
import platform
import re
import shutil

import numpy as np
import pytest

from benchmarks import axis, instructions, limits, overhead, speed


@pytest.mark.slow
def test_the_overhead_of_imports_calls_and_compilation_is_measured(capsys):
    overhead.main(["--imports=1", "--rounds=1", "--calls=2", "--compilations=1"])
    table = capsys.readouterr().out
    rows = ("import, added", "eager silu", "eager gelu", "eager relu", "compiled silu")
    for row in rows:
        times = re.search(rf"{row} +([\d.]+) .s +([\d.]+) .s +([\d.]+)", table)
        assert times is not None, table
        assert all(float(t) > 0 for t in times.groups()), table


def test_a_wrong_limit_is_found():
    def naive_silu(xs, dtype):
        with np.errstate(invalid="ignore"):  # -inf / inf
            return [{"jit": (xs / (1 + np.exp(-xs))).astype(dtype)}]

    (ends,) = limits.measure("silu", naive_silu, np.float32)
    assert math.isnan(ends.below)
    assert (ends.below_want, ends.above_want) == (0, math.inf)
    assert (ends.right_below, ends.right_above) == (False, True)
    assert ends.subnormal <= 0.5


def test_functions_along_an_axis_are_timed(monkeypatch):
    monkeypatch.setitem(speed.ROUNDS, axis.SIZE, 2)
    theirs = list(axis.measure("logsumexp", 1000, "both"))
    alone = list(axis.measure("sparsemax", 1000, "forward"))
    assert [r.library for r in theirs + alone] == ["jax_acts", "jax", "jax_acts"]
    assert all(r.copies > 0 for r in theirs + alone), theirs + alone


@pytest.mark.skipif(
    platform.machine() != "x86_64" or not shutil.which("objdump"),
    reason="the loops are those of x86, and objdump of GNU binutils reads them",
)
def test_instructions_of_compiled_loops_are_counted():
    row = instructions.measure("silu")
    copy = instructions.count(lambda x: x + 1)
    assert None not in (copy, *row)
    assert [loop.slow for loop in row[1:] if loop] == [1, 1, 1]  # that of the sigmoid
    sizes = [loop.instructions for loop in (copy, *row[1:3]) if loop]
    assert sizes[0] < 8 < 20 < sizes[1] < sizes[2] < 100
