"""Which slope of leaky_relu, which β of Swish and which α of ELU train best?"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Self

import pandas as pd
from jax import Array
from pydantic import AfterValidator, Field, model_validator

import jax_acts
from jax_acts import Bound
from jax_acts.experiments.base import (
    DataStudyConfig,
    Depth,
    Width,
    data_title,
    prepare_classification,
    rows,
    summarize_data,
)
from jax_acts.experiments.config.schema import (
    Activation,
    Numbers,
    Section,
    check_distinct,
)
from jax_acts.experiments.models import MLP
from jax_acts.experiments.records import RunRecord, Value
from jax_acts.experiments.report.builders import compare_report
from jax_acts.experiments.report.charts import axis_chart
from jax_acts.experiments.report.comparisons import (
    ACCURACY,
    NO_CONCLUSION,
    Comparison,
    group_runs,
)
from jax_acts.experiments.report.format import interval, join, number
from jax_acts.experiments.report.model import Report
from jax_acts.experiments.study import PreparedStudy, RunSpec, Study, concat_grids
from jax_acts.experiments.train.classification import DeviceData, classification
from jax_acts.experiments.train.loop import Task
from jax_acts.experiments.train.trial import MakeTask, Numbers as RunNumbers

GRID = "grid_value"
"""The axis of the values of an argument."""


def bind(activation: str, argument: str, value: float | Array) -> Bound:
    """Return the activation with a value of an argument, which may be traced."""
    arguments: dict[str, Any] = {argument: value}
    return jax_acts.get(activation, **arguments)


class Sweep(Section):
    """An argument of an activation, and its values."""

    activation: Activation
    argument: str
    values: Numbers

    @model_validator(mode="after")
    def _check_argument(self) -> Self:
        if self.argument in jax_acts.get(self.activation).arguments:
            raise ValueError(
                f"expected an activation without {self.argument}, got {self.activation}"
            )
        try:
            for value in self.values:
                bind(self.activation, self.argument, value)
        except (TypeError, ValueError) as error:
            raise ValueError(str(error)) from error
        return self


def _shrink(sweeps: tuple[Sweep, ...]) -> tuple[Sweep, ...]:
    first = sweeps[0]
    return (first.model_copy(update={"values": first.values[:2]}),)


class Config(DataStudyConfig):
    """MLPs with each activation, at each value of its argument."""

    sweeps: Annotated[
        tuple[Sweep, ...],
        AfterValidator(check_distinct),
        Field(min_length=1, max_length=50, strict=False),
    ]
    depth: Depth = 2
    width: Width = 100

    QUICK: ClassVar[Mapping[str, Any]] = {
        **DataStudyConfig.QUICK,
        "sweeps": _shrink,
        "width": 8,
    }


def runs(config: Config) -> tuple[RunSpec, ...]:
    """Return the runs; those of an activation share its programs."""
    return concat_grids(
        *(
            {
                "activation": [sweep.activation],
                "argument": [sweep.argument],
                GRID: sweep.values,
                "seed": range(config.seeds),
            }
            for sweep in config.sweeps
        )
    )


def make_task(config: Config, num_classes: int, fixed: Mapping[str, Value]) -> MakeTask:
    """Return the task of an activation and an argument."""

    def make(numbers: RunNumbers, data: DeviceData) -> Task:
        activation = bind(
            str(fixed["activation"]), str(fixed["argument"]), numbers[GRID]
        )
        model = MLP(activation, config.depth, config.width, num_classes)
        return classification(model, data, config.training)

    return make


def prepare(config: Config) -> PreparedStudy:
    """Return the study with its data on the device."""
    return prepare_classification(
        config,
        summarize(config),
        make_task,
        activations=[sweep.activation for sweep in config.sweeps],
        numeric=(GRID,),
    )


def summarize(config: Config) -> str:
    """Return the setup in one sentence."""
    count = sum(len(sweep.values) for sweep in config.sweeps)
    return (
        f"{count} values of {len(config.sweeps)} arguments × {config.seeds} seeds: "
        f"MLPs with {config.depth} hidden layers of width {config.width} on "
        f"{data_title(config.data)}, {config.training.describe()}."
    )


def report(config: Config, records: Sequence[RunRecord]) -> Report:
    """Return the report of the study."""
    within = ("activation", "argument")
    comparison = group_runs(
        records,
        runs(config),
        by=(*within, GRID),
        within=within,
        series=within,
        label=lambda axes: f"{axes['activation']}, {axes['argument']} {axes[GRID]:g}",
        title="activation",
    )
    parts = [
        (sweep, comparison.select(activation=sweep.activation, argument=sweep.argument))
        for sweep in config.sweeps
    ]
    charts = [
        axis_chart(
            own,
            ACCURACY,
            GRID,
            f"Test accuracy by {sweep.argument} of {sweep.activation}",
            x_title=sweep.argument,
        )
        for sweep, own in parts
    ]
    tests = comparison.tests(ACCURACY)
    conclusions = [conclude(sweep, own, tests) for sweep, own in parts]
    return compare_report(
        STUDY.question,
        summarize(config),
        comparison,
        conclusion=" ".join(filter(None, conclusions)) or NO_CONCLUSION,
        charts=charts,
        notes=_NOTES,
        data=(summarize_data(config.data),),
    )


def conclude(sweep: Sweep, comparison: Comparison, tests: pd.DataFrame) -> str:
    """Return the best value, and the values that are not significantly different."""
    table = comparison.summary(ACCURACY).dropna(subset=["ci_low"])
    if len(table) < 2:
        return ""
    best = rows(table.sort_values("mean", ascending=False))[0]
    values = comparison.values(ACCURACY).groupby("group")[GRID].first()
    tied = tests[tests["tied"] & tests["group"].isin(table["group"])]
    text = (
        f"{sweep.activation} has the highest mean test accuracy at {sweep.argument} = "
        f"{values[best['group']]:g}, {number(best['mean'], 1)} % (95 % CI "
        f"{interval(best['ci_low'], best['ci_high'], 1)}, {best['n']:g} seeds)"
    )
    if tied.empty:
        return f"{text}; all other values are significantly lower."
    verb = "is" if len(tied) == 1 else "are"
    names = join([f"{value:g}" for value in sorted(values[tied["group"]])])
    return f"{text}; {names} {verb} not significantly different."


_NOTES = (
    "All values of an argument share one compiled program.",
    "Groups are compared within one argument of an activation.",
)

STUDY = Study("parameter_sweep", __doc__ or "", Config, runs, prepare, report)
