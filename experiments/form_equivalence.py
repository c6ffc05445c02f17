"""Are the function, the layer and the Dense form of an activation the same program?"""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import jax
import numpy as np
from pydantic import Field

from experiments.activation_forms import (
    APIS,
    FORMS,
    Weights,
    compiled,
    programs,
    same,
    timed,
)
from jax_acts.experiments.config.schema import StudyConfig
from jax_acts.experiments.report.charts import Row, intervals
from jax_acts.experiments.report.format import interval, listed, mean, number
from jax_acts.experiments.report.model import Cell, Chart, Column, Page, Table
from jax_acts.experiments.report.tables import DOTS, NO_ANSWER
from jax_acts.experiments.stats import Spread, spread
from jax_acts.experiments.study import Member, Prepared, Record, Study, Tick
from jax_acts.experiments.train.trial import Activations, Seeds, grid


class Config(StudyConfig):
    """Six programs of each activation: three forms in two APIs, repeated by seeds."""

    activations: Activations
    features: int = Field(default=256, ge=1, le=65_536)
    batch_size: int = Field(default=256, ge=1, le=1_000_000)
    rounds: int = Field(default=40, ge=1, le=100_000)
    """How often each program takes its turn to be timed."""
    calls: int = Field(default=5, ge=1, le=100_000)
    """The calls of a turn."""
    seeds: Seeds = 5

    def shrunk(self) -> Self:
        """Returns two activations, narrow, timed for a moment."""
        small = {"features": 8, "batch_size": 4, "rounds": 2, "calls": 2, "seeds": 2}
        return self.model_copy(update={"activations": self.activations[:2], **small})


class Compared(Record):
    """The six programs of an activation, on inputs from one seed."""

    activation: str
    seed: int
    same_outputs: bool
    """Whether outputs and gradients of all six are equal bit for bit."""
    same_program: bool
    """Whether XLA compiled all six to the same instructions."""
    run_seconds: dict[str, float]
    """By API and form: the median time of a call."""
    compile_seconds: dict[str, float]


def members(config: Config) -> tuple[Member, ...]:
    """Returns the members, in rounds over the activations."""
    return grid(activation=config.activations, seed=range(config.seeds))


def prepare(config: Config) -> Prepared[Compared]:
    """Returns the study with nothing compiled."""

    def member(member: Member, tick: Tick, folder: Path) -> Compared:
        axes = dict(member.axes)
        activation, seed = str(axes["activation"]), int(axes["seed"])
        weights, x = _inputs(config, seed)
        found = _turned([*programs(activation).items()], seed)
        compiled(found[-1][1], weights, x)  # the first one pays for what all need
        done = {key: compiled(program, weights, x) for key, program in found}
        results = [program.run(weights, x) for program in done.values()]
        texts = {program.instructions for program in done.values()}
        runs = {key: program.run for key, program in done.items()}
        seconds = timed(runs, weights, x, config.rounds, config.calls)
        tick(None)
        return Compared(
            member=member.name,
            status="done",
            activation=activation,
            seed=seed,
            same_outputs=all(same(results[0], other) for other in results),
            same_program=len(texts) == 1,
            run_seconds={_called(*key): value for key, value in seconds.items()},
            compile_seconds={
                _called(*k): program.seconds for k, program in done.items()
            },
        )

    return Prepared(setting(config), 1, member)


def _inputs(config: Config, seed: int) -> tuple[Weights, jax.Array]:
    kernel, bias, x = jax.random.split(jax.random.key(seed), 3)
    shape = (config.features, config.features)
    weights = Weights(
        jax.random.normal(kernel, shape) / config.features**0.5,
        jax.random.normal(bias, (config.features,)),
    )
    return weights, jax.random.normal(x, (config.batch_size, config.features))


def _turned(programs: list, seed: int) -> list:
    """Returns the programs from another one on for each seed: the order is no cause."""
    start = seed % len(programs)
    return programs[start:] + programs[:start]


def _called(api: str, form: str) -> str:
    return f"{api} {form}"


def setting(config: Config) -> str:
    """Returns what is compared, in a sentence."""
    return (
        f"{len(config.activations)} activations × {config.seeds} seeds: f(x W + b) and "
        f"its gradients in x, W and b, float32, x of {config.batch_size} × "
        f"{config.features}, as a function, as a layer and as Dense with an "
        f"activation, in linen and in nnx; {config.rounds} rounds of {config.calls} "
        "calls of each in turn."
    )


def report(config: Config, records: Sequence[Compared]) -> Page:
    """Returns the page of the study."""
    series = tuple(_called(api, form) for api in APIS for form in FORMS)
    lines = []
    for activation in config.activations:
        own = [r for r in records if r.activation == activation]
        if own:
            lines.append(_line(activation, own))
    missing = len(members(config)) - len(records)
    notes = [f"The run is not finished: {missing} members are missing."][:missing]
    return Page(
        __doc__ or "",
        answer(records),
        setting(config),
        "none: the inputs are random numbers",
        Table(_COLUMNS, tuple(lines)),
        tuple(_charts(series, records)) if records else (),
        series,
        (*notes, *_NOTES),
    )


def _line(activation: str, own: Sequence[Compared]) -> tuple[Cell, ...]:
    return (
        Cell(activation, activation),
        _share([r.same_outputs for r in own]),
        _share([r.same_program for r in own]),
        *(mean(_ratio(own, "run_seconds", form), 3) for form in FORMS[1:]),
        *(mean(_ratio(own, "compile_seconds", form), 3) for form in FORMS[1:]),
        number(1e6 * float(np.median([_middle(r.run_seconds) for r in own])), 0),
        number(1e3 * float(np.median([_middle(r.compile_seconds) for r in own])), 0),
    )


def _share(values: Sequence[bool]) -> Cell:
    held = sum(values)
    said = "yes" if held == len(values) else f"{held} of {len(values)}"
    return Cell(said, held / len(values))


def _middle(seconds: dict[str, float]) -> float:
    return float(np.median([*seconds.values()]))


def _ratio(records: Sequence[Compared], times: str, form: str) -> Spread:
    """Returns the time of a form over that of the function, over seeds and APIs."""
    ratios = []
    for record in records:
        seconds = getattr(record, times)
        logs = [
            np.log(seconds[_called(api, form)] / seconds[_called(api, "function")])
            for api in APIS
        ]
        ratios.append(float(np.mean(logs)))
    known = spread(ratios)
    ends = (float(np.exp(x)) for x in (known.mean, known.low, known.high))
    middle, low, high = ends
    return known._replace(mean=middle, low=low, high=high)


def _charts(series: Sequence[str], records: Sequence[Compared]) -> list[Chart]:
    charts = []
    for title, times in (
        ("Time of a call", "run_seconds"),
        ("Time to compile", "compile_seconds"),
    ):
        rows = []
        for color, name in enumerate(series):
            values = [
                100 * (getattr(r, times)[name] / _middle(getattr(r, times)) - 1)
                for r in records
            ]
            rows.append(Row(color, name, values, spread(values)))
        caption = f"Of each record, against the median of its six programs. {DOTS}"
        svg = intervals(times.replace("_", "-"), rows, "% above the median of the six")
        charts.append(Chart(title, caption, svg))
    return charts


def answer(records: Sequence[Compared]) -> str:
    """Returns whether they are one program, and what the times say."""
    if not records:
        return NO_ANSWER
    outputs, program = (
        all(values)
        for values in zip(
            *((r.same_outputs, r.same_program) for r in records), strict=True
        )
    )
    equal = "bit for bit equal" if outputs else "NOT always equal bit for bit"
    same_ = "the same instructions" if program else "NOT always the same instructions"
    ratios = {form: _ratio(records, "run_seconds", form) for form in FORMS[1:]}
    said = [
        f"{form} {ratio.mean:.3f} ({interval(ratio, 3)})"
        for form, ratio in ratios.items()
    ]
    verdict = "Yes" if outputs and program else "No"
    return (
        f"{verdict}: outputs and gradients are {equal}, and XLA compiles all forms, in "
        f"linen and in nnx, to {same_}. The time of a call over that of the function "
        f"is, for {listed(said)}."
    )


_COLUMNS = (
    Column("activation"),
    Column("equal results", "outputs and gradients of all six, bit for bit"),
    Column("equal program", "the instructions after XLA's optimisation"),
    Column("layer / function, run", "ratio of times, with its 95 % interval"),
    Column("Dense / function, run", "ratio of times, with its 95 % interval"),
    Column("layer / function, compile", "ratio of times", narrow=False),
    Column("Dense / function, compile", "ratio of times", narrow=False),
    Column("µs per call", "median of the six programs", narrow=False),
    Column("ms to compile", "median of the six programs", narrow=False),
)
_NOTES = (
    "Equal programs: the optimised HLO of each compiled program, without the places in "
    "the sources that it names, is the same text.",
    "Ratios are geometric means over seeds and both APIs, and their intervals 95 % "
    "t-intervals of the logarithms over the seeds. Equal programs take equal time: "
    "what differs from 1 is what else the machine did.",
    "A compilation begins with empty caches, and counts tracing, lowering and "
    "compiling; the order of the programs is another one for each seed.",
)

STUDY = Study(__doc__ or "", Config, Compared, members, prepare, report)
