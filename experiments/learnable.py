"""Does an activation that learns its own shape do better than a fixed one?"""

from collections.abc import Sequence
from functools import partial
from typing import ClassVar

import jax.numpy as jnp
import pandas as pd
from jax import Array

import jax_acts
from experiments import common
from experiments.common import Axes, Distinct
from jax_acts.experiments import base
from jax_acts.experiments.config.schema import Activation, Section, Seeds
from jax_acts.experiments.models import MLP
from jax_acts.experiments.records import RunRecord
from jax_acts.experiments.report.builders import compare_report, paired_test_sections
from jax_acts.experiments.report.comparisons import (
    ACCURACY,
    Comparison,
    at_end,
    group_runs,
)
from jax_acts.experiments.report.format import number
from jax_acts.experiments.report.model import Column, Metric, Report
from jax_acts.experiments.study import Study
from jax_acts.experiments.train.classification import DeviceData, classification
from jax_acts.experiments.train.loop import Params, Task


class Pair(Section):
    """An activation, and the same one with learned arguments."""

    fixed: Activation
    learned: Activation


class Config(base.DataStudyConfig):
    """MLPs with both activations of each pair."""

    pairs: Distinct[Pair]
    depth: base.Depth = 3
    width: base.Width = 64
    seeds: Seeds = 10

    QUICK: ClassVar = {"pairs": base.keep(1), "width": 8}

    @property
    def activations(self) -> tuple[str, ...]:
        """The distinct activations of all pairs."""
        names = [name for pair in self.pairs for name in (pair.fixed, pair.learned)]
        return tuple(dict.fromkeys(names))


def make_task(config: Config, num_classes: int, axes: Axes, data: DeviceData) -> Task:
    """Return the task of an activation."""
    model = MLP(axes["activation"], config.depth, config.width, num_classes)

    def learned(params: Params) -> dict[str, Array]:
        arguments = learned_arguments(params)
        return {f"learned_{name}": values for name, values in arguments.items()}

    return classification(model, data, config.training, extra_metrics=learned)


def learned_arguments(params: Params) -> dict[str, Array]:
    """Return the learned arguments of an MLP by layer, as means over the features.

    >>> learned_arguments(
    ...     {
    ...         "first": {"activation": {"beta": jnp.ones(())}},
    ...         "layers": {"activation": {"beta": jnp.zeros((2, 3))}},
    ...         "head": {},
    ...     }
    ... )
    {'beta': Array([1., 0., 0.], dtype=float32)}
    """
    arguments: dict[str, list[Array]] = {}
    for name, num_layers in (("first", 1), ("layers", None)):
        for argument, value in params.get(name, {}).get("activation", {}).items():
            by_layer = value.reshape(num_layers or len(value), -1)
            arguments.setdefault(argument, []).append(by_layer.mean(1))
    return {name: jnp.concatenate(values) for name, values in arguments.items()}


def summarize(config: Config) -> str:
    factors = base.pluralize(len(config.activations), "activation")
    data = base.data_title(config.data)
    return base.describe_setup(config, factors, common.describe_mlp(config), data)


def report(config: Config, records: Sequence[RunRecord]) -> Report:
    comparison = group_runs(records, base.activation_runs(config))
    pairs = [(pair.learned, pair.fixed) for pair in config.pairs]
    tests = common.compare_pairs(comparison, ACCURACY, pairs)
    learned = {name: _learned(comparison, name) for name in config.activations}
    column = Column(
        "learned",
        "learned arguments",
        meaning="by layer, means over features and seeds",
        essential=False,
    )
    return compare_report(
        STUDY.question,
        summarize(config),
        comparison,
        conclusion=common.conclude_pairs(tests, ACCURACY),
        table=common.table_with(comparison, ACCURACY, column, pd.Series(learned)),
        sections=paired_test_sections(tests, ACCURACY, "Learned against fixed"),
        notes=("Runs of equal seeds start from the same kernels.",),
        data=(base.summarize_data(config.data),),
    )


def _learned(comparison: Comparison, activation: str) -> str:
    """Return the learned arguments after training as text: "beta: 1.02, 0.97"."""
    own, texts = comparison.select(activation=activation), []
    for argument in jax_acts.get(activation).learned:
        values = at_end(own.curve(Metric(f"learned_{argument}", argument)), "last")
        means = values.groupby("layer")["value"].mean()
        texts.append(f"{argument}: {', '.join(number(v, 2) for v in means)}")
    return "; ".join(texts) or "–"


prepare = partial(base.prepare_classification, summarize, make_task)
STUDY = Study("learnable", __doc__ or "", Config, base.activation_runs, prepare, report)
