"""Does training in bfloat16 cost accuracy, and for which activations?"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

import jax
import jax.numpy as jnp
import pandas as pd
from jax import Array
from pydantic import AfterValidator, Field

from jax_acts.experiments.base import (
    ActivationStudyConfig,
    Depth,
    Width,
    data_title,
    keep,
    prepare_classification,
    rows,
    summarize_data,
)
from jax_acts.experiments.config.schema import check_distinct
from jax_acts.experiments.models import MLP
from jax_acts.experiments.records import RunRecord, Value
from jax_acts.experiments.report.builders import compare_report, paired_test_sections
from jax_acts.experiments.report.comparisons import (
    ACCURACY,
    NO_CONCLUSION,
    describe_difference,
    group_runs,
)
from jax_acts.experiments.report.format import join
from jax_acts.experiments.report.model import Report
from jax_acts.experiments.stats import paired_tests
from jax_acts.experiments.study import PreparedStudy, RunSpec, Study, grid
from jax_acts.experiments.train.classification import DeviceData, classification
from jax_acts.experiments.train.loop import Params, Task
from jax_acts.experiments.train.trial import MakeTask

Precision = Literal["float32", "mixed", "bfloat16"]
"""Of layers and parameters; "mixed" is bfloat16 layers with float32 parameters."""


class Config(ActivationStudyConfig):
    """MLPs with each activation, in each precision."""

    precisions: Annotated[
        tuple[Precision, ...],
        AfterValidator(check_distinct),
        Field(min_length=1, strict=False),
    ] = ("float32", "mixed", "bfloat16")
    depth: Depth = 3
    width: Width = 64

    QUICK: ClassVar[Mapping[str, Any]] = {
        **ActivationStudyConfig.QUICK,
        "activations": keep(1),
        "width": 8,
    }


def runs(config: Config) -> tuple[RunSpec, ...]:
    """Return the runs; those of an activation and a precision share programs."""
    return grid(
        activation=config.activations,
        precision=config.precisions,
        seed=range(config.seeds),
    )


def make_task(config: Config, num_classes: int, fixed: Mapping[str, Value]) -> MakeTask:
    """Return the task of an activation and a precision."""
    precision = fixed["precision"]
    model = MLP(
        fixed["activation"],
        config.depth,
        config.width,
        num_classes,
        dtype=jnp.float32 if precision == "float32" else jnp.bfloat16,
    )

    def make(_: Any, data: DeviceData) -> Task:
        task = classification(model, data, config.training)
        if precision != "bfloat16":
            return task

        def init(key: Array) -> Params:
            return jax.tree.map(lambda x: x.astype(jnp.bfloat16), task.init(key))

        return task._replace(init=init)

    return make


def prepare(config: Config) -> PreparedStudy:
    """Return the study with its data on the device."""
    return prepare_classification(config, summarize(config), make_task)


def summarize(config: Config) -> str:
    """Return the setup in one sentence."""
    return (
        f"{len(config.activations)} activations × {', '.join(config.precisions)} × "
        f"{config.seeds} seeds: MLPs with {config.depth} hidden layers of width "
        f"{config.width} on {data_title(config.data)}, {config.training.describe()}."
    )


def report(config: Config, records: Sequence[RunRecord]) -> Report:
    """Return the report of the study."""
    comparison = group_runs(
        records,
        runs(config),
        by=("activation", "precision"),
        within=("activation",),
        series=("activation", "precision"),
    )
    scores = comparison.scores(ACCURACY)
    pairs = [
        (f"{activation}, {precision}", f"{activation}, float32")
        for activation in config.activations
        for precision in config.precisions
        if precision != "float32"
    ]
    tests = paired_tests(scores, [p for p in pairs if {*p} <= {*scores}])
    return compare_report(
        STUDY.question,
        summarize(config),
        comparison,
        conclusion=conclude(tests),
        sections=paired_test_sections(tests, ACCURACY, "Against float32"),
        notes=_NOTES,
        data=(summarize_data(config.data),),
    )


def conclude(tests: pd.DataFrame) -> str:
    """Return the precisions that change the accuracy significantly, and the others."""
    tests = tests[tests["n"] > 1]
    parts = []
    for significant, title in (
        (True, "Significantly different from float32"),
        (False, "Not significantly different from float32"),
    ):
        own = tests[(tests["p_holm"] < 0.05) == significant]
        texts = [f"{r['group']} {describe_difference(r, ACCURACY)}" for r in rows(own)]
        if texts:
            parts.append(f"{title}: {join(texts)}.")
    return " ".join(parts) or NO_CONCLUSION


_NOTES = (
    "float32: everything in float32. mixed: layers and activations in bfloat16, "
    "parameters and optimizer in float32. bfloat16: parameters and optimizer in "
    "bfloat16 as well.",
    "Groups are compared with the same activation.",
    "Train times are of this device: one without bfloat16 arithmetic converts instead.",
)

STUDY = Study("precision", __doc__ or "", Config, runs, prepare, report)
