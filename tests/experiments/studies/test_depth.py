"""The study of depth selects learning rates by training loss."""

import numpy as np

from experiments import depth
from jax_acts.experiments.records import Curve
from tests.experiments.report.synthetic import record

CONFIG = depth.Config(
    study="depth",
    name="x",
    networks=({"activation": "relu"}, {"activation": "tanh", "shaping": "tat"}),
    learning_rates=(0.1, 0.01),
    seeds=2,
)


def test_a_network_has_the_learning_rate_of_its_lowest_training_loss():
    best = {"relu": 0.01, "tanh": 0.1}
    records = []
    for run in depth.runs(CONFIG):
        axes = dict(run.axes)
        is_best = axes["learning_rate"] == best[axes["activation"]]
        # The other learning rate has the higher test accuracy.
        accuracy = (0.5 if is_best else 0.9) + 0.01 * axes["seed"]
        losses = Curve.from_array([100], np.array([0.1 if is_best else 0.2]))
        run = record(accuracy, **axes)
        curves = {**run.curves, "train_loss": losses}
        records.append(run.model_copy(update={"curves": curves}))
    report = depth.STUDY.report(CONFIG, records)
    frame = report.tables[0].frame.set_index("network")
    assert frame["learning_rate"].to_dict() == {
        "relu, unshaped, gain": 0.01,
        "tanh, tat, gain": 0.1,
    }
    assert frame["accuracy_mean"].round(1).unique().tolist() == [50.5]


def test_a_report_without_runs_has_no_conclusion():
    assert depth.STUDY.report(CONFIG, []).conclusion.startswith("No conclusion")
