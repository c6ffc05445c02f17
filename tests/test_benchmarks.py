"""Benchmarks run; what they measure is for people to look at."""

import re

from benchmarks import overhead


def test_the_overhead_of_imports_and_calls_is_measured(capsys):
    overhead.main(["--imports=1", "--rounds=1", "--calls=2"])
    table = capsys.readouterr().out
    for row in ("import, added", "eager silu", "eager gelu", "eager relu"):
        times = re.search(rf"{row} +([\d.]+) .s +([\d.]+) .s +([\d.]+)", table)
        assert times is not None, table
        assert all(float(t) > 0 for t in times.groups()), table
