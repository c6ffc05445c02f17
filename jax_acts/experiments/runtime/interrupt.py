"""Ctrl-C that loses no finished trial batch."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console


class Interrupt:
    """Whether the user asked to stop."""

    def __init__(self) -> None:
        self.is_requested = False

    def check(self) -> None:
        """Raise `KeyboardInterrupt` if the user asked to stop."""
        if self.is_requested:
            raise KeyboardInterrupt


@contextmanager
def handle_interrupt(console: Console) -> Iterator[Interrupt]:
    """Let the first Ctrl-C stop at the next `check`, and the second one at once.

    Outside the main thread, which alone receives signals, nothing is changed.
    """
    interrupt = Interrupt()
    if threading.current_thread() is not threading.main_thread():
        yield interrupt
        return

    def stop(signum: int, frame: Any) -> None:
        if interrupt.is_requested:
            raise KeyboardInterrupt
        interrupt.is_requested = True
        console.print(
            "interrupted: stops after the current range of steps, finished trial "
            "batches are recorded; press Ctrl-C again to stop now",
            highlight=False,
        )

    previous = signal.signal(signal.SIGINT, stop)
    try:
        yield interrupt
    finally:
        signal.signal(signal.SIGINT, previous)
