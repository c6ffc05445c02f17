"""Memory that a compiled program requires, and memory of its devices."""

import os
from pathlib import Path
from typing import Any

CGROUPS = Path("/sys/fs/cgroup")
CGROUP_OF_PROCESS = Path("/proc/self/cgroup")


def required_bytes(compiled: Any) -> int:
    """Return the memory of a compiled program per device; 0 where it is unknown."""
    analysis = compiled.memory_analysis()
    if analysis is None:
        return 0
    return (
        analysis.argument_size_in_bytes
        + analysis.output_size_in_bytes
        + analysis.temp_size_in_bytes
        - analysis.alias_size_in_bytes
    )


def available_bytes(device: Any, num_devices: int) -> int | None:
    """Return the memory of a device; None where it is unknown.

    Args:
        device: The device.
        num_devices: Number of devices that run the program. The devices of a CPU share
            the memory of the machine or of the container.
    """
    stats = device.memory_stats()
    if stats and "bytes_limit" in stats:
        return stats["bytes_limit"]
    if device.platform != "cpu" or not hasattr(os, "sysconf"):
        return None
    physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min([physical, *_cgroup_limits()]) // num_devices


def _cgroup_limits() -> list[int]:
    """Return the memory limits of the cgroups of this process, v2 and v1.

    psutil reports the memory of the machine, also within a container.
    """
    try:
        lines = CGROUP_OF_PROCESS.read_text().splitlines()
    except OSError:
        return []
    limits = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        root = CGROUPS / ("memory" if controllers else "")
        name = "memory.limit_in_bytes" if controllers else "memory.max"
        # Within a container the path may be that of the host: then only the root is.
        group = Path(path.lstrip("/"))
        for directory in (group, *group.parents):
            try:
                text = (root / directory / name).read_text().strip()
            except OSError:
                continue
            if text.isdigit():  # else "max"
                limits.append(int(text))
    return limits
