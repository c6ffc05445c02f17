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
from contextlib import suppress
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
    cluster that is started on this machine and stopped at the end.

    Raises:
        ConfigError: A trial batch does not fit.
        RunError: Ray is not installed, a worker cannot import the study or has other
            data, or a worker died more than `RETRIES` times.
    """
    ray = import_ray()
    import_study(study.import_path)
    if not batches:
        return
    # "local": otherwise Ray looks for a cluster that someone started on this machine.
    local = {"address": "local", "include_dashboard": False}
    local["_node_ip_address"] = "127.0.0.1"
    gpus = 0 if jax.default_backend() == "cpu" else 1
    task = ray.remote(num_cpus=1, num_gpus=gpus, max_retries=RETRIES)(_train)
    source = study.import_path, config.model_dump_json(), fingerprint
    try:
        address = {} if "RAY_ADDRESS" in os.environ else local
        with ray.init(log_to_driver=False, **address):
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
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, ConfigError | RunError):
            raise error.cause from None
        raise  # with the traceback of the worker: a fault of the study
    except ray.exceptions.RayError as error:
        reason = str(error).partition("\n")[0]
        raise RunError(f"Ray: {reason}; the records so far are saved") from error


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
