"""The devices of a CPU: one for each core, so that members train side by side."""

import os

import jax

FLAG, OPTION = "xla_force_host_platform_device_count", "jax_num_cpu_devices"
LEAST = 2
"""Even of one core: for one device XLA compiles another program; see `sweep`."""


def cores() -> int:
    """Returns how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def begin(cores: int) -> None:
    """Gives a CPU one device for each of so many cores, and at least `LEAST`.

    It comes before the first use of a device. What `JAX_NUM_CPU_DEVICES` or `XLA_FLAGS`
    say instead is left as it is.
    """
    flags = os.environ.get("XLA_FLAGS", "")
    if getattr(jax.config, OPTION) < 0 and FLAG not in flags:
        jax.config.update(OPTION, max(cores, LEAST))
