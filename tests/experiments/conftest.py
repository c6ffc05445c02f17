"""Small configs, and runs of the command line in processes of their own."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import jax
import pytest

from jax_acts.experiments import commands
from tests.experiments.runtime import count_study

# The command line otherwise makes one device per core, for all tests of the process.
with contextlib.suppress(RuntimeError):
    jax.config.update("jax_num_cpu_devices", 1)

ROOT = Path(__file__).parents[2]

# With ten runs and trial batches of eight, the second trial batch has two runs.
SWEEP = """
study = "parameter_sweep"
seeds = 2
depth = 1
width = 8

[[sweeps]]
activation = "leaky_relu"
argument = "negative_slope"
values = [-0.5, 0.0, 0.1, 0.5, 0.9]

[data]
name = "digits"
num_train = 96
num_test = 96

[training]
steps = 60
num_evals = 2
batch_size = 16

[trial_batch]
size = 8
vmap_width = 2
"""


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    """A config of a sweep with ten small runs."""
    path = tmp_path / "sweep.toml"
    path.write_text(SWEEP)
    return path


@pytest.fixture
def count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A config of a study whose runs take no time."""
    monkeypatch.setitem(commands.STUDIES, "count", count_study.STUDY)
    path = tmp_path / "count.toml"
    path.write_text('study = "count"\n')
    return path


def start_cli(*arguments: object, devices: int | None = 1) -> subprocess.Popen[bytes]:
    """Start `run` in a process with CPU devices; None is one per core."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop("JAX_NUM_CPU_DEVICES", None)
    if devices is not None:
        environment["JAX_NUM_CPU_DEVICES"] = str(devices)
    return subprocess.Popen(
        [sys.executable, "-m", "experiments", "run", *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=environment,
    )
