"""What a compiled program needs, against what its devices have."""

import os
from typing import Any


def needed(compiled: Any) -> int:
    """Returns the bytes that a compiled program takes on each of its devices.

    It is 0 where the compiler does not say.
    """
    found = compiled.memory_analysis()
    if found is None:
        return 0
    return (
        found.argument_size_in_bytes
        + found.output_size_in_bytes
        + found.temp_size_in_bytes
        - found.alias_size_in_bytes
    )


def available(device: Any, sharing: int) -> int | None:
    """Returns the bytes that a device has, None where nobody knows.

    A CPU does not say: it has its part of the memory of the machine.

    Args:
        device: The device.
        sharing: How many devices run the program; those of a CPU share its memory.
    """
    stats = device.memory_stats()
    if stats and "bytes_limit" in stats:
        return stats["bytes_limit"]
    if device.platform != "cpu" or not hasattr(os, "sysconf"):
        return None
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // sharing


def said(size: int) -> str:
    """Returns a size in the unit that suits it.

    >>> said(1_500_000_000), said(20_300), said(7)
    ('1.5 GB', '20.3 kB', '7 B')
    """
    for unit, factor in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size} B"
