"""Ctrl-C that loses no finished trial batch."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console

CheckInterrupt = Callable[[], None]
"""Raises `KeyboardInterrupt` if the user asked to stop."""


@contextmanager
def handle_interrupt(console: Console) -> Iterator[CheckInterrupt]:
    """Let the first Ctrl-C stop at the next check, and the second one at once.

    Outside the main thread nothing changes: Python delivers signals to it only.
    """
    requested = threading.Event()

    def check() -> None:
        if requested.is_set():
            raise KeyboardInterrupt

    def stop(signum: int, frame: Any) -> None:
        check()
        requested.set()
        console.print(
            "interrupted: stops after the current range of steps, finished trial "
            "batches are recorded; press Ctrl-C again to stop now",
            highlight=False,
        )

    if threading.current_thread() is not threading.main_thread():
        yield check
        return
    previous = signal.signal(signal.SIGINT, stop)
    try:
        yield check
    finally:
        signal.signal(signal.SIGINT, previous)
