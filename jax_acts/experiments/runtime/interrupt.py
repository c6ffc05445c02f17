"""Ctrl-C that loses no finished trial batch."""

import atexit
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
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
            "interrupted: stops after the current range of steps or compilation, "
            "finished trial batches are recorded; press Ctrl-C again to stop now",
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


def exit_without_teardown(code: int) -> None:
    """Let this program end with an exit code before the modules are torn down.

    While XLA compiles in other threads, the teardown of JAX may end in a segmentation
    fault (jax 0.10: 9 of 12 interrupts of a plain program). Where standard output is
    replaced, as in tests, the program is not this command, and nothing changes.
    """

    def leave() -> None:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):  # closed, or a pipe without a reader
                stream.flush()
        os._exit(code)

    if sys.stdout is sys.__stdout__:
        atexit.register(leave)  # runs before the handlers that JAX registered
