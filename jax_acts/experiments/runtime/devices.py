"""Devices of a CPU: one per core, so that runs train in parallel."""

import os

import jax

FLAG, OPTION = "xla_force_host_platform_device_count", "jax_num_cpu_devices"
MIN_DEVICES = 2
"""Used on one core as well: for one device XLA compiles another program.

See `train.vectorized`.
"""


def available_cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def configure_cpu_devices(cores: int) -> None:
    """Make JAX use one CPU device per core, and at least `MIN_DEVICES`.

    Call it before the first use of a device. A number of devices that is given by
    `JAX_NUM_CPU_DEVICES` or `XLA_FLAGS` is left as it is.
    """
    flags = os.environ.get("XLA_FLAGS", "")
    if getattr(jax.config, OPTION) < 0 and FLAG not in flags:
        jax.config.update(OPTION, max(cores, MIN_DEVICES))
