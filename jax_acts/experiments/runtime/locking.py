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

import os
import platform
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
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
BEAT_SECONDS = 10.0
"""Interval between signs of life of a process."""
CHECK_SECONDS = 1.0
"""Interval between looks at the signs of life of the others."""
NOTICE_SECONDS = 30.0
"""Interval between messages of a process that waits for others."""
STALE_SECONDS = 300.0
"""Silence after which a process counts as stopped."""
_WORKER, _BEAT = ".lock-", ".beat-"


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
        if process == SINGLE_PROCESS:
            yield
        else:
            with _beat(directory / f"{_BEAT}{process.name}"):
                yield


@contextmanager
def _beat(path: Path) -> Iterator[None]:
    """Renew a file every `BEAT_SECONDS`, so that peers see that this process runs."""
    stop = threading.Event()

    def renew() -> None:
        count = 0
        while not stop.wait(BEAT_SECONDS if count else 0):
            count += 1
            with suppress(OSError):  # a full disk; the next renewal may succeed
                path.write_text(f"{platform.node()} {os.getpid()} {count}")

    thread = threading.Thread(target=renew, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        with suppress(OSError):
            path.unlink(missing_ok=True)


class _PeerWatch:
    """Messages about the processes that hold the remaining shares."""

    def __init__(
        self, directory: Path, process: Process, notify: Callable[[str], None]
    ) -> None:
        self.directory, self.process, self.notify = directory, process, notify
        self.began: float | None = None  # when this process has nothing to train
        self.checked = self.noticed = float("-inf")
        self.beats: dict[str, tuple[str, float]] = {}

    def check(self) -> None:
        """Report every `NOTICE_SECONDS` on whom this process waits for.

        Raises:
            RunError: A peer has been stopped for `STALE_SECONDS`.
        """
        now = time.monotonic()
        if now - self.checked < CHECK_SECONDS:
            return
        self.checked = now
        if self.began is None:
            self.began = self.noticed = now
        silent = [(self._silence(name, now), name) for name in self._peers()]
        for seconds, name in silent:
            if seconds > STALE_SECONDS:
                raise RunError(
                    f"{self._describe(name)} shows no sign of life for {seconds:.0f} s "
                    "and may hold trial batches: it is stopped or cut off; end it, "
                    "and the same command trains the rest"
                )
        if silent and now - self.noticed >= NOTICE_SECONDS:
            self.noticed = now
            peers = "; ".join(
                f"{self._describe(name)}, last sign of life {seconds:.0f} s ago"
                for seconds, name in silent
            )
            self.notify(
                f"waiting for other processes for {now - self.began:.0f} s: {peers}"
            )

    def _peers(self) -> list[str]:
        names = active_workers(self.directory)
        return [name for name in names if name != self.process.name]

    def _silence(self, name: str, now: float) -> float:
        """Return the seconds since the file of a peer changed, by the own clock."""
        try:
            beat = (self.directory / f"{_BEAT}{name}").read_text()
        except (OSError, UnicodeDecodeError):
            beat = ""
        if name not in self.beats or self.beats[name][0] != beat:
            self.beats[name] = beat, now
        return now - self.beats[name][1]

    def _describe(self, name: str) -> str:
        id, _, count = name.partition("-of-")
        host, _, rest = self.beats.get(name, ("", 0.0))[0].partition(" ")
        where = f" (pid {rest.partition(' ')[0]} on {host})" if host else ""
        return f"process {id} of {count}{where}"


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


def claim_shares(
    directory: Path, process: Process, notify: Callable[[str], None] = lambda _: None
) -> Generator[Process, None, None]:
    """Yield the process whose share this one may train: itself, then every other.

    Each share is yielded once, and held until the next one is requested or the
    generator is closed. While other processes hold all remaining shares, wait until one
    of them finishes or dies.

    Args:
        directory: The run directory.
        process: This process.
        notify: Takes a message while this process waits.

    Raises:
        RunError: A process that holds a share shows no sign of life.
    """
    watch = _PeerWatch(directory, process, notify)
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
            watch.check()
            time.sleep(RETRY_SECONDS)
