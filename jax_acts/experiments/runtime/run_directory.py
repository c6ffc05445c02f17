"""A run on the disk: its config, fingerprint, sessions, and a record per finished run.

    runs/quickstart-1a2b3c4d/
      config.toml          the resolved config, itself runnable
      fingerprint.json     hashes of config, data and model that the records belong to
      data.json            counts, shapes, classes and content hash of the data
      environment.jsonl    one line per session: versions, device, git revision
      records.jsonl        one line per run, on the disk before the next one is appended
      records-1.jsonl      the same, of the second of several processes; and so on
      checkpoints/         states within unfinished trial batches
      report.html, report.md
      previous/1/          what `--fresh` replaced

Records are only appended, by one process per file; readers read all files. Each line
has a checksum (see `files.seal`), and each record the digest of its fingerprint. The
torn last line of a killed process is dropped.
"""

import json
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w
from pydantic import ValidationError

from jax_acts.experiments.config.errors import ConfigError, ConfigIssue, RunError
from jax_acts.experiments.config.schema import StudyConfig
from jax_acts.experiments.records import RunRecord
from jax_acts.experiments.runtime import files, locking
from jax_acts.experiments.runtime.fingerprint import (
    FINGERPRINT,
    FRESH,
    Fingerprint,
    load_fingerprint,
    save_fingerprint,
    verify_fingerprint,
)
from jax_acts.experiments.runtime.locking import SINGLE_PROCESS, Process

CONFIG, ENVIRONMENT, RECORDS = "config.toml", "environment.jsonl", "records.jsonl"
CHECKPOINTS, DATA = "checkpoints", "data.json"


@dataclass(frozen=True)
class Journal:
    """The records of a run, with a file that only this process appends to."""

    directory: Path
    file: Path
    session: int
    """Number of this session in `environment.jsonl`."""
    fingerprint: str
    """The digest of the fingerprint."""
    reader: "RecordReader"
    """The records of earlier sessions and of other processes."""
    records: tuple[RunRecord, ...]
    """Those at the start of the session."""
    notices: tuple[str, ...]
    """One sentence for each line that was dropped."""

    def append(self, record: RunRecord) -> None:
        """Append a record and return when it is on the disk.

        Raises:
            OSError: It cannot be written; the file is as it was.
        """
        origin = {"session": self.session, "fingerprint": self.fingerprint}
        record = record.model_copy(update=origin)
        files.append_line(self.file, files.seal(record.model_dump_json()))


def run_directory(config: StudyConfig) -> Path:
    """Return the default directory of a run: its name and the hash of its config."""
    return Path("runs") / f"{config.name}-{config.digest()}"


@contextmanager
def open_journal(
    directory: Path,
    config: StudyConfig,
    fingerprint: Fingerprint,
    environment: Mapping[str, Any],
    process: Process = SINGLE_PROCESS,
    *,
    fresh: bool = False,
) -> Iterator[Journal]:
    """Yield the journal of a run that starts or resumes.

    Args:
        directory: The run directory.
        config: The resolved config.
        fingerprint: Hashes of the current config, data and model.
        environment: Description of this session.
        process: This process.
        fresh: Whether to move earlier results to `previous/` first. Of several
            processes the first one does it, for all of them.

    Raises:
        ConfigError: The directory cannot be written.
        RunError: Another process is training the run, or its records belong to another
            config, other data or another model.
    """
    with ExitStack() as stack:
        try:
            files.make_directory(directory)
            with locking.startup_lock(directory):
                joins = bool(locking.active_workers(directory))
                stack.enter_context(locking.hold_worker_lock(directory, process))
                if joins:
                    verify_fingerprint(directory, fingerprint)
                elif fresh and _is_outdated(directory, fingerprint, process):
                    archive_results(directory)
                _claim(directory, config, fingerprint)
                journal = _start_session(directory, fingerprint, environment, process)
        except OSError as error:
            message = (
                f"{directory}: expected a writable run directory, got: "
                f"{error.strerror or error}; pass another with --out"
            )
            raise ConfigError(ConfigIssue("", message)) from error
        yield journal


def _is_outdated(directory: Path, current: Fingerprint, process: Process) -> bool:
    """Return whether `--fresh` replaces the results.

    A process other than the first keeps those of the current fingerprint: the first
    process of the same command may have just made them.
    """
    try:
        verify_fingerprint(directory, current)
    except RunError:
        return True
    return process.id == 0


def _claim(directory: Path, config: StudyConfig, fingerprint: Fingerprint) -> None:
    """Write the config and the fingerprint of a run without results, else check them.

    A missing or damaged file does not show to which config the results belong, so it
    is refused like that of another config.
    """
    path = directory / CONFIG
    table = config.model_dump(mode="json", exclude_none=True)
    has_checkpoints = any((directory / CHECKPOINTS).glob("*"))
    if has_checkpoints or any(f.stat().st_size for f in _record_files(directory)):
        verify_fingerprint(directory, fingerprint)
        stored = None
        with suppress(FileNotFoundError, ValueError):  # missing or damaged
            stored = tomllib.loads(path.read_text(encoding="utf-8"))
        if stored != table:
            raise RunError(
                f"{path}: expected the config that the run started with, got another "
                f"or a damaged one; {FRESH}"
            )
        return
    save_fingerprint(directory, fingerprint)
    files.write_atomic(path, tomli_w.dumps(table))


def _start_session(
    directory: Path,
    fingerprint: Fingerprint,
    environment: Mapping[str, Any],
    process: Process,
) -> Journal:
    """Append the environment of a session and read the records of earlier ones."""
    file = directory / (f"records-{process.id}.jsonl" if process.id else RECORDS)
    dropped = []
    if files.drop_torn_line(file):
        dropped = [f"{file}: dropped a torn last line; its run is trained again"]
    reader = RecordReader(directory)
    records = tuple(reader.update())
    sessions = directory / ENVIRONMENT
    files.drop_torn_line(sessions)
    environments, damaged = read_environments(directory)
    session = max([len(environments), *(record.session + 1 for record in records)])
    content = json.dumps({"session": session, **environment})
    files.append_line(sessions, files.seal(content))
    notices = (*dropped, *reader.notices, *damaged)
    return Journal(
        directory, file, session, fingerprint.digest, reader, records, notices
    )


def archive_results(directory: Path) -> None:
    """Move the results of a run to `previous/<n>/`.

    The fingerprint is moved first: what an interruption leaves behind belongs to no
    config. Files that are not of the run stay.
    """
    names = [FINGERPRINT, CONFIG, DATA, ENVIRONMENT, CHECKPOINTS]
    paths = [directory / name for name in names] + _record_files(directory)
    present = [path for path in paths if path.exists()]
    present += sorted(directory.glob("report.*"))
    if not present:
        return
    archive = directory / "previous"
    numbers = [int(path.name) for path in archive.glob("*") if path.name.isdigit()]
    target = archive / str(max(numbers, default=0) + 1)
    target.mkdir(parents=True)
    for path in present:
        path.rename(target / path.name)


class RecordReader:
    """The records of a run directory; each line is read once.

    Of several records of a run the first one counts. Damaged lines, and records of
    another fingerprint, are skipped with a notice.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.records: dict[str, RunRecord] = {}
        """The records so far by the name of their run."""
        self.notices: list[str] = []
        self._names: set[str] = set()
        self._ends: dict[Path, tuple[int, int]] = {}
        """Bytes and lines of each file that are read."""
        self._fingerprint: str | None = None
        with suppress(RunError):  # missing or damaged: the caller decides
            self._fingerprint = load_fingerprint(directory).digest

    def update(self) -> list[RunRecord]:
        """Read the lines that were appended since the last call; return new records.

        Raises:
            RunError: A line has another format.
        """
        new = list(self.stream())
        self.records.update((record.run, record) for record in new)
        return new

    def stream(self) -> Iterator[RunRecord]:
        """Yield the records of `update` as they are read, without storing them."""
        for path in _record_files(self.directory):
            start, count = self._ends.get(path, (0, 0))
            lines = files.read_lines(path, start)
            for number, (end, line) in enumerate(lines, count + 1):
                self._ends[path] = end, number
                record = self._parse(line, f"{path}:{number}")
                if record is not None and record.run not in self._names:
                    self._names.add(record.run)
                    yield record

    def _parse(self, line: str, location: str) -> RunRecord | None:
        content = _unseal(line, location)
        if content is None:
            with suppress(ValidationError):
                RunRecord.model_validate_json(line)
                raise RunError(_other_format(location, "expected format 2, got 1"))
            self.notices.append(f"{location}: skipped a damaged record")
            return None
        try:
            record = RunRecord.model_validate_json(content)
        except ValidationError:
            self.notices.append(f"{location}: skipped an invalid record")
            return None
        if self._fingerprint not in (None, record.fingerprint):
            self.notices.append(
                f"{location}: skipped a record of another config, data or model"
            )
            return None
        return record


def _unseal(line: str, location: str) -> str | None:
    try:
        return files.unseal(line)
    except ValueError as error:
        raise RunError(_other_format(location, str(error))) from None


def _other_format(location: str, reason: str) -> str:
    return f"{location}: {reason}, of another version of jax_acts; {FRESH}"


def read_records(directory: Path) -> tuple[tuple[RunRecord, ...], tuple[str, ...]]:
    """Return one record per run, and a notice for each line that is skipped.

    Raises:
        RunError: A line has another format.
    """
    reader = RecordReader(directory)
    return tuple(reader.update()), tuple(reader.notices)


def read_environments(
    directory: Path,
) -> tuple[tuple[dict[str, Any], ...], tuple[str, ...]]:
    """Return the environment of each session by its number, and notices.

    It is empty where its line is damaged or missing.
    """
    sessions: dict[int, dict[str, Any]] = {}
    notices = []
    for number, (_, line) in enumerate(files.read_lines(directory / ENVIRONMENT), 1):
        location = f"{directory / ENVIRONMENT}:{number}"
        if (content := _unseal(line, location)) is None:
            notices.append(f"{location}: skipped a damaged environment")
            continue
        environment = json.loads(content)
        sessions[environment.pop("session")] = environment
    environments = tuple(
        sessions.get(n, {}) for n in range(max(sessions, default=-1) + 1)
    )
    return environments, tuple(notices)


def save_data_contents(directory: Path, contents: Mapping[str, str]) -> None:
    """Write what each dataset holds, by its title."""
    files.write_atomic(directory / DATA, json.dumps(dict(contents), indent=2) + "\n")


def read_data_contents(directory: Path) -> dict[str, str]:
    """Return what each dataset holds; nothing where the file is missing or damaged."""
    try:
        contents = json.loads((directory / DATA).read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return contents if isinstance(contents, dict) else {}


def _record_files(directory: Path) -> list[Path]:
    paths = [directory / RECORDS, *sorted(directory.glob("records-*.jsonl"))]
    return [path for path in paths if path.exists()]
