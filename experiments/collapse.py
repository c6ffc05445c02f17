"""What is a deep network without a non-linearity?"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Self

import jax.numpy as jnp
from jax import Array
from pydantic import AfterValidator, Field

from jax_acts.experiments.config.schema import Chunks, Data, StudyConfig
from jax_acts.experiments.datasets.registry import described, load
from jax_acts.experiments.models import MLP
from jax_acts.experiments.models.mlp import collapsed
from jax_acts.experiments.report.format import interval
from jax_acts.experiments.report.model import Cell, Column, Page
from jax_acts.experiments.report.tables import (
    ACCURACY,
    NO_ANSWER,
    NOTES,
    Group,
    compared,
    dots,
    grouped,
    histories,
    last,
    measured,
    scored,
    table,
    unfinished,
)
from jax_acts.experiments.study import Member, Prepared, Study
from jax_acts.experiments.train.classification import (
    Classes,
    classification,
    on_device,
    outputs,
)
from jax_acts.experiments.train.loop import Fit, Params
from jax_acts.experiments.train.trial import (
    Activations,
    Learned,
    Seeds,
    Steps,
    Trial,
    Value,
    distinct,
    grid,
    prepared,
)

LINEAR = "no hidden layer"
"""The control: a linear model, trained as the networks are."""


class Config(StudyConfig):
    """A perceptron with each activation, and a linear model, on each of the sets."""

    activations: Activations
    sets: Annotated[
        tuple[Data, ...],
        AfterValidator(distinct),
        Field(min_length=1, max_length=10, strict=False),
    ] = (Data(set="mnist_5k"), Data(set="mnist_1d"))
    depth: int = Field(default=4, ge=1, le=1000)
    width: int = Field(default=100, ge=1, le=65_536)
    seeds: Seeds = 5
    training: Steps = Steps()
    chunks: Chunks = Chunks()

    def shrunk(self) -> Self:
        """Returns two activations, narrow, on a few examples."""
        few = lambda data: data.model_copy(update={"train": 96, "test": 96})
        return self.model_copy(
            update={
                "activations": self.activations[:2],
                "sets": tuple(map(few, self.sets[:1])),
                "width": 8,
                "seeds": min(self.seeds, 2),
                "training": self.training.few(),
            }
        )


def members(config: Config) -> tuple[Member, ...]:
    """Returns the members, those of a network on a set together."""
    return grid(
        set=[data.set for data in config.sets],
        network=[LINEAR, *config.activations],
        seed=range(config.seeds),
    )


def distance(params: Params, outputs: Array, x: Array) -> Array:
    """Returns max |outputs - (x W + b)| / max |outputs|.

    W and b are the products of the layers, as if no activation stood between them.
    """
    matrix, bias = collapsed(params)
    flat = x.reshape(len(x), -1)
    one = jnp.matmul(flat, matrix, precision="highest") + bias
    return jnp.abs(outputs - one).max() / jnp.abs(outputs).max()


def prepare(config: Config) -> Prepared[Learned]:
    """Returns the study with its data on the device and nothing compiled."""
    images = {data.set: load(data) for data in config.sets}

    def program(fixed: Mapping[str, Value]) -> Any:
        name, network = str(fixed["set"]), fixed["network"]
        depth = 0 if network == LINEAR else config.depth
        activation = "identity" if network == LINEAR else network
        model = MLP(activation, depth, config.width, images[name].classes, "gain")

        def also(params: Params, data: Classes) -> dict[str, Array]:
            x = data.scaled(data.x_test)
            return {"distance": distance(params, outputs(model, params, x), x)}

        def train(key: Array, numbers: Any, data: Mapping[str, Classes]) -> Fit:
            size = config.training.batch_size
            problem = classification(model, data[name], size, also=also)
            return config.training.fit(problem, key)

        return train

    arrays = {name: on_device(found) for name, found in images.items()}
    trial = Trial(setting(config), arrays, (), program)
    return prepared(trial, config.chunks)


def setting(config: Config) -> str:
    """Returns what is trained on what, in a sentence."""
    sets = " and ".join(described(data).title for data in config.sets)
    return (
        f"{len(config.activations)} perceptrons of {config.depth} hidden layers of "
        f"{config.width}, and a linear model, from {config.seeds} seeds, trained on "
        f"{sets} for {config.training.said}; kernels start with the gain of the "
        "activation."
    )


def report(config: Config, records: Sequence[Learned]) -> Page:
    """Returns the page of the study."""
    networks = [LINEAR, *config.activations]
    titles = {data.set: described(data).title for data in config.sets}
    charts, all_groups, families = [], [], []
    by_set = {}
    for name, title in titles.items():
        own = [r for r in records if r.axes["set"] == name]
        groups = grouped(own, networks, lambda r: str(r.axes["network"]))
        by_set[title] = {g.name: g for g in groups}
        charts.append(dots(f"Test accuracy, {title}", groups, ACCURACY))
        accuracy = measured("accuracy", 100)
        steps, label = config.training.steps, "% of test examples right"
        charts.append(histories(f"Learning {title}", groups, accuracy, steps, label))
        renamed = [g._replace(name=f"{g.name}, {title}") for g in groups]
        all_groups += renamed
        families.append([group.name for group in renamed])
    return Page(
        __doc__ or "",
        answer(by_set),
        setting(config),
        "; ".join(described(data).origin for data in config.sets),
        table("network", all_groups, ACCURACY, [_DISTANCE], families=families),
        tuple(charts),
        tuple(networks),
        (*unfinished(records, len(members(config))), *NOTES, *_NOTES),
        compared(all_groups, ACCURACY, families),
        scored(all_groups, ACCURACY),
    )


def answer(by_set: Mapping[str, Mapping[str, Group]]) -> str:
    """Returns what the records say of the linear networks and of the best others."""
    found = []
    for title, groups in by_set.items():
        identity, linear = groups.get("identity"), groups.get(LINEAR)
        others = [g for n, g in groups.items() if n not in ("identity", LINEAR)]
        if not (identity and linear and identity.done and linear.done):
            continue
        deep, flat = (g.spread(ACCURACY.of) for g in (identity, linear))
        said = (
            f"on {title} it classifies {deep.mean:.1f} % ({interval(deep, 1)}) and a "
            f"linear model {flat.mean:.1f} % ({interval(flat, 1)})"
        )
        if any(g.done for g in others):
            best = max(
                (g for g in others if g.done), key=lambda g: g.spread(ACCURACY.of).mean
            )
            most = best.spread(ACCURACY.of)
            said += f", {best.name} {most.mean:.1f} % ({interval(most, 1)})"
        found.append((said, max(identity.each(last("distance")))))
    if not found:
        return NO_ANSWER
    error = max(distance for _, distance in found)
    return (
        "It is one matrix: after training its outputs differ from x W + b, with W the "
        f"product of its kernels, by at most {error:.1e} of the largest; "
        f"{'; '.join(said for said, _ in found)}."
    )


def _distances(group: Group) -> Cell:
    found = group.each(last("distance"))
    if not found:
        return Cell("–")
    return Cell(f"{max(found):.1e}", max(found))


_DISTANCE = (
    Column(
        "distance from one matrix",
        "the largest |output − (x W + b)| over the largest |output|, over all seeds",
    ),
    _distances,
)
_NOTES = (
    "Behind the best: on the same data.",
    "Distance from one matrix: W and b are the products of the layers in float32, as "
    "if there were no activation. Rounding alone makes some 1e-6 of it.",
    "There is no pooling and no normalisation: max-pooling is a non-linearity, and "
    "would hide the collapse.",
)

STUDY = Study(__doc__ or "", Config, Learned, members, prepare, report)
