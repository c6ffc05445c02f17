"""Files that survive a crash: atomic writes, sealed lines, torn last lines.

A sealed line is JSON with a checksum of its content:

    {"format":2,"sha256":"0123456789abcdef","content":{"run":"activation relu, seed 0"}}

No library of the dependencies appends durably: filelock only locks, and the atomic
writers on PyPI only replace whole files.
"""

import contextlib
import hashlib
import os
import re
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

FORMAT = 2
"""The format of sealed lines. Format 1 was the content without a checksum."""
_SEALED = re.compile(
    r'\{"format":(\d+),"sha256":"([0-9a-f]{16})","content":(.*)\}', re.S
)
DRAFT_SECONDS = 3600
"""Age at which the draft of a killed process is removed."""


def seal(content: str, format: int = FORMAT) -> str:
    """Return JSON as one line with its format and a checksum of both.

    >>> seal("{}")
    '{"format":2,"sha256":"50690c8335f80a1d","content":{}}'
    """
    digest = hashlib.sha256(f"{format}:{content}".encode()).hexdigest()[:16]
    return f'{{"format":{format},"sha256":"{digest}","content":{content}}}'


def unseal(line: str) -> str | None:
    """Return the content of a sealed line; None where its checksum does not match.

    >>> unseal(seal('{"seed": 0}')), unseal(seal('{"seed": 0}').replace("0}", "1}"))
    ('{"seed": 0}', None)

    Raises:
        ValueError: The checksum matches, but the line has another format.
    """
    match = _SEALED.fullmatch(line)
    if match is None or seal(match[3], int(match[1])) != line:
        return None
    if int(match[1]) != FORMAT:
        raise ValueError(f"expected format {FORMAT}, got {match[1]}")
    return match[3]


def write_atomic(path: Path, content: str | bytes) -> None:
    """Write a file so that a reader gets the old content or the new, never a part.

    Several processes may write it at once: each has a draft of its own.
    """
    _remove_old_drafts(path)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}.draft")
    try:
        with draft.open("wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:  # KeyboardInterrupt as well
        draft.unlink(missing_ok=True)
        raise
    _sync_directory(path.parent)


def _remove_old_drafts(path: Path) -> None:
    """Remove the drafts that killed processes left of a file."""
    pattern = re.compile(re.escape(path.name) + r"\.[0-9a-f]{8}\.draft")
    for draft in path.parent.glob("*.draft"):
        with contextlib.suppress(OSError):  # another process removes it
            age = time.time() - draft.stat().st_mtime
            if pattern.fullmatch(draft.name) and age > DRAFT_SECONDS:
                draft.unlink()


def make_directory(path: Path) -> None:
    """Create a directory with its parents, and flush their names to the disk."""
    missing = [p for p in (path, *path.parents) if not p.exists()]
    path.mkdir(parents=True, exist_ok=True)
    for directory in missing:
        _sync_directory(directory.parent)


def append_line(path: Path, line: str) -> None:
    """Append a line, perhaps sealed, and return when it is on the disk.

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


def read_lines(path: Path, start: int = 0) -> Iterator[tuple[int, str]]:
    """Yield the complete lines of a file from a byte on, each with the byte after it.

    There are none where there is no file.
    """
    if not path.exists():
        return
    with path.open("rb") as file:
        file.seek(start)
        for line in file:
            if not line.endswith(b"\n"):
                return
            start += len(line)
            yield start, line[:-1].decode("utf-8", "replace")


def drop_torn_line(path: Path) -> bool:
    """Truncate a file after its last newline; return whether that removed anything."""
    if not path.exists():
        return False
    size = max((end for end, _ in read_lines(path)), default=0)
    if size == path.stat().st_size:
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
