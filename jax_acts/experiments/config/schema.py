"""The sections that configs are made of, typed, frozen and closed to unknown keys."""

import hashlib
import json
from abc import abstractmethod
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import jax
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

import jax_acts


class Section(BaseModel):
    """A table of a config: equal sections are equal, hash alike and never change."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False
    )


def _canonical(spec: Any) -> str:
    """Returns the one spelling of an activation, so that `swish` is `silu`."""
    if type(spec) not in (str, dict):  # `get` takes functions too
        raise ValueError(f"an activation is a name, not {spec!r}")
    x = jax.ShapeDtypeStruct((2, 4), jax.numpy.float32)
    try:
        bound = jax_acts.get(spec)
        y = jax.eval_shape(bound, x)  # which finds arguments that are missing
    except TypeError as error:
        raise ValueError(str(error)) from error
    if y.shape != x.shape:
        raise ValueError(f"{bound} does not keep the shape of its input")
    return str(bound)


Activation = Annotated[str, BeforeValidator(_canonical)]
"""An activation as `jax_acts.get` takes it: a name, or a name with arguments."""


class Data(Section):
    """Which images to train and test on."""

    set: str = "mnist_5k"
    """The name of the data set, as `python -m experiments list` shows them."""
    folder: Path | None = Field(default=None, strict=False)
    """The folder with pictures or IDX files, for the sets that are read from one."""
    side: int | None = Field(default=None, ge=1)
    """To how many pixels each side of a picture is cut and scaled."""
    file: Path | None = Field(default=None, strict=False)
    """The .npz file, for the set that is read from one."""
    train: int | None = Field(default=None, ge=1)
    """How many training images to use; all, if left out."""
    test: int | None = Field(default=None, ge=1)
    """How many test images to use; all, if left out."""


class Adam(Section):
    """Adam, with decoupled weight decay (AdamW) where it is not 0."""

    kind: Literal["adam"] = "adam"
    learning_rate: float = Field(default=1e-3, gt=0, le=10)
    b1: float = Field(default=0.9, ge=0, lt=1)
    b2: float = Field(default=0.999, ge=0, lt=1)
    weight_decay: float = Field(default=0.0, ge=0, le=1)


class SGD(Section):
    """Stochastic gradient descent with momentum."""

    kind: Literal["sgd"] = "sgd"
    learning_rate: float = Field(default=1e-1, gt=0, le=10)
    momentum: float = Field(default=0.9, ge=0, lt=1)


def of_adam(section: Any) -> Any:
    """Returns the section, of Adam where it does not say of which kind it is."""
    return {"kind": "adam"} | section if isinstance(section, dict) else section


class Training(Section):
    """How to train."""

    epochs: int = Field(default=5, ge=1, le=10_000)
    batch_size: int = Field(default=50, ge=1, le=65_536)
    schedule: Literal["constant", "cosine"] = "cosine"
    """The learning rate stays, or falls to 0 along half a cosine."""
    optimizer: Annotated[
        Annotated[Adam | SGD, Field(discriminator="kind")], BeforeValidator(of_adam)
    ] = Adam()


class Chunks(Section):
    """How members that differ in numbers alone are trained together."""

    members: int = Field(default=8, ge=1, le=65_536)
    """The members of a chunk, over all devices; a fault costs no more than a chunk."""
    vmapped: int = Field(default=1, ge=1, le=65_536)
    """How many of them are one `vmap`. It changes the rounding; more suit a GPU."""

    @model_validator(mode="after")
    def _slices_are_equal(self) -> Self:
        if self.members % self.vmapped:
            raise ValueError(
                f"slices of {self.vmapped} do not divide a chunk of {self.members}"
            )
        return self


class StudyConfig(Section):
    """What the config of every study has."""

    study: str
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=100)
    """The name of the run; the name of the file, if left out."""
    is_quick: Literal[True] | None = None
    """Whether it is the quick form of another config, as its report then says."""

    def quick(self) -> Self:
        """Returns the same experiment, so small that a test can run it."""
        return self.shrunk().model_copy(update={"is_quick": True})

    @abstractmethod
    def shrunk(self) -> Self:
        """Returns the config with few members, small, that train for a moment."""

    def digest(self) -> str:
        """Returns eight hex digits that tell this config from others."""
        of_quick = set() if self.is_quick else {"is_quick"}
        content = self.model_dump(mode="json", exclude=of_quick)
        fields = json.dumps(content, sort_keys=True)
        return hashlib.sha256(fields.encode()).hexdigest()[:8]
