"""A config small enough to train in a test, and a study that trains nothing at all."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Self

import jax
import pytest

from experiments import cli
from experiments.page import Cell, Column, Page, Table
from experiments.records import RECORDS
from experiments.schema import StudyConfig
from experiments.study import Member, Prepared, Record, Study, Tick

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


@pytest.fixture
def quickly_compiled(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Compiles without what makes programs fast, in processes that are started too.

    Most of the time of a small study is compilation, which so takes half as long.
    """
    option = "jax_disable_most_optimizations"
    monkeypatch.setenv(option.upper(), "true")
    before = jax.config.read(option)
    jax.config.update(option, True)
    yield
    jax.config.update(option, before)


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A config of the real study, with one small activation."""
    path = tmp_path / "tiny.toml"
    path.write_text(TINY)
    return path


def started(*arguments: object, devices: int = 1) -> subprocess.Popen[bytes]:
    """Starts a run in a process of its own, with so many devices."""
    flags = f"--xla_force_host_platform_device_count={devices}"
    return subprocess.Popen(
        [sys.executable, "-m", "experiments", "run", *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT), "XLA_FLAGS": flags},
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
    killed_when(path.exists, *arguments, "--out", folder)
    return path.read_bytes()


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
