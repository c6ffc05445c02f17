"""Checkpoints of a trial batch that is being trained.

    runs/quickstart-1a2b3c4d/checkpoints/activation-relu-seed-0-5e6f7a8b/1200/

holds the state after 1,200 steps. Orbax writes it whole or not at all. It is removed
when the records of the trial batch are on the disk.
"""

import hashlib
import re
import shutil
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from jax_acts.experiments.runtime.array_hash import hash_arrays
from jax_acts.experiments.study import RunSpec

CHECKSUM = "sha256"
"""Key of the hash of the other arrays of a checkpoint."""


def checkpoint_directory(directory: Path, batch: Sequence[RunSpec]) -> Path:
    """Return the checkpoint directory of a trial batch.

    >>> run = RunSpec((("activation", "relu"), ("seed", 0)))
    >>> checkpoint_directory(Path("checkpoints"), [run]).as_posix()
    'checkpoints/activation-relu-seed-0-bf834541'
    """
    names = "\n".join(run.name for run in batch)
    readable = re.sub(r"[^A-Za-z0-9_.]+", "-", batch[0].name)[:100]
    return directory / f"{readable}-{hashlib.sha256(names.encode()).hexdigest()[:8]}"


class CheckpointWarning(UserWarning):
    """A checkpoint that is not saved or is dropped; training continues."""


def save(directory: Path, step: int, state: Any) -> None:
    """Save a dict of arrays with its checksum; it replaces the one before.

    A full disk causes a `CheckpointWarning`: the checkpoint before stays, and training
    continues.
    """
    digest = np.frombuffer(bytes.fromhex(hash_arrays(state)), np.uint8)
    try:
        with _manager(directory) as (manager, args):
            manager.save(step, args=args.StandardSave({**state, CHECKSUM: digest}))
    except Exception as error:  # Orbax and TensorStore raise many types
        _warn(f"{directory}: checkpoint not saved: {_first_line(error)}")


def latest(directory: Path) -> tuple[int, Any] | None:
    """Return the latest step and its dict; None where there is no checkpoint.

    A damaged checkpoint causes a `CheckpointWarning` and is removed: training starts
    again.
    """
    if not directory.exists():
        return None
    if not directory.is_dir():
        return drop(directory, "expected a folder")
    try:
        with _manager(directory) as (manager, args):
            step = manager.latest_step()
            if step is None:
                return None
            state = dict(manager.restore(step, args=args.StandardRestore()))
        digest = np.asarray(state.pop(CHECKSUM), np.uint8).tobytes().hex()
        if digest == hash_arrays(state):
            return step, state
        reason = "its checksum does not match"
    except Exception as error:  # Orbax and TensorStore raise many types
        reason = _first_line(error)
    return drop(directory, reason)


def drop(directory: Path, reason: str) -> None:
    """Remove a damaged checkpoint with a `CheckpointWarning`."""
    _warn(f"{directory}: dropped a damaged checkpoint: {reason}")
    remove(directory)


def _warn(message: str) -> None:
    warnings.warn(message, CheckpointWarning, stacklevel=3)


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".partition("\n")[0][:200]


def remove(directory: Path) -> None:
    """Remove the checkpoints of a trial batch, if there are any."""
    if directory.is_dir() and not directory.is_symlink():
        shutil.rmtree(directory, ignore_errors=True)
    else:
        directory.unlink(missing_ok=True)


@contextmanager
def _manager(directory: Path) -> Iterator[tuple[Any, Any]]:
    from orbax import checkpoint  # takes seconds, and short runs do not need it

    options = checkpoint.CheckpointManagerOptions(
        max_to_keep=1, enable_async_checkpointing=False
    )
    with checkpoint.CheckpointManager(directory.absolute(), options=options) as manager:
        yield manager, checkpoint.args
