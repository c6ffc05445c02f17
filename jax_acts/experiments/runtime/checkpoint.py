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

from jax_acts.experiments.study import RunSpec


def checkpoint_directory(directory: Path, batch: Sequence[RunSpec]) -> Path:
    """Return the checkpoint directory of a trial batch.

    >>> run = RunSpec((("activation", "relu"), ("seed", 0)))
    >>> checkpoint_directory(Path("checkpoints"), [run]).as_posix()
    'checkpoints/activation-relu-seed-0-bf834541'
    """
    names = "\n".join(run.name for run in batch)
    readable = re.sub(r"[^A-Za-z0-9_.]+", "-", batch[0].name)[:100]
    return directory / f"{readable}-{hashlib.sha256(names.encode()).hexdigest()[:8]}"


def save(directory: Path, step: int, state: Any) -> None:
    """Save a tree of dicts and arrays; it replaces the one before.

    A full disk causes a warning: the checkpoint before stays, and training continues.
    """
    try:
        with _manager(directory) as (manager, args):
            manager.save(step, args=args.StandardSave(state))
    except (OSError, ValueError) as error:  # ValueError is raised by TensorStore
        warnings.warn(f"{directory}: checkpoint not saved: {error}", stacklevel=2)


def latest(directory: Path) -> tuple[int, Any] | None:
    """Return the latest step and its tree; None where there is no checkpoint.

    A damaged checkpoint causes a warning and is removed: training starts again.
    """
    if not directory.is_dir():
        return None
    try:
        with _manager(directory) as (manager, args):
            step = manager.latest_step()
            if step is None:
                return None
            return step, manager.restore(step, args=args.StandardRestore())
    except (OSError, ValueError) as error:
        warnings.warn(f"{directory}: damaged checkpoint: {error}", stacklevel=2)
    remove(directory)
    return None


def remove(directory: Path) -> None:
    """Remove the checkpoints of a trial batch, if there are any."""
    shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def _manager(directory: Path) -> Iterator[tuple[Any, Any]]:
    from orbax import checkpoint  # takes seconds, and short runs do not need it

    options = checkpoint.CheckpointManagerOptions(
        max_to_keep=1, enable_async_checkpointing=False
    )
    with checkpoint.CheckpointManager(directory.absolute(), options=options) as manager:
        yield manager, checkpoint.args
