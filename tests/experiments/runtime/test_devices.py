import os
import subprocess
import sys

import pytest

from jax_acts.experiments.runtime import devices
from tests.experiments.conftest import ROOT

pytestmark = pytest.mark.slow  # each test starts processes

NUMBER = "JAX_NUM_CPU_DEVICES"
TIGHT = """
from jax_acts.experiments.runtime import memory
from jax_acts.experiments.train import vectorized as sweep
from jax_acts.experiments.train.trial import grid, prepared
from jax_acts.experiments.config.schema import Chunks
from tests.experiments.test_sweep import hungry

memory.available = lambda device, sharing: 1e9 if sharing <= 2 else 1e3
tried, over = [], sweep.over_members
sweep.over_members = lambda *known: tried.append(known[-1].size) or over(*known)
together = prepared(hungry(4000), Chunks(members=7)).together
records = together.train(grid(seed=range(7)))
print(tried, len(records))
"""


def printed(program: str, **environment: str) -> str:
    """Returns what a program prints whose process has these variables too."""
    mine = {k: v for k, v in os.environ.items() if k not in ("XLA_FLAGS", NUMBER)}
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**mine, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


@pytest.mark.parametrize(
    ("cores", "environment", "expected"),
    [
        (3, {}, 3),
        (1, {}, devices.LEAST),
        (3, {NUMBER: "1"}, 1),
        (3, {"XLA_FLAGS": f"--{devices.FLAG}=4"}, 4),
    ],
)
def test_a_cpu_has_a_device_for_each_core_unless_told_otherwise(
    cores, environment, expected
):
    begin = f"from experiments import devices; devices.begin({cores})"
    count = f"{begin}; import jax; print(jax.local_device_count())"
    assert int(printed(count, **environment)) == expected


def test_a_chunk_that_needs_too_much_of_all_cores_is_trained_on_fewer():
    assert printed(TIGHT, **{NUMBER: "8"}) == "[7, 3, 1] 7\n"
