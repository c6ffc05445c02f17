import io
import re
from collections.abc import Sequence

import pytest
from rich.console import Console

from jax_acts.experiments.records import Curve, RunRecord
from jax_acts.experiments.runtime.progress import (
    LOG_SECONDS,
    BarReporter,
    report_progress,
)
from jax_acts.experiments.study import RunSpec, grid

RUNS = grid(activation=["relu", "elu"], seed=range(3))
GROUPS = {run.name: str(run.axes[0][1]) for run in RUNS}
RELU, ELU = RUNS[:3], RUNS[3:]


def record(run: RunSpec, loss: float | None) -> RunRecord:
    return RunRecord(
        run=run.name,
        axes=dict(run.axes),
        status="diverged" if loss is None else "finished",
        num_params=1,
        steps=1000,
        curves={"train_loss": Curve(steps=[1000], values=[loss])},
        train_seconds=1.0,
        compile_seconds=1.0,
    )


def show(width: int = 80, *, terminal: bool = True, quiet: bool = False) -> list[str]:
    """Return the lines that an interrupted run leaves.

    Of six runs the first has a record. A trial batch of the other two of relu takes
    eight seconds; one of elu diverges, and another one is interrupted half way.
    """
    clock = [100.0]
    file = io.StringIO()
    console = Console(
        force_terminal=terminal, file=file, width=width, get_time=lambda: clock[0]
    )
    with report_progress(
        console, GROUPS, 1000, quiet=quiet, clock=lambda: clock[0]
    ) as reporter:

        def train(batch: Sequence[RunSpec], losses: Sequence[float]) -> None:
            report = reporter.start(batch)
            for n, loss in enumerate(losses, 1):
                clock[0] += 2
                report(1000 * n // 4, 1000, loss)
                if isinstance(reporter, BarReporter):
                    reporter.bars.refresh()  # else done ten times a second

        reporter.add_records([record(RELU[0], 0.5)])
        train(RELU[1:], [4.0, 3.0, 2.0, 1.0])
        reporter.finish(RELU[1:], [record(RELU[1], 0.25), record(RELU[2], 0.125)])
        train(ELU[:1], [4.0, 3.0, 2.0, 1.0])
        reporter.finish(ELU[:1], [record(ELU[0], None)], {ELU[0].name: "not saved"})
        train(ELU[1:], [0.75, 0.5])
    text = re.sub(r"\x1b\[[\d;?]*[A-Za-z]|━|╸|╺", "", file.getvalue())
    lines = [re.sub(r" +", " ", line).strip() for line in re.split(r"[\r\n]+", text)]
    return [line for line in lines if line]


@pytest.mark.parametrize(("width", "total"), [(80, ""), (120, "/1,000")])
def test_each_group_has_a_bar_that_moves_with_the_steps(width, total):
    *before, whole, elu = show(width)
    assert f"relu 1/3 runs, step 250{total}, loss 4 0:00:02" in before
    assert f"relu 1/3 runs, step 500{total}, loss 3 0:00:04" in before
    # It stays above the bars of the groups that are trained.
    assert "relu 3/3 runs, loss 0.125 0:00:08" in before
    assert elu == f"elu 1/3 runs, step 500{total}, loss 0.5, 1 diverged 0:00:12"
    # Four runs of five took 20 seconds, with the two that are half finished.
    assert whole == "all 4/6 runs, 1 diverged 0:00:05 left"


def test_a_trial_batch_that_has_no_step_yet_is_compiling():
    assert "relu 1/3 runs, compiling, loss 0.5 0:00:00" in show(120)


def test_quiet_prints_a_line_per_run():
    assert show(quiet=True) == [
        "[2/6] activation relu, seed 1: finished, loss 0.25",
        "[3/6] activation relu, seed 2: finished, loss 0.125",
        "[4/6] activation elu, seed 0: not saved",
    ]


def test_a_log_has_a_line_per_trial_batch_and_one_about_every_ten_seconds():
    assert show(terminal=False) == [
        "[1/6] relu: 1/3 runs, compiling, loss 0.5",
        "[3/6] relu: 3/3 runs, loss 0.125, 0:00:12 left",
        "[4/6] activation elu, seed 0: not saved",
        "[4/6] elu: 1/3 runs, loss 1, 1 diverged, 0:00:10 left",
    ]


def test_a_log_of_a_long_trial_batch_has_a_line_about_every_ten_seconds():
    clock, file = [0.0], io.StringIO()
    console = Console(file=file, width=80)
    with report_progress(console, GROUPS, 1000, clock=lambda: clock[0]) as reporter:
        report = reporter.start(RELU)
        for step in range(1, 101):
            clock[0] += 1
            report(10 * step, 1000, 1 / step)
    lines = file.getvalue().splitlines()
    assert len(lines) == 1 + 100 // LOG_SECONDS
    assert lines[1] == "[0/6] relu: 0/3 runs, step 100/1,000, loss 0.1, 0:03:10 left"


def test_the_remaining_time_is_estimated_after_the_first_hundredth():
    clock = [0.0]
    console = Console(file=io.StringIO(), width=80)
    with report_progress(console, GROUPS, 1000, clock=lambda: clock[0]) as reporter:
        report = reporter.start(RELU)
        clock[0] = 60.0  # compilation
        report(20, 1000, 1.0)
        assert reporter.remaining_seconds is None
        report(40, 1000, 1.0)
        assert reporter.remaining_seconds == pytest.approx(60 / 0.12 * (6 - 0.12))


@pytest.mark.parametrize("quiet", [False, True])
def test_runs_that_another_process_finished_are_counted(quiet):
    file = io.StringIO()
    console = Console(force_terminal=True, file=file, width=80)
    with report_progress(console, GROUPS, 1000, quiet=quiet) as reporter:
        reporter.start(RELU[:1])
        reporter.finish(RELU[:1], [record(RELU[0], 0.5)])
        others = [record(run, 0.5) for run in RELU]
        assert len(reporter.add_records(others)) == 2
        assert reporter.add_records(others) == []
        reporter.start(ELU[:1])
        reporter.finish(ELU[:1], [record(ELU[0], 0.5)])
    expected = ["[1/6]", "[4/6]"] if quiet else ["1/3", "3/3", "4/6"]
    assert all(text in file.getvalue() for text in expected)


def test_a_record_that_is_not_of_this_study_is_not_counted():
    with report_progress(Console(file=io.StringIO()), GROUPS, 1000) as reporter:
        assert reporter.add_records([record(grid(seed=[9])[0], 0.5)]) == []
