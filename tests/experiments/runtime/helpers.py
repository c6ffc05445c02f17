"""Runs of small studies in this process and in others."""

import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from rich.console import Console

from jax_acts.experiments.runtime.run_directory import read_records
from jax_acts.experiments.runtime.runner import run_study
from tests.experiments.runtime import count_study

ROOT = Path(__file__).parents[3]
PATIENCE = 240
"""Seconds; a machine may be busy."""

Process = subprocess.Popen[bytes]
STARTED: list[Process] = []


def run(
    directory: Path,
    module: ModuleType = count_study,
    prepared: Any = None,
    output: io.StringIO | None = None,
    options: dict[str, Any] | None = None,
    **keys: Any,
) -> str:
    """Runs a study and returns what it prints; `keys` are those of its config."""
    output = io.StringIO() if output is None else output
    config = module.Config(**keys)
    prepared = prepared or module.prepare(config)
    console = Console(file=output, width=200)
    run_study(module.STUDY, config, prepared, directory, console, **options or {})
    return output.getvalue()


def start(
    directory: Path,
    module: ModuleType,
    options: dict[str, Any] | None = None,
    devices: int | None = 1,
    **keys: Any,
) -> Process:
    """Start a run in a process, with a number of devices, or one per core."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": path}
    environment.pop("JAX_NUM_CPU_DEVICES", None)
    if devices is not None:
        environment["JAX_NUM_CPU_DEVICES"] = str(devices)
    study = f"{module.__name__}:STUDY"
    config = module.Config(**keys).model_dump_json()
    arguments = study, str(directory), config, json.dumps(options or {})
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.experiments.runtime.driver", *arguments],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=environment,
    )
    STARTED.append(process)
    return process


def end_started() -> None:
    """Kill the processes that a test, perhaps a failed one, left running."""
    while STARTED:
        with STARTED.pop() as process:
            process.kill()


def wait_until(ready: Callable[[], bool], process: Process) -> None:
    """Waits for something that a running process does."""
    end = time.monotonic() + PATIENCE
    while not ready():
        assert process.poll() is None, process.communicate()[1].decode()
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.005)


def finish(process: Process) -> str:
    """Waits for the end of a process that succeeds, and returns what it printed."""
    _, output = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, output.decode()
    return output.decode()


def count_lines(path: Path) -> int:
    """Return the number of lines of a file, 0 where there is none."""
    return path.read_bytes().count(b"\n") if path.exists() else 0


def metrics(directory: Path) -> dict[str, str]:
    """Return the records of a run by name, without session and times."""
    timed = {"session", "train_seconds", "compile_seconds"}
    records, _ = read_records(directory)
    return {record.run: record.model_dump_json(exclude=timed) for record in records}


def values(directory: Path) -> list[float]:
    """Return the squares that a run recorded."""
    return [record.curves["value"].values[0] for record in read_records(directory)[0]]


@contextmanager
def limit_file_size(size: int) -> Iterator[None]:
    """Makes the operating system refuse what is written beyond a size in bytes."""
    resource = pytest.importorskip("resource", reason="only POSIX limits a process")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
