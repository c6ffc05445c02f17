import json
import multiprocessing
import shutil
from pathlib import Path

import jax
import pytest

from jax_acts.experiments.config.errors import ConfigError, RunError
from jax_acts.experiments.records import RunRecord
from jax_acts.experiments.runtime import files
from jax_acts.experiments.runtime.fingerprint import (
    FINGERPRINT,
    Fingerprint,
    verify_fingerprint,
)
from jax_acts.experiments.runtime.locking import SINGLE_PROCESS, Process
from jax_acts.experiments.runtime.run_directory import (
    CONFIG,
    RECORDS,
    RecordReader,
    open_journal,
    read_environments,
    read_records,
    run_directory,
)
from tests.experiments.runtime.count_study import Config, make_records, prepare

CONFIG_A, CONFIG_B = Config(num_runs=4), Config(num_runs=5)


def hashes(config: Config, data: str = "aaaa", model: str = "bbbb") -> Fingerprint:
    current = Fingerprint.of(config, prepare(config))
    return current.model_copy(update={"data": data, "model": model})


def append(
    directory: Path,
    *numbers: int,
    config: Config = CONFIG_A,
    data: str = "aaaa",
    model: str = "bbbb",
    process: Process = SINGLE_PROCESS,
    fresh: bool = False,
) -> tuple[str, ...]:
    """Appends records in a session; returns the notices."""
    current = hashes(config, data, model)
    with open_journal(
        directory, config, current, {"python": "3"}, process, fresh=fresh
    ) as journal:
        for record in make_records(*numbers):
            journal.append(record)
        return journal.notices


def numbers(directory: Path) -> list[int]:
    return [record.axes["number"] for record in read_records(directory)[0]]


def environments(directory: Path) -> tuple[dict[str, str], ...]:
    return read_environments(directory)[0]


def test_records_are_one_line_of_json_each_with_their_session(tmp_path):
    append(tmp_path, 0, 1)
    append(tmp_path, 2)
    lines = [*map(json.loads, (tmp_path / RECORDS).read_text().splitlines())]
    assert {line["format"] for line in lines} == {2}
    contents = [line["content"] for line in lines]
    assert [content["axes"]["number"] for content in contents] == [0, 1, 2]
    assert [content["session"] for content in contents] == [0, 0, 1]
    assert environments(tmp_path) == ({"python": "3"},) * 2


def test_a_flipped_bit_of_a_record_never_becomes_another_record(tmp_path):
    append(tmp_path, 0, 1, 2)
    path = tmp_path / RECORDS
    original, expected = (
        path.read_bytes(),
        {r.run: r for r in read_records(tmp_path)[0]},
    )
    for position in range(len(original)):
        content = bytearray(original)
        content[position] ^= 1 << position % 8
        path.write_bytes(content)
        records, notices = read_records(tmp_path)
        assert all(record == expected[record.run] for record in records), position
        # A flipped newline joins two lines, or leaves the last one torn.
        is_newline = original[position : position + 1] == b"\n"
        assert len(records) >= (1 if is_newline else 2), position
        assert len(records) < 3, position
        assert notices or position == len(original) - 1


def test_a_flipped_bit_of_an_environment_leaves_the_others_at_their_sessions(tmp_path):
    for n in range(3):
        append(tmp_path, n)
    path = tmp_path / "environment.jsonl"
    original = path.read_bytes()
    for position in range(len(original)):
        content = bytearray(original)
        content[position] ^= 1 << position % 8
        path.write_bytes(content)
        sessions, notices = read_environments(tmp_path)
        assert all(session in ({}, {"python": "3"}) for session in sessions)
        assert notices or position == len(original) - 1
    lines = original.splitlines(keepends=True)
    path.write_bytes(lines[0] + b"#\n" + lines[2])
    assert environments(tmp_path) == ({"python": "3"}, {}, {"python": "3"})
    (notice,) = append(tmp_path, 3)
    assert "environment.jsonl:2: skipped a damaged environment" in notice
    assert [record.session for record in read_records(tmp_path)[0]] == [0, 1, 2, 3]
    path.unlink()
    append(tmp_path, 4)
    assert environments(tmp_path) == ({}, {}, {}, {}, {"python": "3"})


@pytest.mark.parametrize("format", [1, 3])
def test_records_of_another_format_are_refused(tmp_path, format):
    append(tmp_path, 0)
    path = tmp_path / RECORDS
    content = files.unseal(path.read_text().strip())
    path.write_text(f"{content if format == 1 else files.seal(content, format)}\n")
    for use in (read_records, lambda directory: append(directory, 1)):
        with pytest.raises(RunError, match=f"expected format 2, got {format}.*--fresh"):
            use(tmp_path)
    append(tmp_path, 1, fresh=True)
    assert numbers(tmp_path) == [1]


def test_records_of_other_data_in_the_same_file_are_not_averaged(tmp_path):
    append(tmp_path / "a", 0)
    append(tmp_path / "b", 1, data="cccc")
    content = (tmp_path / "b" / RECORDS).read_bytes()
    with (tmp_path / "a" / RECORDS).open("ab") as file:
        file.write(content)
    assert numbers(tmp_path / "a") == [0]
    (notice,) = read_records(tmp_path / "a")[1]
    assert "skipped a record of another config, data or model" in notice


def test_numeric_settings_of_jax_are_part_of_the_fingerprint(tmp_path):
    current = Fingerprint.of(CONFIG_A, prepare(CONFIG_A))
    jax.config.update("jax_enable_x64", True)
    try:
        other = Fingerprint.of(CONFIG_A, prepare(CONFIG_A))
    finally:
        jax.config.update("jax_enable_x64", False)
    with open_journal(tmp_path, CONFIG_A, other, {}) as journal:
        journal.append(make_records(0)[0])
    message = "the settings changed .*enable_x64=True.*got enable_x64=False"
    with (
        pytest.raises(RunError, match=message),
        open_journal(tmp_path, CONFIG_A, current, {}),
    ):
        pass
    verify_fingerprint(tmp_path, current, trains=False)


def test_a_record_is_on_the_disk_when_append_returns(tmp_path):
    with open_journal(tmp_path, CONFIG_A, hashes(CONFIG_A), {}) as journal:
        journal.append(make_records(0)[0])
        assert numbers(tmp_path) == [0]


def test_a_torn_last_line_is_dropped_with_a_notice(tmp_path):
    append(tmp_path, 0, 1)
    path = tmp_path / RECORDS
    path.write_bytes(path.read_bytes()[:-9])
    assert numbers(tmp_path) == [0], "a reader does not need the lock"
    (notice,) = append(tmp_path, 2)
    assert "dropped a torn last line" in notice
    assert numbers(tmp_path) == [0, 2]


@pytest.mark.parametrize("damage", ["", "{}", "\0\0\0", '{"run": 3}', "[1]", "\xff"])
def test_a_damaged_line_loses_only_its_own_record(tmp_path, damage):
    append(tmp_path, 0, 1, 2)
    path = tmp_path / RECORDS
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], damage, lines[2], ""]), encoding="latin-1")
    assert numbers(tmp_path) == [0, 2]
    assert read_records(tmp_path)[1] == (f"{path}:2: skipped a damaged record",)


def test_the_first_of_two_records_of_a_run_counts(tmp_path):
    append(tmp_path, 0, 1)
    append(tmp_path, 0)
    assert numbers(tmp_path) == [0, 1]
    assert read_records(tmp_path)[0][0].session == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"config": CONFIG_B}, "the config changed"),
        ({"data": "cccc"}, r"the data changed \(expected aaaa, got cccc\)"),
        ({"model": "dddd"}, r"the model changed \(expected bbbb, got dddd\)"),
        ({"data": "cccc", "model": "dddd"}, "the data changed .* and the model"),
    ],
)
def test_records_of_another_fingerprint_are_refused(tmp_path, change, message):
    append(tmp_path, 0)
    with pytest.raises(RunError, match=f"{message}.*--fresh"):
        append(tmp_path, 1, **change)
    assert numbers(tmp_path) == [0]
    append(tmp_path, 1)
    assert numbers(tmp_path) == [0, 1], "a refused session changes nothing"
    config = change.pop("config", CONFIG_A)
    with pytest.raises(RunError, match=message):
        verify_fingerprint(tmp_path, hashes(config, **change))


@pytest.mark.parametrize("results", [RECORDS, "checkpoints/activation-relu"])
@pytest.mark.parametrize("names", [[CONFIG], [FINGERPRINT], [CONFIG, FINGERPRINT]])
@pytest.mark.parametrize("content", [None, b"", b'{"config": ', b"\xff\0"])
def test_results_without_their_config_are_not_adopted(
    tmp_path, results, names, content
):
    append(tmp_path)
    path = tmp_path / results
    path.parent.mkdir(exist_ok=True)
    path.write_text("{}\n")
    for name in names:
        (tmp_path / name).unlink()
        if content is not None:
            (tmp_path / name).write_bytes(content)
    for config in (CONFIG_A, CONFIG_B):
        with pytest.raises(RunError, match="--fresh"):
            append(tmp_path, 0, config=config)
    append(tmp_path, 3, config=CONFIG_B, fresh=True)
    assert numbers(tmp_path) == [3]


def test_a_directory_without_results_takes_another_config(tmp_path):
    append(tmp_path)
    append(tmp_path, 0, config=CONFIG_B, data="cccc")
    verify_fingerprint(tmp_path, hashes(CONFIG_B, "cccc"))
    assert "num_runs = 5" in (tmp_path / CONFIG).read_text()


def test_fresh_moves_results_and_nothing_else(tmp_path):
    append(tmp_path, 0, 1)
    for name in ("report.html", "data.json", "notes.txt"):
        (tmp_path / name).write_text(name)
    (tmp_path / "checkpoints" / "a").mkdir(parents=True)
    first = (tmp_path / RECORDS).read_bytes()
    append(tmp_path, 2, data="cccc", fresh=True)
    append(tmp_path, 3, fresh=True)
    assert numbers(tmp_path) == [3]
    assert environments(tmp_path) == ({"python": "3"},)
    archive = tmp_path / "previous"
    assert (archive / "1" / RECORDS).read_bytes() == first
    assert {path.name for path in (archive / "1").iterdir()} == {
        *(CONFIG, FINGERPRINT, RECORDS, "environment.jsonl", "report.html"),
        *("checkpoints", "data.json"),
    }
    assert numbers(archive / "2") == [2]
    verify_fingerprint(archive / "2", hashes(CONFIG_A, "cccc"))
    assert (tmp_path / "notes.txt").exists()


def test_results_that_an_interrupted_archive_left_are_not_adopted(
    tmp_path, monkeypatch
):
    append(tmp_path, 0)
    rename, moved = Path.rename, []

    def fail_at_the_second(path: Path, target: Path) -> Path:
        moved.append(path.name)
        if len(moved) == 2:
            raise KeyboardInterrupt
        return rename(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", fail_at_the_second)
        with pytest.raises(KeyboardInterrupt):
            append(tmp_path, fresh=True)
    with pytest.raises(RunError, match="missing"):
        append(tmp_path, 1)
    append(tmp_path, 2, fresh=True)
    assert numbers(tmp_path) == [2]
    assert numbers(tmp_path / "previous" / "2") == [0]


def test_of_several_processes_with_fresh_one_moves_the_results(tmp_path):
    append(tmp_path, 0)
    second = Process(1, 2)
    with open_journal(
        tmp_path, CONFIG_A, hashes(CONFIG_A, "cccc"), {}, second, fresh=True
    ) as journal:
        journal.append(make_records(1)[0])
        first = {"data": "cccc", "process": Process(0, 2), "fresh": True}
        append(tmp_path, 2, **first)
        with pytest.raises(RunError, match="the data changed"):
            append(tmp_path, 3, **{**first, "data": "aaaa"})
    assert numbers(tmp_path) == [2, 1]
    append(tmp_path, process=second, data="cccc", fresh=True)
    assert numbers(tmp_path) == [2, 1], "the first process may have just made them"


def test_configs_have_different_directories():
    assert run_directory(CONFIG_A) != run_directory(CONFIG_B)


def test_two_processes_on_one_directory_are_refused(tmp_path):
    context = multiprocessing.get_context("spawn")
    with (
        open_journal(tmp_path, CONFIG_A, hashes(CONFIG_A), {}),
        context.Pool(1) as pool,
        pytest.raises(RunError, match="another process is training this run"),
    ):
        pool.apply(append, (tmp_path, 0))
    assert numbers(tmp_path) == []
    append(tmp_path, 0)
    assert numbers(tmp_path) == [0]


def test_a_directory_that_cannot_be_written_is_a_config_error(tmp_path):
    (tmp_path / "file").write_text("")
    directory = tmp_path / "file" / "run"
    with pytest.raises(ConfigError, match=f"{directory}: .*Not a directory.*--out"):
        append(directory)
    (tmp_path / "taken" / "environment.jsonl").mkdir(parents=True)
    with pytest.raises(ConfigError, match="--out"):
        append(tmp_path / "taken")


def test_a_copy_of_a_run_resumes(tmp_path):
    append(tmp_path / "a", 0)
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    append(tmp_path / "b", 1)
    assert numbers(tmp_path / "b") == [0, 1]


def test_a_reader_reads_each_line_once(tmp_path, monkeypatch):
    parsed = []
    original = RunRecord.model_validate_json

    def parse(content):
        parsed.append(content)
        return original(content)

    append(tmp_path, 0, 1)
    monkeypatch.setattr(RunRecord, "model_validate_json", parse)
    reader = RecordReader(tmp_path)
    assert [record.axes["number"] for record in reader.update()] == [0, 1]
    assert reader.update() == []
    append(tmp_path, 2)
    parsed.clear()
    assert [record.axes["number"] for record in reader.update()] == [2]
    assert len(parsed) == 1
    assert len(reader.records) == 3
