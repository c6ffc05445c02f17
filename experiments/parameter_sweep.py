"""Which slope of leaky_relu, which β of Swish and which α of ELU train best?"""

from collections.abc import Sequence
from typing import Any, ClassVar, Self

import pandas as pd
from jax import Array
from pydantic import model_validator

import jax_acts
from experiments.common import Axes, Distinct, describe_mlp
from jax_acts.experiments import base
from jax_acts.experiments.config.schema import Activation, Numbers, Section
from jax_acts.experiments.models import MLP
from jax_acts.experiments.records import RunRecord
from jax_acts.experiments.report import comparisons
from jax_acts.experiments.report.builders import compare_report
from jax_acts.experiments.report.charts import axis_chart
from jax_acts.experiments.report.comparisons import ACCURACY
from jax_acts.experiments.report.format import interval, join, number
from jax_acts.experiments.report.model import Report, to_rows
from jax_acts.experiments.study import PreparedStudy, RunSpec, Study, concat_grids
from jax_acts.experiments.train.classification import DeviceData, classification
from jax_acts.experiments.train.loop import Task

GRID = "grid_value"
"""The axis of the values of an argument."""


def bind(activation: str, argument: str, value: float | Array) -> jax_acts.Bound:
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


class Config(base.DataStudyConfig):
    """MLPs with each activation, at each value of its argument."""

    sweeps: Distinct[Sweep]
    depth: base.Depth = 2
    width: base.Width = 100

    QUICK: ClassVar = {"sweeps": _shrink, "width": 8}


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


def make_task(config: Config, num_classes: int, axes: Axes, data: DeviceData) -> Task:
    """Return the task of an activation and a value of its argument."""
    activation = bind(axes["activation"], axes["argument"], axes[GRID])
    model = MLP(activation, config.depth, config.width, num_classes)
    return classification(model, data, config.training)


def prepare(config: Config) -> PreparedStudy:
    return base.prepare_classification(
        summarize,
        make_task,
        config,
        activations=[sweep.activation for sweep in config.sweeps],
        numeric=(GRID,),
    )


def summarize(config: Config) -> str:
    count = sum(len(sweep.values) for sweep in config.sweeps)
    return base.describe_setup(
        config,
        f"{count} values of {base.pluralize(len(config.sweeps), 'argument')}",
        describe_mlp(config),
        base.data_title(config.data),
    )


def report(config: Config, records: Sequence[RunRecord]) -> Report:
    within = ("activation", "argument")
    comparison = comparisons.group_runs(
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
    tests = comparison.tests(ACCURACY)
    conclusions = [conclude(sweep, own, tests) for sweep, own in parts]
    return compare_report(
        STUDY.question,
        summarize(config),
        comparison,
        conclusion=" ".join(filter(None, conclusions)) or comparisons.NO_CONCLUSION,
        charts=[
            axis_chart(
                own,
                ACCURACY,
                GRID,
                f"Test accuracy by {sweep.argument} of {sweep.activation}",
                x_title=sweep.argument,
            )
            for sweep, own in parts
        ],
        notes=_NOTES,
        data=(base.summarize_data(config.data),),
    )


def conclude(
    sweep: Sweep, comparison: comparisons.Comparison, tests: pd.DataFrame
) -> str:
    """Return the best value, and the values that are not significantly different."""
    table = comparison.summary(ACCURACY).dropna(subset=["ci_low"])
    if len(table) < 2:
        return ""
    best = to_rows(table.sort_values("mean", ascending=False, kind="stable"))[0]
    values = comparison.runs.groupby("group")[GRID].first()
    text = (
        f"{sweep.activation} has the highest mean test accuracy at {sweep.argument} = "
        f"{values[best['group']]:g}, {number(best['mean'], 1)} % (95 % CI "
        f"{interval(best['ci_low'], best['ci_high'], 1)}, {best['n']} seeds)"
    )
    tied = values[values.index.isin(tests.loc[tests["tied"], "group"])].sort_values()
    if tied.empty:
        return f"{text}; all other values are significantly lower."
    verb = "is" if len(tied) == 1 else "are"
    names = join([f"{value:g}" for value in tied])
    return f"{text}; {names} {verb} not significantly different."


_NOTES = (
    "All values of an argument share one compiled program.",
    "Groups are compared within one argument of an activation.",
)

STUDY = Study("parameter_sweep", __doc__ or "", Config, runs, prepare, report)
