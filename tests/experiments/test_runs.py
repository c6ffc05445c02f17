import errno
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from experiments import cli
from experiments.catalogue import STUDIES
from experiments.cli import app
from jax_acts.experiments.config.load import Source, read
from jax_acts.experiments.datasets import registry as data
from jax_acts.experiments.report.render import QUICK
from jax_acts.experiments.runtime.checkpoint import folder_of
from jax_acts.experiments.runtime.records import RECORDS, opened
from jax_acts.experiments.study import Prepared
from jax_acts.experiments.train import epochs as training
from tests.experiments.conftest import (
    COUNT,
    ROOT,
    killed_at_its_first_record,
    killed_when,
)
from tests.experiments.test_data import write_folder
from tests.experiments.test_pictures import put

pytestmark = pytest.mark.usefixtures("quickly_compiled")

CONFIGS = sorted((ROOT / "configs").rglob("*.toml"))
ELSEWHERE = sorted((ROOT / "configs" / "cnn").glob("*.toml"))
"""Those whose data are not installed; the study is run by the quickstart."""
TIMES = {"session", "step_seconds", "compile_seconds"}


def numbers(folder: Path) -> dict[str, dict[str, object]]:
    """Returns the records of a run by their members, without what is timed."""
    lines = (folder / RECORDS).read_text().splitlines()
    return {
        record["member"]: {k: v for k, v in record.items() if k not in TIMES}
        for record in map(json.loads, lines)
    }


def run(*arguments: object):
    return CliRunner().invoke(app, ["run", *map(str, arguments)])


@pytest.mark.slow
@pytest.mark.parametrize(
    "config", [c for c in CONFIGS if c not in ELSEWHERE], ids=lambda path: path.stem
)
def test_the_quick_form_of_every_config_runs_to_its_report(config, tmp_path):
    result = run(config, "--quick", "--out", tmp_path)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[-1] == str(tmp_path / "report.html")
    schemas = {name: study.config for name, study in STUDIES.items()}
    resolved = read(Source(tmp_path / "config.toml"), schemas)
    assert resolved == read(Source(config), schemas).quick()
    members = STUDIES[resolved.study].members(resolved)
    assert [*numbers(tmp_path)] == [member.name for member in members]
    page = (tmp_path / "report.html").read_text()
    assert STUDIES[resolved.study].question in page
    assert QUICK in page
    assert "http" not in page
    assert (tmp_path / "report.md").is_file()


@pytest.mark.slow
def test_a_killed_run_resumes_with_equal_records(tiny, tmp_path):
    """Kills a process at its first record, and compares with a run in one piece."""
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    # Enough epochs that the kill comes between the first member and the last.
    longer = ("--set", "training.epochs=100")
    before = killed_at_its_first_record(cut, tiny, *longer)
    kept = before.count(b"\n")
    assert 1 <= kept < 3

    resumed = run(tiny, *longer, "--out", cut)
    assert resumed.exit_code == 0, resumed.output
    assert f"{kept} of 3 members are done already" in resumed.stderr
    assert (cut / RECORDS).read_bytes().startswith(before)
    assert run(tiny, *longer, "--out", whole).exit_code == 0
    assert numbers(cut) == numbers(whole)


@pytest.mark.slow
def test_a_member_killed_in_the_middle_goes_on_from_its_checkpoint(
    tiny, tmp_path, monkeypatch
):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    longer = ("--set", "training.epochs=40", "--set", "seeds=1")
    kept = ("--set", "checkpoint={every=3}", "--out", cut)
    place = folder_of(cut, "activation relu, seed 0")
    epochs = lambda: [int(p.name) for p in place.glob("*") if p.name.isdigit()]
    killed_when(lambda: bool(epochs()), tiny, *longer, *kept)
    assert not (cut / RECORDS).exists()
    begun = max(epochs())
    assert begun % 3 == 0

    trained, batches = [], training.batches
    counted = lambda key, epoch, *rest: (
        trained.append(epoch) or batches(key, epoch, *rest)
    )
    monkeypatch.setattr(training, "batches", counted)
    resumed = run(tiny, *longer, *kept)
    assert resumed.exit_code == 0, resumed.output
    assert trained[1:] == [*range(begun, 40)], "the first call is for its shape"
    assert not place.exists()
    assert run(tiny, *longer, "--out", whole).exit_code == 0
    assert numbers(cut) == numbers(whole)


@pytest.mark.slow
def test_a_loss_that_overflows_marks_its_member_and_not_the_run(tiny, tmp_path):
    sgd = "training.optimizer={kind='sgd', learning_rate=10.0, momentum=0.99}"
    many = ("--set", "training.epochs=30", "--set", "seeds=1")
    result = run(tiny, "--set", sgd, *many, "--out", tmp_path / "run")
    assert result.exit_code == 0, result.output
    assert "There is no answer: no member has finished" in result.stdout
    (record,) = numbers(tmp_path / "run").values()
    assert record["status"] == "diverged"
    assert record["test_accuracy"] is None


def test_an_interrupted_run_says_what_is_kept_and_how_to_go_on(
    count, tmp_path, monkeypatch
):
    out = tmp_path / "run"
    prepared = COUNT.prepare(None)

    def train(member, tick, folder):
        if member.name == "number 2":
            raise KeyboardInterrupt
        return prepared.train(member, tick, folder)

    broken = Prepared("", 1, train)
    with monkeypatch.context() as patch:
        patch.setitem(COUNT.__dict__, "prepare", lambda config: broken)
        result = run(count, "--out", out)
    assert result.exit_code == 130
    assert f"interrupted: 2 of 4 members are kept in {out}" in result.stderr
    assert "to go on: python -m experiments" in result.stderr
    result = run(count, "--out", out)
    assert result.exit_code == 0
    assert "2 of 4 members are done already" in result.stderr
    assert [record["value"] for record in numbers(out).values()] == [0, 1, 4, 9]


def test_a_finished_run_is_not_run_again(count, tmp_path):
    out = tmp_path / "run"
    assert run(count, "--out", out).exit_code == 0
    before = (out / RECORDS).read_bytes()
    assert run(count, "--out", out).exit_code == 0
    assert (out / RECORDS).read_bytes() == before


def test_a_member_whose_record_is_damaged_is_trained_again(count, tmp_path):
    out = tmp_path / "run"
    run(count, "--out", out)
    expected = numbers(out)
    lines = (out / RECORDS).read_text().splitlines(keepends=True)
    (out / RECORDS).write_text("".join([lines[0], "#\n", lines[2], lines[3][:9]]))
    result = run(count, "--out", out)
    assert "torn" in result.stderr
    assert "line 2: damaged" in result.stderr
    kept = (out / RECORDS).read_text().replace("#\n", "")
    (out / RECORDS).write_text(kept)
    assert numbers(out) == expected


def test_a_run_that_another_process_works_on_is_refused(count, tmp_path):
    out = tmp_path / "run"
    config = COUNT.config(study="count", name="count")
    with opened(out, config, COUNT.record, {}):
        result = run(count, "--out", out)
    assert result.exit_code == 1
    assert result.stderr.endswith(f"{out}: another process is working on this run\n")


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    """Makes the operating system refuse what is written beyond so many bytes."""
    resource = pytest.importorskip("resource", reason="only POSIX limits a process")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_costs_what_it_does_not_take_and_no_more(count, tmp_path):
    out, many = tmp_path / "run", ("--set", "members=100")
    with no_file_larger_than(4000):
        result = run(count, *many, "--quiet", "--out", out)
    assert result.exit_code == 1
    content = (out / RECORDS).read_bytes()
    assert content.endswith(b"}\n"), "what was written of a line is taken back"
    assert 3900 < len(content) <= 4000
    kept = content.count(b"\n")
    said = f"{100 - kept} members are not recorded, from 'number {kept}' on"
    assert said in result.stderr.splitlines()[-1]
    assert "[100/100]" in result.stderr, "the others are trained"
    result = run(count, *many, "--out", out)
    assert result.exit_code == 0
    assert f"{kept} of 100 members are done already" in result.stderr
    squares = [record["value"] for record in numbers(out).values()]
    assert squares == [n * n for n in range(100)]


def test_a_disk_that_has_room_again_costs_nothing(count, tmp_path, monkeypatch):
    out, sync, calls = tmp_path / "run", os.fsync, iter(range(1000))

    def full_twice(descriptor: int) -> None:
        if next(calls) in (4, 5):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(descriptor)

    monkeypatch.setattr("jax_acts.experiments.runtime.records.os.fsync", full_twice)
    result = run(count, "--quiet", "--out", out)
    assert result.exit_code == 0, result.output
    assert "No space left on device; it waits" in result.stderr
    assert [record["value"] for record in numbers(out).values()] == [0, 1, 4, 9]


def test_all_runs_each_config_and_goes_on_after_one_that_fails(
    count, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    wrong = tmp_path / "wrong.toml"
    wrong.write_text('study = "count"\nmember = 3\n')
    result = CliRunner().invoke(app, ["all", "wrong.toml", "count.toml", "--quick"])
    assert result.exit_code == 1
    first, second = result.stdout.splitlines()
    assert first == "wrong.toml: failed (0 s)"
    assert second.startswith("count.toml: runs/count-")
    assert Path(second.split()[1]).is_file()
    assert "did you mean 'members'?" in result.stderr
    assert result.stderr.endswith("error: 1 of 2 configs failed\n")


@pytest.mark.parametrize("config", ELSEWHERE, ids=lambda path: path.stem)
def test_a_config_whose_data_are_elsewhere_is_valid_where_they_are(
    config, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JAX_ACTS_DATA", str(tmp_path / "data"))
    validate = lambda: CliRunner().invoke(app, ["validate", str(config)])
    write_folder(tmp_path / "data", 20_000, 100, (28, 28))
    for kind in "cat", "dog":
        for i in range(30):
            put(tmp_path / "data" / kind / f"{i}.png")
    result = validate()
    assert result.exit_code == 0, result.stderr
    assert "a network of 3 blocks" in result.stdout


def test_a_convolution_of_what_is_no_image_is_refused(tiny):
    arguments = ["validate", str(tiny), "--set", "data.set=mnist_1d"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert "its inputs are (40,), and not images" in result.stderr


def test_all_leaves_out_what_has_no_data_and_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JAX_ACTS_DATA", str(tmp_path / "none"))
    monkeypatch.setattr(data, "PLACE", tmp_path / "none")
    result = CliRunner().invoke(app, ["all", *map(str, ELSEWHERE)])
    assert result.exit_code == 0, result.output
    left_out = [f"{config}: left out (0 s)" for config in ELSEWHERE]
    assert result.stdout.splitlines() == left_out
    assert "this gets it: apt-get install dataset-fashion-mnist" in result.stderr
    assert "there is no folder data" in result.stderr


def test_all_takes_what_is_under_configs_and_survives_a_broken_study(
    count, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(app, ["all"]).exit_code == 2
    (tmp_path / "configs" / "deep").mkdir(parents=True)
    for name in ("a", "b"):
        count.rename(tmp_path / "configs" / "deep" / f"{name}.toml")
        count.write_text('study = "count"\n')
    pages = iter([ZeroDivisionError("of a page"), None])

    def page(config, records):
        if broken := next(pages):
            raise broken
        return COUNT.page(config, records)

    monkeypatch.setattr(cli, "STUDIES", {"count": replace(COUNT, page=page)})
    result = CliRunner().invoke(app, ["all"])
    assert result.exit_code == 1
    first, second = result.stdout.splitlines()
    assert first.startswith("configs/deep/a.toml: failed")
    assert "ZeroDivisionError: of a page" in result.stderr
    assert "report.html" in second


def test_the_report_can_be_made_again_from_the_records_alone(count, tmp_path):
    out = tmp_path / "run"
    run(count, "--out", out)
    before = (out / "report.html").read_bytes()
    (out / "report.html").unlink()
    result = CliRunner().invoke(app, ["report", str(out)])
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1] == str(out / "report.html")
    assert (out / "report.html").read_bytes() == before


def test_the_resolved_config_runs_as_the_same_run(count, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first = run("count.toml", "--set", "members=2")
    (folder,) = Path("runs").iterdir()
    second = run(folder / "config.toml")
    assert first.stdout == second.stdout
    assert "2 of 2 members are done already" in second.stderr


def test_a_report_of_no_run_names_the_nearest(count, tmp_path):
    run(count, "--out", tmp_path / "count-1")
    result = CliRunner().invoke(app, ["report", str(tmp_path / "count-2")])
    assert result.exit_code == 2
    assert f"did you mean '{tmp_path / 'count-1'}'?" in result.stderr


def test_a_report_of_a_damaged_config_is_a_config_error(count, tmp_path):
    run(count, "--out", tmp_path / "run")
    (tmp_path / "run" / "config.toml").write_text('study = "gone"')
    result = CliRunner().invoke(app, ["report", str(tmp_path / "run")])
    assert result.exit_code == 2
    assert "no study 'gone'" in result.stderr
    assert run(count, "--out", tmp_path / "run").exit_code == 1


def test_a_directory_that_cannot_be_written_is_a_config_error(count, tmp_path):
    (tmp_path / "file").write_text("")
    out = tmp_path / "file" / "run"
    result = run(count, "--out", out)
    assert result.exit_code == 2
    assert result.stderr.splitlines()[2:] == [
        f"config error: {count}: the directory of the run, {out}, cannot be written: "
        "Not a directory; give another with --out"
    ]
    taken = tmp_path / "taken"
    (taken / "environment.jsonl").mkdir(parents=True)
    assert run(count, "--out", taken).exit_code == 2


def test_list_shows_studies_configs_and_data_sets(monkeypatch):
    monkeypatch.chdir(ROOT)
    result = CliRunner().invoke(app, ["list"])
    assert result.exit_code == 0
    for name in (*STUDIES, "configs/quickstart.toml", "mnist_5k", "fashion_mnist"):
        assert name in result.stdout


def test_quiet_prints_a_line_for_each_member(count, tmp_path):
    result = run(count, "--quiet", "--out", tmp_path / "run")
    assert "[1/4] number 0: done\n[2/4] number 1: done\n" in result.stderr
