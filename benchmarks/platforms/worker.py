"""The child process of `benchmarks.platforms.compilers`, which compiles programs.

    JAX_PLATFORMS=cpu python -m benchmarks.platforms.worker h100

Reads names of programs, one a line, and the hash of the lowered program that is already
stored. Writes one JSON line each: an unchanged hash, the counts, or an error.
"""

import hashlib
import importlib
import importlib.metadata
import json
import os
import sys
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from benchmarks.platforms.programs import programs, sweep_collectives
from benchmarks.platforms.targets import TARGETS

VERSIONS = ("jax", "jaxlib", "libtpu", "jax-cuda12-pjrt", "nvidia-cuda-nvcc-cu12")


def main() -> None:
    """Serve the requests on the standard input."""
    name = sys.argv[1]
    target = TARGETS[name]
    compiler = importlib.import_module(f"benchmarks.platforms.{target.kind}")
    os.environ.update(compiler.ENVIRONMENT)
    every = {program.name: program for program in programs()}
    send({"versions": versions()})
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if request["name"] == "sweep":
                number = request["devices"]
                devices = compiler.devices(name, target, number)[:number]
                sharded = request["sharded"]
                result = sweep_collectives(devices, compiler.PLATFORM, sharded)
            else:
                devices = compiler.devices(name, target)[:1]
                program = every[request["name"]]
                lowered = lower(program, devices, compiler.PLATFORM)
                key = fingerprint(lowered.as_text(), program.options)
                result = {"program": key}
                if key != request.get("program"):
                    counts = compiler.compile_program(program, target, lowered)
                    result["counts"] = counts._asdict()
        except Exception as error:
            lines = str(error).strip().splitlines() or [""]
            result = {"error": f"{type(error).__name__}: {lines[0][:300]}"}
        send(result)


def lower(program: Any, devices: Any, platform: str) -> Any:
    """Return the lowered program for one device."""
    sharding = NamedSharding(Mesh(np.array(devices), ("devices",)), PartitionSpec())
    arguments = jax.tree.map(
        lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype, sharding=sharding),
        program.arguments,
    )
    traced = jax.jit(program.call).trace(*arguments)
    return traced.lower(lowering_platforms=(platform,))


def fingerprint(text: str, options: dict[str, bool]) -> str:
    """Return a hash of a lowered program and of its compiler options."""
    return hashlib.sha256(f"{text}{options}".encode()).hexdigest()[:12]


def versions() -> dict[str, str]:
    """Return the versions of the compilers that are installed."""
    installed = {}
    for name in VERSIONS:
        try:
            installed[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return installed


def send(result: dict[str, Any]) -> None:
    """Write a result as one line."""
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
