"""Which slope of a leaky relu, which β of Swish and which α of ELU train best?"""

from collections.abc import Mapping, Sequence, Set
from typing import Annotated, Any, Self

import numpy as np
from jax import Array
from pydantic import AfterValidator, Field, model_validator

import jax_acts
from jax_acts import Bound
from jax_acts.experiments.config.schema import (
    Activation,
    Chunks,
    Data,
    Section,
    StudyConfig,
)
from jax_acts.experiments.datasets.registry import described, load
from jax_acts.experiments.models import MLP
from jax_acts.experiments.report.contrasts import behind_best
from jax_acts.experiments.report.format import interval, listed
from jax_acts.experiments.report.model import Page
from jax_acts.experiments.report.tables import (
    ACCURACY,
    NO_ANSWER,
    NOTES,
    Group,
    against,
    compared,
    grouped,
    line,
    ranked,
    scored,
    table,
    unfinished,
)
from jax_acts.experiments.study import Member, Prepared, Study
from jax_acts.experiments.train.classification import Classes, classification, on_device
from jax_acts.experiments.train.loop import Fit
from jax_acts.experiments.train.trial import (
    Learned,
    Numbers,
    Seeds,
    Steps,
    Trial,
    Value,
    distinct,
    grids,
    prepared,
)


def at(activation: str, argument: str, value: float | Array) -> Bound:
    """Returns the activation with an argument at a value, which may be traced."""
    arguments: dict[str, Any] = {argument: value}
    return jax_acts.get(activation, **arguments)


class Sweep(Section):
    """An argument of an activation, and its values."""

    activation: Activation
    argument: str
    values: Numbers

    @model_validator(mode="after")
    def _the_argument_is_one(self) -> Self:
        if self.argument in jax_acts.get(self.activation).arguments:
            said = f"{self.activation} has a fixed {self.argument}"
            raise ValueError(f"{said}, which the sweep would change: leave it out")
        try:
            for value in self.values:
                at(self.activation, self.argument, value)
        except (TypeError, ValueError) as error:
            raise ValueError(str(error)) from error
        return self

    def name(self, value: float) -> str:
        """Returns the activation at a value of its argument."""
        return f"{self.activation}, {self.argument} {value:g}"


class Config(StudyConfig):
    """A perceptron with each activation, at each value of its argument."""

    sweeps: Annotated[
        tuple[Sweep, ...],
        AfterValidator(distinct),
        Field(min_length=1, max_length=50, strict=False),
    ]
    data: Data = Data(set="mnist_1d")
    depth: int = Field(default=2, ge=1, le=1000)
    width: int = Field(default=100, ge=1, le=65_536)
    seeds: Seeds = 5
    training: Steps = Steps()
    chunks: Chunks = Chunks()

    def shrunk(self) -> Self:
        """Returns two values of the first argument, narrow, on a few examples."""
        sweep = self.sweeps[0]
        return self.model_copy(
            update={
                "sweeps": (sweep.model_copy(update={"values": sweep.values[:2]}),),
                "data": self.data.model_copy(update={"train": 96, "test": 96}),
                "width": 8,
                "seeds": min(self.seeds, 2),
                "training": self.training.few(),
            }
        )


def members(config: Config) -> tuple[Member, ...]:
    """Returns the members, those of an activation together: they share its program."""
    return grids(
        *(
            {
                "activation": [sweep.activation],
                "argument": [sweep.argument],
                "value": sweep.values,
                "seed": range(config.seeds),
            }
            for sweep in config.sweeps
        )
    )


def prepare(config: Config) -> Prepared[Learned]:
    """Returns the study with its data on the device and nothing compiled."""
    images = load(config.data)

    def program(fixed: Mapping[str, Value]) -> Any:
        def train(key: Array, numbers: Mapping[str, Array], data: Classes) -> Fit:
            name, argument = str(fixed["activation"]), str(fixed["argument"])
            activation = at(name, argument, numbers["value"])
            model = MLP(activation, config.depth, config.width, images.classes)
            problem = classification(model, data, config.training.batch_size)
            return config.training.fit(problem, key)

        return train

    trial = Trial(setting(config), on_device(images), ("value",), program)
    return prepared(trial, config.chunks)


def setting(config: Config) -> str:
    """Returns what is trained on what, in a sentence."""
    places = sum(len(sweep.values) for sweep in config.sweeps)
    return (
        f"{places} values of {len(config.sweeps)} arguments, each from {config.seeds} "
        f"seeds: a perceptron of {config.depth} hidden layers of {config.width}, "
        f"trained on {described(config.data).title} for {config.training.said}."
    )


def report(config: Config, records: Sequence[Learned]) -> Page:
    """Returns the page of the study."""
    titles = [f"{sweep.activation}, {sweep.argument}" for sweep in config.sweeps]
    charts, all_groups, by_sweep = [], [], []
    for color, (sweep, title) in enumerate(zip(config.sweeps, titles, strict=True)):
        own = [
            r
            for r in records
            if (r.axes["activation"], r.axes["argument"])
            == (sweep.activation, sweep.argument)
        ]
        groups = grouped(
            own,
            [sweep.name(value) for value in sweep.values],
            lambda r, sweep=sweep: sweep.name(float(r.axes["value"])),
            lambda name, color=color: color,
        )
        all_groups += groups
        by_sweep.append(groups)
        charts.append(_chart(title, groups))
    families = [[group.name for group in groups] for groups in by_sweep]
    told = behind_best(scored(all_groups, ACCURACY), families)
    apart = {contrast.second for contrast in told if contrast.difference.shows()}
    answers = [
        _answer(sweep, groups, apart)
        for sweep, groups in zip(config.sweeps, by_sweep, strict=True)
    ]
    return Page(
        __doc__ or "",
        " ".join(filter(None, answers)) or NO_ANSWER,
        setting(config),
        described(config.data).origin,
        table("activation", all_groups, ACCURACY, families=families),
        tuple(charts),
        tuple(titles),
        (*unfinished(records, len(members(config))), *NOTES, *_NOTES),
        compared(all_groups, ACCURACY, families),
        scored(all_groups, ACCURACY),
    )


def _chart(title: str, groups: Sequence[Group]) -> Any:
    known = [g for g in groups if g.done]
    fewest = min((len(g.done) for g in known), default=0)
    x = [float(g.done[0].axes["value"]) for g in known]
    seeds = np.array([g.each(ACCURACY.of)[:fewest] for g in known]).T
    lines = [line(known[0].color, x, seeds)] if known else []
    axis = title.rpartition(" ")[2]
    return against(f"Test accuracy by {title}", lines, axis, "% of test examples right")


def _answer(sweep: Sweep, groups: Sequence[Group], apart: Set[str]) -> str:
    """Returns the best value, and which others these seeds do not tell from it.

    Args:
        sweep: What was swept.
        groups: Its groups.
        apart: The names of those that are measurably behind.
    """
    scores = scored(groups, ACCURACY)
    by_name = {group.name: group for group in groups}
    known = [by_name[name] for name in ranked(scores, scores.of)]
    if len(known) < 2 or len(known[0].done) < 2:
        return ""
    best, *others = known
    value = lambda group: float(group.done[0].axes["value"])
    close = sorted(value(g) for g in others if g.name not in apart)
    found = best.spread(ACCURACY.of)
    said = (
        f"{sweep.activation} does best at {sweep.argument} = {value(best):g}, with "
        f"{found.mean:.1f} % of {found.n} seeds right on the mean "
        f"({interval(found, 1)})"
    )
    if not close:
        return f"{said}; all other values are measurably behind."
    values = listed([f"{v:g}" for v in close], "or")
    return f"{said}; these seeds do not tell {values} from it."


_NOTES = (
    "The values of an argument are one axis of numbers: all members of an activation "
    "share one compiled program.",
    "Behind the best: of the same activation.",
)

STUDY = Study(__doc__ or "", Config, Learned, members, prepare, report)
