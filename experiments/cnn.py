"""Which activation trains a small convolutional network best?"""

from collections.abc import Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import jax
from pydantic import AfterValidator, Field

from experiments.cnn_records import Trained, trained
from experiments.cnn_report import page
from jax_acts.experiments.config.errors import ConfigError, Problem
from jax_acts.experiments.config.schema import (
    Activation,
    Data,
    Section,
    StudyConfig,
    Training,
)
from jax_acts.experiments.datasets.registry import described, load_images
from jax_acts.experiments.models import CNN
from jax_acts.experiments.report.model import Page
from jax_acts.experiments.runtime.checkpoint import Checkpoint, Keep
from jax_acts.experiments.study import Member, Prepared, Study, Tick
from jax_acts.experiments.train.epochs import on_device, programs, train

Channels = Annotated[int, Field(ge=1, le=4096)]


class Model(Section):
    """The network: a block for each entry of `channels`, and a linear head."""

    channels: tuple[Channels, ...] = Field(
        default=(8, 16, 32), min_length=1, max_length=8, strict=False
    )
    pool: Literal["average", "stride"] = "average"
    """How a block halves the image; both are linear, as max-pooling is not."""


def _distinct(activations: tuple[str, ...]) -> tuple[str, ...]:
    for n, activation in enumerate(activations):
        if activation in activations[:n]:
            raise ValueError(f"{activation} is there twice")
    return activations


class Config(StudyConfig):
    """Each of the activations, from seeds 0 to `seeds` - 1."""

    activations: Annotated[tuple[Activation, ...], AfterValidator(_distinct)] = Field(
        min_length=1, max_length=100, strict=False
    )
    seeds: int = Field(default=5, ge=1, le=1000)
    data: Data = Data()
    model: Model = Model()
    training: Training = Training()
    checkpoint: Checkpoint | None = None
    """For members that take long; without it a member that was cut begins again."""

    def shrunk(self) -> Self:
        """Returns two activations, narrow and not deep, on a few images."""
        few, narrow = 96, (4,) * len(self.model.channels[:2])
        data = {
            "train": min(self.data.train or few, few),
            "test": min(self.data.test or few, few),
        }
        training = {"epochs": min(self.training.epochs, 2), "batch_size": 16}
        return self.model_copy(
            update={
                "activations": self.activations[:2],
                "seeds": min(self.seeds, 2),
                "data": self.data.model_copy(update=data),
                "model": self.model.model_copy(update={"channels": narrow}),
                "training": self.training.model_copy(update=training),
            }
        )


def members(config: Config) -> tuple[Member, ...]:
    """Returns the members, those of an activation together: they share its programs.

    They are trained one after the other. On two CPU cores a step of one member took
    3.9 ms, and of five members under `vmap` 4.4 ms each: the products of a batch of
    kernels are slower there than those of one.
    """
    return tuple(
        Member((("activation", activation), ("seed", seed)))
        for activation in config.activations
        for seed in range(config.seeds)
    )


def prepare(config: Config) -> Prepared[Trained]:
    """Returns the study with its images in memory and nothing compiled."""
    images = load_images(config.data)
    height, width, _ = images.shape
    count, size = len(images.train.labels), config.training.batch_size
    faults = []
    if size > count:
        said = f"training.batch_size = {size}: there are {count} training images"
        faults.append(Problem("training.batch_size", said))
    most = min(height, width).bit_length() - 1
    if config.model.pool == "average" and len(config.model.channels) > most:
        said = (
            f"model.channels: {len(config.model.channels)} blocks halve an image of "
            f"{height} × {width} to nothing; at most {most} fit"
        )
        faults.append(Problem("model.channels", said))
    if faults:
        raise ConfigError(*faults)

    arrays = cache(lambda: on_device(images))

    @lru_cache(maxsize=1)  # members come by activation, and programs take memory
    def compiled(activation: str) -> Any:
        model = CNN(
            activation, config.model.channels, images.classes, config.model.pool
        )
        return programs(model, config.training, arrays())

    def member(member: Member, tick: Tick, folder: Path) -> Trained:
        axes = dict(member.axes)
        ready = compiled(str(axes["activation"]))
        key = jax.random.key(int(axes["seed"]))
        keep = Keep(folder, config.checkpoint.every) if config.checkpoint else None
        history = train(ready, config.training, arrays(), key, tick, keep)
        parameters = sum(x.size for x in jax.tree.leaves(history.params))
        return trained(member, history, parameters, ready.compile_seconds)

    return Prepared(setting(config), config.training.epochs, member)


def setting(config: Config) -> str:
    """Returns what is trained on what, in a sentence."""
    images = described(config.data)
    asked = (config.data.train, config.data.test)
    of = " and ".join(
        f"{n:,} {use} images"
        for n, use in zip(asked, ("training", "test"), strict=True)
        if n
    )
    training = config.training
    channels = ", ".join(map(str, config.model.channels))
    members = (
        f"{_count(len(config.activations), 'activation')} × "
        f"{_count(config.seeds, 'seed')}"
    )
    network = (
        f"{_count(len(config.model.channels), 'block')} of 3 × 3 convolution, "
        f"activation and {config.model.pool} pooling ({channels} channels)"
    )
    return (
        f"{members}: a network of {network}, trained on {images.title} "
        f"({images.content}{f'; {of}' if of else ''}) for "
        f"{_count(training.epochs, 'epoch')} of batches of {training.batch_size} with "
        f"{training.optimizer.kind}, learning rate "
        f"{training.optimizer.learning_rate:g}, {training.schedule} schedule."
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def report(config: Config, records: Sequence[Trained]) -> Page:
    """Returns the page of the study."""
    return page(
        __doc__ or "",
        setting(config),
        described(config.data).origin,
        config.activations,
        len(members(config)),
        records,
    )


STUDY = Study(__doc__ or "", Config, Trained, members, prepare, report)
