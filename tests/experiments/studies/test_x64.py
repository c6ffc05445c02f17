"""Studies train with `jax_enable_x64`, in the dtypes of the default."""

import os
import subprocess
import sys

import pytest

from jax_acts.experiments.runtime.run_directory import read_environments, read_records
from tests.experiments.conftest import ROOT

ELSEWHERE = ("cnn",)  # its data are not installed; the quickstart's are
SHARED = ("dead_units", "depth", "gradient_flow", "learnable")
"""Studies that train the classifiers of parameter_sweep."""
CONFIGS = {
    path.parent.name: path
    for path in sorted((ROOT / "configs").rglob("*.toml"))
    if path.parent.name not in (*ELSEWHERE, *SHARED)
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


def test_the_studies_that_are_left_out_train_the_same_classifiers():
    for name in (*SHARED, "parameter_sweep"):
        source = (ROOT / "experiments" / f"{name}.py").read_text(encoding="utf-8")
        assert "base.prepare_classification" in source
        assert "Task(" not in source
