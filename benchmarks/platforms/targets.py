"""The devices that programs are compiled for, and the interpreters that compile them.

A compiler is installed in an environment of its own, by `make platforms`: with two
accelerator plugins in one environment, `import jax` tries both.
"""

import functools
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
SPECS = Path(__file__).with_name("specs")
PLUGINS = {"gpu": "jax_plugins.xla_cuda12", "tpu": "libtpu"}
"""A module of each compiler."""


class Target(NamedTuple):
    """A device: how programs are compiled for it, and its rates."""

    title: str
    kind: str
    """A key of `PLUGINS`."""
    topology: str
    bandwidth: float
    """Memory bandwidth, in bytes per second."""
    clock: float
    """Clock rate under load, in Hz."""
    cores: int
    """Streaming multiprocessors of a GPU, tensor cores of a TPU."""
    fma: float = 0
    """Warp instructions per core and cycle on the float32 pipe."""
    source: str = ""

    @property
    def warps_per_second(self) -> float:
        """Return warp instructions per second: four schedulers issue one per cycle."""
        return 4 * self.cores * self.clock


NVIDIA = "NVIDIA data sheet and architecture white paper"
TARGETS = {
    "h100": Target(
        "NVIDIA H100 SXM", "gpu", "1x1x1", 3.352e12, 1.755e9, 132, 4, NVIDIA
    ),
    "h200": Target("NVIDIA H200", "gpu", "1x1x1", 4.8e12, 1.755e9, 132, 4, NVIDIA),
    "a100": Target(
        "NVIDIA A100 SXM 80 GB", "gpu", "1x1x1", 2.039e12, 1.41e9, 108, 2, NVIDIA
    ),
    "tpu-v5e": Target(
        "Google TPU v5e",
        "tpu",
        "v5e:2x2",
        819e9,
        1.5e9,
        1,
        source="Cloud TPU documentation; clock: 197 TFLOP/s over 4 MXUs of 128 × 128",
    ),
    "tpu-v6e": Target(
        "Google TPU v6e",
        "tpu",
        "v6e:2x2",
        1638e9,
        1.75e9,
        1,
        source="Cloud TPU documentation; clock: 918 TFLOP/s over 2 MXUs of 256 × 256, "
        "assumed to do two passes per cycle",
    ),
}


class CompilerMissing(Exception):
    """The compiler of a target is not installed."""


def variable(kind: str) -> str:
    """Return the environment variable that names the interpreter of a compiler."""
    return f"JAX_ACTS_{kind.upper()}_PYTHON"


@functools.cache
def interpreter(kind: str) -> str:
    """Return the Python interpreter that has a compiler.

    Args:
        kind: "gpu" or "tpu".

    Raises:
        CompilerMissing: No candidate has it: the interpreter named by the environment
            variable, this one, and that of the environment made by `make platforms`.
    """
    own = Path(sys.prefix) / kind / "bin" / "python"
    candidates = [os.environ.get(variable(kind)), sys.executable, str(own)]
    candidates.append(str(ROOT / ".venv" / kind / "bin" / "python"))
    for candidate in dict.fromkeys(filter(None, candidates)):
        if Path(candidate).exists() and has_plugin(candidate, kind):
            return candidate
    raise CompilerMissing(
        f"platforms: expected the {kind.upper()} compiler (module {PLUGINS[kind]}) in "
        f"{own.parents[1]}; run `make platforms`, or set {variable(kind)} to a Python "
        "that has it"
    )


def has_plugin(python: str, kind: str) -> bool:
    """Return whether an interpreter can import the compiler of a kind."""
    code = "import sys; from importlib.util import find_spec as f"
    command = f"{code}; sys.exit(f({PLUGINS[kind]!r}) is None)"
    return not subprocess.run(
        [python, "-c", command], capture_output=True, check=False
    ).returncode
