"""Files that survive a crash: atomic writes, appended lines, torn last lines.

No library of the dependencies appends durably: filelock only locks, and the atomic
writers on PyPI only replace whole files.
"""

import contextlib
import os
import secrets
from pathlib import Path


def write_atomic(path: Path, content: str | bytes) -> None:
    """Write a file so that a reader gets the old content or the new, never a part.

    Several processes may write it at once: each has a draft of its own.
    """
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}.draft")
    try:
        with draft.open("wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    _sync_directory(path.parent)


def append_line(path: Path, line: str) -> None:
    """Append a line and return when it is on the disk.

    Raises:
        OSError: It cannot be written; the file is as it was.
    """
    is_new = not path.exists()
    rest = f"{line}\n".encode()
    with path.open("ab", buffering=0) as file:
        size = file.tell()
        try:
            while rest:  # a disk that is nearly full accepts a part
                rest = rest[file.write(rest) :]
            os.fsync(file.fileno())
        except BaseException:  # KeyboardInterrupt as well
            with contextlib.suppress(OSError):
                os.ftruncate(file.fileno(), size)
            raise
    if is_new:
        _sync_directory(path.parent)


def read_lines(path: Path) -> list[str]:
    """Return the complete lines of a file; none where there is no file."""
    if not path.exists():
        return []
    return path.read_text(encoding="utf-8", errors="replace").split("\n")[:-1]


def drop_torn_line(path: Path) -> bool:
    """Truncate a file after its last newline; return whether that removed anything."""
    content = path.read_bytes() if path.exists() else b""
    size = content.rfind(b"\n") + 1
    if size == len(content):
        return False
    os.truncate(path, size)
    return True


def _sync_directory(directory: Path) -> None:
    """Flush the name of a new file to the disk, where a directory can be opened."""
    if os.name == "posix":
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
