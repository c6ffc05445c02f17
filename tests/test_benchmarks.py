"""Benchmarks run; what they measure is for people to look at."""

import re

from benchmarks import overhead


def test_the_overhead_of_imports_calls_and_compilation_is_measured(capsys):
    overhead.main(["--imports=1", "--rounds=1", "--calls=2", "--compilations=1"])
    table = capsys.readouterr().out
    rows = ("import, added", "eager silu", "eager gelu", "eager relu", "compiled silu")
    for row in rows:
        times = re.search(rf"{row} +([\d.]+) .s +([\d.]+) .s +([\d.]+)", table)
        assert times is not None, table
        assert all(float(t) > 0 for t in times.groups()), table
