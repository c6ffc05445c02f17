import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import flax.linen as nn
import numpy as np
import pytest
from flax import nnx
from typer.testing import CliRunner

from jax_acts.experiments import compare
from jax_acts.experiments.cli import app
from jax_acts.experiments.config.errors import ConfigError
from tests.experiments.conftest import ROOT

PROJECT = ROOT / "examples" / "user_project"


def make_model(activation, num_outputs):
    return nn.Sequential([nn.Dense(4), activation, nn.Dense(num_outputs)])


class Nnx(nnx.Module):
    def __init__(self, activation, num_outputs, *, rngs):
        self.hidden = nnx.Linear(2, 4, rngs=rngs)
        self.activation = activation
        self.head = nnx.Linear(4, num_outputs, rngs=rngs)

    def __call__(self, x):
        return self.head(self.activation(self.hidden(x)))


def arrays(regression: bool = False) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 2))
    y = x[:, 0] * 30 + 100 if regression else (x[:, 0] > 0).astype(int)
    return x[:40], y[:40], x[40:], y[40:]


TINY = {"seeds": 2, "steps": 20, "learning_rate": 0.1, "quiet": True}


@pytest.fixture(scope="module")
def result():
    return compare(make_model, arrays(), ["relu", "tanh"], **TINY)


@pytest.mark.xdist_group("compare")
def test_compare_returns_a_table_of_the_activations(result):
    assert set(result.table["activation"]) == {"relu", "tanh"}
    assert result.table.columns.name == "test accuracy (%)"
    assert result.table["mean"].is_monotonic_decreasing
    assert result.table["mean"].between(50, 100).all()
    assert (result.table["n"] == 2).all()
    assert len(result.runs) == 4
    assert {"train_loss", "accuracy"} <= set(result.metrics["metric"])
    assert result.conclusion in repr(result)
    assert "<table" in result._repr_html_()


@pytest.mark.xdist_group("compare")
@pytest.mark.parametrize("suffix", ["html", "md"])
def test_compare_writes_a_report(result, suffix, tmp_path):
    path = result.report(tmp_path / f"out.{suffix}")
    text = path.read_text()
    assert "relu" in text
    assert "40 training and 20 test examples, inputs 2 (float32), 2 classes" in text
    with pytest.raises(ValueError, match=r"expected an \.html or \.md file"):
        result.report(tmp_path / "out.pdf")


@pytest.mark.slow
def test_regression_targets_are_compared_by_r2():
    result = compare(Nnx, arrays(regression=True), ["relu"], **TINY | {"steps": 200})
    assert result.table.columns.name == "test R²"
    assert result.table["mean"].item() > 0.8
    rmse = result.metrics[result.metrics["metric"] == "rmse"]["value"]
    assert rmse.iloc[-1] < 15  # in the unit of the targets, whose deviation is 30


@pytest.mark.slow
@pytest.mark.xdist_group("compare")
def test_equal_comparisons_have_equal_values(result):
    again = compare(make_model, arrays(), ["relu", "tanh"], **TINY)
    np.testing.assert_array_equal(again.metrics["value"], result.metrics["value"])


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"activations": ["rellu"]}, "activations[0] = 'rellu': "),
        ({"lr": 1}, "training.lr: expected one of steps, epochs, "),
        ({"batch_size": 41}, "batch_size = 41: expected at most 40, the training exa"),
        ({"seeds": 0}, "seeds = 0: expected a number >= 1"),
        ({"data": arrays()[:2]}, "data: expected arrays (x_train, y_train, x_test, y_"),
        ({"data": "digit.npz"}, "expected an .npz file, got no such path"),
        ({"data": "fashion_mnits"}, "expected a folder with CLASS/*.png"),
        ({"make_model": lambda a, n: nn.Dense(3)}, "expected outputs (2, 2), got (2, "),
    ],
)
def test_invalid_arguments_are_config_errors(changes, expected):
    arguments = {"make_model": make_model, "data": arrays(), "activations": ["relu"]}
    with pytest.raises(ConfigError) as caught:
        compare(**arguments | TINY | changes)
    assert expected in str(caught.value)


@pytest.mark.slow
def test_a_directory_resumes_and_refuses_other_data(tmp_path):
    options = {**TINY, "directory": tmp_path / "run"}
    first = compare(make_model, arrays(), ["relu"], **options)
    again = compare(make_model, arrays(), ["relu"], **options)
    assert first.records == again.records
    x, y, x_test, y_test = arrays()
    with pytest.raises(Exception, match="the data changed"):
        compare(make_model, (x + 1, y, x_test, y_test), ["relu"], **options)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A copy of the example project, with its data."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    folder = tmp_path / "project"
    shutil.copytree(PROJECT, folder, ignore=shutil.ignore_patterns("runs", "data"))
    subprocess.run([sys.executable, "make_data.py"], cwd=folder, check=True)
    yield folder
    for name in [n for n in sys.modules if n.startswith("my_project")]:
        del sys.modules[name]


def run(*arguments: object):
    return CliRunner().invoke(app, ["run", *map(str, arguments), "--quick", "--quiet"])


@pytest.mark.slow
@pytest.mark.parametrize("config", ["spirals.toml", "surface.toml"])
def test_the_example_runs_from_any_directory(project, config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run(project / config)
    assert result.exit_code == 0, result.output
    assert Path(result.stdout.splitlines()[-1]).is_file()
    assert (
        "inputs 2 (float32)" in Path("runs").glob("*/report.md").__next__().read_text()
    )


@pytest.mark.slow
def test_a_changed_model_or_data_file_is_refused_until_fresh(
    project, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert run(project / "spirals.toml").exit_code == 0
    source = project / "my_project" / "models.py"
    source.write_text(source.read_text().replace("nn.Dense(32)", "nn.Dense(16)"))
    for name in [n for n in sys.modules if n.startswith("my_project")]:
        del sys.modules[name]
    result = run(project / "spirals.toml")
    assert result.exit_code == 1
    assert "the model changed" in result.stderr
    assert run(project / "spirals.toml", "--fresh").exit_code == 0
    with np.load(project / "data" / "spirals.npz") as file:
        content = dict(file)
    np.savez(
        project / "data" / "spirals.npz", **content | {"x_train": -content["x_train"]}
    )
    result = run(project / "spirals.toml")
    assert result.exit_code == 1
    assert "the data changed" in result.stderr


@pytest.mark.slow
def test_a_wheel_in_a_clean_environment_runs_the_example(project, tmp_path):
    """Builds the wheel and installs it outside of the checkout.

    The dependencies come from the environment of the tests, without its jax_acts.
    """
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path]
    subprocess.run(build, cwd=ROOT, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    venv.create(tmp_path / "venv", with_pip=False)
    python = tmp_path / "venv" / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "-q"]
    subprocess.run([*pip, "--no-deps", "--no-index", wheel], check=True)
    here = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    # Appended by a .pth file, it comes after the wheel, and its own .pth files (that of
    # the editable checkout) are not read.
    Path(here, "dependencies.pth").write_text(sysconfig.get_path("purelib"))

    def call(*command: object) -> str:
        return subprocess.run(
            [*map(str, command)],
            cwd=project,
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    origin = call(python, "-c", "import jax_acts; print(jax_acts.__file__)")
    assert origin.startswith(here)
    jax_acts = python.parent / "jax-acts"
    for config in ("spirals.toml", "surface.toml"):
        output = call(jax_acts, "run", config, "--quick")
        assert (project / output.splitlines()[-1]).is_file()
    assert "Elfwing" in call(jax_acts, "show", "silu")
    script = project / "compare_in_python.py"
    script.write_text(script.read_text().replace("steps=500", "steps=20"))
    assert "spirals.html" in call(python, script.name)


def gelu(x):
    return x


@pytest.mark.parametrize("activation", [gelu, lambda x: x])
def test_a_function_with_the_name_of_another_is_not_replaced_by_it(activation):
    with pytest.raises(ConfigError, match="activations"):
        compare(make_model, arrays(), [activation], **TINY)
