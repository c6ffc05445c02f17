"""Memory that a compiled program requires, and memory of its devices."""

from typing import Any

from jax_acts.experiments.datasets.host_memory import host_bytes


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
    if device.platform != "cpu" or (total := host_bytes()) is None:
        return None
    return total // num_devices
