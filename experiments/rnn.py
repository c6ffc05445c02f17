"""Which activation lets a recurrent network remember?"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple, Self

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from pydantic import AfterValidator, Field

from jax_acts.experiments.config.schema import (
    Activation,
    Chunks,
    Data,
    Section,
    StudyConfig,
)
from jax_acts.experiments.datasets import adding_problem as adding
from jax_acts.experiments.datasets.registry import described, load_images
from jax_acts.experiments.models import RNN
from jax_acts.experiments.models.rnn import Cell as CellKind, Recurrent
from jax_acts.experiments.report.format import mean
from jax_acts.experiments.report.model import Cell, Chart, Column, Page
from jax_acts.experiments.report.tables import (
    ACCURACY,
    NOTES,
    Group,
    Metric,
    against,
    compared,
    dots,
    grouped,
    histories,
    last,
    line,
    measured,
    scored,
    table,
    unfinished,
    verdict,
)
from jax_acts.experiments.study import Member, Prepared, Study
from jax_acts.experiments.train.classification import (
    Classes,
    cross_entropy,
    on_device,
    outputs,
)
from jax_acts.experiments.train.loop import Fit, Params, Problem
from jax_acts.experiments.train.metrics import log10_norm
from jax_acts.experiments.train.trial import (
    Learned,
    Seeds,
    Steps,
    Trial,
    Value,
    distinct,
    grid,
    prepared,
)

ERROR = Metric("test error", last("error"), digits=4, least=True)
MOMENTS = 20
"""At so many moments of a sequence the gradient is measured."""


class Network(Section):
    """A recurrent network: its cell, its activation and how it starts."""

    activation: Activation
    cell: CellKind = "plain"
    recurrent: Recurrent = "orthogonal"
    gate: Activation = "sigmoid"

    @property
    def name(self) -> str:
        """What the network is called."""
        kind = "" if self.cell == "plain" else f" in {self.cell.upper()}"
        gate = f", gates {self.gate}" if kind and self.gate != "sigmoid" else ""
        start = ", from the identity" if self.recurrent == "identity" else ""
        return f"{self.activation}{kind}{gate}{start}"


class Config(StudyConfig):
    """Each network, on one task with a long memory."""

    networks: Annotated[
        tuple[Network, ...],
        AfterValidator(distinct),
        Field(min_length=1, max_length=50, strict=False),
    ]
    task: Literal["adding", "rows", "pixels"] = "adding"
    """The sum of two marked numbers; or images, row by row or pixel by pixel."""
    length: int = Field(default=50, ge=2, le=10_000)
    """The length of the sequences of the adding problem."""
    data: Data = Data(set="digits")
    """The images of the other tasks."""
    hidden: int = Field(default=64, ge=1, le=16_384)
    seeds: Seeds = 5
    training: Steps = Steps(batch_size=50, clip=1.0)
    chunks: Chunks = Chunks(members=1)
    """A member takes minutes, and is recorded as soon as it is finished."""

    def shrunk(self) -> Self:
        """Returns the first and the last network, narrow, on short sequences."""
        return self.model_copy(
            update={
                "networks": self.networks[:: len(self.networks) - 1 or 1],
                "length": 8,
                "data": self.data.model_copy(update={"train": 96, "test": 32}),
                "hidden": 8,
                "seeds": min(self.seeds, 2),
                "training": self.training.few(),
            }
        )

    @property
    def metric(self) -> Metric:
        """What networks are compared by."""
        return ERROR if self.task == "adding" else ACCURACY


class Sequences(NamedTuple):
    """How to draw sequences with their targets, and those that are tested on."""

    draw: Any
    x_test: Array
    y_test: Array


def members(config: Config) -> tuple[Member, ...]:
    """Returns the members, those of a network together."""
    names = [network.name for network in config.networks]
    return grid(network=names, seed=range(config.seeds))


def prepare(config: Config) -> Prepared[Learned]:
    """Returns the study with its data on the device and nothing compiled."""
    adds = config.task == "adding"
    images = None if adds else load_images(config.data)
    networks = {network.name: network for network in config.networks}
    data = (
        adding.draw(jax.random.key(2**31), 1000, config.length)
        if images is None
        else on_device(images)
    )

    def program(fixed: Mapping[str, Value]) -> Any:
        network = networks[str(fixed["network"])]
        wide = 1 if images is None else images.classes
        model = RNN(
            network.activation,
            config.hidden,
            wide,
            network.cell,
            network.recurrent,
            network.gate,
        )

        def loss(params: Params, batch: tuple[Array, Array]) -> Array:
            x, y = batch
            found = outputs(model, params, x)
            return (
                jnp.square(found[:, 0] - y).mean() if adds else cross_entropy(found, y)
            )

        def train(key: Array, numbers: Any, data: Any) -> Fit:
            seen = _sequences(config, data)
            test = seen.x_test, seen.y_test
            some = seen.x_test[:64], seen.y_test[:64]

            def measure(params: Params) -> dict[str, Array]:
                in_x = jax.grad(lambda x: loss(params, (x, some[1])))(some[0])
                moments = jnp.linspace(0, in_x.shape[1] - 1, MOMENTS).astype(int)
                norms = jax.vmap(log10_norm, 1)(in_x[:, moments])
                if adds:
                    return {"error": loss(params, test), "log10_gradient": norms}
                guesses = outputs(model, params, test[0]).argmax(-1)
                right = (guesses == test[1]).mean()
                return {"accuracy": right, "log10_gradient": norms}

            problem = Problem(
                lambda key: model.init(key, seen.x_test[:1])["params"],
                seen.draw,
                loss,
                measure,
            )
            return config.training.fit(problem, key)

        return train

    trial = Trial(setting(config), data, (), program)
    return prepared(trial, config.chunks)


def _sequences(config: Config, data: Any) -> Sequences:
    """Returns the task of the config, of data on the device."""
    size = config.training.batch_size
    if isinstance(data, adding.Sums):
        make = lambda key: adding.draw(key, size, config.length)
        return Sequences(make, data.sequences, data.sums)
    classes: Classes = data

    def sequence(images: Array) -> Array:
        scaled = classes.scaled(images)
        rows = len(images), images.shape[1], -1
        return scaled.reshape((len(images), -1, 1) if config.task == "pixels" else rows)

    def draw(key: Array) -> tuple[Array, Array]:
        places = jax.random.randint(key, (size,), 0, len(classes.labels))
        return sequence(classes.x[places]), classes.labels[places]

    return Sequences(draw, sequence(classes.x_test), classes.labels_test)


def setting(config: Config) -> str:
    """Returns what is trained on what, in a sentence."""
    task = {
        "adding": f"the adding problem over {config.length} steps",
        "rows": f"{described(config.data).title}, row by row",
        "pixels": f"{described(config.data).title}, pixel by pixel",
    }[config.task]
    return (
        f"{len(config.networks)} networks with a state of {config.hidden} from "
        f"{config.seeds} seeds, on {task}: {config.training.said}."
    )


def report(config: Config, records: Sequence[Learned]) -> Page:
    """Returns the page of the study."""
    names = [network.name for network in config.networks]
    groups = grouped(records, names, lambda r: str(r.axes["network"]))
    adds = config.task == "adding"
    what = "test error" if adds else "test accuracy"
    scale, measure = (1, "error") if adds else (100, "accuracy")
    values, steps = measured(measure, scale), config.training.steps
    label = "mean squared error" if adds else "% of test examples right"
    blind = _BLIND if adds else ()
    return Page(
        __doc__ or "",
        verdict(groups, config.metric, what),
        setting(config),
        "made as it is needed" if adds else described(config.data).origin,
        table("network", groups, config.metric, _COLUMNS),
        (
            dots(what.capitalize(), groups, config.metric),
            histories(f"{what.capitalize()} by step", groups, values, steps, label),
            _over_time("Gradient by moment, before training", groups, 0),
            _over_time("Gradient by moment, after training", groups, -1),
        ),
        tuple(names),
        (*unfinished(records, len(members(config))), *NOTES, *blind, *_NOTES),
        compared(groups, config.metric),
        scored(groups, config.metric),
    )


def _over_time(title: str, groups: Sequence[Group], part: int) -> Chart:
    lines = []
    for group in groups:
        if group.done:
            norms = [r.measures["log10_gradient"][part] for r in group.done]
            seeds = np.array(norms, float)
            x = np.linspace(0, 1, seeds.shape[1]).tolist()
            lines.append(line(group.color, x, seeds))
    note = "0 is the first input, 1 the last. An underflow to 0 is not drawn."
    return against(title, lines, "moment", "log10 of the norm", note)


def _ratios(part: int) -> Any:
    def of(record: Learned) -> float | None:
        norms = record.measures["log10_gradient"][part]
        first, *_, end = norms if isinstance(norms, list) else [None, None]
        return None if first is None or end is None else first - end

    def cell(group: Group) -> Cell:
        found = group.spread(of)
        return mean(found, 1) if found.n else Cell("–")

    return cell


_COLUMNS = (
    (
        Column(
            "gradient ratio, before", "log10 of |in the first input| / |in the last|"
        ),
        _ratios(0),
    ),
    (Column("gradient ratio, after", "the same after training"), _ratios(-1)),
)
_BLIND = (
    f"Who always answers 1 has an error of {adding.BLIND_ERROR:.4f}: below it a "
    "network has found at least one of the two numbers.",
)
_NOTES = (
    "The gradient is that of the loss of 64 test sequences in their inputs, at 20 "
    "moments from the first to the last.",
    "All networks use the same learning rate; it was not tuned for each of them.",
)

STUDY = Study(__doc__ or "", Config, Learned, members, prepare, report)
