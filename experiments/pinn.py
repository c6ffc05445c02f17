"""Which activation solves a differential equation by its residual?"""

import math
from collections.abc import Sequence
from functools import partial
from typing import Annotated, ClassVar

import jax
import jax.numpy as jnp
from jax import Array
from pydantic import Field

from experiments.common import Axes, describe_mlp
from jax_acts.experiments import base
from jax_acts.experiments.base import activation_runs, keep, pluralize
from jax_acts.experiments.config.schema import Activations, TrainingConfig
from jax_acts.experiments.models import MLP
from jax_acts.experiments.records import RunRecord
from jax_acts.experiments.report.builders import compare_report
from jax_acts.experiments.report.charts import curve_chart, dot_chart
from jax_acts.experiments.report.comparisons import group_runs
from jax_acts.experiments.report.model import DataSummary, Metric, Report
from jax_acts.experiments.stats import NON_NEGATIVE
from jax_acts.experiments.study import PreparedStudy, Study
from jax_acts.experiments.train.classification import linen_functions
from jax_acts.experiments.train.loop import Metrics, Params, Task

GRID = 32
"""Points of the test grid along each axis."""

ERROR = Metric(
    "relative_l2_error",
    "relative L2 error of the solution",
    "%",
    scale=100,
    digits=3,
    lower_is_better=True,
    bounds=NON_NEGATIVE,
)
RESIDUAL = Metric(
    "log10_residual", "log10 of the relative RMS residual", lower_is_better=True
)
STEP_TIME = Metric("step_seconds", "time per step", "ms", 1000, bounds=NON_NEGATIVE)
"""Of one run: the time of its trial batch / (steps × runs)."""


class Config(base.TrainingStudyConfig):
    """MLPs that solve the Poisson equation on the unit square."""

    activations: Activations
    frequency: Annotated[int, Field(ge=1, le=16)] = 2
    """k of the solution sin(k π x) sin(k π y)."""
    depth: base.Depth = 3
    width: base.Width = 32
    training: TrainingConfig = TrainingConfig(steps=3000, batch_size=256)

    QUICK: ClassVar = {"activations": keep(2), "width": 8}


def solution(x: Array, frequency: int) -> Array:
    """Return sin(k π x) sin(k π y), whose Laplacian is -2 (k π)² times it."""
    return jnp.prod(jnp.sin(frequency * jnp.pi * x), axis=-1)


def prepare(config: Config) -> PreparedStudy:
    edges = jnp.linspace(0, 1, GRID + 2, dtype=jnp.float32)[1:-1]
    grid = jnp.stack(jnp.meshgrid(edges, edges), -1).reshape(-1, 2)
    return base.prepare_training(
        config,
        summarize(config),
        grid,
        partial(make_task, config),
        activations=config.activations,
    )


def make_task(config: Config, axes: Axes, grid: Array) -> Task:
    """Return the task of an activation: the residual at random points."""
    init, apply = linen_functions(
        MLP(axes["activation"], config.depth, config.width, outputs=1)
    )
    rate = 2 * (config.frequency * math.pi) ** 2

    def u(params: Params, x: Array) -> Array:
        """Return the network times x (1 - x) y (1 - y), which is 0 at the boundary."""
        return jnp.prod(x * (1 - x)) * apply(params, x[None])[0, 0]

    def residual(params: Params, x: Array) -> Array:
        laplacian = jnp.trace(jax.hessian(u, 1)(params, x))
        return laplacian / rate + solution(x, config.frequency)

    def loss(params: Params, batch: Array) -> Array:
        return jnp.mean(jax.vmap(residual, (None, 0))(params, batch) ** 2)

    def metrics(params: Params) -> Metrics:
        exact = solution(grid, config.frequency)
        error = jax.vmap(u, (None, 0))(params, grid) - exact
        rms = lambda y: jnp.sqrt(jnp.mean(y**2))
        return {
            ERROR.name: rms(error) / rms(exact),
            RESIDUAL.name: jnp.log10(jnp.sqrt(loss(params, grid)) / rms(exact)),
        }

    shape = config.training.batch_size, 2
    sample = lambda key: jax.random.uniform(key, shape, jnp.float32)
    return Task(lambda key: init(key, grid[:1]), sample, loss, metrics)


def summarize(config: Config) -> str:
    return base.describe_setup(
        config,
        pluralize(len(config.activations), "activation"),
        describe_mlp(config),
        f"the Poisson equation on the unit square, with the solution "
        f"sin({config.frequency} π x) sin({config.frequency} π y)",
    )


def report(config: Config, records: Sequence[RunRecord]) -> Report:
    comparison = group_runs(records, activation_runs(config))
    runs = comparison.runs
    runs["step_seconds"] = runs["train_seconds"] / runs["steps"]
    return compare_report(
        STUDY.question,
        summarize(config),
        comparison,
        ERROR,
        columns=(RESIDUAL, STEP_TIME),
        charts=[
            dot_chart(comparison, ERROR, "Error of the solution"),
            curve_chart(comparison, RESIDUAL, "Residual by step"),
            dot_chart(comparison, STEP_TIME),
        ],
        notes=_NOTES,
        data=[DataSummary("Poisson equation", "generated")],
    )


_NOTES = (
    "The loss is the mean squared residual at random points, drawn for each step. The "
    "network is multiplied by x (1 − x) y (1 − y), so that the boundary condition "
    "holds exactly.",
    f"The error is that on a grid of {GRID} × {GRID} points, relative to the solution.",
    "All activations use the same learning rate, which was not tuned for each.",
)

STUDY = Study("pinn", __doc__ or "", Config, activation_runs, prepare, report)
