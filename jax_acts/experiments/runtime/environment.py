"""The machine and the versions of a session."""

import importlib.metadata
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jax

import jax_acts
from jax_acts.experiments.runtime.devices import available_cores
from jax_acts.experiments.runtime.fingerprint import numeric_settings

PACKAGES = ("jax", "jaxlib", "flax", "optax", "numpy")


def collect_environment() -> dict[str, Any]:
    """Return what may change the numbers or the times of a session, as a flat dict."""
    device = jax.devices()[0]
    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "jax_acts": jax_acts.__version__,
        **{name: importlib.metadata.version(name) for name in PACKAGES},
        "python": platform.python_version(),
        "revision": _git_revision(),
        "backend": jax.default_backend(),
        "device": device.device_kind,
        "devices": jax.device_count(),
        **numeric_settings(),
        "processor": _processor(),
        "cores": available_cores(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def _git_revision() -> str | None:
    """Return the commit of the sources, with a + if they have local changes."""
    command = ["git", "describe", "--always", "--exclude=*", "--abbrev=12", "--dirty=+"]
    try:
        return subprocess.check_output(
            command,
            cwd=Path(__file__).parent,
            stderr=subprocess.DEVNULL,
            text=True,
            timeout=10,
        ).strip()
    except (OSError, subprocess.SubprocessError):
        return None


def _processor() -> str:
    """Return the model of the processor, which only Linux gives, in a file."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    models = [x.partition(":")[2].strip() for x in lines if x.startswith("model name")]
    return models[0] if models else platform.machine()
