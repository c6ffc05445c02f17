"""Does training in bfloat16 cost accuracy, and for which activations?"""

from collections.abc import Sequence
from functools import partial
from typing import ClassVar, Literal

import jax
import jax.numpy as jnp
from jax import Array

from experiments import common
from experiments.common import Axes, Distinct
from jax_acts.experiments import base
from jax_acts.experiments.models import MLP
from jax_acts.experiments.records import RunRecord
from jax_acts.experiments.report.builders import compare_report, paired_test_sections
from jax_acts.experiments.report.comparisons import ACCURACY, group_runs
from jax_acts.experiments.report.model import Report
from jax_acts.experiments.study import RunSpec, Study, grid
from jax_acts.experiments.train.classification import DeviceData, classification
from jax_acts.experiments.train.loop import Params, Task

Precision = Literal["float32", "mixed", "bfloat16"]
"""Of layers and parameters; "mixed" is bfloat16 layers with float32 parameters."""


class Config(base.ActivationStudyConfig):
    """MLPs with each activation, in each precision."""

    precisions: Distinct[Precision] = ("float32", "mixed", "bfloat16")
    depth: base.Depth = 3
    width: base.Width = 64

    QUICK: ClassVar = {"activations": base.keep(1), "width": 8}


def runs(config: Config) -> tuple[RunSpec, ...]:
    """Return the runs; those of an activation and a precision share programs."""
    return grid(
        activation=config.activations,
        precision=config.precisions,
        seed=range(config.seeds),
    )


def make_task(config: Config, num_classes: int, axes: Axes, data: DeviceData) -> Task:
    """Return the task of an activation and a precision."""
    activation, precision = axes["activation"], axes["precision"]
    dtype = jnp.float32 if precision == "float32" else jnp.bfloat16
    model = MLP(activation, config.depth, config.width, num_classes, dtype=dtype)
    task = classification(model, data, config.training)

    def init(key: Array) -> Params:
        return jax.tree.map(lambda x: x.astype(jnp.bfloat16), task.init(key))

    return task._replace(init=init) if precision == "bfloat16" else task


def summarize(config: Config) -> str:
    return base.describe_setup(
        config,
        f"{base.pluralize(len(config.activations), 'activation')} × "
        f"{', '.join(config.precisions)}",
        common.describe_mlp(config),
        base.data_title(config.data),
    )


def report(config: Config, records: Sequence[RunRecord]) -> Report:
    axes = ("activation", "precision")
    comparison = group_runs(
        records, runs(config), by=axes, within=axes[:1], series=axes
    )
    pairs = [
        (f"{activation}, {precision}", f"{activation}, float32")
        for activation in config.activations
        for precision in config.precisions
        if precision != "float32"
    ]
    tests = common.compare_pairs(comparison, ACCURACY, pairs)
    return compare_report(
        STUDY.question,
        summarize(config),
        comparison,
        conclusion=common.conclude_pairs(tests, ACCURACY),
        sections=paired_test_sections(tests, ACCURACY, "Against float32"),
        notes=_NOTES,
        data=(base.summarize_data(config.data),),
    )


_NOTES = (
    "float32: everything in float32. mixed: layers and activations in bfloat16, "
    "parameters and optimizer in float32. bfloat16: parameters and optimizer in "
    "bfloat16 as well.",
    "Groups are compared with the same activation.",
    "Train times are of this device: one without bfloat16 arithmetic converts instead.",
)

prepare = partial(base.prepare_classification, summarize, make_task)
STUDY = Study("precision", __doc__ or "", Config, runs, prepare, report)
