"""Where a training of many epochs goes on within a member, if its run was cut.

    runs/quickstart-1a2b3c4d/checkpoints/activation-relu-seed-0-5e6f7a8b/12/

That is the state after 12 epochs. Orbax writes it whole or not at all, and it is gone
when the record of its member is on the disk.
"""

import hashlib
import re
import shutil
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import Field

from jax_acts.experiments.config.schema import Section


class Checkpoint(Section):
    """How often the state of a training is kept."""

    every: int = Field(ge=1, le=10_000)
    """The epochs from one checkpoint to the next."""


class Keep(NamedTuple):
    """Where the state of one member is kept, and after how many epochs."""

    folder: Path
    every: int


def folder_of(run: Path, member: str) -> Path:
    """Returns the directory for the checkpoints of a member.

    >>> folder_of(Path("runs/a"), "activation relu, seed 0").as_posix()
    'runs/a/checkpoints/activation-relu-seed-0-bf834541'
    """
    plain = re.sub(r"[^A-Za-z0-9_.]+", "-", member)[:100]
    digest = hashlib.sha256(member.encode()).hexdigest()[:8]
    return run / "checkpoints" / f"{plain}-{digest}"


def save(folder: Path, epoch: int, state: Any) -> None:
    """Keeps a tree of dicts and arrays in place of the one before."""
    args = _orbax().args
    with _manager(folder) as manager:
        manager.save(epoch, args=args.StandardSave(state))


def latest(folder: Path) -> tuple[int, Any] | None:
    """Returns the newest epoch with its tree; None where there is no checkpoint."""
    if not folder.is_dir():
        return None
    args = _orbax().args
    with _manager(folder) as manager:
        epoch = manager.latest_step()
        if epoch is None:
            return None
        return epoch, manager.restore(epoch, args=args.StandardRestore())


def forget(folder: Path) -> None:
    """Removes the checkpoints of a member, if it has some."""
    shutil.rmtree(folder, ignore_errors=True)


def _manager(folder: Path) -> Any:
    orbax = _orbax()
    options = orbax.CheckpointManagerOptions(
        max_to_keep=1, enable_async_checkpointing=False
    )
    return orbax.CheckpointManager(folder.absolute(), options=options)


def _orbax() -> Any:
    import orbax.checkpoint  # here, as it takes seconds and few runs need it

    return orbax.checkpoint
