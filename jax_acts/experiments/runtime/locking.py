"""Several processes that train one run, in one directory; none needs another.

    process 0 of 2    units 0, 2, 4, …    records.jsonl
    process 1 of 2    units 1, 3, 5, …    records-1.jsonl

A unit is a chunk, or a member that is trained alone. A process trains its own share of
them and then every share that nobody holds: so as long as one of them lives, the run
comes to its end, with the same numbers. They speak through locks and records alone, so
the directory is on a file system with locks that other machines see, as NFS 4 has.

They are not joined by `jax.distributed`, as what is joined ends together. With jax 0.10
a process aborts when another is gone: at once where that was the coordinator, which
`jax_enable_recoverability` does not change, and else, without that option, within
`heartbeat_timeout_seconds`. None begins before all are there. And units exchange
nothing, so nothing would be gained.
"""

import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, TypeVar

from filelock import FileLock, Timeout

from jax_acts.experiments.config.errors import ConfigError, Problem, RunError

T = TypeVar("T")

LAUNCHERS = (
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
    ("SLURM_PROCID", "SLURM_NTASKS"),
)
"""The variables by which launchers say which process this is, and of how many.

Under Slurm, Open MPI starts its daemons as tasks of Slurm: so its own are asked first.
"""

PAUSE = 0.2  # seconds until a share that another process holds is tried again
OPENING = 60  # seconds that a process may take to read what is recorded


class Process(NamedTuple):
    """One of the processes that train a run."""

    id: int = 0
    of: int = 1

    def share(self, units: Sequence[T]) -> Sequence[T]:
        """Returns every unit that is this process's to train first.

        >>> Process(1, 3).share("abcdefgh")
        'beh'
        """
        return units[self.id :: self.of]

    @property
    def name(self) -> str:
        """The name as files have it."""
        return f"{self.id}-of-{self.of}"


ALONE = Process()


def told(id: int | None, count: int | None, environment: Mapping[str, str]) -> Process:
    """Returns which process this is, by what is given, else by what a launcher says.

    Raises:
        ConfigError: Neither says it, or there is no such process.

    >>> told(None, None, {"SLURM_PROCID": "2", "SLURM_NTASKS": "4"})
    Process(id=2, of=4)
    """
    if id is None and count is None:
        for names in LAUNCHERS:
            if all(environment.get(name, "").isdigit() for name in names):
                id, count = (int(environment[name]) for name in names)
                break
    if id is None or count is None:
        known = " or ".join(" and ".join(names) for names in LAUNCHERS)
        said = "--executor distributed needs --process-id and --num-processes"
        raise ConfigError(Problem("", f"{said}, or {known} in the environment"))
    if not 0 <= id < count:
        said = f"there is no process {id} of {count}: they are 0 to {count - 1}"
        raise ConfigError(Problem("", said))
    return Process(id, count)


@contextmanager
def opening(folder: Path) -> Iterator[None]:
    """Lets one process at a time begin, or look at who has begun.

    Raises:
        RunError: Others are at it for too long.
    """
    try:
        with FileLock(folder / ".lock", timeout=OPENING):
            yield
    except Timeout:
        said = f"{folder}: others have been beginning for {OPENING} s"
        raise RunError(f"{said}; try again") from None


@contextmanager
def living(folder: Path, process: Process) -> Iterator[None]:
    """Makes this the one process of its id, and keeps out those of other counts.

    It is entered in `opening`. The locks are the operating system's: a killed process
    leaves none behind.

    Raises:
        RunError: Another process has the id, or works on the run as one of another
            number of processes.
    """
    own = folder / f".lock-{process.name}"
    for path in sorted(folder.glob(".lock-*")):
        others = not path.name.endswith(f"-of-{process.of}")
        if (others or path == own) and _held(path):
            name = path.name.removeprefix(".lock-")
            which = f" as process {name.replace('-', ' ')}" * (name != ALONE.name)
            said = f"{folder}: another process is working on this run{which}"
            raise RunError(said)
    with FileLock(own, timeout=0):
        yield


def _held(path: Path) -> bool:
    try:
        with FileLock(path, timeout=0):
            return False
    except Timeout:
        return True


def shares(folder: Path, process: Process) -> Generator[Process, None, None]:
    """Yields whose share this process may train, its own first, while others may not.

    Each is yielded once; the last one is held until the next is asked for, or until the
    generator is closed. Where others hold all that are left, it waits until one
    is done, or its process gone.
    """
    id, of = process
    left = [Process((id + n) % of, of) for n in range(of)]
    while left:
        for owner in left:
            lock = FileLock(folder / f".share-{owner.name}", timeout=0)
            try:
                with lock:
                    yield owner
            except Timeout:
                continue
            left.remove(owner)
            break
        else:
            time.sleep(PAUSE)
