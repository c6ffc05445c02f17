"""Runs a study in a process of its own: `python -m … STUDY DIRECTORY CONFIG [OPTIONS]`.

OPTIONS are JSON: the keyword arguments of `run_study`, with `process` as a list.
"""

import json
import sys
from pathlib import Path

from rich.console import Console

from jax_acts.experiments.runtime import devices
from jax_acts.experiments.runtime.locking import SINGLE_PROCESS, Process
from jax_acts.experiments.runtime.ray_executor import import_study
from jax_acts.experiments.runtime.runner import Executor, run_study


def main(path: str, directory: str, config: str, options: str = "{}") -> None:
    devices.configure_cpu_devices(devices.available_cores())
    study = import_study(path)
    typed = study.config.model_validate_json(config)
    keywords = {"executor": "local", "process": SINGLE_PROCESS, **json.loads(options)}
    keywords["process"] = Process(*keywords["process"])
    keywords["executor"] = Executor(keywords["executor"])
    console = Console(stderr=True)
    prepared = study.prepare(typed)
    run_study(study, typed, prepared, Path(directory), console, **keywords)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit(130)
