import json
import re
from pathlib import Path

import jax
import jax.numpy as jnp
import optax
import pytest
from typer.testing import CliRunner

from experiments.cli import app
from jax_acts.experiments.config.errors import ConfigError
from jax_acts.experiments.config.schema import Chunks
from jax_acts.experiments.runtime import memory
from jax_acts.experiments.runtime.devices import LEAST, cores
from jax_acts.experiments.runtime.records import RECORDS
from jax_acts.experiments.train import vectorized as sweep
from jax_acts.experiments.train.loop import Problem, fit
from jax_acts.experiments.train.trial import Trial, grid, prepared
from tests.experiments.conftest import PATIENCE, killed_at_its_first_record, started

pytestmark = pytest.mark.usefixtures("quickly_compiled")

TIMES = {"session", "run_seconds", "compile_seconds"}


def numbers(folder: Path) -> list[str]:
    """Returns the lines of the records in their order, without what is timed."""
    path = folder / RECORDS
    return [
        json.dumps({k: v for k, v in json.loads(line).items() if k not in TIMES})
        for line in (path.read_text().splitlines() if path.exists() else ())
    ]


def run(*arguments: object):
    return CliRunner().invoke(app, ["run", *map(str, arguments)])


def counted(traces: list[str]) -> Trial:
    """Returns a trial that learns a number, and notes when it is traced."""

    def program(fixed):
        def train(key, given, data):
            traces.append(fixed["function"])
            distance = {"square": jnp.square, "abs": jnp.abs}[fixed["function"]]
            line = Problem(
                lambda key: jax.random.normal(key),
                lambda key: data,
                lambda x, goal: distance(x - goal),
                lambda x: {"place": x},
            )
            return fit(line, optax.sgd(given["rate"]), key, steps=4, parts=2)

        return train

    return Trial("", jnp.float32(1.0), ("rate",), program)


def test_a_sweep_compiles_once_for_each_function():
    members = grid(rate=[0.1, 0.2, 0.3, 0.4], function=["square", "abs"], seed=range(4))
    traces: list[str] = []
    together = prepared(counted(traces), Chunks(members=6, vmapped=2)).together
    assert together is not None
    chunks = together.chunks(members)
    assert [len(chunk) for chunk in chunks] == [6, 6, 4] * 2
    records = [r for chunk in chunks for r in together.train(chunk)]
    assert {record.member for record in records} == {m.name for m in members}
    assert len(records) == 32
    assert traces == ["square", "abs"]


@pytest.mark.slow
@pytest.mark.parametrize("vmapped", [1, 4])
def test_a_member_in_a_chunk_learns_as_it_does_alone(vmapped):
    members = grid(function=["square"], rate=[0.1, 0.3], seed=range(3))
    trial = counted([])
    together = prepared(trial, Chunks(members=8, vmapped=vmapped)).together
    assert together is not None
    for member, record in zip(members, together.train(members), strict=True):
        axes = dict(member.axes)
        given = {"rate": jnp.float32(axes["rate"])}
        alone = counted([]).program(axes)(jax.random.key(axes["seed"]), given, 1.0)
        # The widths differ, and so may the rounding of a few sums.
        assert record.loss == pytest.approx(alone.losses.tolist(), rel=1e-5)
        assert record.axes == axes
        assert record.parameters == 1


@pytest.mark.slow
def test_the_records_are_equal_to_the_bit_on_1_2_4_and_8_devices(slopes, tmp_path):
    # Five slices, which 2 and 4 devices share unevenly; None is what it has by itself.
    wide = ("--set", "chunks.members=10")
    for devices in (1, 2, 4, 8, None):
        out = tmp_path / str(devices)
        running = started(slopes, *wide, "--out", out, devices=devices)
        _, said = running.communicate(timeout=PATIENCE)
        assert running.returncode == 0, said.decode()
        session = json.loads((out / "environment.jsonl").read_text())
        assert session["devices"] == (devices or max(cores(), LEAST))
    for devices in (2, 4, 8, None):
        assert numbers(tmp_path / str(devices)) == numbers(tmp_path / "1"), devices


@pytest.mark.slow
def test_a_sweep_killed_in_the_middle_resumes_with_equal_records(slopes, tmp_path):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    # Enough steps that the kill comes between the first chunk and the last.
    longer = ("--set", "chunks.members=2", "--set", "training.steps=6000")
    before = killed_at_its_first_record(cut, slopes, *longer)
    kept = before.count(b"\n")
    assert 1 <= kept < 10

    resumed = run(slopes, *longer, "--out", cut)
    assert resumed.exit_code == 0, resumed.output
    assert f"{kept} of 10 members are done already" in resumed.stderr
    assert (cut / RECORDS).read_bytes().startswith(before[: before.rfind(b"\n") + 1])
    assert run(slopes, *longer, "--out", whole).exit_code == 0
    assert numbers(cut) == numbers(whole)


@pytest.mark.slow
def test_of_a_chunk_recorded_in_part_the_missing_members_are_added(slopes, tmp_path):
    assert run(slopes, "--out", tmp_path / "run").exit_code == 0
    expected = numbers(tmp_path / "run")
    path = tmp_path / "run" / RECORDS
    kept = path.read_text().splitlines(keepends=True)[:9]
    kept = [line for n, line in enumerate(kept) if n not in (2, 5)]
    path.write_text("".join(kept))
    result = run(slopes, "--quiet", "--out", tmp_path / "run")
    assert "7 of 10 members are done already" in result.stderr
    assert path.read_text().startswith("".join(kept))
    assert len(numbers(tmp_path / "run")) == 10
    assert sorted(numbers(tmp_path / "run")) == sorted(expected)


def test_a_member_whose_loss_is_nan_is_marked_and_leaves_its_chunk_alone():
    def records(rate: float):
        members = grid(function=["square"], rate=[0.1, rate, 0.3], seed=range(2))
        together = prepared(counted([]), Chunks(members=6, vmapped=3)).together
        assert together is not None
        return together.train(members)

    fine, broken = records(0.2), records(1e38)
    assert {record.status for record in fine} == {"done"}
    assert [record.status == "diverged" for record in broken] == [0, 0, 1, 1, 0, 0]
    assert broken[2].loss[-1] is None
    for n in (0, 1, 4, 5):
        assert broken[n].loss == fine[n].loss
        assert broken[n].measures == fine[n].measures


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("chunks.vmapped=3", "slices of 3 do not divide a chunk of 8"),
        ("chunks.members=0", "chunks.members = 0: should be greater than or equal"),
        ("chunks.member=4", "unknown key 'chunks.member'; did you mean 'members'?"),
        (
            "sweeps=[{activation='elu', argument='alpha', values=[]}]",
            "sweeps[0].values",
        ),
        (
            "sweeps=[{activation='elu', argument='alfa', values=[1.0]}]",
            "did you mean 'alpha'?",
        ),
        (
            "sweeps=[{activation='elu', argument='alpha', values=[1.0]}, "
            "{activation='elu', argument='alpha', values=[2.0, 1.0]}]",
            "two sweeps clash: both have 'activation elu, argument alpha, value 1.0",
        ),
        (
            "sweeps=[{activation='elu', argument='alpha', values=[1.0, 1.0]}]",
            "sweeps[0].values: 1.0 is there twice",
        ),
        (
            "sweeps=[{activation='elu(alpha=2.0)', argument='alpha', values=[1.0]}]",
            "elu(alpha=2.0) has a fixed alpha, which the sweep would change",
        ),
    ],
)
def test_a_fault_of_a_sweep_is_named_before_anything_runs(override, said, slopes):
    result = CliRunner().invoke(app, ["validate", str(slopes), "--set", override])
    assert result.exit_code == 2
    assert said in result.stderr
    assert result.stderr.count("\n") == 1


def test_too_many_members_are_counted_and_refused(slopes, tmp_path):
    values = ", ".join(map(str, range(1, 1001)))
    sweep = f"{{activation='elu', argument='alpha', values=[{values}]}}"
    many = ("--set", f"sweeps=[{sweep}]", "--set", "seeds=101")
    result = run(slopes, *many, "--out", tmp_path / "run")
    assert result.exit_code == 2
    said = "101,000 members (1,000 of value × 101 of seed): a run has 100,000 at most"
    assert said in result.stderr
    assert not (tmp_path / "run").exists()


def hungry(bytes_each: int) -> Trial:
    """Returns a trial each member of which needs so much memory."""

    def program(fixed):
        def train(key, given, data):
            many = jax.random.normal(key, (bytes_each // 4,))
            score = lambda x: {"most": jnp.sort(many * x)[-1]}
            line = Problem(lambda key: data, lambda key: data, jnp.subtract, score)
            return fit(line, optax.sgd(0.1), key, steps=1, parts=1)

        return train

    return Trial("", jnp.float32(1.0), (), program)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("has", "said"),
    [
        (10_000_000, "chunks.members = 8, chunks.vmapped = [124] fits"),
        (1000, "which has 1.0 kB; no smaller chunk fits"),
    ],
)
def test_a_chunk_that_does_not_fit_is_refused_with_one_that_does(
    has, said, monkeypatch
):
    monkeypatch.setattr(memory, "available", lambda device, sharing: has)
    members = grid(seed=range(8))

    def trained(chunks: Chunks):
        together = prepared(hungry(1_000_000), chunks).together
        assert together is not None
        return together.train(members)

    with pytest.raises(ConfigError, match=said) as caught:
        trained(Chunks(members=8, vmapped=8))
    assert str(caught.value).startswith("chunks.members = 8, chunks.vmapped = 8: needs")
    if found := re.search(r"vmapped = (\d) fits", str(caught.value)):
        assert len(trained(Chunks(members=8, vmapped=int(found[1])))) == 8


@pytest.mark.slow
def test_too_little_memory_is_a_config_error_of_the_key_that_helps(
    slopes, tmp_path, monkeypatch
):
    monkeypatch.setattr(memory, "available", lambda device, sharing: 1000)
    monkeypatch.setattr(sweep, "narrower", lambda chunks: [])  # they take long
    wide = ("--set", "chunks.vmapped=8")
    result = run(slopes, *wide, "--out", tmp_path / "run")
    assert result.exit_code == 2
    *_, told = result.stderr.splitlines()
    assert told.startswith(f"config error: {slopes} with --set chunks.vmapped=8: ")
    assert "which has 1.0 kB; no smaller chunk fits" in told
    assert numbers(tmp_path / "run") == []


def test_the_memory_of_this_device_is_known():
    (device, *_) = jax.local_devices()
    has = memory.available(device, 1)
    assert has is not None
    assert memory.available(device, 2) in (has, has // 2)
    assert 100e6 < has < 1e15
    size = 1000
    add = jax.jit(jnp.add).lower(jnp.zeros(size), jnp.zeros(size)).compile()
    assert memory.needed(add) == 3 * 4 * size
