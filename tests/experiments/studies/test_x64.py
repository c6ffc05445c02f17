"""Every study trains with `jax_enable_x64`, in the dtypes of the default."""

import os
import subprocess
import sys

import pytest

from jax_acts.experiments.runtime.run_directory import read_environments, read_records
from tests.experiments.conftest import ROOT

CONFIGS = {
    path.parent.name: path
    for path in sorted((ROOT / "configs").rglob("*.toml"))
    if path.parent.name != "cnn"  # its data are not installed; the quickstart's are
}


@pytest.mark.slow
@pytest.mark.parametrize("study", CONFIGS)
def test_a_study_runs_with_float64_enabled(study, tmp_path):
    options = {"JAX_ENABLE_X64": "1", "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}
    strict = "error:scatter inputs have incompatible types:FutureWarning"
    command = [sys.executable, "-W", strict, "-m", "experiments", "run"]
    process = subprocess.run(
        [*command, str(CONFIGS[study]), "--quick", "--quiet", "--out", str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, **options},
        capture_output=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr.decode()
    records, notices = read_records(tmp_path)
    assert records
    assert not notices
    ((session,), _) = read_environments(tmp_path)
    assert session["enable_x64"] is True
    assert session["default_prng_impl"] == "threefry2x32"
    assert session["threefry_partitionable"] in (True, False)
