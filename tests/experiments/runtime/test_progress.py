import io
import re
from dataclasses import replace

import pytest
from rich.console import Console

from jax_acts.experiments.runtime.progress import watched
from jax_acts.experiments.study import Member, Prepared, Record, Together


class Reached(Record):
    loss: float | None

    @property
    def last_loss(self) -> float | None:
        return self.loss


def member(activation: str, seed: int) -> Member:
    return Member((("activation", activation), ("seed", seed)))


def reached(activation: str, seed: int, loss: float | None = None) -> Reached:
    status = "diverged" if loss is None else "done"
    return Reached(member=member(activation, seed).name, status=status, loss=loss)


MEMBERS = [member(name, seed) for name in ("relu", "elu") for seed in range(3)]
ALONE = Prepared("", 2, lambda *_: reached("relu", 0))
GROUPS = ALONE.groups(MEMBERS)


def shown(width: int, *, quiet: bool = False) -> list[str]:
    """Returns the lines that a run of two ticks a member leaves in a terminal.

    Of six members the first was done before. Each tick takes two seconds, and the
    last but one member diverges at its first. The run is cut before the last one.
    """
    clock = [100.0]
    file = io.StringIO()
    console = Console(
        force_terminal=True, file=file, width=width, get_time=lambda: clock[0]
    )
    kept = [reached("relu", 0, 0.5)]
    losses = {"relu": [0.25, 0.125], "elu": [0.75, None]}
    with watched(console, GROUPS, kept, 2, quiet=quiet) as watch:
        for activation in losses:
            for seed, loss in enumerate(losses[activation], activation == "relu"):
                watch.begin(member(activation, seed).name)
                for part in range(1 if loss is None else 2):
                    clock[0] += 2
                    watch.tick(None if loss is None else loss + 1 - part)
                record = reached(activation, seed, loss)
                watch.end(record, record.status)
        watch.begin(member("elu", 2).name)
    text = re.sub(r"\x1b\[[\d;?]*[A-Za-z]|━|╸|╺", "", file.getvalue())
    lines = [re.sub(r" +", " ", line).strip() for line in re.split(r"[\r\n]+", text)]
    return [line for line in lines if line]


@pytest.mark.parametrize("width", [80, 120])
def test_each_group_has_a_bar_with_its_loss_its_life_and_its_time(width):
    *before, whole, elu = shown(width)
    # Four ticks took eight seconds. It stays above the bars that go on.
    assert "relu 3/3 3 alive loss 0.125 in 0:00:08" in before
    # Of six ticks it has four, for one that diverged counts as whole, in six seconds.
    assert elu == "elu 2/3 2 alive loss 0.75 0:00:03 left"
    assert whole == "all 5/6 5 alive loss 0.75 0:00:03 left"


def test_members_of_one_program_have_one_bar():
    together = Together(2, lambda member: member.axes[1], lambda members: [])
    groups = replace(ALONE, together=together).groups(MEMBERS)
    names = [groups[member.name] for member in MEMBERS]
    assert names == ["seed 0", "seed 1", "seed 2"] * 2


def test_a_log_has_a_line_for_each_member():
    assert shown(20, quiet=True) == [
        "[2/6] activation relu, seed 1: done, loss 0.25",
        "[3/6] activation relu, seed 2: done, loss 0.125",
        "[4/6] activation elu, seed 0: done, loss 0.75",
        "[5/6] activation elu, seed 1: diverged",
    ]


@pytest.mark.parametrize("quiet", [False, True])
def test_members_that_another_process_trained_are_counted(quiet):
    file = io.StringIO()
    console = Console(force_terminal=True, file=file, width=80)
    with watched(console, GROUPS, [], 2, quiet=quiet) as watch:
        watch.begin(member("relu", 0).name)
        watch.end(reached("relu", 0, 0.5), "done")
        others = [reached("relu", seed, 0.5) for seed in range(3)]
        watch.found(others)
        watch.found(others)
        watch.begin(member("elu", 0).name)
        watch.end(reached("elu", 0, 0.5), "done")
    # A bar of a group that others finished says so too.
    said = ["[1/6]", "[4/6]"] if quiet else ["1/3", "3/3", "4/6"]
    assert all(text in file.getvalue() for text in said)
