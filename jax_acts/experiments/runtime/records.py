"""A run on the disk: its config, its sessions, and a record for each finished member.

    runs/quickstart-1a2b3c4d/
      config.toml          the resolved config, itself runnable
      environment.jsonl    a line for each session: versions, device, git revision
      records.jsonl        a line for each finished member, on the disk before the next
      records-1.jsonl      the same, of the second of several processes; and so on
      report.html, report.md

Records are only ever appended, by one process to a file; what is read are those of all
files. A line that a killed process left torn is dropped.
"""

import contextlib
import json
import os
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import tomli_w
from pydantic import ValidationError

from jax_acts.experiments.config.errors import ConfigError, Problem, RunError
from jax_acts.experiments.config.schema import StudyConfig
from jax_acts.experiments.runtime.locking import ALONE, Process, living, opening
from jax_acts.experiments.study import Record

CONFIG, ENVIRONMENT, RECORDS = "config.toml", "environment.jsonl", "records.jsonl"

R = TypeVar("R", bound=Record)


@dataclass(frozen=True)
class Journal(Generic[R]):
    """The records of a run, with a file that this process alone may add to."""

    folder: Path
    file: Path
    session: int
    kept: tuple[R, ...]
    """The records that were there before."""
    notices: tuple[str, ...]
    """What had to be dropped, in sentences."""

    def append(self, record: R) -> None:
        """Puts a record on the disk, and returns when it is there.

        Raises:
            OSError: It cannot be written; what is on the disk is as it was.
        """
        line = record.model_copy(update={"session": self.session}).model_dump_json()
        _append(self.file, line)


def folder_of(config: StudyConfig, root: Path = Path("runs")) -> Path:
    """Returns the directory of a run, which the name and the content decide."""
    return root / f"{config.name}-{config.digest()}"


@contextmanager
def opened(
    folder: Path,
    config: StudyConfig,
    schema: type[R],
    environment: dict[str, Any],
    process: Process = ALONE,
) -> Iterator[Journal[R]]:
    """Yields the journal of a run, new or begun before.

    Raises:
        ConfigError: The directory cannot be written.
        RunError: Another process has it, or it is the run of another config.
    """
    with ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with opening(folder):
                stack.enter_context(living(folder, process))
                journal = _begun(folder, config, schema, environment, process)
        except OSError as error:
            said = f"the directory of the run, {folder}, cannot be written"
            reason = f"{error.strerror or error}; give another with --out"
            raise ConfigError(Problem("", f"{said}: {reason}")) from error
        yield journal


def _begun(
    folder: Path,
    config: StudyConfig,
    schema: type[R],
    environment: dict[str, Any],
    process: Process,
) -> Journal[R]:
    """Begins a session, while no other process does."""
    text = tomli_w.dumps(config.model_dump(mode="json", exclude_none=True))
    _claim(folder / CONFIG, text)
    file = folder / (f"records-{process.id}.jsonl" if process.id else RECORDS)
    notices = _mended(file)
    kept, damaged = read(folder, schema)
    session = len(_lines(folder / ENVIRONMENT))
    _mended(folder / ENVIRONMENT)
    _append(folder / ENVIRONMENT, json.dumps(environment))
    return Journal(folder, file, session, kept, (*notices, *damaged))


def read(folder: Path, schema: type[R]) -> tuple[tuple[R, ...], tuple[str, ...]]:
    """Returns the records of a run, one a member, and notices of damaged lines."""
    records: dict[str, R] = {}
    notices = []
    files = [folder / RECORDS, *sorted(folder.glob("records-*.jsonl"))]
    lines = [(p, n, line) for p in files for n, line in enumerate(_lines(p), 1)]
    for path, number, line in lines:
        try:
            record = schema.model_validate_json(line)
        except ValidationError:
            notices.append(f"{path}, line {number}: damaged, left out")
            continue
        records.setdefault(record.member, record)
    return tuple(records.values()), tuple(notices)


def environments(folder: Path) -> tuple[dict[str, Any], ...]:
    """Returns the environments of the sessions of a run, in their order."""
    found = []
    for line in _lines(folder / ENVIRONMENT):
        with contextlib.suppress(json.JSONDecodeError):
            found.append(json.loads(line))
    return tuple(session for session in found if isinstance(session, dict))


def _lines(path: Path) -> list[str]:
    """Returns the whole lines of a file; what follows the last newline is torn."""
    if not path.exists():
        return []
    return path.read_text(encoding="utf-8", errors="replace").split("\n")[:-1]


def _mended(path: Path) -> tuple[str, ...]:
    """Cuts off a torn last line, so that the next one begins a line of its own."""
    content = path.read_bytes() if path.exists() else b""
    whole = content.rfind(b"\n") + 1
    if whole == len(content):
        return ()
    os.truncate(path, whole)
    return (f"{path}: a torn last line was dropped; its member is trained again",)


def _append(path: Path, line: str) -> None:
    """Writes a line and waits until it is on the disk; where it fails, nothing is."""
    new = not path.exists()
    rest = f"{line}\n".encode()
    with path.open("ab", buffering=0) as file:
        before = file.tell()
        try:
            while rest:  # a disk that is nearly full takes a part
                rest = rest[file.write(rest) :]
            os.fsync(file.fileno())
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(file.fileno(), before)
            raise
    if new:
        _sync_folder(path.parent)


def _claim(path: Path, text: str) -> None:
    """Writes the config of a new run; in an old one, checks that it is the same."""
    if path.exists():
        if _tables(path.read_text(encoding="utf-8")) != _tables(text):
            raise RunError(f"{path.parent} is the run of another config: give --out")
        return
    draft = path.with_suffix(".draft")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)


def _tables(text: str) -> dict[str, Any] | None:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None


def _sync_folder(folder: Path) -> None:
    """Waits until a new file's name is on the disk, where a folder can be opened."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
