"""Sections of configs: typed, frozen, closed to unknown keys."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar

import jax
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    model_validator,
)

import jax_acts
from jax_acts._registry.parser import MAX_DEPTH, MAX_LENGTH

T = TypeVar("T")


class Section(BaseModel):
    """A table of a config: immutable and hashable."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False
    )


MAX_LEVELS = 2 * MAX_DEPTH
"""Nested tables and lists of the spec of an activation; a `Learn` of it is a table."""


def _canonical_activation(spec: Any) -> str:
    """Return the canonical spec of an activation: `swish` becomes `silu`.

    A table has the bounds of text, as its text is what the config, the records and the
    report state.
    """
    if type(spec) not in (str, dict):  # `get` takes functions too
        raise ValueError(f"expected the name of an activation, got {spec!r}")
    _check_size(spec)
    x = jax.ShapeDtypeStruct((2, 4), jax.numpy.float32)
    try:
        bound = jax_acts.get(spec)
        text = canonical_spec(bound)
        y = jax.eval_shape(bound, x)  # reports missing arguments
    except ValueError:
        raise
    except Exception as error:  # of the rule of the activation
        raise ValueError(str(error)) from error
    if y.shape != x.shape:
        raise ValueError(
            f"expected an activation that preserves the shape of its input, got {bound}"
        )
    return text


def canonical_spec(bound: jax_acts.Bound) -> str:
    """Return the text of an activation.

    Raises:
        ValueError: `jax_acts.get` does not return the activation from its text.
    """
    text = str(bound)
    if len(text) > MAX_LENGTH:
        raise ValueError(
            f"{bound.name}: expected an activation of at most {MAX_LENGTH} characters "
            f"as text, got {len(text)}"
        )
    again = jax_acts.get(text)
    if again.function != bound.function or str(again) != text:
        raise ValueError(
            f"expected a function of jax_acts, got another function named {text!r}"
        )
    return text


def _check_size(spec: Any) -> None:
    """Raise ValueError where tables are nested too deeply, or have too many entries."""
    pending, count = [(spec, 0)], 0
    while pending:
        value, level = pending.pop()
        if isinstance(value, dict | list | tuple):
            inner = value.values() if isinstance(value, dict) else value
            count += len(inner)
            if level == MAX_LEVELS or count > MAX_LENGTH:
                raise ValueError(
                    f"expected an activation of at most {MAX_LEVELS} nested tables and "
                    f"{MAX_LENGTH} entries, got more"
                )
            pending += [(one, level + 1) for one in inner]


def _resolve_path(path: Any, info: ValidationInfo) -> Any:
    """Resolve a path against the directory of the config file."""
    directory = (info.context or {}).get("directory")
    if directory is None or not isinstance(path, str | Path):
        return path
    resolved = Path(directory, Path(path).expanduser()).resolve()
    try:
        str(resolved).encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"expected a path in UTF-8: {error}") from None
    return resolved


def check_distinct(values: tuple[T, ...]) -> tuple[T, ...]:
    """Return the values; raise ValueError where one is repeated."""
    seen: set[T] = set()
    for value in values:
        if value in seen:
            raise ValueError(f"expected distinct values, got {value} twice")
        seen.add(value)
    return values


ConfigPath = Annotated[Path, BeforeValidator(_resolve_path), Field(strict=False)]
"""A path; a relative one is resolved against the directory of the config file."""

Activation = Annotated[str, BeforeValidator(_canonical_activation)]
"""An activation as `jax_acts.get` takes it: a name, or a name with arguments."""

Activations = Annotated[
    tuple[Activation, ...],
    AfterValidator(check_distinct),
    Field(min_length=1, max_length=100, strict=False),
]
Numbers = Annotated[
    tuple[float, ...],
    AfterValidator(check_distinct),
    Field(min_length=1, max_length=1000, strict=False),
]
Seeds = Annotated[int, Field(ge=1, le=1000)]


class DataConfig(Section):
    """The dataset and its size."""

    name: str = "mnist_5k"
    """The name of the dataset; `jax-acts experiments` lists them."""
    path: ConfigPath | None = None
    """The file (npz, csv) or folder (idx, image_folder) of the dataset."""
    image_size: int | None = Field(default=None, ge=1, le=1024)
    """Height and width (pixels) to which images are cropped and scaled."""
    num_train: int | None = Field(default=None, ge=1)
    """Number of training examples; all by default."""
    num_test: int | None = Field(default=None, ge=1)
    """Number of test examples; all by default."""
    label_column: str | None = None
    """The column of a CSV file to predict; the last one by default."""
    task: Literal["classification", "regression"] | None = None
    """What the labels are; by default their dtype decides."""

    @model_validator(mode="before")
    @classmethod
    def _infer_name(cls, section: Any) -> Any:
        """Take the name from the suffix of the path where it is not given."""
        if not isinstance(section, dict) or not section.get("path"):
            return section
        path = str(section["path"])
        is_table = path.endswith((".csv", ".csv.gz"))
        folder = "csv" if is_table else "image_folder"
        return {"name": "npz" if path.endswith(".npz") else folder} | section


class AdamConfig(Section):
    """Adam, with decoupled weight decay (AdamW) where it is not 0."""

    kind: Literal["adam"] = "adam"
    learning_rate: float = Field(default=1e-3, gt=0, le=10)
    b1: float = Field(default=0.9, ge=0, lt=1)
    b2: float = Field(default=0.999, ge=0, lt=1)
    weight_decay: float = Field(default=0.0, ge=0, le=1)


class SGDConfig(Section):
    """Stochastic gradient descent with momentum."""

    kind: Literal["sgd"] = "sgd"
    learning_rate: float = Field(default=1e-1, gt=0, le=10)
    momentum: float = Field(default=0.9, ge=0, lt=1)


def _default_to_adam(section: Any) -> Any:
    return {"kind": "adam"} | section if isinstance(section, dict) else section


class TrainingConfig(Section):
    """Length of the training, batches and optimizer."""

    steps: int | None = Field(default=None, ge=1, le=10_000_000)
    """Number of optimizer steps; 1000 where `epochs` is not given either."""
    epochs: int | None = Field(default=None, ge=1, le=10_000)
    """Number of passes over the training examples, instead of `steps`."""
    num_evals: int | None = Field(default=None, ge=1, le=10_000)
    """Evaluations at equal distances after the one before training; it divides
    `steps` or `epochs`. Default: each epoch, or 10 at most."""
    batch_size: int = Field(default=100, ge=1, le=65_536)
    schedule: Literal["constant", "cosine"] = "cosine"
    """A constant learning rate, or decay to 0 along half a cosine."""
    clip_norm: float | None = Field(default=None, gt=0)
    """Maximum global norm of a gradient."""
    optimizer: Annotated[
        Annotated[AdamConfig | SGDConfig, Field(discriminator="kind")],
        BeforeValidator(_default_to_adam),
    ] = AdamConfig()

    @model_validator(mode="before")
    @classmethod
    def _fill_length(cls, section: Any) -> Any:
        """Fill in `steps` and `num_evals`, so that a resolved config states both."""
        if not isinstance(section, dict):
            return section
        given = {k: v for k, v in section.items() if v is not None}
        if "epochs" not in given:
            given = {"steps": 1000} | given
        match given:
            case {"epochs": int(epochs)} if epochs > 0:
                num_evals = epochs
            case {"steps": int(steps)}:
                num_evals = next(n for n in range(10, 0, -1) if steps % n == 0)
            case _:
                num_evals = 10
        return {"num_evals": num_evals} | given

    @model_validator(mode="after")
    def _check_length(self) -> Self:
        if self.steps and self.epochs:
            raise ValueError("expected steps or epochs, got both")
        unit = "steps" if self.steps else "epochs"
        length = self.steps or self.epochs or 0
        if length % (self.num_evals or 1):
            raise ValueError(
                f"expected num_evals to divide {unit}, "
                f"got num_evals = {self.num_evals} and {unit} = {length}"
            )
        return self

    def num_steps(self, num_train: int) -> int:
        """Return the number of optimizer steps on `num_train` examples."""
        if self.epochs:
            return self.epochs * (num_train // self.batch_size)
        return self.steps or 0

    def shorten(
        self, steps: int = 20, num_evals: int = 2, batch_size: int = 16
    ) -> Self:
        """Return the training of a quick version: `steps`, or at most two epochs."""
        length = {"steps": steps, "num_evals": num_evals}
        if self.epochs:
            epochs = min(self.epochs, 2)
            length = {"epochs": epochs, "num_evals": epochs}
        return self.model_copy(update={"batch_size": batch_size, **length})

    def describe(self) -> str:
        """Return the section as text: "1,000 steps of 100 examples with adam, …"."""
        length = f"{self.steps:,} steps" if self.steps else f"{self.epochs:,} epochs"
        text = (
            f"{length} of {self.batch_size} examples with {self.optimizer.kind}, "
            f"learning rate {self.optimizer.learning_rate:g}, {self.schedule} schedule"
        )
        if self.clip_norm:
            text += f", gradient norm clipped at {self.clip_norm:g}"
        return text


class TrialBatch(Section):
    """How runs that differ only in numeric hyperparameters are batched."""

    size: int = Field(default=8, ge=1, le=65_536)
    """Runs per trial batch, over all devices; an interruption costs one trial batch."""
    vmap_width: int = Field(default=1, ge=1, le=65_536)
    """Runs per `vmap`. It changes the rounding; larger values suit a GPU."""

    @model_validator(mode="after")
    def _check_width(self) -> Self:
        if self.size % self.vmap_width:
            raise ValueError(
                f"expected vmap_width to divide size, got vmap_width = "
                f"{self.vmap_width} and size = {self.size}"
            )
        return self


class StudyConfig(Section):
    """Fields of the config of every study."""

    study: str
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=100)
    """The name of the run; the name of the file by default."""
    quick: Literal[True] | None = None
    """Whether it is the quick version of another config; its report then says so."""

    QUICK: ClassVar[Mapping[str, Any]] = {}
    """Overrides of the quick version, besides those of the base classes: dotted key ->
    value, or function of the value.

    >>> StudyConfig.QUICK  # e.g. {"seeds": lambda n: min(n, 2), "data.num_train": 96}
    {}
    """

    def to_quick(self) -> Self:
        """Return the same experiment at a size that runs in seconds."""
        config = self.model_copy(update={"quick": True})
        overrides: dict[str, Any] = {}
        for cls in reversed(type(self).__mro__):
            overrides |= vars(cls).get("QUICK", {})
        for key, value in overrides.items():
            config = _replace(config, key.split("."), value)
        return config

    def digest(self) -> str:
        """Return eight hex digits of the SHA-256 hash of the config."""
        content = self.model_dump(mode="json", exclude_none=True)
        text = json.dumps(content, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:8]


class TextConfig(Section):
    """The text of a language model."""

    name: str = "python_topics"
    """The name of the text, or "file"."""
    path: ConfigPath | None = None
    """The file of the text "file", plain or gzipped."""


S = TypeVar("S", bound=Section)


def _replace(section: S, path: list[str], value: Any) -> S:
    """Return the section with another value at a path of keys."""
    name, *rest = path
    old = getattr(section, name)
    if rest:
        value = _replace(old, rest, value)
    elif callable(value):
        value = value(old)
    return section.model_copy(update={name: value})
