"""Which activation suits my model and my data?

A template: copy this file and its config, change `model`, and name the copy in
`experiments/studies/__init__.py`. Data of your own need no change here: `data.set` may
be "pictures" or "idx" with `data.folder`, "npz" with `data.file`, or "hf:…" and
"tfds:…".
"""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import flax.linen as nn
from jax import Array

from jax_acts.experiments.config.schema import Chunks, Data, StudyConfig
from jax_acts.experiments.datasets.registry import described, load
from jax_acts.experiments.report.model import Page
from jax_acts.experiments.report.tables import (
    ACCURACY,
    NOTES,
    compared,
    dots,
    grouped,
    histories,
    measured,
    scored,
    table,
    unfinished,
    verdict,
)
from jax_acts.experiments.study import Member, Prepared, Study
from jax_acts.experiments.train.classification import Classes, classification, on_device
from jax_acts.experiments.train.loop import Fit
from jax_acts.experiments.train.trial import (
    Activations,
    Learned,
    Seeds,
    Steps,
    Trial,
    Value,
    grid,
    prepared,
)
from jax_acts.linen import Dense


def model(activation: str, classes: int) -> nn.Module:
    """Returns the network: inputs `(n, …)` become logits `(n, classes)`."""
    return nn.Sequential(
        [
            lambda x: x.reshape(len(x), -1),
            Dense(64, activation=activation),
            nn.LayerNorm(),
            Dense(64, activation=activation),
            nn.Dense(classes),
        ]
    )


class Config(StudyConfig):
    """The model with each activation."""

    activations: Activations
    data: Data = Data(set="digits")
    seeds: Seeds = 5
    training: Steps = Steps()
    chunks: Chunks = Chunks()

    def shrunk(self) -> Self:
        """Returns two activations, on a few examples, for a moment."""
        return self.model_copy(
            update={
                "activations": self.activations[:2],
                "data": self.data.model_copy(update={"train": 96, "test": 96}),
                "seeds": min(self.seeds, 2),
                "training": self.training.few(),
            }
        )


def members(config: Config) -> tuple[Member, ...]:
    """Returns the members: each is a training, at one place on each axis."""
    return grid(activation=config.activations, seed=range(config.seeds))


def prepare(config: Config) -> Prepared[Learned]:
    """Returns the study with its data on the device and nothing compiled."""
    found = load(config.data)

    def program(fixed: Mapping[str, Value]) -> Any:
        network = model(str(fixed["activation"]), found.classes)

        def train(key: Array, numbers: Mapping[str, Array], data: Classes) -> Fit:
            problem = classification(network, data, config.training.batch_size)
            return config.training.fit(problem, key)

        return train

    trial = Trial(setting(config), on_device(found), (), program)
    return prepared(trial, config.chunks)


def setting(config: Config) -> str:
    """Returns what is trained on what, in a sentence."""
    return (
        f"{len(config.activations)} activations × {config.seeds} seeds, on "
        f"{described(config.data).title}: {config.training.said}."
    )


def report(config: Config, records: Sequence[Learned]) -> Page:
    """Returns the page of the study, from the records alone."""
    names = config.activations
    groups = grouped(records, names, lambda r: str(r.axes["activation"]))
    accuracy, steps = measured("accuracy", 100), config.training.steps
    return Page(
        question,
        verdict(groups, ACCURACY, "test accuracy"),
        setting(config),
        described(config.data).origin,
        table("activation", groups, ACCURACY),
        (
            dots("Test accuracy", groups, ACCURACY),
            histories("Learning", groups, accuracy, steps, "% of test examples right"),
            histories(
                "Training loss", groups, lambda r: r.loss, steps, "loss", log=True
            ),
        ),
        names,
        (*unfinished(records, len(members(config))), *NOTES),
        compared(groups, ACCURACY),
        scored(groups, ACCURACY),
    )


question = (__doc__ or "").splitlines()[0]
STUDY = Study(question, Config, Learned, members, prepare, report)
