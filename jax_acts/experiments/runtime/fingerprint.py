"""Fingerprint of a run: hashes of its config, data and model, and JAX settings.

The records of a run directory are valid for one fingerprint, whose digest each of them
states. It is stored when the run starts and compared when the run resumes and when its
report is written.
"""

import hashlib
from pathlib import Path
from typing import Any, Self

import jax
from pydantic import BaseModel, ValidationError

from jax_acts.experiments.config.errors import RunError
from jax_acts.experiments.config.schema import StudyConfig
from jax_acts.experiments.runtime.files import write_atomic
from jax_acts.experiments.study import PreparedStudy

FINGERPRINT = "fingerprint.json"
FRESH = "run with --fresh to archive the old records and train again"


class Fingerprint(BaseModel, frozen=True, extra="forbid"):
    """What the records of a run depend on."""

    config: str
    """`StudyConfig.digest` of the resolved config."""
    data: str | None
    """Hash of the content of the data; None for a study without data."""
    model: str | None
    """Hash of the source of the model; None for a study without a model."""
    settings: str
    """`numeric_settings` of the process that started the run."""

    @classmethod
    def of(cls, config: StudyConfig, prepared: PreparedStudy) -> Self:
        """Return the fingerprint of a study that is ready to run."""
        return cls(
            config=config.digest(),
            data=prepared.data_hash,
            model=prepared.model_hash,
            settings=", ".join(f"{k}={v}" for k, v in numeric_settings().items()),
        )

    @property
    def digest(self) -> str:
        """The first 16 hex digits of the SHA-256 hash, which every record states."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]


NUMERIC_SETTINGS = ("enable_x64", "default_prng_impl", "threefry_partitionable")
"""Options of JAX that change random draws or dtypes, without the prefix `jax_`."""


def numeric_settings() -> dict[str, Any]:
    """Return the options of JAX that change the numbers of a run.

    >>> numeric_settings()["default_prng_impl"]
    'threefry2x32'
    """
    return {name: getattr(jax.config, f"jax_{name}") for name in NUMERIC_SETTINGS}


def save_fingerprint(directory: Path, fingerprint: Fingerprint) -> None:
    """Write the fingerprint of a run, whole or not at all."""
    write_atomic(directory / FINGERPRINT, fingerprint.model_dump_json(indent=2) + "\n")


def load_fingerprint(directory: Path) -> Fingerprint:
    """Return the fingerprint of a run.

    Raises:
        RunError: It is missing or damaged.
    """
    path = directory / FINGERPRINT
    try:
        return Fingerprint.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        reason = "missing" if isinstance(error, FileNotFoundError) else "damaged"
        raise RunError(
            f"{path}: expected the hashes of config, data and model of the records "
            f"beside it, got a {reason} file; {FRESH}"
        ) from None


def verify_fingerprint(
    directory: Path, current: Fingerprint, *, trains: bool = True
) -> None:
    """Check that the records of a run belong to the current config, data and model.

    Args:
        directory: The run directory.
        current: The fingerprint of this process.
        trains: Whether this process trains, so that its settings count as well.

    Raises:
        RunError: They do not; the message names what changed, with both hashes. Or the
            fingerprint is missing or damaged.
    """
    stored = load_fingerprint(directory)
    if not trains:
        current = current.model_copy(update={"settings": stored.settings})
    if difference := describe_changes(stored, current):
        out = "pass another --out, or " if stored.config != current.config else ""
        raise RunError(f"{directory}: {difference} since the run started; {out}{FRESH}")


def describe_changes(stored: Fingerprint, current: Fingerprint) -> str:
    """Return which hashes or settings differ, as text; "" where none does.

    >>> old = Fingerprint(config="12345678", data="aaaabbbb", model=None, settings="")
    >>> describe_changes(old, old.model_copy(update={"data": "ddddeeeeffff"}))
    'the data changed (expected aaaabbbb, got ddddeeee)'
    """
    shorten = lambda name, value: (
        "none" if value is None else value if name == "settings" else value[:8]
    )
    return " and ".join(
        f"the {name} changed (expected {shorten(name, old)}, got {shorten(name, new)})"
        for name, old in stored
        if (new := getattr(current, name)) != old
    )
