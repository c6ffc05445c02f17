import os
import subprocess
import sys

import pytest

from jax_acts.experiments.runtime import devices
from tests.experiments.runtime.helpers import ROOT

pytestmark = pytest.mark.slow  # each test starts processes

NUMBER = "JAX_NUM_CPU_DEVICES"
LITTLE_MEMORY = """
from jax_acts.experiments.config.schema import TrialBatch
from jax_acts.experiments.runtime import memory
from jax_acts.experiments.study import grid
from jax_acts.experiments.train import vectorized
from tests.experiments.runtime import line_study

memory.available_bytes = lambda device, num_devices: 1e9 if num_devices <= 2 else 1e3
memory.required_bytes = lambda compiled: 1e4
tried, over_runs = [], vectorized.over_runs
vectorized.over_runs = lambda f, **keys: (
    tried.append(keys["mesh"].size) or over_runs(f, **keys)
)
config = line_study.Config(trial_batch=TrialBatch(size=7), seeds=7)
trainer = line_study.prepare(config).trainer
runs = grid(loss=["abs"], seed=range(7))
records = trainer.train(runs, lambda step, total, loss: None, None)
print([*dict.fromkeys(tried)], len(records))
"""


def run_program(program: str, **environment: str) -> str:
    """Return what a program prints whose process has these variables as well."""
    inherited = {k: v for k, v in os.environ.items() if k not in ("XLA_FLAGS", NUMBER)}
    process = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**inherited, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return process.stdout


@pytest.mark.parametrize(
    ("cores", "environment", "expected"),
    [
        (3, {}, 3),
        (1, {}, devices.MIN_DEVICES),
        (3, {NUMBER: "1"}, 1),
        (3, {"XLA_FLAGS": f"--{devices.FLAG}=4"}, 4),
    ],
)
def test_a_cpu_has_one_device_per_core_unless_the_environment_gives_a_number(
    cores, environment, expected
):
    module = "jax_acts.experiments.runtime.devices"
    program = (
        f"from {module} import configure_cpu_devices; configure_cpu_devices({cores}); "
        "import jax; print(jax.local_device_count())"
    )
    assert int(run_program(program, **environment)) == expected


def test_a_trial_batch_that_needs_too_much_of_all_cores_is_trained_on_fewer():
    assert run_program(LITTLE_MEMORY, **{NUMBER: "8"}) == "[7, 3, 1] 7\n"
