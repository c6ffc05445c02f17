"""Chunks on the machines of a Ray cluster, or on the cores of this one.

A worker gets the config and the axes of its members, and makes the rest itself: so the
records are those of a run without Ray. All machines need this package, its
dependencies, and what the config reads. The driver alone writes.
"""

import importlib
import os
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import jax

from jax_acts.experiments.config.errors import ConfigError, RunError
from jax_acts.experiments.config.schema import StudyConfig
from jax_acts.experiments.runtime import devices
from jax_acts.experiments.study import Member, Record, Together

RETRIES = 3
"""So often a chunk is begun again whose worker, or its machine, is gone."""


def imported() -> Any:
    """Returns the module of Ray.

    Raises:
        RunError: It is not installed.
    """
    try:
        return importlib.import_module("ray")
    except ImportError:
        raise RunError("there is no Ray: pip install 'jax-acts[ray]'") from None


def trained(
    config: StudyConfig, chunks: Sequence[tuple[Member, ...]]
) -> Iterator[Sequence[Any]]:
    """Yields the records of each chunk, whichever is finished first.

    They are trained on the cluster that `RAY_ADDRESS` names; where it names none, on
    one that is started on this machine, and ended with the run.

    Raises:
        ConfigError: A chunk does not fit.
        RunError: Ray is not installed, or a worker died again and again.
    """
    ray = imported()
    # "local", as else it would look for a cluster that someone began on this machine.
    alone = {
        "address": "local",
        "include_dashboard": False,
        "_node_ip_address": "127.0.0.1",
    }
    gpus = 0 if jax.default_backend() == "cpu" else 1
    task = ray.remote(num_cpus=1, num_gpus=gpus, max_retries=RETRIES)(_train)
    given = config.study, config.model_dump_json()
    try:
        place = {} if "RAY_ADDRESS" in os.environ else alone
        with ray.init(log_to_driver=False, **place):
            waiting = [task.remote(*given, chunk) for chunk in chunks]
            while waiting:
                (ready, *_), waiting = ray.wait(waiting)
                yield ray.get(ready)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, ConfigError):
            raise error.cause from None
        raise  # with the trace of the worker: a fault of the study, not of the cluster
    except ray.exceptions.RayError as error:
        said = str(error).partition("\n")[0]
        raise RunError(f"Ray: {said}; what was recorded before is kept") from error


def _train(study: str, config: str, chunk: Sequence[Member]) -> Sequence[Record]:
    return _together(study, config).train(chunk)


@lru_cache(maxsize=1)  # a worker keeps its data and its program for the next chunk
def _together(study: str, config: str) -> Together[Any]:
    from experiments.catalogue import STUDIES  # a worker knows them by their names

    devices.begin(1)  # a task has one core, and the worker beside it the next
    found = STUDIES[study]
    together = found.prepare(found.config.model_validate_json(config)).together
    assert together is not None
    return together
