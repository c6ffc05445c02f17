import json
import multiprocessing
from pathlib import Path

import pytest

from jax_acts.experiments.config.errors import RunError
from jax_acts.experiments.runtime.records import environments, folder_of, opened, read
from jax_acts.experiments.study import Record
from tests.experiments.conftest import CountConfig

CONFIG = CountConfig(study="any", name="some")


def record(name: str) -> Record:
    return Record(member=name, status="done")


def append(folder: Path, *names: str) -> tuple[str, ...]:
    """Appends records in a session of their own; returns the notices."""
    with opened(folder, CONFIG, Record, {"python": "3"}) as journal:
        for name in names:
            journal.append(record(name))
        return journal.notices


def names(folder: Path) -> list[str]:
    return [r.member for r in read(folder, Record)[0]]


def test_records_are_one_line_of_json_each_with_their_session(tmp_path):
    append(tmp_path, "a", "b")
    append(tmp_path, "c")
    lines = (tmp_path / "records.jsonl").read_text().splitlines()
    assert [json.loads(line)["member"] for line in lines] == ["a", "b", "c"]
    assert [json.loads(line)["session"] for line in lines] == [0, 0, 1]
    assert environments(tmp_path) == ({"python": "3"},) * 2


def test_a_record_is_on_the_disk_when_append_returns(tmp_path):
    with opened(tmp_path, CONFIG, Record, {}) as journal:
        journal.append(record("a"))
        assert names(tmp_path) == ["a"]


def test_a_torn_last_line_is_dropped_with_a_notice_and_the_rest_is_kept(tmp_path):
    append(tmp_path, "a", "b")
    path = tmp_path / "records.jsonl"
    path.write_bytes(path.read_bytes()[:-9])
    assert names(tmp_path) == ["a"], "reading alone does not need the lock"
    (notice,) = append(tmp_path, "c")
    assert "torn" in notice
    assert names(tmp_path) == ["a", "c"]


@pytest.mark.parametrize("damage", ["", "{}", "\0\0\0", '{"member": 3}', "[1]", "\xff"])
def test_a_damaged_line_costs_its_record_and_no_other(tmp_path, damage):
    append(tmp_path, "a", "b", "c")
    path = tmp_path / "records.jsonl"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], damage, lines[2], ""]), encoding="latin-1")
    kept, notices = read(tmp_path, Record)
    assert [r.member for r in kept] == ["a", "c"]
    assert notices == (f"{path}, line 2: damaged, left out",)


def test_the_first_of_two_records_of_a_member_counts(tmp_path):
    append(tmp_path, "a", "b", "a")
    assert names(tmp_path) == ["a", "b"]


def test_the_directory_of_another_config_is_refused(tmp_path):
    append(tmp_path, "a")
    other = CONFIG.model_copy(update={"name": "other"})
    with (
        pytest.raises(RunError, match="the run of another config"),
        opened(tmp_path, other, Record, {}),
    ):
        pass
    assert folder_of(other) != folder_of(CONFIG)


def test_two_processes_on_one_directory_are_refused(tmp_path):
    context = multiprocessing.get_context("spawn")
    with (
        opened(tmp_path, CONFIG, Record, {}),
        context.Pool(1) as pool,
        pytest.raises(RunError, match="another process"),
    ):
        pool.apply(append, (tmp_path, "a"))
    assert names(tmp_path) == []
    append(tmp_path, "a")
    assert names(tmp_path) == ["a"]
