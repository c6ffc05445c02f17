import os

import pytest

from jax_acts.experiments.runtime import files
from tests.experiments.runtime.helpers import limit_file_size

ERRORS = [OSError(28, "No space left on device"), KeyboardInterrupt(), MemoryError()]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_write_that_fails_leaves_the_old_content_and_no_draft(
    tmp_path, monkeypatch, error, call
):
    path = tmp_path / "report.html"
    files.write_atomic(path, "old")

    def fail(*arguments):
        raise error

    with monkeypatch.context() as patch:
        owner = os if call == "fsync" else type(path)
        patch.setattr(owner, call, fail)
        with pytest.raises(type(error)):
            files.write_atomic(path, "new")
    assert path.read_text() == "old"
    assert [*tmp_path.iterdir()] == [path]


def test_a_full_disk_leaves_no_draft(tmp_path):
    for _ in range(3):
        with limit_file_size(100), pytest.raises(OSError, match="File too large"):
            files.write_atomic(tmp_path / "report.html", "x" * 1000)
    assert not [*tmp_path.iterdir()]


def test_the_draft_of_a_killed_process_is_removed_later(tmp_path):
    names = ["report.html.0123abcd.draft", "report.md.0123abcd.draft", "own.draft"]
    for name in names:
        (tmp_path / name).write_text("")
        os.utime(tmp_path / name, (0, 0))
    recent = tmp_path / "report.html.4567abcd.draft"
    recent.write_text("")
    files.write_atomic(tmp_path / "report.html", "new")
    remaining = {path.name for path in tmp_path.iterdir()}
    assert remaining == {"report.html", recent.name, *names[1:]}


def test_lines_after_a_byte_are_those_that_were_appended(tmp_path):
    path = tmp_path / "lines"
    assert [*files.read_lines(path)] == []
    path.write_bytes(b"a\n\xff\ntorn")
    assert [*files.read_lines(path)] == [(2, "a"), (4, "\N{REPLACEMENT CHARACTER}")]
    assert files.drop_torn_line(path)
    files.append_line(path, "b")
    assert [*files.read_lines(path, 4)] == [(6, "b")]
