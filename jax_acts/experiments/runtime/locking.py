"""Locks by which several processes train one run in one directory.

    process 0 of 2    trial batches 0, 2, 4, …    records.jsonl
    process 1 of 2    trial batches 1, 3, 5, …    records-1.jsonl

A process trains the trial batches of its own share, then every share that no other
process holds. As long as one process is alive, the run finishes, with the same numbers.
Processes communicate only through locks and records, so the directory must be on a file
system whose locks other machines see, such as NFS 4.

`jax.distributed` is not used, because it ties the processes together. With jax 0.10 a
process aborts when another is gone: at once if that was the coordinator
(`jax_enable_recoverability` does not change this), otherwise, without that option,
within `heartbeat_timeout_seconds`; and no process starts before all are present. Trial
batches exchange no data, so it would gain nothing.
"""

import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, TypeVar

from filelock import FileLock, Timeout

from jax_acts.experiments.config.errors import ConfigError, ConfigIssue, RunError

T = TypeVar("T")

LAUNCHERS = (
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
    ("SLURM_PROCID", "SLURM_NTASKS"),
)
"""Environment variables of launchers: the process id and the number of processes.

Under Slurm, Open MPI starts its daemons as Slurm tasks, so its own variables go first.
"""

RETRY_SECONDS = 0.2
"""Interval between attempts to take a share that another process holds."""
STARTUP_SECONDS = 60
"""Maximum time to wait while other processes start in the same directory."""
_WORKER = ".lock-"


class Process(NamedTuple):
    """One of the processes that train a run."""

    id: int = 0
    num_processes: int = 1

    def share(self, batches: Sequence[T]) -> Sequence[T]:
        """Return the trial batches that this process trains first.

        >>> Process(1, 3).share("abcdefgh")
        'beh'
        """
        return batches[self.id :: self.num_processes]

    @property
    def name(self) -> str:
        """The name in file names."""
        return f"{self.id}-of-{self.num_processes}"


SINGLE_PROCESS = Process()


def detect_rank(
    process_id: int | None, num_processes: int | None, environ: Mapping[str, str]
) -> Process:
    """Return this process, from the arguments or else from the launcher's variables.

    Raises:
        ConfigError: Neither gives it, or the id is out of range.

    >>> detect_rank(None, None, {"SLURM_PROCID": "2", "SLURM_NTASKS": "4"})
    Process(id=2, num_processes=4)
    """
    if process_id is None and num_processes is None:
        for names in LAUNCHERS:
            if all(environ.get(name, "").isdigit() for name in names):
                process_id, num_processes = (int(environ[name]) for name in names)
                break
    if process_id is None or num_processes is None:
        variables = " or ".join(" and ".join(names) for names in LAUNCHERS)
        message = (
            "--executor distributed: expected --process-id and --num-processes, or "
            f"{variables} in the environment"
        )
    elif 0 <= process_id < num_processes:
        return Process(process_id, num_processes)
    else:
        message = (
            f"--process-id: expected 0 to {num_processes - 1} for --num-processes "
            f"{num_processes}, got {process_id}"
        )
    raise ConfigError(ConfigIssue("", message))


@contextmanager
def startup_lock(directory: Path) -> Iterator[None]:
    """Let one process at a time open a run directory.

    Raises:
        RunError: Other processes hold it for longer than `STARTUP_SECONDS`.
    """
    try:
        with FileLock(directory / ".lock", timeout=STARTUP_SECONDS):
            yield
    except Timeout:
        raise RunError(
            f"{directory}: another process has been starting for {STARTUP_SECONDS} s; "
            "try again later"
        ) from None


@contextmanager
def hold_worker_lock(directory: Path, process: Process) -> Iterator[None]:
    """Hold the lock of a process id; refuse a second holder, and other counts.

    Enter it within `startup_lock`. The locks belong to the operating system, so a
    killed process leaves none behind.

    Raises:
        RunError: Another process has this id, or the run is being trained by another
            number of processes.
    """
    for name in active_workers(directory):
        id, _, count = name.partition("-of-")
        if name == process.name or count != str(process.num_processes):
            worker = f" as process {id} of {count}" if count != "1" else ""
            raise RunError(f"{directory}: another process is training this run{worker}")
    with FileLock(directory / f"{_WORKER}{process.name}", timeout=0):
        yield


def active_workers(directory: Path) -> list[str]:
    """Return the names of the processes that are training a run."""
    names = []
    for path in sorted(directory.glob(f"{_WORKER}*")):
        try:
            with FileLock(path, timeout=0):
                pass
        except Timeout:
            names.append(path.name.removeprefix(_WORKER))
    return names


def claim_shares(directory: Path, process: Process) -> Generator[Process, None, None]:
    """Yield the process whose share this one may train: itself, then every other.

    Each share is yielded once, and held until the next one is requested or the
    generator is closed. While other processes hold all remaining shares, wait until one
    of them finishes or dies.
    """
    id, count = process
    remaining = [Process((id + n) % count, count) for n in range(count)]
    while remaining:
        for owner in remaining:
            try:
                with FileLock(directory / f".share-{owner.name}", timeout=0):
                    yield owner
            except Timeout:
                continue
            remaining.remove(owner)
            break
        else:
            time.sleep(RETRY_SECONDS)
