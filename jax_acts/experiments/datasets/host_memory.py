"""Memory that this process may use: of the machine, its cgroups and its limits."""

import os
from pathlib import Path

from rich.filesize import decimal

CGROUPS = Path("/sys/fs/cgroup")
CGROUP_OF_PROCESS = Path("/proc/self/cgroup")


def host_bytes() -> int | None:
    """Return the least of physical memory, cgroup limits and `ulimit`, if known."""
    limits = [*_cgroup_limits(), *_process_limits()]
    if hasattr(os, "sysconf"):
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return min(limits, default=None)


def check_memory(required: int, content: str) -> None:
    """Raise ValueError where data would take more than half of the memory.

    The other half is for the copy on the device, or for that of another dtype.

    Args:
        required: Bytes of the data in memory.
        content: The data in the message: "1,000 images of 224 × 224".
    """
    available = host_bytes()
    if available is not None and required > available // 2:
        raise ValueError(
            f"expected at most {decimal(available // 2)}, half of the memory, "
            f"got {decimal(required)} ({content})"
        )


def _process_limits() -> list[int]:
    """Return the limits of address space and data (`ulimit -v`, `-d`), on POSIX."""
    try:
        import resource
    except ImportError:
        return []
    kinds = resource.RLIMIT_AS, resource.RLIMIT_DATA
    limits = [resource.getrlimit(kind)[0] for kind in kinds]
    return [limit for limit in limits if limit != resource.RLIM_INFINITY]


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
