"""Trial batches on the machines of a Ray cluster, or on the cores of this machine.

A worker imports the study by its path, gets the config and the axes of its runs, and
prepares the rest itself, so the records are those of a run without Ray. All machines
need this package, its dependencies, and the data and model that the config names; a
worker whose data or model differ from the driver's refuses to train. Only the driver
writes.
"""

import importlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import Any

import jax

from jax_acts.experiments.config.errors import ConfigError, RunError
from jax_acts.experiments.config.schema import StudyConfig
from jax_acts.experiments.records import RunRecord
from jax_acts.experiments.runtime import devices
from jax_acts.experiments.runtime.fingerprint import Fingerprint, describe_changes
from jax_acts.experiments.runtime.interrupt import CheckInterrupt
from jax_acts.experiments.runtime.progress import ProgressReporter
from jax_acts.experiments.study import BatchedTrainer, ProgressCallback, RunSpec, Study

RETRIES = 3
"""Times that a trial batch is restarted after its worker or its machine died."""
CONNECTIONS = 3
"""Connections without a finished trial batch, after which a run ends."""
POLL_SECONDS = 1.0
Batch = tuple[RunSpec, ...]


def import_ray() -> Any:
    """Return the module `ray`.

    Raises:
        RunError: It is not installed.
    """
    try:
        return importlib.import_module("ray")
    except ImportError:
        raise RunError(
            "--executor ray: expected Ray to be installed: pip install 'jax-acts[ray]'"
        ) from None


def import_study(path: str) -> Study[Any]:
    """Return the study at an import path "module:ATTRIBUTE".

    Raises:
        RunError: There is none.
    """
    module, _, attribute = path.partition(":")
    try:
        study = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise RunError(
            f"{path}: expected the import path of a study: {error}"
        ) from None
    if not isinstance(study, Study):
        raise RunError(f"{path}: expected a Study, got {type(study).__name__}")
    return study


def train_batches(
    study: Study[Any],
    config: StudyConfig,
    fingerprint: Fingerprint,
    batches: Sequence[Batch],
    reporter: ProgressReporter,
    check_interrupt: CheckInterrupt,
) -> Iterator[tuple[Batch, Sequence[RunRecord]]]:
    """Yield the records of each trial batch, in the order in which they finish.

    They are trained on the cluster of `RAY_ADDRESS`; without that variable, on a
    cluster that is started on this machine and stopped at the end. Where the connection
    or the cluster is lost, the missing trial batches are trained on a new one.

    Raises:
        ConfigError: A trial batch does not fit.
        RunError: Ray is not installed, a worker cannot import the study or has other
            data, or `CONNECTIONS` connections in succession are lost.
    """
    ray = import_ray()
    import_study(study.import_path)
    source = study.import_path, config.model_dump_json(), fingerprint
    missing = list(batches)
    connections = 0
    while missing:
        connections += 1
        begin = len(missing)
        try:
            with _connect(ray):
                for batch, records in _train_on_cluster(
                    ray, source, missing.copy(), reporter, check_interrupt
                ):
                    missing.remove(batch)
                    yield batch, records
        except ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, ConfigError | RunError):
                raise error.cause from None
            raise  # with the traceback of the worker: a fault of the study
        except (ray.exceptions.RayError, ConnectionError) as error:
            reason = f"{error}".partition("\n")[0] or type(error).__name__
            if len(missing) < begin:
                connections = 1  # it made progress
            if connections == CONNECTIONS:
                raise RunError(
                    f"Ray: {reason}; the records so far are saved"
                ) from error
            text = f"connects again for {len(missing)} trial batches"
            reporter.notify(f"Ray: {reason}; {text}")


@contextmanager
def _connect(ray: Any) -> Iterator[None]:
    """Connect to the cluster of `RAY_ADDRESS`, else to one that is started here.

    All processes of the latter end with the block.
    """
    is_own = "RAY_ADDRESS" not in os.environ
    # "local": otherwise Ray looks for a cluster that someone started on this machine.
    local = {"address": "local", "include_dashboard": False}
    local["_node_ip_address"] = "127.0.0.1"
    node = None
    try:
        with ray.init(log_to_driver=False, **(local if is_own else {})):
            node = ray._private.worker._global_node if is_own else None
            yield
    finally:
        ray.shutdown()
        if node is not None:  # `shutdown` leaves the others when one of them has died
            with suppress(Exception):
                node.kill_all_processes(check_alive=False, allow_graceful=False)


def _train_on_cluster(
    ray: Any,
    source: tuple[str, str, Fingerprint],
    batches: Sequence[Batch],
    reporter: ProgressReporter,
    check_interrupt: CheckInterrupt,
) -> Iterator[tuple[Batch, Sequence[RunRecord]]]:
    """Yield the records of each trial batch from one connection."""
    gpus = 0 if jax.default_backend() == "cpu" else 1
    task = ray.remote(num_cpus=1, num_gpus=gpus, max_retries=RETRIES)(_train)
    board = ray.remote(num_cpus=0)(_ProgressBoard).remote()
    pending = {
        task.remote(*source, batch, index, board): batch
        for index, batch in enumerate(batches)
    }
    callbacks: dict[int, ProgressCallback] = {}
    while pending:
        ready, _ = ray.wait([*pending], timeout=POLL_SECONDS)
        latest = {}
        with suppress(ray.exceptions.RayError):  # records do not need the board
            latest = ray.get(board.take.remote(), timeout=POLL_SECONDS)
        for index, progress in latest.items():
            if batches[index] in pending.values():
                if index not in callbacks:
                    callbacks[index] = reporter.start(batches[index])
                callbacks[index](*progress)
        check_interrupt()
        for result in ready:
            yield pending.pop(result), ray.get(result)


class _ProgressBoard:
    """Ray actor that workers report to, without waiting for it."""

    def __init__(self) -> None:
        self.latest: dict[int, tuple[int, int, float | None]] = {}

    def update(self, index: int, *progress: Any) -> None:
        self.latest[index] = progress

    def take(self) -> dict[int, tuple[int, int, float | None]]:
        latest, self.latest = self.latest, {}
        return latest


def _train(
    path: str,
    config: str,
    fingerprint: Fingerprint,
    batch: Batch,
    index: int,
    board: Any,
) -> Sequence[RunRecord]:
    """Train a trial batch in a worker."""
    trainer = _prepare_trainer(path, config, fingerprint)
    report = lambda *progress: board.update.remote(index, *progress)
    return trainer.train(batch, report, None)


@lru_cache(maxsize=1)  # the worker reuses data and programs for its next trial batch
def _prepare_trainer(
    path: str, config: str, fingerprint: Fingerprint
) -> BatchedTrainer:
    devices.configure_cpu_devices(1)  # a task has one core; another worker has the next
    study = import_study(path)
    typed = study.config.model_validate_json(config)
    prepared = study.prepare(typed)
    if difference := describe_changes(fingerprint, Fingerprint.of(typed, prepared)):
        raise RunError(f"Ray worker: {difference} from those of the driver")
    return prepared.trainer
