"""A config small enough to train in a test, and a study that trains nothing at all."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

import pytest

from experiments import cli
from jax_acts.experiments.config.schema import StudyConfig
from jax_acts.experiments.report.model import Cell, Column, Page, Table
from jax_acts.experiments.runtime.records import RECORDS, read
from jax_acts.experiments.study import Member, Prepared, Record, Study, Tick
from jax_acts.experiments.train.trial import Learned

ROOT = Path(__file__).parents[2]
PATIENCE = 240  # seconds; a machine may be busy

TINY = """
study = "cnn"
activations = ["relu"]
seeds = 3

[data]
set = "digits"
train = 64
test = 50

[model]
channels = [2]

[training]
epochs = 2
batch_size = 16
"""

# With ten members, slices of two and chunks of eight, the second chunk has one slice.
SLOPES = """
study = "slope_sweep"
seeds = 2
depth = 1
width = 8

[[sweeps]]
activation = "leaky_relu"
argument = "negative_slope"
values = [-0.5, 0.0, 0.1, 0.5, 0.9]

[data]
set = "digits"
train = 96
test = 96

[training]
steps = 60
parts = 2
batch_size = 16

[chunks]
members = 8
vmapped = 2
"""


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A config of the real study, with one small activation."""
    path = tmp_path / "tiny.toml"
    path.write_text(TINY)
    return path


@pytest.fixture
def slopes(tmp_path: Path) -> Path:
    """A config of a sweep, with ten small members."""
    path = tmp_path / "slopes.toml"
    path.write_text(SLOPES)
    return path


def started(*arguments: object, devices: int | None = 1) -> subprocess.Popen[bytes]:
    """Starts a run in a process of its own, with so many devices, or as many as cores.

    What is compared with a run in this process has one, as this process.
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop("JAX_NUM_CPU_DEVICES", None)
    if devices is not None:
        environment["JAX_NUM_CPU_DEVICES"] = str(devices)
    return subprocess.Popen(
        [sys.executable, "-m", "experiments", "run", *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=environment,
    )


def killed_when(ready: Callable[[], bool], *arguments: object) -> None:
    """Kills a run as soon as that is so."""
    running = started(*arguments)
    end = time.monotonic() + PATIENCE
    while not ready() and running.poll() is None and time.monotonic() < end:
        time.sleep(0.005)
    running.kill()
    _, said = running.communicate()
    assert ready(), said.decode()


def killed_at_its_first_record(folder: Path, *arguments: object) -> bytes:
    """Kills a run as soon as it has a record, and returns what it recorded."""
    path = folder / RECORDS
    killed_when(lambda: lines(path) > 0, *arguments, "--out", folder)
    return path.read_bytes()


def until(ready: Callable[[], bool], running: subprocess.Popen[bytes]) -> None:
    """Waits for what a run is to do."""
    end = time.monotonic() + PATIENCE
    while not ready():
        assert running.poll() is None, running.communicate()[1].decode()
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.01)


def lines(path: Path) -> int:
    """Returns how many lines a file has, 0 where there is none."""
    return path.read_bytes().count(b"\n") if path.exists() else 0


def learned(folder: Path) -> dict[str, str]:
    """Returns the records of a sweep by their members, without what is timed."""
    timed = {"session", "run_seconds", "compile_seconds"}
    kept = read(folder, Learned)[0]
    return {record.member: record.model_dump_json(exclude=timed) for record in kept}


class CountConfig(StudyConfig):
    members: int = 4

    def shrunk(self) -> Self:
        return self


class Counted(Record):
    value: int


def _train(member: Member, tick: Tick, folder: Path) -> Counted:
    number = int(dict(member.axes)["number"])
    tick(None)
    return Counted(member=member.name, status="done", value=number**2)


def _page(config: CountConfig, records: Sequence[Counted]) -> Page:
    rows = tuple((Cell(r.member), Cell(str(r.value), r.value)) for r in records)
    columns = (Column("member"), Column("value"))
    answer = f"{len(records)} of {config.members}."
    names = tuple(r.member for r in records)
    return Page("How many?", answer, "", "", Table(columns, rows), (), names, ())


COUNT = Study(
    "How many?",
    CountConfig,
    Counted,
    lambda config: tuple(Member((("number", n),)) for n in range(config.members)),
    lambda config: Prepared("counting", 1, _train),
    _page,
)


@pytest.fixture
def count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A config of a study whose members take no time."""
    monkeypatch.setattr(cli, "STUDIES", {"count": COUNT})
    path = tmp_path / "count.toml"
    path.write_text('study = "count"\n')
    return path
