"""When do units die, and which activations keep them alive?"""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from jax import Array
from pydantic import Field

from jax_acts.experiments.config.schema import SGD, Chunks, Data, StudyConfig
from jax_acts.experiments.datasets.registry import described, load
from jax_acts.experiments.models import MLP
from jax_acts.experiments.report.charts import Curve
from jax_acts.experiments.report.format import listed, mean
from jax_acts.experiments.report.model import Cell, Chart, Column, Page
from jax_acts.experiments.report.tables import (
    ACCURACY,
    NO_ANSWER,
    NOTES,
    Group,
    Of,
    against,
    compared,
    grouped,
    line,
    scored,
    table,
    unfinished,
)
from jax_acts.experiments.study import Member, Prepared, Study
from jax_acts.experiments.train.classification import (
    Classes,
    classification,
    layers,
    on_device,
)
from jax_acts.experiments.train.loop import Fit, Params
from jax_acts.experiments.train.trial import (
    Activations,
    Learned,
    Numbers,
    Seeds,
    Steps,
    Trial,
    Value,
    grid,
    prepared,
)


class Config(StudyConfig):
    """A perceptron with each activation, learning rate and start of its biases."""

    activations: Activations
    learning_rates: Numbers = (0.01, 0.1, 0.3)
    biases: Numbers = (0.0, -1.0, -3.0)
    """What the biases of the hidden layers start from."""
    data: Data = Data(set="digits")
    depth: int = Field(default=2, ge=1, le=1000)
    width: int = Field(default=128, ge=1, le=65_536)
    seeds: Seeds = 5
    training: Steps = Steps(optimizer=SGD())
    chunks: Chunks = Chunks()

    def shrunk(self) -> Self:
        """Returns two activations at one place, narrow, on a few examples."""
        return self.model_copy(
            update={
                "activations": self.activations[:2],
                "learning_rates": self.learning_rates[:1],
                "biases": self.biases[-1:],
                "data": self.data.model_copy(update={"train": 96, "test": 96}),
                "width": 8,
                "seeds": min(self.seeds, 2),
                "training": self.training.few(),
            }
        )


def members(config: Config) -> tuple[Member, ...]:
    """Returns the members, those of an activation together: they share its program."""
    return grid(
        activation=config.activations,
        learning_rate=config.learning_rates,
        bias=config.biases,
        seed=range(config.seeds),
    )


def prepare(config: Config) -> Prepared[Learned]:
    """Returns the study with its data on the device and nothing compiled."""
    images = load(config.data)

    def program(fixed: Mapping[str, Value]) -> Any:
        def train(key: Array, numbers: Mapping[str, Array], data: Classes) -> Fit:
            model = MLP(
                fixed["activation"],
                config.depth,
                config.width,
                images.classes,
                "gain",
                numbers["bias"],
            )

            def also(params: Params, data: Classes) -> dict[str, Array]:
                return {"dead": layers(model, params, data)["dead"]}

            size = config.training.batch_size
            problem = classification(model, data, size, also=also)
            return config.training.fit(problem, key, numbers["learning_rate"])

        return train

    numeric = ("learning_rate", "bias")
    trial = Trial(setting(config), on_device(images), numeric, program)
    return prepared(trial, config.chunks)


def setting(config: Config) -> str:
    """Returns what is trained on what, in a sentence."""
    rates = ", ".join(f"{rate:g}" for rate in config.learning_rates)
    biases = ", ".join(f"{bias:g}" for bias in config.biases)
    return (
        f"{len(config.activations)} activations × learning rates {rates} × hidden "
        f"biases that start from {biases} × {config.seeds} seeds: perceptrons of "
        f"{config.depth} hidden layers of {config.width} on "
        f"{described(config.data).title}, {config.training.steps:,} steps of "
        f"{config.training.batch_size} examples with {config.training.optimizer.kind}."
    )


def dead(part: int) -> Of:
    """Returns what reads the share of dead units of all layers, in percent."""

    def of(record: Learned) -> float:
        return 100 * float(np.mean(np.array(record.measures["dead"][part], float)))

    return of


def report(config: Config, records: Sequence[Learned]) -> Page:
    """Returns the page of the study."""
    color = {name: n for n, name in enumerate(config.activations)}
    names, series = [], {}
    for bias in config.biases:
        for rate in config.learning_rates:
            for activation in config.activations:
                names.append(_called(activation, rate, bias))
                series[names[-1]] = color[activation]
    groups = grouped(
        records,
        names,
        lambda r: _called(
            str(r.axes["activation"]),
            float(r.axes["learning_rate"]),
            float(r.axes["bias"]),
        ),
        lambda name: series[name],
    )
    width = len(config.activations)
    families = [names[n : n + width] for n in range(0, len(names), width)]
    charts = []
    for bias in config.biases:
        own = [g for g in groups if g.done and g.done[0].axes["bias"] == bias]
        charts += [
            _chart(f"Dead units after training, biases from {bias:g}", own, dead(-1)),
            _chart(f"Accuracy, biases from {bias:g}", own, ACCURACY.of),
        ]
    return Page(
        __doc__ or "",
        answer(config, groups),
        setting(config),
        described(config.data).origin,
        table("network", groups, ACCURACY, _COLUMNS, families=families),
        tuple(charts),
        tuple(config.activations),
        (*unfinished(records, len(members(config))), *NOTES, *_NOTES),
        compared(groups, ACCURACY, families),
        scored(groups, ACCURACY),
    )


def _called(activation: str, rate: float, bias: float) -> str:
    return f"{activation}, rate {rate:g}, bias {bias:g}"


def _chart(title: str, groups: Sequence[Group], of: Of) -> Chart:
    lines: list[Curve] = []
    for color in sorted({g.color for g in groups}):
        own = [g for g in groups if g.color == color]
        fewest = min(len(g.done) for g in own)
        rates = [float(g.done[0].axes["learning_rate"]) for g in own]
        seeds = np.array([g.each(of)[:fewest] for g in own]).T
        lines.append(line(color, np.log10(rates).tolist(), seeds))
    return against(title, lines, "log10 of the learning rate", "%")


def answer(config: Config, groups: Sequence[Group]) -> str:
    """Returns where most units die, and what each activation keeps there."""
    done = [g for g in groups if g.done]
    if not done:
        return NO_ANSWER
    worst = max(done, key=lambda g: g.spread(dead(-1)).mean)
    axes = worst.done[0].axes
    place = ("learning_rate", "bias")
    same = [g for g in done if all(g.done[0].axes[a] == axes[a] for a in place)]
    said = [
        f"{g.done[0].axes['activation']} {g.spread(dead(-1)).mean:.0f} % dead and "
        f"{g.spread(ACCURACY.of).mean:.0f} % right"
        for g in same
    ]
    calm = min(
        (g for g in done if g.done[0].axes["activation"] == axes["activation"]),
        key=lambda g: g.spread(dead(-1)).mean,
    )
    return (
        f"Most units die with {worst.name}, {worst.spread(dead(-1)).mean:.0f} % of "
        f"them, and fewest of that activation with {calm.name.partition(', ')[2]}, "
        f"{calm.spread(dead(-1)).mean:.0f} %. At the same rate and bias there are "
        f"{listed(said)}."
    )


def _dead(part: int) -> Any:
    def cell(group: Group) -> Cell:
        return mean(group.spread(dead(part)), 1)

    return cell


_COLUMNS = (
    (Column("dead before, %", "share of all hidden units, before training"), _dead(0)),
    (Column("dead after, %", "the same after training"), _dead(-1)),
)
_NOTES = (
    "Behind the best: of the same learning rate and bias.",
    "A unit is dead if the derivative of its activation is exactly 0 on all test "
    "examples: then no gradient reaches its weights. So an elu or a gelu that is flat "
    "far below 0 counts as dead only where its derivative underflows.",
    "Members that diverged are left out of the means.",
)

STUDY = Study(__doc__ or "", Config, Learned, members, prepare, report)
