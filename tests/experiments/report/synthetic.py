"""Records of runs that were never trained, for tests of statistics and reports."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydantic import Field

from jax_acts.experiments.config.schema import StudyConfig
from jax_acts.experiments.records import Curve, RunRecord, Value
from jax_acts.experiments.report.builders import compare_report
from jax_acts.experiments.report.comparisons import group_runs
from jax_acts.experiments.report.model import DataSummary, Report
from jax_acts.experiments.report.render import RunInfo
from jax_acts.experiments.runtime.fingerprint import Fingerprint
from jax_acts.experiments.runtime.run_directory import open_journal, save_data_contents
from jax_acts.experiments.study import BatchedTrainer, PreparedStudy, Study

STEPS = [0, 30, 60, 90]

INFO = RunInfo("some", "[data]\n", [{"jax": "1", "revision": None}])


def record(accuracy: float | None, **axes: Value) -> RunRecord:
    """Return the record of a run with a final accuracy, or None if it diverged."""
    seed = int(axes["seed"])
    end = 0.0 if accuracy is None else accuracy
    random = np.random.default_rng(seed)
    steps = np.array(STEPS)
    curve = 0.1 + (end - 0.1) * (1 - np.exp(-steps / 20)) / (1 - np.exp(-4.5))
    loss = 2.3 * np.exp(-steps[1:] * end / 40) * random.uniform(0.95, 1.05, 3)
    if accuracy is None:
        loss[-1] = np.nan
    layers = np.outer(1 + steps, [0.001, 0.002, 0.003])
    return RunRecord(
        run=", ".join(f"{axis} {value}" for axis, value in axes.items()),
        axes=dict(axes),
        status="diverged" if accuracy is None else "finished",
        num_params=1000,
        steps=STEPS[-1],
        curves={
            "accuracy": Curve.from_array(STEPS, curve),
            "train_loss": Curve.from_array(STEPS[1:], loss),
            "dead_fraction": Curve.from_array(STEPS, layers),
        },
        train_seconds=1.5 + 0.01 * seed,
        compile_seconds=2.0,
    )


def records(**accuracies: Sequence[float | None]) -> list[RunRecord]:
    """Return a run for each accuracy of each activation, with seeds 0, 1, …"""
    return [
        record(value, activation=name, seed=seed)
        for name, values in accuracies.items()
        for seed, value in enumerate(values)
    ]


FAR = records(sigmoid=[0.80, 0.82, 0.79], relu=[0.95, 0.96, 0.94])
TIED = records(relu=[0.95, 0.94, 0.94], gelu=[0.96, 0.93, 0.95])

DIGITS = DataSummary(
    "digits", "own & free", "1,500 examples, inputs 8 × 8 × 1 (uint8)."
)


def report(runs: Sequence[RunRecord] = FAR, **options: object) -> Report:
    """Return the default report of a comparison of activations."""
    options = {"setup": "6 runs.", "data": [DIGITS]} | options
    return compare_report("Which <one>?", comparison=group_runs(runs), **options)


class Config(StudyConfig):
    """A study whose runs are made, not trained."""

    study: str = "synthetic"
    name: str = "synthetic"
    rate: float = 0.1
    depths: tuple[int, ...] = Field((1, 2), strict=False)


STUDY = Study(
    "synthetic",
    "Which <one>?",
    Config,
    lambda config: (),
    lambda config: PreparedStudy("", 1, BatchedTrainer(1, str, lambda *_: ())),
    lambda config, runs: report(runs),
)
STUDIES = {"synthetic": STUDY}


def write_run(directory: Path, runs: Sequence[RunRecord] = FAR, **keys: object) -> Path:
    """Write a run directory with these records and return it."""
    config = Config.model_validate(keys)
    fingerprint = Fingerprint(
        config=config.digest(), data="0" * 64, model=None, settings=""
    )
    environment = {"jax": "1", "revision": None}
    with open_journal(directory, config, fingerprint, environment) as journal:
        save_data_contents(directory, {"digits": "8 × 8"})
        for one in runs:
            journal.append(one)
    return directory
