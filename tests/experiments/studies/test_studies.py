"""Every study and every config of the repository."""

import inspect
import re

import jax
import numpy as np
import pytest
from typer.testing import CliRunner

from experiments import (
    catalogue,
    collapse,
    gradient_flow,
    learnable,
    output_head,
    transformer,
)
from experiments.catalogue import STUDIES
from experiments.cli import app
from jax_acts.experiments import custom
from jax_acts.experiments.config.errors import ConfigError
from jax_acts.experiments.config.load import Source, load_config
from jax_acts.experiments.records import Curve, RunRecord
from jax_acts.experiments.report import comparisons
from jax_acts.experiments.report.model import Metric
from jax_acts.experiments.runtime.run_directory import read_records
from jax_acts.experiments.study import concat_grids, grid
from tests.experiments.conftest import ROOT
from tests.experiments.datasets.test_data import write_idx_folder
from tests.experiments.datasets.test_image_folder import write_image

CONFIGS = sorted((ROOT / "configs").rglob("*.toml"))
ELSEWHERE = sorted((ROOT / "configs" / "cnn").glob("*.toml"))
"""Configs whose data are not installed; the quickstart runs their study."""
SCHEMAS = {name: study.config for name, study in STUDIES.items()}


def invoke(*arguments: object):
    return CliRunner().invoke(app, [*map(str, arguments)])


@pytest.mark.slow
@pytest.mark.parametrize(
    "config", [c for c in CONFIGS if c not in ELSEWHERE], ids=lambda path: path.stem
)
def test_the_quick_version_of_every_config_runs_to_its_report(config, tmp_path):
    result = invoke("run", config, "--quick", "--out", tmp_path)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[-1] == str(tmp_path / "report.html")
    resolved = load_config(Source(tmp_path / "config.toml"), SCHEMAS)
    quick = load_config(Source(config), SCHEMAS).to_quick()
    assert resolved.model_dump() == quick.model_dump()
    study = STUDIES[resolved.study]
    records, notices = read_records(tmp_path)
    assert not notices
    assert {r.run for r in records} == {run.name for run in study.runs(resolved)}
    page = (tmp_path / "report.html").read_text()
    assert study.question in page
    assert "quick run" in page.lower()
    assert "http" not in re.sub(r'xmlns(:\w+)?="[^"]*"', "", page)
    assert (tmp_path / "report.md").is_file()


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_has_a_question_a_config_directory_and_a_report_without_runs(name):
    study = STUDIES[name]
    assert study.question.endswith("?")
    assert study.name == name
    configs = [path for path in CONFIGS if f'study = "{name}"' in path.read_text()]
    assert any(path.parent.name == name for path in configs)
    config = load_config(Source(configs[0]), SCHEMAS)
    report = study.report(config, [])
    assert report.conclusion.startswith("No conclusion")


@pytest.mark.parametrize("name", STUDIES)
def test_another_process_can_import_a_study(name):
    module, _, attribute = STUDIES[name].import_path.partition(":")
    assert getattr(__import__(module, fromlist=[attribute]), attribute) is STUDIES[name]


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_a_config_starts_with_the_command_that_runs_it(config):
    text = config.read_text()
    assert text.startswith("# ")
    assert f" run {config.relative_to(ROOT)}" in text


@pytest.mark.parametrize("config", ELSEWHERE, ids=lambda path: path.stem)
def test_a_config_is_valid_where_its_data_are(config, tmp_path, monkeypatch):
    monkeypatch.setenv("JAX_ACTS_DATA", str(tmp_path / "data"))
    write_idx_folder(tmp_path / "data", 20_000, 100, (28, 28))
    for label in "cat", "dog":
        for i in range(60):
            write_image(tmp_path / "data" / label / f"{i}.png")
    path = tmp_path / "data" if 'name = "image_folder"' in config.read_text() else None
    options = ("--set", f"data.path={path}") if path else ()
    result = invoke("validate", config, *options)
    assert result.exit_code == 0, result.stderr
    assert "a CNN of 3 blocks" in result.stdout


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("data.name=mnist_1d", "expected labeled images"),
        ("data.name=digits", None),
        ("training.batch_size=5000", "training.batch_size = 5000: expected at most"),
    ],
)
def test_the_cnn_checks_its_images(override, message):
    path = ROOT / "configs" / "quickstart.toml"
    result = invoke("validate", path, "--set", override)
    assert result.exit_code == (2 if message else 0), result.output
    assert (message or "") in result.stderr


def test_blocks_that_halve_an_image_to_nothing_are_refused():
    path = ROOT / "configs" / "quickstart.toml"
    options = ("--set", "data.name=digits", "--set", "model.channels=[2, 2, 2, 2]")
    result = invoke("validate", path, *options)
    assert result.exit_code == 2
    assert "expected at most 3 blocks for images of 8 × 8, got 4" in result.stderr


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("trial_batch.vmap_width=3", "expected vmap_width to divide size"),
        ("trial_batch.size=0", "trial_batch.size = 0: expected a number >= 1"),
        ("trial_batch.sise=4", "did you mean 'size'?"),
        (
            "sweeps=[{activation='elu', argument='alpha', values=[]}]",
            "sweeps[0].values",
        ),
        (
            "sweeps=[{activation='elu', argument='alfa', values=[1.0]}]",
            "did you mean 'alpha'?",
        ),
        (
            "sweeps=[{activation='elu', argument='alpha', values=[1.0]}, "
            "{activation='elu', argument='alpha', values=[2.0, 1.0]}]",
            "expected distinct runs, got 'activation elu, argument alpha, grid_value 1",
        ),
        (
            "sweeps=[{activation='elu', argument='alpha', values=[1.0, 1.0]}]",
            "expected distinct values, got 1.0 twice",
        ),
        (
            "sweeps=[{activation='elu(alpha=2.0)', argument='alpha', values=[1.0]}]",
            "expected an activation without alpha, got elu(alpha=2.0)",
        ),
    ],
)
def test_a_fault_of_a_sweep_is_one_line_before_anything_runs(override, message, sweep):
    result = invoke("validate", sweep, "--set", override)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_too_many_runs_are_counted_and_refused(sweep, tmp_path):
    values = ", ".join(map(str, range(1, 1001)))
    many = f"sweeps=[{{activation='elu', argument='alpha', values=[{values}]}}]"
    out = tmp_path / "run"
    result = invoke("run", sweep, "--set", many, "--set", "seeds=101", "--out", out)
    assert result.exit_code == 2
    message = "expected at most 100,000, got 101,000 (1,000 grid_value × 101 seed)"
    assert message in result.stderr
    assert not out.exists()


def test_a_clash_of_the_largest_sweeps_is_named():
    # Comparing each run with those before it would take minutes.
    axes = {"activation": [f"f{n}" for n in range(50)], "seed": range(1000)}
    with pytest.raises(ConfigError, match="got 'activation f0, seed 0' twice"):
        concat_grids(axes, axes)


@pytest.mark.slow
def test_too_little_memory_is_a_config_error_of_the_key_that_helps(
    sweep, tmp_path, monkeypatch
):
    base = "jax_acts.experiments.train.vectorized"
    monkeypatch.setattr(f"{base}.memory.available_bytes", lambda device, count: 1000)
    monkeypatch.setattr(f"{base}.narrower", lambda trial_batch: [])  # slow
    wide = ("--set", "trial_batch.vmap_width=8")
    result = invoke("run", sweep, *wide, "--out", tmp_path / "run")
    assert result.exit_code == 2
    assert "trial_batch: expected at most 1.0 kB per device" in result.stderr
    assert "no smaller trial batch fits" in result.stderr


@pytest.mark.slow
def test_a_loss_that_overflows_marks_its_run_and_not_the_study(sweep, tmp_path):
    rate = "training.optimizer={kind='sgd', learning_rate=10.0, momentum=0.99}"
    result = invoke("run", sweep, "--set", rate, "--out", tmp_path / "run")
    assert result.exit_code == 0, result.output
    records, _ = read_records(tmp_path / "run")
    assert any(record.status == "diverged" for record in records)


def record(axes, accuracy, **curves) -> RunRecord:
    (run,) = grid(**{name: [value] for name, value in axes.items()})
    curves = {"accuracy": accuracy, **curves}
    return RunRecord(
        run=run.name,
        axes=axes,
        status="finished",
        num_params=1,
        steps=1,
        curves={
            k: Curve.from_array([0, 1], np.array([v, v])) for k, v in curves.items()
        },
        train_seconds=1.0,
        compile_seconds=1.0,
    )


def test_intervals_of_what_cannot_be_negative_begin_at_0():
    modules = [*vars(catalogue).values(), comparisons]
    values = [v for m in modules if inspect.ismodule(m) for v in vars(m).values()]
    metrics = {v for v in values if isinstance(v, Metric)}
    signed = {m for m in metrics if m.name.startswith("log10")}
    signed |= {custom.R2, output_head.SCORE}
    assert len(metrics) > len(signed)
    for metric in metrics - signed:
        assert metric.bounds[0] == 0, metric


def test_the_conclusion_of_learnable_names_the_significant_pair():
    pair = learnable.Pair(fixed="elu", learned="prelu")
    config = learnable.Config(study="learnable", name="x", pairs=(pair,), seeds=3)
    records = [
        record({"activation": name, "seed": seed}, value + 0.001 * seed)
        for name, value in ((pair.fixed, 0.8), (pair.learned, 0.9))
        for seed in range(3)
    ]
    report = learnable.STUDY.report(config, records)
    assert report.conclusion.startswith(
        "Compared with elu, test accuracy is significantly different for "
        f"{pair.learned} by +10.00 pp"
    )


def test_gradient_flow_divides_the_first_kernel_by_the_last_of_each_depth():
    config = gradient_flow.Config(
        study="gradient_flow",
        name="x",
        activations=("relu",),
        depths=(1, 2),
        initializers=("gain",),
        seeds=2,
    )
    records = [
        record(
            {"initializer": "gain", "depth": d, "activation": "relu", "seed": seed},
            0.5,
            log10_gradient_norm=[-3.0, *[0.0] * (d - 1), -1.0],
            preactivation_rms=[1.0] * d,
        )
        for d in (1, 2)
        for seed in range(2)
    ]
    report = gradient_flow.STUDY.report(config, records)
    assert "with gain: relu −2.0" in report.conclusion
    table = report.tables[0]
    (column,) = [c for c in table.columns if "ratio before" in c.title]
    assert table.frame[column.name].tolist() == [-2.0, -2.0]


def test_the_linear_distance_is_zero_for_a_matrix_and_not_for_a_network():
    x = jax.random.normal(jax.random.key(0), (20, 6))
    from jax_acts.experiments.models import MLP

    distances = []
    for activation in ("identity", "relu"):
        model = MLP(activation, 2, 8, 3)
        params = model.init(jax.random.key(1), x)["params"]
        outputs = model.apply({"params": params}, x)
        distances.append(collapse.linear_distance(params, outputs, x))
    assert distances[0] < 1e-5 < 0.1 < distances[1]


def test_heads_are_compared_with_the_recommended_one_of_their_task():
    config = output_head.Config(study="output_head", name="x", tasks=("binary",))
    pairs = output_head.pairs(config)
    assert {baseline for _, baseline in pairs} == {"binary, sigmoid + cross-entropy"}
    assert len(pairs) == 5


def test_the_transformer_checks_lengths_and_heads():
    config = transformer.Config(
        study="transformer",
        name="x",
        plain=("relu",),
        gated=("relu",),
        model=transformer.ModelConfig(heads=5),
    )
    with pytest.raises(ConfigError, match=r"expected a divisor of model\.features"):
        transformer.prepare(config)
